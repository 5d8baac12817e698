//! What a request is: query and headers in, a route or a refusal out.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Method, Version, header};
use hyper::ext::Protocol;

use super::config::ServerConfig;
use super::refusal::Refusal;
use crate::connection::Shared;
use crate::registry::Registry;
use crate::transport::Transport;
use crate::wire::{BinaryForm, Revision, Wire};

/// What to do with a request.
pub(crate) enum Route {
    /// Open a session over that transport, unless a check that comes after the request check has refused it. A WebSocket that asks for polling comes so far, too.
    Handshake(Transport, Wire, Result<(), Refusal>),
    /// A WebSocket for a session that exists.
    Candidate(Arc<Shared>, BinaryForm),
    /// A GET of a polling session.
    Poll(Arc<Shared>),
    /// A POST of a polling session.
    Data(Arc<Shared>),
    /// Another method, for a session that exists.
    OtherMethod,
    /// A WebSocket that asks for polling, for a session that exists: it is opened and closed at once.
    Contradiction,
}

/// The parameters that matter. Of duplicates the last one wins; an empty `sid` is none.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Query<'a> {
    transport: Option<Cow<'a, str>>,
    sid: Option<Cow<'a, str>>,
    revision: Option<Cow<'a, str>>,
    base64: bool,
    /// The callback index of JSONP, digits only.
    pub(crate) jsonp: Option<String>,
}

impl<'a> Query<'a> {
    pub(crate) fn parse(query: Option<&'a str>) -> Self {
        let query = query.unwrap_or("");
        let mut parsed = Self::default();
        // Nearly always there is nothing to decode, and one look at each byte does.
        let (mut start, mut equals) = (0, None);
        let mut set = |start, equals: Option<usize>, end| {
            let name = &query[start..equals.unwrap_or(end)];
            let value = equals.map_or("", |equals| &query[equals + 1..end]);
            parsed.set(name, value.into());
        };
        for (at, byte) in query.bytes().enumerate() {
            match byte {
                b'&' => {
                    set(start, equals, at);
                    (start, equals) = (at + 1, None);
                }
                b'=' if equals.is_none() => equals = Some(at),
                b'%' | b'+' => return Self::decode(query),
                _ => {}
            }
        }
        set(start, equals, query.len());
        parsed
    }

    fn decode(query: &'a str) -> Self {
        let mut parsed = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            parsed.set(&name, value);
        }
        parsed
    }

    fn set(&mut self, name: &str, value: Cow<'a, str>) {
        match name {
            "transport" => self.transport = Some(value),
            "sid" => self.sid = Some(value).filter(|sid| !sid.is_empty()),
            "EIO" => self.revision = Some(value),
            "b64" => self.base64 = !value.is_empty(),
            "j" => self.jsonp = Some(value.chars().filter(char::is_ascii_digit).collect()),
            _ => {}
        }
    }

    /// Whatever is not 4 is 3, as it was when `EIO` was not told yet. The scripts of JSONP can carry text only.
    fn wire(&self, transport: Transport) -> Wire {
        let scripts = transport == Transport::Polling && self.jsonp.is_some();
        Wire {
            revision: match self.revision.as_deref() {
                Some("4") => Revision::V4,
                _ => Revision::V3,
            },
            binary: if self.base64 || scripts {
                BinaryForm::Base64
            } else {
                BinaryForm::Raw
            },
        }
    }
}

/// The reference's checks in its order; `upgrade` is what [`is_upgrade`] says.
pub(crate) fn route(
    parts: &Parts,
    upgrade: bool,
    query: Query<'_>,
    config: &ServerConfig,
    registry: &Registry,
) -> Result<Route, Refusal> {
    let transport = query
        .transport
        .as_deref()
        .and_then(Transport::from_name)
        .filter(|known| config.transports.contains(known));
    let Some(transport) = transport else {
        return Err(Refusal::UnknownTransport(
            query.transport.map(Cow::into_owned),
        ));
    };
    let wire = query.wire(transport);
    let supported = wire.revision == Revision::V4 || config.allow_eio3;
    let handshake = if upgrade {
        check_websocket(parts)
    } else {
        Ok(())
    };
    let route = match query.sid {
        Some(sid) => {
            let Some((shared, current)) = registry.find(&sid) else {
                return Err(Refusal::UnknownSid(sid.into_owned()));
            };
            if !upgrade && transport != current {
                return Err(Refusal::TransportMismatch {
                    requested: transport,
                    current,
                });
            }
            if wire.revision != shared.wire.revision {
                return Err(Refusal::ProtocolMismatch(
                    query.revision.map(Cow::into_owned),
                ));
            }
            match parts.method {
                _ if upgrade => {
                    handshake?;
                    Route::Candidate(shared, wire.binary)
                }
                Method::GET => Route::Poll(shared),
                Method::POST => Route::Data(shared),
                _ => Route::OtherMethod,
            }
        }
        None if parts.method != Method::GET && !is_extended_connect(parts) => {
            return Err(Refusal::BadHandshakeMethod(parts.method.clone()));
        }
        None if !upgrade && transport == Transport::WebSocket => {
            return Err(Refusal::TransportHandshake);
        }
        None if supported || (upgrade && transport == Transport::Polling) => {
            Route::Handshake(transport, wire, handshake)
        }
        None => Route::Handshake(
            transport,
            wire,
            handshake.and_then(|()| {
                let revision = query.revision.map(Cow::into_owned);
                Err(Refusal::UnsupportedProtocol(revision))
            }),
        ),
    };
    Ok(match route {
        Route::Candidate(..) if transport == Transport::Polling => Route::Contradiction,
        route => route,
    })
}

/// Whether the request wants a WebSocket, by the rules of its version of HTTP.
pub(crate) fn is_upgrade(parts: &Parts) -> bool {
    wants_upgrade(&parts.headers) || is_extended_connect(parts)
}

/// Whether the request opens a WebSocket on a stream of HTTP/2 or later: CONNECT with a path and the pseudo header `:protocol: websocket`.
///
/// An HTTP server that does not tell the pseudo header lets nobody send it unless the host has enabled it; the version is a header that only such requests have.
/// Source: RFC 8441 §4 and §5; RFC 9220.
pub(crate) fn is_extended_connect(parts: &Parts) -> bool {
    parts.method == Method::CONNECT
        && parts.version >= Version::HTTP_2
        && parts.uri.path_and_query().is_some()
        && match parts.extensions.get::<Protocol>() {
            Some(protocol) => protocol.as_str().eq_ignore_ascii_case("websocket"),
            None => parts.headers.contains_key(header::SEC_WEBSOCKET_VERSION),
        }
}

/// Whether the request asks for another protocol on this connection, by the rules of HTTP/1.1.
pub(crate) fn wants_upgrade(headers: &HeaderMap) -> bool {
    if !headers.contains_key(header::UPGRADE) {
        return false;
    }
    let connection = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut tokens = connection.flat_map(|value| value.split(','));
    tokens.any(|token| token.trim().eq_ignore_ascii_case("upgrade"))
}

/// Source: RFC 6455 §4.2.1, and the reference's WebSocket library for the texts.
fn check_websocket(parts: &Parts) -> Result<(), Refusal> {
    let headers = &parts.headers;
    let is = |name: header::HeaderName, accepted: &[&str]| {
        headers.get(name).is_some_and(|value| {
            accepted
                .iter()
                .any(|text| value.as_bytes().eq_ignore_ascii_case(text.as_bytes()))
        })
    };
    // Streams of HTTP/2 have neither the header nor the key.
    if !is_extended_connect(parts) {
        if parts.method != Method::GET {
            return Err(Refusal::WebSocketHandshake("Invalid HTTP method"));
        }
        if !is(header::UPGRADE, &["websocket"]) {
            return Err(Refusal::WebSocketHandshake("Invalid Upgrade header"));
        }
        let key = headers
            .get(header::SEC_WEBSOCKET_KEY)
            .map(|key| key.as_bytes());
        if !key.is_some_and(is_websocket_key) {
            return Err(Refusal::WebSocketHandshake(
                "Missing or invalid Sec-WebSocket-Key header",
            ));
        }
    }
    if !is(header::SEC_WEBSOCKET_VERSION, &["13", "8"]) {
        return Err(Refusal::WebSocketHandshake(UNKNOWN_VERSION));
    }
    if subprotocol(headers).is_err() {
        return Err(Refusal::WebSocketHandshake(
            "Invalid Sec-WebSocket-Protocol header",
        ));
    }
    Ok(())
}

/// What is said of another version of WebSocket, beside those that are spoken.
pub(crate) const UNKNOWN_VERSION: &str = "Missing or invalid Sec-WebSocket-Version header";

/// The header is no list of different tokens.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InvalidSubprotocols;

/// The first of the subprotocols that a client offers. It means nothing here, but browsers give a connection up when none of them is chosen.
///
/// Source: RFC 6455 §4.2.1 and §4.2.2.
pub(crate) fn subprotocol(headers: &HeaderMap) -> Result<Option<&str>, InvalidSubprotocols> {
    let mut first = None;
    let mut seen = HashSet::new();
    for value in headers.get_all(header::SEC_WEBSOCKET_PROTOCOL) {
        let list = value.to_str().map_err(|_| InvalidSubprotocols)?;
        for name in list.split(',').map(|name| name.trim_matches([' ', '\t'])) {
            // What a method may be called is a token, too.
            let is_token = Method::from_bytes(name.as_bytes()).is_ok();
            if !is_token || !seen.insert(name) {
                return Err(InvalidSubprotocols);
            }
            first = first.or(Some(name));
        }
    }
    Ok(first)
}

/// 16 bytes in base64: 22 characters and two of padding.
fn is_websocket_key(key: &[u8]) -> bool {
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.len() == 24 && key.ends_with(b"==") && key[..22].iter().all(base64)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_last_duplicate_wins_and_an_empty_sid_is_none() {
        let query = Query::parse(Some("EIO=3&EIO=4&transport=pol%6Cing&sid=&j=a1b2&t=x"));
        let expected = Query {
            transport: Some("polling".into()),
            sid: None,
            revision: Some("4".into()),
            base64: false,
            jsonp: Some("12".into()),
        };
        assert_eq!(query, expected);
    }

    #[test]
    fn what_needs_no_decoding_is_read_as_what_does() {
        for query in [
            "",
            "&",
            "=",
            "sid",
            "sid=",
            "sid=&sid=a",
            "sid==a=b&&=x&transport=é&",
            "EIO=4&transport=polling&t=abc.1&b64=1&sid=0123456789abcdefghij&j=7",
        ] {
            assert_eq!(Query::parse(Some(query)), Query::decode(query), "{query}");
        }
    }

    #[test]
    fn the_query_tells_revision_and_form() {
        use BinaryForm::{Base64, Raw};
        use Revision::{V3, V4};
        for (query, revision, polling, websocket) in [
            ("EIO=4", V4, Raw, Raw),
            ("EIO=3", V3, Raw, Raw),
            ("", V3, Raw, Raw),
            ("EIO=5", V3, Raw, Raw),
            ("EIO=04", V3, Raw, Raw),
            ("EIO=3&b64=", V3, Raw, Raw),
            ("EIO=3&b64=1", V3, Base64, Base64),
            ("EIO=4&b64=0", V4, Base64, Base64),
            ("EIO=3&j=0", V3, Base64, Raw),
        ] {
            let parsed = Query::parse(Some(query));
            for (transport, binary) in [
                (Transport::Polling, polling),
                (Transport::WebSocket, websocket),
            ] {
                let wire = Wire { revision, binary };
                assert_eq!(parsed.wire(transport), wire, "{query} {transport}");
            }
        }
    }

    #[track_caller]
    fn check(request: http::request::Builder, query: &str, expected: Result<&str, u8>) {
        let parts = request.body(()).unwrap().into_parts().0;
        let route = route(
            &parts,
            is_upgrade(&parts),
            Query::parse(Some(query)),
            &ServerConfig::default(),
            &Registry::default(),
        );
        let name = route.and_then(|route| match route {
            Route::Handshake(Transport::Polling, _, late) if is_upgrade(&parts) => {
                late.map(|()| "contradiction")
            }
            Route::Handshake(_, _, late) => late.map(|()| "handshake"),
            Route::Contradiction => Ok("contradiction"),
            _ => Ok("session"),
        });
        assert_eq!(name.map_err(|refusal| refusal.code()), expected, "{query}");
    }

    #[test]
    fn requests_are_refused_with_the_reference_s_codes() {
        let get = || http::Request::get("/");
        check(get(), "EIO=4&transport=polling", Ok("handshake"));
        check(get(), "EIO=4", Err(0));
        check(get(), "EIO=4&transport=__proto__", Err(0));
        check(get(), "EIO=4&transport=polling&sid=nobody", Err(1));
        check(http::Request::post("/"), "EIO=4&transport=polling", Err(2));
        check(http::Request::head("/"), "EIO=4&transport=polling", Err(2));
        check(get(), "EIO=4&transport=websocket", Err(3));
        check(get(), "EIO=3&transport=polling", Err(5));
        check(get(), "transport=polling", Err(5));
    }

    #[test]
    fn a_stream_of_http_2_needs_no_key() {
        let connect = || {
            http::Request::builder()
                .method(Method::CONNECT)
                .version(Version::HTTP_2)
                .uri("https://a.example/engine.io/")
        };
        let complete = || connect().header("Sec-WebSocket-Version", "13");
        let named = |protocol| complete().extension(Protocol::from_static(protocol));
        let query = "EIO=4&transport=websocket";
        check(complete(), query, Ok("handshake"));
        check(named("websocket"), query, Ok("handshake"));
        check(named("connect-udp"), query, Err(2));
        check(complete(), "EIO=3&transport=websocket", Err(5));
        check(complete(), "EIO=4&transport=polling", Ok("contradiction"));
        check(complete(), "EIO=4&transport=websocket&sid=no", Err(1));
        check(
            connect().header("Sec-WebSocket-Version", "7"),
            query,
            Err(3),
        );
        // Another protocol, and another version of HTTP.
        check(connect(), query, Err(2));
        check(complete().version(Version::HTTP_11), query, Err(2));
    }

    #[test]
    fn a_websocket_request_needs_its_headers() {
        let upgrade = || {
            http::Request::get("/")
                .header("Connection", "keep-alive, Upgrade")
                .header("Upgrade", "websocket")
        };
        let keyed = || upgrade().header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        let complete = || keyed().header("Sec-WebSocket-Version", "13");
        let query = "EIO=4&transport=websocket";
        check(complete(), query, Ok("handshake"));
        check(complete(), "EIO=3&transport=websocket", Err(5));
        for revision in ["4", "3"] {
            let contradiction = format!("EIO={revision}&transport=polling");
            check(complete(), &contradiction, Ok("contradiction"));
            check(keyed(), &contradiction, Err(3));
        }
        check(keyed(), query, Err(3));
        check(keyed().header("Sec-WebSocket-Version", "7"), query, Err(3));
        check(
            upgrade()
                .header("Sec-WebSocket-Key", "short")
                .header("Sec-WebSocket-Version", "13"),
            query,
            Err(3),
        );
        for (offered, expected) in [("a", Ok("handshake")), ("a,,b", Err(3)), ("", Err(3))] {
            check(
                complete().header("Sec-WebSocket-Protocol", offered),
                query,
                expected,
            );
        }
    }

    #[test]
    fn the_first_subprotocol_is_chosen() {
        let check = |lines: &[&str], expected| {
            let mut headers = HeaderMap::new();
            for line in lines {
                let value = HeaderValue::from_bytes(line.as_bytes()).unwrap();
                headers.append(header::SEC_WEBSOCKET_PROTOCOL, value);
            }
            assert_eq!(subprotocol(&headers), expected, "{lines:?}");
        };
        check(&[], Ok(None));
        check(&["a"], Ok(Some("a")));
        check(&["v1.json , v2~#"], Ok(Some("v1.json")));
        check(&["b", "a\t,c"], Ok(Some("b")));
        for list in [
            "", ",", "a,", ",a", "a,,b", "a b", "a,a", "a;b", "\"a\"", "a/b", "é",
        ] {
            check(&[list], Err(InvalidSubprotocols));
        }
        check(&["a", "a"], Err(InvalidSubprotocols));
    }
}
