//! The heads of HTTP/1.1: those of plain requests from bytes, and those of answers to bytes.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{Buf, Bytes};
use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use httparse::Status;

/// Headers that a request may have.
const HEADERS: usize = 64;

/// What a connection's bytes begin with.
pub(crate) enum Head {
    /// A part of a request's head, or nothing.
    Partial,
    /// A plain request, and the length of its body.
    Request(Box<Parts>, u64),
    /// Something else.
    Other,
}

/// Takes the head of a plain request from the bytes; anything else stays where it is. `matches` says which paths are plain.
pub(crate) fn take_head(bytes: &mut Bytes, matches: impl Fn(&Uri) -> bool) -> Head {
    if bytes.is_empty() {
        return Head::Partial;
    }
    let mut headers = [const { MaybeUninit::uninit() }; HEADERS];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(bytes, &mut headers) {
        Ok(Status::Partial) => Head::Partial,
        Err(_) => Head::Other,
        Ok(Status::Complete(length)) => match plain(&request, bytes, matches) {
            None => Head::Other,
            Some((parts, body)) => {
                bytes.advance(length);
                Head::Request(parts, body)
            }
        },
    }
}

fn plain(
    request: &httparse::Request<'_, '_>,
    bytes: &Bytes,
    matches: impl Fn(&Uri) -> bool,
) -> Option<(Box<Parts>, u64)> {
    let method = match request.method? {
        "GET" => Method::GET,
        "POST" => Method::POST,
        "OPTIONS" => Method::OPTIONS,
        _ => return None,
    };
    let target = request.path.filter(|path| path.starts_with('/'))?;
    let uri = Uri::from_maybe_shared(bytes.slice_ref(target.as_bytes())).ok()?;
    if request.version != Some(1) || !matches(&uri) {
        return None;
    }
    let mut length = None;
    let mut headers = HeaderMap::with_capacity(request.headers.len());
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
            _ => true,
        };
        if !plain {
            return None;
        }
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(header.value)).ok()?;
        headers.append(name, value);
    }
    let length = length.unwrap_or(0);
    if length > 0 && method != Method::POST {
        return None;
    }
    let mut parts = Box::new(Request::new(()).into_parts().0);
    (parts.method, parts.uri, parts.headers) = (method, uri, headers);
    Some((parts, length))
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
    for (name, value) in response.headers() {
        if !(last && name == header::CONNECTION) && name != header::CONTENT_LENGTH {
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
    if !status.is_informational() && !response.headers().contains_key(header::DATE) {
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
