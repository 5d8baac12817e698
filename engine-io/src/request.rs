//! The HTTP request that opened a session, kept small.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use http::header;
use http::request::Parts;
use hyper::upgrade::OnUpgrade;

/// What an HTTP server can tell about a connection and hyper does not: put it into the request's extensions in front of the engine.
///
/// The stand-alone listener does so by itself.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// The peer's address; behind [trusted proxies](crate::ServerConfig::trusted_proxies), once the engine has seen it, the client's.
    pub remote_addr: Option<SocketAddr>,
    /// Whether the connection is encrypted.
    pub secure: bool,
}

impl ConnectionInfo {
    /// An unencrypted connection from that address.
    pub fn new(remote_addr: SocketAddr) -> Self {
        Self {
            remote_addr: Some(remote_addr),
            secure: false,
        }
    }

    /// An unencrypted connection without an address, such as one over a Unix socket.
    pub fn local() -> Self {
        Self {
            remote_addr: None,
            secure: false,
        }
    }

    /// The same, encrypted.
    pub fn secure(mut self) -> Self {
        self.secure = true;
        self
    }
}

/// Names that most requests have; a block has their places here instead. Nothing outlives the process, so they may be added to in any order.
const NAMES: [&str; 31] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "cache-control",
    "connection",
    "cookie",
    "forwarded",
    "host",
    "origin",
    "pragma",
    "priority",
    "referer",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "traceparent",
    "upgrade",
    "user-agent",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];
/// Stands before a name that is not among them.
const OTHER: u8 = u8::MAX;

/// The request that opened a session. Path, query and headers are kept as one block of bytes: a map of headers costs ten times as much.
#[derive(Clone)]
pub struct Request {
    /// The path with the query, then pairs of names and values. Each is a length and so many bytes, but most names are single bytes.
    block: Box<[u8]>,
    connection: ConnectionInfo,
    received: SystemTime,
    /// The whole of it, if it is to be kept.
    parts: Option<Arc<Parts>>,
}

impl Request {
    pub(crate) fn new(parts: &Parts) -> Self {
        let connection = parts.extensions.get::<ConnectionInfo>().copied();
        let target = parts.uri.path_and_query();
        let mut block = Vec::new();
        put(
            &mut block,
            target.map_or("/", |target| target.as_str()).as_bytes(),
        );
        // HTTP/2 has the host elsewhere.
        let host = parts
            .uri
            .authority()
            .filter(|_| !parts.headers.contains_key(header::HOST))
            .map(|authority| ("host", authority.as_str().as_bytes()));
        let sent = parts.headers.iter();
        let sent = sent.map(|(name, value)| (name.as_str(), value.as_bytes()));
        for (name, value) in host.into_iter().chain(sent) {
            match NAMES.iter().position(|known| *known == name) {
                Some(place) => block.push(place as u8),
                None => {
                    block.push(OTHER);
                    put(&mut block, name.as_bytes());
                }
            }
            put(&mut block, value);
        }
        Self {
            block: block.into(),
            connection: connection.unwrap_or_else(|| ConnectionInfo {
                remote_addr: None,
                secure: parts.uri.scheme() == Some(&http::uri::Scheme::HTTPS),
            }),
            received: SystemTime::now(),
            parts: None,
        }
    }

    /// Keeps all of it.
    pub(crate) fn keep(&mut self, parts: &Parts) {
        let mut parts = parts.clone();
        // What is in there may hold on to the HTTP connection.
        parts.extensions.remove::<OnUpgrade>();
        self.parts = Some(Arc::new(parts));
    }

    /// The original request without its body, with the extensions that layers in front of the engine have added. Only with
    /// [`keep_request_parts`](crate::ServerConfig::keep_request_parts); `None` otherwise.
    pub fn parts(&self) -> Option<&Parts> {
        self.parts.as_deref()
    }

    /// Path and query, as sent.
    pub fn target(&self) -> &str {
        let target = take(&mut &self.block[..]).unwrap_or_default();
        std::str::from_utf8(target).unwrap_or_default()
    }

    /// The parameters of the query, decoded, in their order.
    pub fn query(&self) -> impl Iterator<Item = (String, String)> {
        let query = self.target().split_once('?').map_or("", |(_, query)| query);
        form_urlencoded::parse(query.as_bytes()).into_owned()
    }

    /// Names (in lower case) and values of the headers, in their order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let mut rest = &self.block[..];
        take(&mut rest);
        std::iter::from_fn(move || {
            let (&place, behind) = rest.split_first()?;
            rest = behind;
            let name = match NAMES.get(usize::from(place)) {
                Some(known) => known,
                None => std::str::from_utf8(take(&mut rest)?).ok()?,
            };
            Some((name, take(&mut rest)?))
        })
    }

    /// The first value of a header, if it is text. Names are compared without regard to case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self
            .headers()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }

    /// The peer's address, if the HTTP server told it (see [`ConnectionInfo`]); behind [trusted proxies](crate::ServerConfig::trusted_proxies), the client's.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.connection.remote_addr
    }

    /// Whether the connection is encrypted; behind [trusted proxies](crate::ServerConfig::trusted_proxies), the client's.
    pub fn is_secure(&self) -> bool {
        self.connection.secure
    }

    /// When the request arrived.
    pub fn received(&self) -> SystemTime {
        self.received
    }
}

/// Appends a length, in groups of seven bits beginning with the lowest, and the bytes.
fn put(block: &mut Vec<u8>, bytes: &[u8]) {
    let mut length = bytes.len();
    while length > 0x7f {
        block.push(0x80 | (length & 0x7f) as u8);
        length >>= 7;
    }
    block.push(length as u8);
    block.extend_from_slice(bytes);
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let groups = 1 + rest.iter().position(|byte| byte & 0x80 == 0)?;
    let (length, behind) = rest.split_at(groups);
    let length = length
        .iter()
        .rev()
        .fold(0, |length, byte| length << 7 | usize::from(byte & 0x7f));
    let (bytes, behind) = behind.split_at_checked(length)?;
    *rest = behind;
    Some(bytes)
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers and query may hold secrets, so they are not printed.
        let path = self.target().split('?').next();
        f.debug_struct("Request")
            .field("path", &path.unwrap_or_default())
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_http_2_is_a_header() {
        let request = http::Request::get("https://a.example:8080/engine.io/?EIO=4");
        let parts = request.body(()).unwrap().into_parts().0;
        let request = Request::new(&parts);
        assert_eq!(request.header("host"), Some("a.example:8080"));
        assert_eq!(request.target(), "/engine.io/?EIO=4");
        assert!(request.is_secure());
    }

    #[test]
    fn the_whole_request_is_kept_on_demand() {
        let request = http::Request::get("/")
            .header("x-test", "1")
            .extension(7_u8);
        let parts = request.body(()).unwrap().into_parts().0;
        let mut request = Request::new(&parts);
        assert!(request.parts().is_none());
        request.keep(&parts);
        let parts = request.parts().unwrap();
        assert_eq!(parts.headers["x-test"], "1");
        assert_eq!(parts.extensions.get(), Some(&7_u8));
    }

    #[test]
    fn headers_and_query_come_back_as_they_were_sent() {
        let request = http::Request::get("/engine.io/?EIO=4&a=%C3%A9+b&a=2")
            .header("X-Test", "1")
            .header("x-test", "2")
            .header("Empty", "");
        let request = Request::new(&request.body(()).unwrap().into_parts().0);
        assert_eq!(request.header("X-TEST"), Some("1"));
        assert_eq!(request.header("empty"), Some(""));
        assert_eq!(request.header("other"), None);
        let headers: Vec<_> = request.headers().collect();
        assert_eq!(
            headers,
            [("x-test", &b"1"[..]), ("x-test", b"2"), ("empty", b"")]
        );
        let query: Vec<_> = request.query().collect();
        let expected = [("EIO", "4"), ("a", "é b"), ("a", "2")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(query, expected);
    }

    #[test]
    fn a_block_holds_names_and_values_of_any_size() {
        assert!(NAMES.is_sorted() && NAMES.len() < usize::from(OTHER));
        for size in [0, 1, 127, 128, 16_383, 16_384, 70_000] {
            let (target, value) = (format!("/{}", "t".repeat(size)), "v".repeat(size));
            let other = format!("x-{}", "n".repeat(size.min(30_000)));
            let mut request = http::Request::get(target.get(..60_000).unwrap_or(&target));
            for name in NAMES.iter().chain([&&*other]) {
                request = request.header(*name, &value).header(*name, "");
            }
            let parts = request.body(()).unwrap().into_parts().0;
            let request = Request::new(&parts);
            assert_eq!(request.target(), parts.uri.path());
            let sent = parts.headers.iter();
            let sent = sent.map(|(name, value)| (name.as_str(), value.as_bytes()));
            assert!(request.headers().eq(sent), "{size}");
            assert_eq!(request.headers().count(), 2 * (NAMES.len() + 1));
        }
    }
}
