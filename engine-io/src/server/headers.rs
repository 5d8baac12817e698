//! Response headers: CORS, the session cookie, and those of every answer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};

use super::refusal::bare;
use crate::sid::Sid;

/// Which pages of other origins may read the answers.
///
/// A WebSocket is not bound by it: browsers do not ask. Check the `Origin` header in [`allow_request`](crate::ServerConfig::allow_request) for that.
#[derive(Clone)]
pub struct Cors {
    origin: Origin,
    credentials: bool,
    methods: String,
    allowed_headers: Option<String>,
    exposed_headers: Option<String>,
    max_age: Option<Duration>,
}

#[derive(Clone)]
enum Origin {
    Any,
    Listed(Vec<String>),
    Checked(Arc<dyn Fn(&str) -> bool + Send + Sync>),
}

impl Cors {
    /// Every origin, told as `*`; browsers then refuse to send credentials.
    pub fn any() -> Self {
        Self::new(Origin::Any)
    }

    /// These origins, each with scheme and port as in `https://example.com`.
    pub fn origins<S: Into<String>>(origins: impl IntoIterator<Item = S>) -> Self {
        Self::new(Origin::Listed(
            origins.into_iter().map(Into::into).collect(),
        ))
    }

    /// The origins for which the function says true.
    pub fn matching(allow: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self::new(Origin::Checked(Arc::new(allow)))
    }

    fn new(origin: Origin) -> Self {
        Self {
            origin,
            credentials: false,
            methods: "GET,HEAD,PUT,PATCH,POST,DELETE".into(),
            allowed_headers: None,
            exposed_headers: None,
            max_age: None,
        }
    }

    /// Whether pages may send cookies. Default false.
    pub fn credentials(mut self, allow: bool) -> Self {
        self.credentials = allow;
        self
    }

    /// The methods told to a preflight request, separated by commas. Default `GET,HEAD,PUT,PATCH,POST,DELETE`.
    pub fn methods(mut self, methods: &str) -> Self {
        self.methods = methods.into();
        self
    }

    /// The request headers that pages may set, separated by commas. Default: those that the preflight request asks for.
    pub fn allowed_headers(mut self, names: &str) -> Self {
        self.allowed_headers = Some(names.into());
        self
    }

    /// The response headers that pages may read, separated by commas. Default none.
    pub fn exposed_headers(mut self, names: &str) -> Self {
        self.exposed_headers = Some(names.into());
        self
    }

    /// How long a browser may remember the answer to a preflight request, in whole seconds. Default: the browser's choice.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Adds the headers that every answer carries.
    pub(crate) fn apply(&self, headers: &mut HeaderMap, request: &HeaderMap) {
        let origin = request.get(header::ORIGIN);
        let allowed = |check: &dyn Fn(&str) -> bool| {
            origin
                .filter(|origin| origin.to_str().is_ok_and(check))
                .cloned()
        };
        let value = match &self.origin {
            Origin::Any => Some(HeaderValue::from_static("*")),
            Origin::Listed(origins) => {
                allowed(&|origin| origins.iter().any(|known| known == origin))
            }
            Origin::Checked(check) => allowed(&**check),
        };
        if !matches!(self.origin, Origin::Any) {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(value) = value {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, value);
            if self.credentials {
                headers.insert(
                    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
                    HeaderValue::from_static("true"),
                );
            }
            insert(
                headers,
                header::ACCESS_CONTROL_EXPOSE_HEADERS,
                self.exposed_headers.as_deref(),
            );
        }
    }

    /// The answer to a preflight request.
    pub(crate) fn preflight(&self, request: &HeaderMap) -> Response<Bytes> {
        let mut response = bare(StatusCode::NO_CONTENT);
        let headers = response.headers_mut();
        self.apply(headers, request);
        insert(
            headers,
            header::ACCESS_CONTROL_ALLOW_METHODS,
            Some(&self.methods),
        );
        let asked = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
        match (&self.allowed_headers, asked) {
            (Some(names), _) => insert(headers, header::ACCESS_CONTROL_ALLOW_HEADERS, Some(names)),
            (None, Some(asked)) => {
                headers.append(
                    header::VARY,
                    HeaderValue::from_static("Access-Control-Request-Headers"),
                );
                headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
            }
            (None, None) => {}
        }
        if let Some(age) = self.max_age {
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, age.as_secs().into());
        }
        headers.insert(header::CONTENT_LENGTH, 0.into());
        response
    }
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: Option<&str>) {
    if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
        headers.insert(name, value);
    }
}

impl fmt::Debug for Cors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Cors");
        match &self.origin {
            Origin::Any => debug.field("origin", &"*"),
            Origin::Listed(origins) => debug.field("origin", origins),
            Origin::Checked(_) => debug.field("origin", &"checked by a function"),
        };
        debug
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

/// The cookie that carries a session's id: `io=<sid>; Path=/; HttpOnly; SameSite=Lax`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    name: String,
    attributes: String,
}

impl Default for Cookie {
    fn default() -> Self {
        Self::new("io")
    }
}

impl Cookie {
    /// A cookie of that name with the reference's attributes: `Path=/; HttpOnly; SameSite=Lax`.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            attributes: "Path=/; HttpOnly; SameSite=Lax".into(),
        }
    }

    /// Other attributes, as they stand in the header: `Path=/chat; Secure; HttpOnly; SameSite=None; Max-Age=3600`.
    pub fn attributes(mut self, attributes: &str) -> Self {
        self.attributes = attributes.into();
        self
    }

    pub(crate) fn apply(&self, headers: &mut HeaderMap, sid: &Sid) {
        let separator = if self.attributes.is_empty() { "" } else { "; " };
        let cookie = format!("{}={sid}{separator}{}", self.name, self.attributes);
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            headers.append(header::SET_COOKIE, value);
        }
    }
}

/// What every successful answer to a poll or a POST carries.
pub(crate) fn common(headers: &mut HeaderMap, request: &Parts) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let agent = request
        .headers
        .get(header::USER_AGENT)
        .and_then(|agent| agent.to_str().ok());
    if agent.is_some_and(|agent| agent.contains(";MSIE") || agent.contains("Trident/")) {
        headers.insert(header::X_XSS_PROTECTION, HeaderValue::from_static("0"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&'static str, &str)]) -> HeaderMap {
        headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn only_listed_origins_are_let_in() {
        let cors = Cors::origins(["https://a.example"]).credentials(true);
        for (origin, allowed) in [("https://a.example", true), ("https://b.example", false)] {
            let mut headers = HeaderMap::new();
            cors.apply(&mut headers, &request(&[("origin", origin)]));
            let expected = allowed.then(|| HeaderValue::from_str(origin).unwrap());
            assert_eq!(
                headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN),
                expected.as_ref()
            );
            assert_eq!(
                headers.contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS),
                allowed
            );
            assert_eq!(headers[header::VARY], "Origin");
        }
    }

    #[test]
    fn a_preflight_request_is_told_methods_and_headers() {
        let response =
            Cors::any().preflight(&request(&[("access-control-request-headers", "x-test")]));
        assert_eq!(response.status(), 204);
        assert_eq!(response.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert_eq!(
            response.headers()[header::ACCESS_CONTROL_ALLOW_METHODS],
            "GET,HEAD,PUT,PATCH,POST,DELETE"
        );
        assert_eq!(
            response.headers()[header::ACCESS_CONTROL_ALLOW_HEADERS],
            "x-test"
        );
    }

    #[test]
    fn the_cookie_has_the_reference_s_attributes() {
        let mut headers = HeaderMap::new();
        Cookie::default().apply(&mut headers, &"abc".into());
        assert_eq!(
            headers[header::SET_COOKIE],
            "io=abc; Path=/; HttpOnly; SameSite=Lax"
        );
    }
}
