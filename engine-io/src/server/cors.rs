//! Cross-origin resource sharing: which pages may read the answers.
//!
//! A page's browser asks before it sends what a form could not (the preflight request), and looks into every answer:
//!
//! ```text
//! OPTIONS /engine.io/?EIO=4&transport=polling          204
//! Origin: https://app.example                          Access-Control-Allow-Origin: https://app.example
//! Access-Control-Request-Method: POST                  Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE
//! Access-Control-Request-Headers: x-token              Access-Control-Allow-Headers: x-token
//!                                                      Vary: Origin, Access-Control-Request-Headers
//! ```
//!
//! Source: the Fetch standard, "HTTP-network-or-cache fetch" and "CORS-preflight fetch"; the npm package `cors`, which the reference uses.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Response, StatusCode};

use super::headers::vary;
use super::refusal::bare;

/// Which pages of other origins may read the answers.
///
/// It is the browser that keeps others out: their requests are answered, without the header that says so. A WebSocket is not bound by it at all: browsers
/// do not ask. [`allowed_origins`](crate::ServerConfig::allowed_origins) is for that, and takes the same list.
#[derive(Clone)]
pub struct Cors {
    origin: Origin,
    credentials: bool,
    methods: HeaderValue,
    allowed_headers: Option<HeaderValue>,
    exposed_headers: Option<HeaderValue>,
    max_age: Option<Duration>,
    preflight: Option<StatusCode>,
}

#[derive(Clone)]
pub(crate) enum Origin {
    Any,
    Fixed(HeaderValue),
    Reflected,
    Listed(Vec<String>),
    Checked(Arc<dyn Fn(&str) -> bool + Send + Sync>),
}

impl Cors {
    /// Every origin, told as `*`; browsers then refuse to send credentials.
    pub fn any() -> Self {
        Self::new(Origin::Any)
    }

    /// Every origin, told as the one that asks, so that credentials can be allowed. That opens users' sessions to any page; use it with care.
    pub fn reflect() -> Self {
        Self::new(Origin::Reflected)
    }

    /// This origin, with scheme and port as in `https://example.com`. It is told to everybody, as the reference does with a single origin.
    ///
    /// # Panics
    ///
    /// If it cannot stand in a header.
    pub fn origin(origin: &str) -> Self {
        Self::new(Origin::Fixed(value(origin)))
    }

    /// These origins, each with scheme and port as in `https://example.com`.
    pub fn origins<S: Into<String>>(origins: impl IntoIterator<Item = S>) -> Self {
        Self::new(Origin::Listed(
            origins.into_iter().map(Into::into).collect(),
        ))
    }

    /// The origins for which the function says true, for instance those that a pattern matches.
    ///
    /// ```
    /// # use engine_io::Cors;
    /// let cors = Cors::matching(|origin| origin == "https://example.com" || origin.ends_with(".example.com"));
    /// ```
    pub fn matching(allow: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self::new(Origin::Checked(Arc::new(allow)))
    }

    fn new(origin: Origin) -> Self {
        Self {
            origin,
            credentials: false,
            methods: HeaderValue::from_static("GET,HEAD,PUT,PATCH,POST,DELETE"),
            allowed_headers: None,
            exposed_headers: None,
            max_age: None,
            preflight: Some(StatusCode::NO_CONTENT),
        }
    }

    pub(crate) fn allowed(&self) -> &Origin {
        &self.origin
    }

    /// Whether pages may send cookies. Default false.
    pub fn credentials(mut self, allow: bool) -> Self {
        self.credentials = allow;
        self
    }

    /// The methods told to a preflight request, separated by commas. Default `GET,HEAD,PUT,PATCH,POST,DELETE`.
    ///
    /// # Panics
    ///
    /// If they cannot stand in a header.
    pub fn methods(mut self, methods: &str) -> Self {
        self.methods = value(methods);
        self
    }

    /// The request headers that pages may set, separated by commas. Default: those that the preflight request asks for.
    ///
    /// # Panics
    ///
    /// If they cannot stand in a header.
    pub fn allowed_headers(mut self, names: &str) -> Self {
        self.allowed_headers = Some(value(names));
        self
    }

    /// The response headers that pages may read, separated by commas. Default none.
    ///
    /// # Panics
    ///
    /// If they cannot stand in a header.
    pub fn exposed_headers(mut self, names: &str) -> Self {
        self.exposed_headers = Some(value(names));
        self
    }

    /// How long a browser may remember the answer to a preflight request, in whole seconds. Default: the browser's choice.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// The status of the answer to a preflight request; some old browsers want 200. With `None` such requests are not answered but passed on with all
    /// headers set, like any other request of their method. Default 204.
    pub fn preflight_status(mut self, status: impl Into<Option<StatusCode>>) -> Self {
        self.preflight = status.into();
        self
    }

    /// The answer to a preflight request; `None` to requests of other methods, and when preflight requests are passed on.
    pub fn preflight(&self, method: &Method, request: &HeaderMap) -> Option<Response<Bytes>> {
        let status = self.preflight.filter(|_| method == Method::OPTIONS)?;
        let mut response = bare(status);
        self.apply(response.headers_mut(), method, request);
        Some(response)
    }

    /// Adds the headers to those of an answer. The engine does so by itself; this is for a [`Respond`](crate::Respond) that answers in its place.
    pub fn apply(&self, headers: &mut HeaderMap, method: &Method, request: &HeaderMap) {
        let asking = request.get(header::ORIGIN);
        let allowed = |check: &dyn Fn(&str) -> bool| {
            asking
                .filter(|origin| origin.to_str().is_ok_and(check))
                .cloned()
        };
        let origin = match &self.origin {
            Origin::Any => Some(HeaderValue::from_static("*")),
            Origin::Fixed(origin) => Some(origin.clone()),
            Origin::Reflected => allowed(&|origin| !origin.is_empty()),
            Origin::Listed(origins) => {
                allowed(&|origin| origins.iter().any(|known| known == origin))
            }
            Origin::Checked(check) => allowed(&**check),
        };
        if !matches!(self.origin, Origin::Any) {
            vary(headers, "Origin");
        }
        let preflight = method == Method::OPTIONS;
        if preflight && self.allowed_headers.is_none() {
            vary(headers, "Access-Control-Request-Headers");
        }
        // Without this one the others give no leave; the reference sends them all the same, unless a function has said no.
        if let Some(origin) = origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
        if self.credentials {
            headers.insert(
                header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            );
        }
        if let Some(names) = &self.exposed_headers {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, names.clone());
        }
        if !preflight {
            return;
        }
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        let asked = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
        if let Some(names) = self.allowed_headers.as_ref().or(asked) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
        }
        if let Some(age) = self.max_age {
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, age.as_secs().into());
        }
    }
}

/// Checked when it is set, so that a header does not silently stay away.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| panic!("no value for a header: {text:?}"))
}

impl fmt::Debug for Cors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Cors");
        match &self.origin {
            Origin::Any => debug.field("origin", &"*"),
            Origin::Fixed(origin) => debug.field("origin", origin),
            Origin::Reflected => debug.field("origin", &"reflected"),
            Origin::Listed(origins) => debug.field("origin", origins),
            Origin::Checked(_) => debug.field("origin", &"checked by a function"),
        };
        debug
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http::header::HeaderName;

    use super::*;

    const A: &str = "https://a.example";
    const B: &str = "https://b.example";

    fn map(headers: &[(&'static str, &str)]) -> HeaderMap {
        headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    fn applied(cors: &Cors, method: &Method, request: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        cors.apply(&mut headers, method, &map(request));
        headers
    }

    #[test]
    fn origins_are_told_as_by_the_reference() {
        let listed = Cors::origins([A, "https://c.example"]);
        let matching = Cors::matching(|origin| origin.starts_with("https://a."));
        let (origin, vary) = ("access-control-allow-origin", ("vary", "Origin"));
        for (cors, asking, expected) in [
            (Cors::any(), A, vec![(origin, "*")]),
            (Cors::origin(A), A, vec![(origin, A), vary]),
            (Cors::origin(A), B, vec![(origin, A), vary]),
            (Cors::reflect(), B, vec![(origin, B), vary]),
            (listed.clone(), A, vec![(origin, A), vary]),
            (listed, B, vec![vary]),
            (matching.clone(), A, vec![(origin, A), vary]),
            (matching, B, vec![vary]),
        ] {
            let headers = applied(&cors, &Method::GET, &[("origin", asking)]);
            assert_eq!(headers, map(&expected), "{cors:?} for {asking}");
        }
        for request in [&[][..], &[("origin", "")]] {
            let nobody = applied(&Cors::reflect(), &Method::GET, request);
            assert_eq!(nobody, map(&[vary]));
        }
    }

    #[test]
    fn those_who_may_not_read_miss_the_header_that_says_so_alone() {
        let cors = Cors::origins([A])
            .credentials(true)
            .exposed_headers("x-one,x-two");
        let everybody = [
            ("access-control-allow-credentials", "true"),
            ("access-control-expose-headers", "x-one,x-two"),
            ("vary", "Origin"),
        ];
        let refused = applied(&cors, &Method::GET, &[("origin", B)]);
        assert_eq!(refused, map(&everybody));
        let mut allowed = applied(&cors, &Method::GET, &[("origin", A)]);
        let origin = allowed.remove("access-control-allow-origin");
        assert_eq!(
            origin.as_ref().map(HeaderValue::as_bytes),
            Some(A.as_bytes())
        );
        assert_eq!(allowed, map(&everybody));
    }

    #[test]
    fn a_preflight_request_is_told_what_may_be_sent() {
        let asked = [
            ("origin", A),
            ("access-control-request-headers", "x-test, x-other"),
        ];
        let plain = Cors::reflect();
        let response = plain.preflight(&Method::OPTIONS, &map(&asked)).unwrap();
        assert_eq!(response.status(), 204);
        assert_eq!(
            *response.headers(),
            map(&[
                ("access-control-allow-origin", A),
                (
                    "access-control-allow-methods",
                    "GET,HEAD,PUT,PATCH,POST,DELETE"
                ),
                ("access-control-allow-headers", "x-test, x-other"),
                ("vary", "Origin, Access-Control-Request-Headers"),
            ])
        );
        let refused = Cors::origins([B]).preflight(&Method::OPTIONS, &map(&asked));
        let mut expected = response.headers().clone();
        expected.remove("access-control-allow-origin");
        assert_eq!(*refused.unwrap().headers(), expected);

        let configured = Cors::origin("http://good-domain.example")
            .methods("GET,PUT,POST")
            .allowed_headers("my-header")
            .exposed_headers("my-exposed-header")
            .credentials(true)
            .max_age(Duration::from_secs(123))
            .preflight_status(StatusCode::OK);
        let response = configured
            .preflight(&Method::OPTIONS, &map(&asked))
            .unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(
            *response.headers(),
            map(&[
                ("access-control-allow-origin", "http://good-domain.example"),
                ("access-control-allow-methods", "GET,PUT,POST"),
                ("access-control-allow-headers", "my-header"),
                ("access-control-expose-headers", "my-exposed-header"),
                ("access-control-allow-credentials", "true"),
                ("access-control-max-age", "123"),
                ("vary", "Origin"),
            ])
        );
    }

    #[test]
    fn only_preflight_requests_are_answered_and_only_if_wanted() {
        let asked = map(&[("origin", A)]);
        assert!(Cors::any().preflight(&Method::GET, &asked).is_none());
        let passing = Cors::any().preflight_status(None);
        assert!(passing.preflight(&Method::OPTIONS, &asked).is_none());
        let headers = applied(&passing, &Method::OPTIONS, &[("origin", A)]);
        assert!(headers.contains_key(header::ACCESS_CONTROL_ALLOW_METHODS));
    }
}
