//! The cookie that carries a session's id to load balancers.

use std::fmt;
use std::time::{Duration, SystemTime};

use http::header::{self, HeaderMap, HeaderValue};

use crate::sid::Sid;

/// The cookie with a session's id: `io=<sid>; Path=/; HttpOnly; SameSite=Lax`.
///
/// It comes with the handshake's answer, of polling and of WebSocket alike; the reference sends it over polling only. The id is percent-encoded as by
/// JavaScript's `encodeURIComponent`; built-in ids have nothing to encode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    name: String,
    max_age: Option<Duration>,
    domain: Option<String>,
    path: Option<String>,
    expires: Option<SystemTime>,
    http_only: bool,
    secure: bool,
    partitioned: bool,
    priority: Option<CookiePriority>,
    same_site: Option<SameSite>,
}

/// To which requests that other sites cause a browser adds a [`Cookie`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // complete by definition of browsers
pub enum SameSite {
    /// To none.
    Strict,
    /// To navigations alone.
    Lax,
    /// To all; browsers then want [`Cookie::secure`], too.
    None,
}

/// Which cookies a browser forgets first when there are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // complete by definition of browsers
pub enum CookiePriority {
    /// Those first.
    Low,
    /// As cookies without a priority.
    Medium,
    /// Those last.
    High,
}

impl Default for Cookie {
    fn default() -> Self {
        Self::new("io")
    }
}

impl Cookie {
    /// A cookie of that name with the reference's attributes: `Path=/; HttpOnly; SameSite=Lax`.
    ///
    /// # Panics
    ///
    /// If the name is empty or has characters that names cannot have (RFC 6265 §4.1.1).
    pub fn new(name: &str) -> Self {
        assert!(
            !name.is_empty() && name.bytes().all(is_name),
            "no name for a cookie: {name:?}"
        );
        Self {
            name: name.into(),
            max_age: None,
            domain: None,
            path: Some("/".into()),
            expires: None,
            http_only: true,
            secure: false,
            partitioned: false,
            priority: None,
            same_site: Some(SameSite::Lax),
        }
    }

    /// The path under which browsers send the cookie; `None` leaves the attribute out. Default `/`.
    ///
    /// # Panics
    ///
    /// If it has a semicolon or is not printable ASCII.
    pub fn path<'a>(mut self, path: impl Into<Option<&'a str>>) -> Self {
        self.path = path.into().map(checked);
        self
    }

    /// The domain whose hosts get the cookie. Default: the host that set it, and no other.
    ///
    /// # Panics
    ///
    /// If it has a semicolon or is not printable ASCII.
    pub fn domain(mut self, domain: &str) -> Self {
        self.domain = Some(checked(domain));
        self
    }

    /// Whether it is kept from scripts. Default true.
    pub fn http_only(mut self, http_only: bool) -> Self {
        self.http_only = http_only;
        self
    }

    /// Whether it goes along with requests that other sites cause; `None` leaves the attribute out. Default [`SameSite::Lax`].
    pub fn same_site(mut self, same_site: impl Into<Option<SameSite>>) -> Self {
        self.same_site = same_site.into();
        self
    }

    /// Whether it is sent over encrypted connections only. Default false.
    pub fn secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// How long a browser keeps it, in whole seconds. Default: until it is closed.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// When a browser forgets it, to the second; [`max_age`](Self::max_age) takes precedence there. Default: when it is closed.
    ///
    /// # Panics
    ///
    /// If it is before 1970 or after 9999, which the header cannot say.
    pub fn expires(mut self, time: SystemTime) -> Self {
        let second = Duration::from_secs(253_402_300_800);
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        assert!(
            since.is_ok_and(|since| since < second),
            "no date for a cookie: {time:?}"
        );
        self.expires = Some(time);
        self
    }

    /// Whether each site that embeds a page gets a cookie of its own; browsers then want [`secure`](Self::secure), too. Default false.
    pub fn partitioned(mut self, partitioned: bool) -> Self {
        self.partitioned = partitioned;
        self
    }

    /// Which cookies a browser forgets first. Default: the attribute is left out.
    pub fn priority(mut self, priority: CookiePriority) -> Self {
        self.priority = Some(priority);
        self
    }

    pub(crate) fn apply(&self, headers: &mut HeaderMap, sid: &Sid) {
        // Nothing in it is outside of ASCII: names and attributes were checked, the id is encoded.
        if let Ok(value) = HeaderValue::from_str(&self.to_text(sid)) {
            headers.append(header::SET_COOKIE, value);
        }
    }

    /// The attributes in the order of the npm package `cookie`.
    fn to_text(&self, sid: &Sid) -> String {
        let mut text = format!("{}={}", self.name, Encoded(sid.as_str()));
        let mut push = |attribute: fmt::Arguments<'_>| {
            text.push_str("; ");
            // Writing to a string does not fail.
            let _ = fmt::Write::write_fmt(&mut text, attribute);
        };
        if let Some(age) = self.max_age {
            push(format_args!("Max-Age={}", age.as_secs()));
        }
        if let Some(domain) = &self.domain {
            push(format_args!("Domain={domain}"));
        }
        if let Some(path) = &self.path {
            push(format_args!("Path={path}"));
        }
        if let Some(time) = self.expires {
            push(format_args!("Expires={}", httpdate::HttpDate::from(time)));
        }
        for (set, attribute) in [
            (self.http_only, "HttpOnly"),
            (self.secure, "Secure"),
            (self.partitioned, "Partitioned"),
        ] {
            if set {
                push(format_args!("{attribute}"));
            }
        }
        if let Some(priority) = self.priority {
            push(format_args!("Priority={priority:?}"));
        }
        if let Some(same_site) = self.same_site {
            push(format_args!("SameSite={same_site:?}"));
        }
        text
    }
}

/// A token of RFC 9110 §5.6.2.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn checked(value: &str) -> String {
    assert!(
        value
            .bytes()
            .all(|byte| (0x20..0x7f).contains(&byte) && byte != b';'),
        "no attribute of a cookie: {value:?}"
    );
    value.into()
}

/// As JavaScript's `encodeURIComponent` has it.
struct Encoded<'a>(&'a str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
                fmt::Write::write_char(f, char::from(byte))?;
            } else {
                write!(f, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(cookie: &Cookie, sid: &str, expected: &str) {
        let mut headers = HeaderMap::new();
        cookie.apply(&mut headers, &sid.into());
        assert_eq!(headers[header::SET_COOKIE], expected);
    }

    #[test]
    fn attributes_come_as_from_the_reference() {
        let cookie = Cookie::default;
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(951_782_400);
        for (cookie, expected) in [
            (cookie(), "io=abc; Path=/; HttpOnly; SameSite=Lax"),
            (
                Cookie::new("woot"),
                "woot=abc; Path=/; HttpOnly; SameSite=Lax",
            ),
            (
                cookie().path("/custom"),
                "io=abc; Path=/custom; HttpOnly; SameSite=Lax",
            ),
            (cookie().path(None), "io=abc; HttpOnly; SameSite=Lax"),
            (cookie().http_only(false), "io=abc; Path=/; SameSite=Lax"),
            (
                cookie().same_site(SameSite::Strict),
                "io=abc; Path=/; HttpOnly; SameSite=Strict",
            ),
            (cookie().same_site(None), "io=abc; Path=/; HttpOnly"),
            (
                cookie()
                    .max_age(Duration::from_millis(86_400_900))
                    .domain("example.com")
                    .expires(time)
                    .secure(true)
                    .partitioned(true)
                    .priority(CookiePriority::High)
                    .same_site(SameSite::None),
                "io=abc; Max-Age=86400; Domain=example.com; Path=/; Expires=Tue, 29 Feb 2000 00:00:00 GMT; HttpOnly; Secure; Partitioned; Priority=High; SameSite=None",
            ),
        ] {
            check(&cookie, "abc", expected);
        }
    }

    #[test]
    fn an_id_cannot_add_attributes() {
        let cookie = Cookie::default().path(None).same_site(None);
        check(&cookie, "a; b=é", "io=a%3B%20b%3D%C3%A9; HttpOnly");
    }

    #[test]
    fn what_a_header_cannot_carry_is_refused_at_once() {
        let time = SystemTime::UNIX_EPOCH;
        for set in [
            (|| Cookie::new("a b")) as fn() -> Cookie,
            || Cookie::new(""),
            || Cookie::default().path("/; Secure"),
            || Cookie::default().domain("é.example"),
        ] {
            assert!(std::panic::catch_unwind(set).is_err());
        }
        for time in [
            time - Duration::from_secs(1),
            time + Duration::from_secs(253_402_300_800),
        ] {
            let set = || Cookie::default().expires(time);
            assert!(std::panic::catch_unwind(set).is_err());
        }
    }
}
