//! The heads of HTTP/1.1: those of plain requests from bytes, and those of answers to bytes.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{Buf, Bytes};
use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode, Uri, Version};
use httparse::Status;

/// Headers that a request may have.
const HEADERS: usize = 64;

/// What a connection's bytes begin with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// A part of a request's head, or nothing.
    Partial,
    /// A plain request.
    Request {
        /// That of its body.
        length: u64,
        /// Whether it names another protocol.
        upgrades: bool,
    },
    /// Something else.
    Other,
}

/// Takes the head of a plain request from the bytes; anything else stays where it is. `matches` says which paths are plain.
///
/// Nothing but the extensions of what the parts were before is left in those of a plain request; for anything else they mean nothing.
pub(crate) fn take_head(
    bytes: &mut Bytes,
    parts: &mut Parts,
    matches: impl Fn(&Uri) -> bool,
) -> Head {
    if bytes.is_empty() {
        return Head::Partial;
    }
    let mut headers = [const { MaybeUninit::uninit() }; HEADERS];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(bytes, &mut headers) {
        Ok(Status::Partial) => Head::Partial,
        Err(_) => Head::Other,
        Ok(Status::Complete(head)) => match plain(&request, bytes, parts, matches) {
            None => Head::Other,
            Some((length, upgrades)) => {
                bytes.advance(head);
                Head::Request { length, upgrades }
            }
        },
    }
}

fn plain(
    request: &httparse::Request<'_, '_>,
    bytes: &Bytes,
    parts: &mut Parts,
    matches: impl Fn(&Uri) -> bool,
) -> Option<(u64, bool)> {
    parts.method = match request.method? {
        "GET" => Method::GET,
        "POST" => Method::POST,
        "OPTIONS" => Method::OPTIONS,
        _ => return None,
    };
    let target = request.path.filter(|path| path.starts_with('/'))?;
    parts.uri = Uri::from_maybe_shared(bytes.slice_ref(target.as_bytes())).ok()?;
    if request.version != Some(1) || !matches(&parts.uri) {
        return None;
    }
    parts.version = Version::HTTP_11;
    parts.headers = HeaderMap::with_capacity(request.headers.len());
    let (mut length, mut upgrades) = (None, false);
    for header in request.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        let plain = match name {
            header::CONTENT_LENGTH => {
                let first = length.is_none();
                length = Some(content_length(header.value)?);
                first
            }
            header::CONNECTION => header.value.split(|byte| *byte == b',').all(|option| {
                let option = option.trim_ascii();
                option.eq_ignore_ascii_case(b"keep-alive")
                    || option.eq_ignore_ascii_case(b"upgrade")
            }),
            header::TRANSFER_ENCODING | header::EXPECT => false,
            header::UPGRADE => {
                upgrades = true;
                true
            }
            _ => true,
        };
        if !plain {
            return None;
        }
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(header.value)).ok()?;
        parts.headers.append(name, value);
    }
    let length = length.unwrap_or(0);
    (length == 0 || parts.method == Method::POST).then_some((length, upgrades))
}

/// Digits only; more than 18 of them are more than anybody has.
fn content_length(value: &[u8]) -> Option<u64> {
    if value.len() > 18 || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// Writes everything of an answer but its body; behind the `last` one the connection ends.
pub(crate) fn write_head(output: &mut Vec<u8>, response: &Response<Bytes>, last: bool) {
    let status = response.status();
    output.extend_from_slice(b"HTTP/1.1 ");
    output.extend_from_slice(status.as_str().as_bytes());
    output.push(b' ');
    output.extend_from_slice(status.canonical_reason().unwrap_or("").as_bytes());
    output.extend_from_slice(b"\r\n");
    let mut is_dated = status.is_informational();
    for (name, value) in response.headers() {
        is_dated |= *name == header::DATE;
        let is_ours = match *name {
            header::CONNECTION => last,
            header::CONTENT_LENGTH | header::TRANSFER_ENCODING => true,
            _ => false,
        };
        if !is_ours {
            put(output, name.as_str(), value.as_bytes());
        }
    }
    if last {
        put(output, "connection", b"close");
    }
    let length = response.body().len();
    let bodiless = status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED;
    if !bodiless {
        put(
            output,
            "content-length",
            itoa::Buffer::new().format(length).as_bytes(),
        );
    }
    if !is_dated {
        put(output, "date", &date());
    }
    output.extend_from_slice(b"\r\n");
}

fn put(output: &mut Vec<u8>, name: &str, value: &[u8]) {
    output.extend_from_slice(name.as_bytes());
    output.extend_from_slice(b": ");
    output.extend_from_slice(value);
    output.extend_from_slice(b"\r\n");
}

/// The time as HTTP writes it, made once a second.
fn date() -> [u8; 29] {
    thread_local! {
        static LAST: Cell<(u64, [u8; 29])> = const { Cell::new((0, [0; 29])) };
    }
    let now = SystemTime::now();
    let second = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs());
    let (last, mut text) = LAST.get();
    if last != second || second == 0 {
        let written = httpdate::fmt_http_date(now);
        text.iter_mut()
            .zip(written.bytes())
            .for_each(|(place, byte)| *place = byte);
        LAST.set((second, text));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is taken of a text, and what is left of it.
    fn take(text: &str) -> (Head, Parts, Bytes) {
        let mut bytes = Bytes::copy_from_slice(text.as_bytes());
        // Those of a request before.
        let before = http::Request::put("/").version(Version::HTTP_2);
        let before = before.header("Cookie", "a").body(());
        let mut parts = before.unwrap().into_parts().0;
        let head = take_head(&mut bytes, &mut parts, |uri| {
            uri.path().starts_with("/engine.io/")
        });
        (head, parts, bytes)
    }

    #[test]
    fn plain_requests_are_taken_and_what_follows_stays() {
        for (text, method, length) in [
            (
                "GET /engine.io/?a=b HTTP/1.1\r\nHost: a\r\n\r\n",
                Method::GET,
                0,
            ),
            (
                "\r\nGET /engine.io/?a=b HTTP/1.1\nhost:a\n\n",
                Method::GET,
                0,
            ),
            (
                "OPTIONS /engine.io/?a=b HTTP/1.1\r\nHOST:  a \r\n\r\n",
                Method::OPTIONS,
                0,
            ),
            (
                "POST /engine.io/?a=b HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\n\r\n",
                Method::POST,
                7,
            ),
            (
                "GET /engine.io/?a=b HTTP/1.1\r\nHost: a\r\nConnection: Keep-Alive, Upgrade\r\nUpgrade: a\r\nContent-Length: 0\r\n\r\n",
                Method::GET,
                0,
            ),
        ] {
            let (head, parts, rest) = take(&format!("{text}more"));
            let upgrades = text.contains("Upgrade");
            assert_eq!(head, Head::Request { length, upgrades }, "{text}");
            assert_eq!((parts.method, parts.version), (method, Version::HTTP_11));
            assert_eq!(parts.uri, "/engine.io/?a=b");
            assert_eq!(parts.headers["host"], "a");
            assert!(!parts.headers.contains_key("cookie"));
            assert_eq!(rest, "more");
            // Every beginning of it is too little.
            for end in 0..text.len() {
                let (head, _, rest) = take(&text[..end]);
                assert_eq!(head, Head::Partial, "{}", &text[..end]);
                assert_eq!(rest, text[..end]);
            }
        }
    }

    #[test]
    fn what_is_out_of_the_ordinary_stays_where_it_is() {
        let many = "a: b\r\n".repeat(HEADERS + 1);
        for (request, headers) in [
            ("HEAD /engine.io/ HTTP/1.1", ""),
            ("get /engine.io/ HTTP/1.1", ""),
            ("GET /engine.io/ HTTP/1.0", ""),
            ("GET /other/ HTTP/1.1", ""),
            ("GET http://a/engine.io/ HTTP/1.1", ""),
            ("OPTIONS * HTTP/1.1", ""),
            ("GET /engine.io/\u{1} HTTP/1.1", ""),
            ("GET /engine.io/ HTTP/1.0", "Connection: keep-alive\r\n"),
            ("GET /engine.io/ HTTP/1.2", ""),
            ("GET /engine.io/ HTTP/1.1", "Connection: close\r\n"),
            ("GET /engine.io/ HTTP/1.1", "Connection: Close, foo\r\n"),
            ("GET /engine.io/ HTTP/1.1", "Connection: foo\r\n"),
            (
                "GET /engine.io/ HTTP/1.1",
                "Connection: keep-alive\r\nConnection: close\r\n",
            ),
            (
                "GET /engine.io/ HTTP/1.1",
                "Connection: close\r\nConnection: keep-alive\r\n",
            ),
            ("GET /engine.io/ HTTP/1.1", "Content-Length: 1\r\n"),
            ("GET /engine.io/ HTTP/1.1", "Name : a\r\n"),
            ("GET /engine.io/ HTTP/1.1", "a: b\r\n c\r\n"),
            ("GET /engine.io/ HTTP/1.1", &many),
            (
                "POST /engine.io/ HTTP/1.1",
                "Transfer-Encoding: chunked\r\n",
            ),
            (
                "POST /engine.io/ HTTP/1.1",
                "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            ),
            (
                "POST /engine.io/ HTTP/1.1",
                "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
            ),
            (
                "POST /engine.io/ HTTP/1.1",
                "transfer-encoding: gzip, chunked\r\n",
            ),
            (
                "POST /engine.io/ HTTP/1.1",
                "Transfer-Encoding: identity\r\nContent-Length: 1\r\n",
            ),
            (
                "POST /engine.io/ HTTP/1.1",
                "Transfer-Encoding:\r\nContent-Length: 1\r\n",
            ),
            ("GET /engine.io/ HTTP/1.1", "Transfer-Encoding: chunked\r\n"),
            (
                "POST /engine.io/ HTTP/1.1",
                "Content-Length: 1\r\nExpect: 100-continue\r\n",
            ),
            (
                "POST /engine.io/ HTTP/1.1",
                "Content-Length: 1\r\nContent-Length: 1\r\n",
            ),
            ("POST /engine.io/ HTTP/1.1", "Content-Length: 1, 1\r\n"),
            ("POST /engine.io/ HTTP/1.1", "Content-Length: +1\r\n"),
            ("POST /engine.io/ HTTP/1.1", "Content-Length: -1\r\n"),
            (
                "POST /engine.io/ HTTP/1.1",
                "Content-Length: 1000000000000000000\r\n",
            ),
            ("POST /engine.io/ HTTP/1.1", "Content-Length:\r\n"),
        ] {
            let text = format!("{request}\r\n{headers}\r\n1");
            let (head, _, rest) = take(&text);
            assert_eq!(head, Head::Other, "{text}");
            assert_eq!(rest, text);
        }
    }

    #[track_caller]
    fn check(response: http::response::Builder, body: &'static str, last: bool, expected: &str) {
        let response = response.body(Bytes::from(body)).unwrap();
        let mut output = Vec::new();
        write_head(&mut output, &response, last);
        assert_eq!(String::from_utf8(output).unwrap(), expected);
    }

    #[test]
    fn answers_have_a_length_where_it_means_something() {
        let answer = |status| Response::builder().status(status).header("date", "now");
        check(
            answer(200)
                .header("content-type", "text/plain")
                .header("content-length", "7"),
            "ok",
            false,
            "HTTP/1.1 200 OK\r\ndate: now\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\n",
        );
        check(
            answer(400).header("connection", "close"),
            "",
            true,
            "HTTP/1.1 400 Bad Request\r\ndate: now\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        );
        // The body is whole, whatever a hook has said of it.
        check(
            answer(200)
                .header("transfer-encoding", "chunked")
                .header("connection", "foo")
                .header("connection", "bar"),
            "ok",
            false,
            "HTTP/1.1 200 OK\r\ndate: now\r\nconnection: foo\r\nconnection: bar\r\ncontent-length: 2\r\n\r\n",
        );
        check(
            answer(200)
                .header("connection", "Close, foo")
                .header("transfer-encoding", "gzip, chunked"),
            "ok",
            true,
            "HTTP/1.1 200 OK\r\ndate: now\r\nconnection: close\r\ncontent-length: 2\r\n\r\n",
        );
        check(
            answer(204),
            "",
            false,
            "HTTP/1.1 204 No Content\r\ndate: now\r\n\r\n",
        );
        check(
            answer(304),
            "",
            false,
            "HTTP/1.1 304 Not Modified\r\ndate: now\r\n\r\n",
        );
        check(
            Response::builder()
                .status(101)
                .header("connection", "Upgrade"),
            "",
            false,
            "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\n\r\n",
        );
        check(
            answer(599),
            "",
            false,
            "HTTP/1.1 599 \r\ndate: now\r\ncontent-length: 0\r\n\r\n",
        );
    }

    #[test]
    fn answers_have_the_date() {
        let mut output = Vec::new();
        write_head(&mut output, &Response::new(Bytes::new()), false);
        let text = String::from_utf8(output).unwrap();
        let date = text.split("date: ").nth(1).unwrap().trim_end();
        let time = httpdate::parse_http_date(date).unwrap();
        assert!(time <= SystemTime::now());
        assert!(time + std::time::Duration::from_secs(60) > SystemTime::now());
    }
}
