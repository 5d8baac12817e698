//! Which pages may connect: CORS keeps other pages from reading answers, but not from opening WebSockets.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http::header;
use http::request::Parts;

use super::cors::{Cors, Origin};
use super::refusal::Refusal;

/// The pages that may connect, by their origin: given to [`allowed_origins`](crate::ServerConfig::allowed_origins).
///
/// Made of a list, or of the [`Cors`] that is used anyway:
///
/// ```
/// # use engine_io::{AllowedOrigins, Cors, ServerConfig};
/// let listed = ServerConfig::default().allowed_origins(["https://app.example"]);
///
/// let cors = Cors::origins(["https://app.example", "http://localhost:5173"]);
/// let shared = ServerConfig::default().allowed_origins(&cors).cors(cors);
///
/// let own_pages = ServerConfig::default().allowed_origins(AllowedOrigins::same_host());
/// ```
///
/// An origin is what a browser says: scheme, host, and the port if it is not the scheme's, as in `https://app.example` or `http://localhost:5173`, in lower case
/// and without a slash behind it. Pages without an origin (files, sandboxed frames) are `null`.
#[derive(Clone)]
pub struct AllowedOrigins(Rule);

#[derive(Clone)]
enum Rule {
    Any,
    Listed(Vec<String>),
    Checked(Arc<dyn Fn(&str) -> bool + Send + Sync>),
    SameHost,
}

impl AllowedOrigins {
    /// The pages that come from this server: those whose origin has the host and port of the request's `Host` header.
    ///
    /// A proxy in front must pass that header on. Where the server can be reached by an address, any name can be made to lead there, so a list is safer for
    /// servers that trust whoever reaches them.
    pub fn same_host() -> Self {
        Self(Rule::SameHost)
    }

    /// The origins for which the function says true. A panic in it counts as false.
    pub fn matching(allow: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self(Rule::Checked(Arc::new(allow)))
    }

    /// Refuses a request of a page that may not connect. What has no origin is no page: browsers always say it where it matters.
    pub(crate) fn check(&self, parts: &Parts) -> Result<(), Refusal> {
        let mut origins = parts.headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else {
            return Ok(());
        };
        let origin = origin.to_str().unwrap_or_default();
        // A browser says it once.
        let allowed = origins.next().is_none()
            && match &self.0 {
                Rule::Any => true,
                Rule::Listed(origins) => origins.iter().any(|known| known == origin),
                Rule::Checked(check) => is_true(&**check, origin),
                Rule::SameHost => is_same_host(origin, parts),
            };
        if allowed {
            Ok(())
        } else {
            Err(Refusal::Origin(origin.into()))
        }
    }
}

fn is_true(check: &dyn Fn(&str) -> bool, origin: &str) -> bool {
    catch_unwind(AssertUnwindSafe(|| check(origin))).unwrap_or_else(|_| {
        tracing::error!(name: "hook_panicked", target: "engine_io", hook = "allowed_origins");
        false
    })
}

fn is_same_host(origin: &str, parts: &Parts) -> bool {
    let host = match parts.headers.get(header::HOST) {
        Some(host) => host.to_str().ok(),
        // HTTP/2 has it elsewhere.
        None => parts.uri.authority().map(|authority| authority.as_str()),
    };
    let page = origin.split_once("://").map(|(_, page)| page);
    page.zip(host)
        .is_some_and(|(page, host)| !page.is_empty() && page.eq_ignore_ascii_case(host))
}

impl<S: Into<String>, const N: usize> From<[S; N]> for AllowedOrigins {
    fn from(origins: [S; N]) -> Self {
        origins.into_iter().collect()
    }
}

impl<S: Into<String>> From<Vec<S>> for AllowedOrigins {
    fn from(origins: Vec<S>) -> Self {
        origins.into_iter().collect()
    }
}

impl<S: Into<String>> FromIterator<S> for AllowedOrigins {
    fn from_iter<I: IntoIterator<Item = S>>(origins: I) -> Self {
        Self(Rule::Listed(origins.into_iter().map(Into::into).collect()))
    }
}

/// The pages that may read the answers, and no others. [`Cors::any`] and [`Cors::reflect`] let all connect.
impl From<&Cors> for AllowedOrigins {
    fn from(cors: &Cors) -> Self {
        Self(match cors.allowed() {
            Origin::Any | Origin::Reflected => Rule::Any,
            Origin::Fixed(origin) => {
                Rule::Listed(vec![origin.to_str().unwrap_or_default().to_owned()])
            }
            Origin::Listed(origins) => Rule::Listed(origins.clone()),
            Origin::Checked(check) => Rule::Checked(check.clone()),
        })
    }
}

impl fmt::Debug for AllowedOrigins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_tuple("AllowedOrigins");
        match &self.0 {
            Rule::Any => debug.field(&"any"),
            Rule::Listed(origins) => debug.field(origins),
            Rule::Checked(_) => debug.field(&"checked by a function"),
            Rule::SameHost => debug.field(&"same host"),
        };
        debug.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "https://a.example";

    #[track_caller]
    fn check(origins: &AllowedOrigins, headers: &[(&str, &str)], expected: bool) {
        let mut request = http::Request::get("/engine.io/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let parts = request.body(()).unwrap().into_parts().0;
        let checked = origins.check(&parts);
        assert_eq!(checked.is_ok(), expected, "{origins:?} {headers:?}");
        if let Err(refusal) = checked {
            assert_eq!((refusal.code(), refusal.message()), (4, "Forbidden"));
        }
    }

    #[test]
    fn only_listed_origins_pass() {
        for origins in [
            AllowedOrigins::from([A]),
            AllowedOrigins::from(vec![A]),
            AllowedOrigins::from(&Cors::origin(A)),
            AllowedOrigins::from(&Cors::origins([A])),
            AllowedOrigins::from(&Cors::matching(|origin| origin == A)),
            AllowedOrigins::matching(|origin| origin == A),
        ] {
            check(&origins, &[("origin", A)], true);
            // What is no page has none.
            check(&origins, &[], true);
            for other in [
                "",
                "null",
                "http://a.example",
                "https://a.example.evil.example",
                "https://a.example:8443",
                "https://a.example/",
                "https://evil.example/https://a.example",
            ] {
                check(&origins, &[("origin", other)], false);
            }
            check(&origins, &[("origin", A), ("origin", A)], false);
            check(
                &origins,
                &[("origin", A), ("origin", "https://evil.example")],
                false,
            );
        }
    }

    #[test]
    fn those_of_everybody_pass_where_cors_is_for_everybody() {
        for cors in [Cors::any(), Cors::reflect()] {
            check(&(&cors).into(), &[("origin", "null")], true);
        }
    }

    #[test]
    fn a_page_of_the_same_host_is_ours() {
        let origins = AllowedOrigins::same_host();
        for (origin, host, expected) in [
            ("http://a.example", "a.example", true),
            ("https://A.example:8443", "a.example:8443", true),
            ("http://a.example", "a.example:3000", false),
            ("http://a.example:3000", "a.example", false),
            ("http://evil.example", "a.example", false),
            ("null", "null", false),
            ("null", "", false),
            ("://", "", false),
        ] {
            check(&origins, &[("origin", origin), ("host", host)], expected);
        }
        check(&origins, &[("origin", "http://a.example")], false);
    }

    #[test]
    fn a_panic_is_no() {
        let origins = AllowedOrigins::matching(|_| panic!("on purpose"));
        check(&origins, &[("origin", A)], false);
        check(&origins, &[], true);
    }
}
