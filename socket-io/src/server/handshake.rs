//! What is known of the connection a socket came over.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use engine_io::{Request, Text};
use http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::ser::{SerializeMap, Serializer};

use super::connection::Connection;
use crate::protocol::{ArgsError, RawJson};

/// The request that opened a socket's connection, and what the client sent when it joined the namespace.
///
/// It serializes to the object that the reference calls `handshake`: `headers`, `time`, `address`, `xdomain`, `secure`, `issued`, `url`, `query`, `auth`.
#[derive(Clone)]
pub struct Handshake {
    connection: Arc<Connection>,
    auth: Option<RawJson>,
}

impl Handshake {
    pub(crate) fn new(connection: Arc<Connection>, auth: Option<RawJson>) -> Self {
        Self { connection, auth }
    }

    fn request(&self) -> &Request {
        self.connection.sender.request()
    }

    /// The first value of a header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.request().header(name)
    }

    /// Names (in lower case) and values of all headers, in their order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.request().headers()
    }

    /// The last value of a query parameter.
    pub fn query(&self, name: &str) -> Option<String> {
        self.request()
            .query()
            .filter(|(known, _)| known == name)
            .last()
            .map(|(_, value)| value)
    }

    /// All query parameters, in their order; `EIO` and `transport` are among them.
    pub fn queries(&self) -> impl Iterator<Item = (String, String)> {
        self.request().query()
    }

    /// Path and query of the request.
    pub fn url(&self) -> &str {
        self.request().target()
    }

    /// The peer's address, if the HTTP server told it; behind [trusted proxies](crate::SocketIoBuilder::trusted_proxies), the client's.
    pub fn address(&self) -> Option<SocketAddr> {
        self.request().remote_addr()
    }

    /// Whether the connection is encrypted; behind [trusted proxies](crate::SocketIoBuilder::trusted_proxies), the client's.
    pub fn is_secure(&self) -> bool {
        self.request().is_secure()
    }

    /// Whether the request came from a page of another origin, or any page that says where it came from.
    pub fn is_cross_origin(&self) -> bool {
        self.header("origin").is_some()
    }

    /// The original request without its body, if the engine's option `keep_request_parts` is on. Its extensions are those that layers in front of the server
    /// have added, such as a user that was authenticated there.
    pub fn parts(&self) -> Option<&Parts> {
        self.request().parts()
    }

    /// When the request arrived.
    pub fn issued(&self) -> SystemTime {
        self.request().received()
    }

    /// What the client sent when it joined, `{}` when it sent nothing.
    ///
    /// # Errors
    ///
    /// When it is of another type.
    pub fn auth<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        auth(self.auth.as_ref())
    }
}

/// What a client sent when it joined, as a type.
pub(crate) fn auth<T: DeserializeOwned>(auth: Option<&RawJson>) -> Result<T, ArgsError> {
    match auth {
        Some(auth) => auth.parse(),
        None => RawJson::new(Text::from_static("{}"))?.parse(),
    }
}

impl Serialize for Handshake {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let issued = self.issued().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(
            "headers",
            &Pairs(|| {
                self.headers()
                    .map(|(name, value)| (name, String::from_utf8_lossy(value)))
            }),
        )?;
        map.serialize_entry("time", &utc(issued.as_secs()))?;
        map.serialize_entry("address", &self.address().map(|address| address.ip()))?;
        map.serialize_entry("xdomain", &self.is_cross_origin())?;
        map.serialize_entry("secure", &self.is_secure())?;
        map.serialize_entry("issued", &(issued.as_millis() as u64))?;
        map.serialize_entry("url", self.url())?;
        map.serialize_entry("query", &Pairs(|| self.queries()))?;
        match self.auth::<RawJson>() {
            Ok(auth) => map.serialize_entry("auth", &auth)?,
            Err(_) => map.serialize_entry("auth", &())?,
        }
        map.end()
    }
}

/// A JSON object of pairs; of equal names the last one counts.
struct Pairs<F>(F);

impl<F, I, K, V> Serialize for Pairs<F>
where
    F: Fn() -> I,
    I: Iterator<Item = (K, V)>,
    K: AsRef<str>,
    V: AsRef<str>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut pairs: Vec<(K, V)> = Vec::new();
        for (name, value) in self.0() {
            match pairs
                .iter_mut()
                .find(|(known, _)| known.as_ref() == name.as_ref())
            {
                Some(pair) => pair.1 = value,
                None => pairs.push((name, value)),
            }
        }
        serializer.collect_map(
            pairs
                .iter()
                .map(|(name, value)| (name.as_ref(), value.as_ref())),
        )
    }
}

/// `Thu Jan 01 1970 00:00:00 GMT+0000 (Coordinated Universal Time)`, as JavaScript prints a date.
fn utc(seconds: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    let weekday = DAYS[(days % 7) as usize];
    let leap = |year: u64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let (mut year, mut day) = (1970, days);
    while day >= 365 + u64::from(leap(year)) {
        day -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [
        31,
        28 + u64::from(leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let mut month = 0;
    while day >= lengths[month] {
        day -= lengths[month];
        month += 1;
    }
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!(
        "{weekday} {} {:02} {year} {hour:02}:{minute:02}:{second:02} GMT+0000 (Coordinated Universal Time)",
        MONTHS[month],
        day + 1
    )
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handshake").field(self.request()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn times_are_printed_as_javascript_does() {
        for (seconds, text) in [
            (0, "Thu Jan 01 1970 00:00:00"),
            (951_782_399, "Mon Feb 28 2000 23:59:59"),
            (951_782_400, "Tue Feb 29 2000 00:00:00"),
            (1_798_761_599, "Thu Dec 31 2026 23:59:59"),
        ] {
            assert_eq!(
                utc(seconds),
                format!("{text} GMT+0000 (Coordinated Universal Time)")
            );
        }
    }
}
