//! Response headers that are nobody's in particular.

use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;

/// What every successful answer to a poll or a POST carries.
pub(crate) fn common(headers: &mut HeaderMap, request: &Parts) {
    const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    let agent = request
        .headers
        .get(header::USER_AGENT)
        .and_then(|agent| agent.to_str().ok());
    if agent.is_some_and(|agent| agent.contains(";MSIE") || agent.contains("Trident/")) {
        headers.insert(header::X_XSS_PROTECTION, HeaderValue::from_static("0"));
    }
}

/// Over HTTP/1.1 the connection ends behind this answer.
pub(crate) fn last_of_connection(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
}

/// Tells caches that the answer depends on that request header, too. There is one `Vary` header, however many say so.
pub(crate) fn vary(headers: &mut HeaderMap, name: &'static str) {
    let known: Vec<_> = headers
        .get_all(header::VARY)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    let mut names = known.iter().flat_map(|value| value.split(','));
    if names.any(|known| known.trim() == "*" || known.trim().eq_ignore_ascii_case(name)) {
        return;
    }
    let value = match &known[..] {
        [] => HeaderValue::from_static(name),
        known => HeaderValue::try_from(format!("{}, {name}", known.join(", ")))
            .unwrap_or_else(|_| HeaderValue::from_static(name)),
    };
    headers.insert(header::VARY, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vary_collects_names_once() {
        let mut headers = HeaderMap::new();
        for (name, expected) in [
            ("Origin", "Origin"),
            ("Accept-Encoding", "Origin, Accept-Encoding"),
            ("origin", "Origin, Accept-Encoding"),
        ] {
            vary(&mut headers, name);
            assert_eq!(headers[header::VARY], expected);
        }
        headers.append(header::VARY, HeaderValue::from_static("Cookie"));
        vary(&mut headers, "A");
        assert_eq!(headers[header::VARY], "Origin, Accept-Encoding, Cookie, A");
        headers.insert(header::VARY, HeaderValue::from_static("*"));
        vary(&mut headers, "Origin");
        assert_eq!(headers[header::VARY], "*");
    }
}
