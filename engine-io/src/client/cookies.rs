//! Cookies that the server sets and gets back (RFC 6265).

use std::fmt;
use std::sync::Arc;

use cookie_store::{CookieStore, RawCookie};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use parking_lot::Mutex;
use url::Url;

/// Cookies that a jar holds; more are not taken.
const MAX_COOKIES: usize = 300;
/// Bytes of a cookie with its attributes; longer ones are not taken.
const MAX_COOKIE: usize = 4096;

/// What becomes of cookies that the server sets, over polling or in the handshake of a WebSocket.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Cookies {
    /// They are ignored.
    #[default]
    Off,
    /// They are sent back by later requests of the same connection, as with `withCredentials` of the reference.
    PerConnection,
    /// They are kept in this jar, over connections and for all who have a clone of it.
    Shared(CookieJar),
}

impl Cookies {
    /// The jar of a new connection.
    pub(crate) fn jar(&self) -> Option<CookieJar> {
        match self {
            Self::Off => None,
            Self::PerConnection => Some(CookieJar::new()),
            Self::Shared(jar) => Some(jar.clone()),
        }
    }
}

/// Cookies with their domains, paths and expiry. Clones are handles to the same jar.
///
/// It holds 300 cookies of up to 4096 bytes; what goes beyond that is not taken.
#[derive(Clone, Default)]
pub struct CookieJar(Arc<Mutex<CookieStore>>);

impl CookieJar {
    /// An empty jar.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a cookie as a server at `url` would set it: `name=value; Path=/; Max-Age=60`. False when there is no room, or it is none for that URL.
    pub fn insert(&self, url: &str, cookie: &str) -> bool {
        Url::parse(url).is_ok_and(|url| self.set(&web_url(&url), cookie))
    }

    /// The value of the header `Cookie` for a request to `url`; `None` without cookies for it.
    pub fn header(&self, url: &str) -> Option<String> {
        Url::parse(url)
            .ok()
            .and_then(|url| self.value(&web_url(&url)))
    }

    /// Forgets every cookie.
    pub fn clear(&self) {
        self.0.lock().clear();
    }

    /// Adds the cookies for a request, unless it has some.
    pub(crate) fn apply(&self, url: &Url, headers: &mut HeaderMap) {
        if headers.contains_key(COOKIE) {
            return;
        }
        let value = self.value(url);
        if let Some(Ok(value)) = value.map(|value| HeaderValue::from_str(&value)) {
            headers.insert(COOKIE, value);
        }
    }

    /// Takes what an answer sets.
    pub(crate) fn take(&self, url: &Url, headers: &HeaderMap) {
        for cookie in headers.get_all(SET_COOKIE) {
            if let Ok(cookie) = cookie.to_str() {
                self.set(url, cookie);
            }
        }
    }

    fn set(&self, url: &Url, cookie: &str) -> bool {
        if cookie.len() > MAX_COOKIE {
            return false;
        }
        let Ok(cookie) = RawCookie::parse(cookie.to_owned()) else {
            return false;
        };
        let mut store = self.0.lock();
        // Expired ones still take room until they are looked for.
        if store.iter_any().count() >= MAX_COOKIES {
            let live: Vec<_> = store.iter_unexpired().cloned().collect();
            store.clear();
            for cookie in live {
                let url = url.clone();
                let _ = store.insert(cookie, &url);
            }
            if store.iter_any().count() >= MAX_COOKIES {
                return false;
            }
        }
        store.insert_raw(&cookie, url).is_ok()
    }

    fn value(&self, url: &Url) -> Option<String> {
        let store = self.0.lock();
        let mut cookies = store.matches(url);
        // Longer paths first, as the RFC wants it; the jar does not remember which of the others came first.
        cookies.sort_by(|a, b| {
            let length = b.path.len().cmp(&a.path.len());
            length.then_with(|| a.name().cmp(b.name()))
        });
        let mut value = String::new();
        for (name, cookie) in cookies.iter().map(|cookie| cookie.name_value()) {
            if !value.is_empty() {
                value.push_str("; ");
            }
            value.push_str(name);
            value.push('=');
            value.push_str(cookie);
        }
        (!value.is_empty()).then_some(value)
    }
}

/// Cookies are the same for a WebSocket and for HTTP; the jar knows the schemes of the latter only.
pub(crate) fn web_url(url: &Url) -> Url {
    let scheme = match url.scheme() {
        "ws" => "http",
        "wss" => "https",
        other => other,
    };
    let mut web = url.clone();
    // Both are special schemes, between which a URL may change.
    let _ = web.set_scheme(scheme);
    web
}

impl fmt::Debug for CookieJar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values are secrets.
        f.debug_struct("CookieJar").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "http://a.example/engine.io/";

    #[test]
    fn attributes_decide_where_a_cookie_goes() {
        let jar = CookieJar::new();
        for cookie in [
            "a=1; Max-Age=86400",
            "b=2; Path=/; HttpOnly; SameSite=Strict",
            "c=3; max-age=0",
            "d=4; EXPIRES=Thu, 01 Jan 1970 00:00:00 GMT",
            "e=5; Path=/other",
            "f=6; Domain=b.example",
            "g=7; Secure",
            "h=x=y&z",
        ] {
            jar.insert(URL, cookie);
        }
        let sent = |url| {
            let header: String = jar.header(url).unwrap_or_default();
            let mut cookies: Vec<_> = header.split("; ").map(str::to_owned).collect();
            cookies.sort();
            cookies
        };
        assert_eq!(sent(URL), ["a=1", "b=2", "h=x=y&z"]);
        assert_eq!(sent("ws://a.example/engine.io/?sid=1"), sent(URL));
        assert_eq!(sent("http://a.example/"), ["b=2"]);
        assert_eq!(jar.header("http://c.example/engine.io/"), None);
    }

    #[test]
    fn a_jar_is_bounded() {
        let jar = CookieJar::new();
        for (length, taken) in [(4095, true), (4096, true), (4097, false)] {
            let cookie = format!("c0={}", "x".repeat(length - 3));
            assert_eq!(jar.insert(URL, &cookie), taken, "{length}");
        }
        for index in 0..MAX_COOKIES {
            assert!(jar.insert(URL, &format!("c{index}=1")));
        }
        assert!(!jar.insert(URL, "more=1"));
        jar.clear();
        assert!(jar.insert(URL, "more=1"));
    }

    #[test]
    fn headers_of_the_caller_stay() {
        let jar = CookieJar::new();
        jar.insert(URL, "a=1");
        let url = Url::parse(URL).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_static("own=1"));
        jar.apply(&url, &mut headers);
        assert_eq!(headers[COOKIE], "own=1");
    }
}
