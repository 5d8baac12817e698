//! Whom proxies speak for: the client's address, and whether its connection is encrypted.
//!
//! Each proxy on the way adds at the right whom it was connected by:
//!
//! ```text
//! X-Forwarded-For: made-up, 203.0.113.9, 10.0.0.5      the peer is 10.0.0.4
//!                  |        |            |
//!                  |        |            said by 10.0.0.4, and a proxy of ours
//!                  |        said by 10.0.0.5, and none of ours: the client
//!                  said by the client, and believed by nobody
//! ```
//!
//! So the list is read from the right for as long as the one who speaks is trusted. Source: RFC 7239 §4 and §7.4.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use http::HeaderMap;
use http::header::{FORWARDED, HeaderName};
use http::request::Parts;

use super::networks::{InvalidNetwork, Networks};
use crate::request::ConnectionInfo;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The proxies that are believed when they say for whom they speak, given to [`trusted_proxies`](crate::ServerConfig::trusted_proxies).
///
/// Read from text, as [`Networks`] are: `"10.0.0.0/8, unix".parse()`. `X-Forwarded-For` tells the client's address, and the last value of `X-Forwarded-Proto`
/// whether it came over TLS; with [`forwarded`](Self::forwarded) the header `Forwarded` of RFC 7239 tells both. The list of addresses is read from the right,
/// past those that are trusted themselves, up to the first that is not. What stands before it may be made up. The client's port is 0 where it is not told.
///
/// The proxies must set the header themselves, or add to it: one that passes on what the client sent lets the client say what it likes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Networks,
    header: Header,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Header {
    XForwarded,
    Forwarded,
}

impl TrustedProxies {
    /// The proxies in these networks.
    pub fn new(networks: Networks) -> Self {
        Self {
            networks,
            header: Header::XForwarded,
        }
    }

    /// Reads the header `Forwarded` of RFC 7239 in place of those whose names begin with `X-Forwarded-`. Only one of them is read, since a client could send the
    /// other.
    pub fn forwarded(mut self) -> Self {
        self.header = Header::Forwarded;
        self
    }

    /// Puts what is known of the client into the place of what is known of the peer.
    pub(crate) fn apply(&self, parts: &mut Parts) {
        let Some(peer) = parts.extensions.get::<ConnectionInfo>() else {
            // Whose connection it is was not told.
            return;
        };
        let client = self.client(*peer, &parts.headers);
        parts.extensions.insert(client);
    }

    fn client(&self, peer: ConnectionInfo, headers: &HeaderMap) -> ConnectionInfo {
        let mut client = peer;
        if !self.networks.contains_peer(address(client)) {
            return client;
        }
        match self.header {
            Header::XForwarded => {
                let protocol = from_the_right(headers, &X_FORWARDED_PROTO).next();
                client.secure = protocol.map_or(client.secure, is_secure);
                for hop in from_the_right(headers, &X_FORWARDED_FOR).map(read_address) {
                    if !self.follow(&mut client, hop) {
                        break;
                    }
                }
            }
            Header::Forwarded => {
                for element in from_the_right(headers, &FORWARDED) {
                    if let Some(protocol) = parameter(element, "proto") {
                        client.secure = is_secure(protocol);
                    }
                    let hop = parameter(element, "for").and_then(read_address);
                    if !self.follow(&mut client, hop) {
                        break;
                    }
                }
            }
        }
        client
    }

    /// Goes to the one who was named, if it was an address. Whether what that one says is to be believed.
    fn follow(&self, client: &mut ConnectionInfo, hop: Option<SocketAddr>) -> bool {
        let Some(hop) = hop else {
            // A proxy that does not tell. The nearest that is known stands for it.
            return false;
        };
        client.remote_addr = Some(hop);
        self.networks.contains(hop.ip())
    }
}

impl From<Networks> for TrustedProxies {
    fn from(networks: Networks) -> Self {
        Self::new(networks)
    }
}

impl FromStr for TrustedProxies {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        text.parse().map(Self::new)
    }
}

fn address(info: ConnectionInfo) -> Option<IpAddr> {
    info.remote_addr.map(|address| address.ip())
}

fn is_secure(protocol: &str) -> bool {
    protocol.eq_ignore_ascii_case("https") || protocol.eq_ignore_ascii_case("wss")
}

/// The items of a list that may be spread over several headers, the last first. What is no text is an item that nothing can be read from.
fn from_the_right<'a>(
    headers: &'a HeaderMap,
    name: &'a HeaderName,
) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .into_iter()
        .rev()
        .flat_map(|value| value.to_str().unwrap_or_default().rsplit(','))
        .map(str::trim)
}

/// The value of a parameter in an element of `Forwarded`: `for=192.0.2.1;proto=https`, with quotes around what is no token. Commas stand in no value that means
/// something here.
fn parameter<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let mut values = pairs
        .filter(|(known, _)| known.trim().eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim());
    let value = values.next()?;
    // Twice the same is an error of the proxy's.
    if values.next().is_some() {
        return None;
    }
    let quoted = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'));
    Some(quoted.unwrap_or(value))
}

/// An address, with a port or without, and in brackets if it is an IPv6 one and has a port, or stands in `Forwarded`.
fn read_address(text: &str) -> Option<SocketAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    let address = match bare.parse() {
        Ok(address) => SocketAddr::new(address, 0),
        Err(_) => text.parse().ok()?,
    };
    Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str) -> ConnectionInfo {
        ConnectionInfo::new(SocketAddr::new(address.parse().unwrap(), 4000))
    }

    fn headers(headers: &[(HeaderName, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value.parse().unwrap());
        }
        map
    }

    /// The address that is believed, with its port.
    fn told(proxies: &TrustedProxies, from: &str, sent: &[(HeaderName, &str)]) -> String {
        let client = proxies.client(peer(from), &headers(sent));
        client.remote_addr.unwrap().to_string()
    }

    #[test]
    fn the_list_is_read_from_the_right() {
        let proxies: TrustedProxies = "10.0.0.0/8, 2001:db8::/32".parse().unwrap();
        for (from, list, expected) in [
            // Who is not trusted is not believed.
            ("203.0.113.9", &["198.51.100.1"][..], "203.0.113.9:4000"),
            ("10.0.0.1", &[], "10.0.0.1:4000"),
            ("10.0.0.1", &["203.0.113.9"], "203.0.113.9:0"),
            ("::ffff:10.0.0.1", &["203.0.113.9"], "203.0.113.9:0"),
            ("10.0.0.1", &["1.1.1.1, 203.0.113.9"], "203.0.113.9:0"),
            (
                "10.0.0.1",
                &["1.1.1.1,203.0.113.9,10.0.0.2"],
                "203.0.113.9:0",
            ),
            (
                "10.0.0.1",
                &["1.1.1.1", "203.0.113.9", "10.0.0.2"],
                "203.0.113.9:0",
            ),
            // All of them are ours.
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3:0"),
            // What was made up stands further left.
            ("10.0.0.1", &["10.0.0.3, 203.0.113.9"], "203.0.113.9:0"),
            // With ports, and of the other family.
            ("10.0.0.1", &["203.0.113.9:4711"], "203.0.113.9:4711"),
            ("10.0.0.1", &["[2001:db9::1]:4711"], "[2001:db9::1]:4711"),
            ("10.0.0.1", &["2001:db9::1, 2001:db8::1"], "[2001:db9::1]:0"),
            ("10.0.0.1", &["::ffff:203.0.113.9"], "203.0.113.9:0"),
            // What cannot be read ends the walk at the one who said it.
            ("10.0.0.1", &["203.0.113.9, unknown"], "10.0.0.1:4000"),
            (
                "10.0.0.1",
                &["203.0.113.9, unknown, 10.0.0.2"],
                "10.0.0.2:0",
            ),
            ("10.0.0.1", &["203.0.113.9,"], "10.0.0.1:4000"),
            ("10.0.0.1", &[""], "10.0.0.1:4000"),
            ("10.0.0.1", &["203.0.113.999"], "10.0.0.1:4000"),
        ] {
            let sent: Vec<_> = list
                .iter()
                .map(|value| (X_FORWARDED_FOR.clone(), *value))
                .collect();
            assert_eq!(told(&proxies, from, &sent), expected, "{from} {list:?}");
        }
    }

    #[test]
    fn forwarded_is_read_in_place_of_the_others_if_it_is_wanted() {
        let proxies: TrustedProxies = "10.0.0.0/8".parse().unwrap();
        let both = [
            (X_FORWARDED_FOR.clone(), "198.51.100.1"),
            (FORWARDED, "for=203.0.113.9;proto=https"),
        ];
        assert_eq!(told(&proxies, "10.0.0.1", &both), "198.51.100.1:0");
        let proxies = proxies.forwarded();
        assert_eq!(told(&proxies, "10.0.0.1", &both), "203.0.113.9:0");
        for (value, expected, secure) in [
            ("for=203.0.113.9", "203.0.113.9:0", false),
            ("For=\"203.0.113.9:81\";proto=HTTPS", "203.0.113.9:81", true),
            (
                "proto=http; for=\"[2001:db9::1]\"",
                "[2001:db9::1]:0",
                false,
            ),
            ("for=\"[2001:db9::1]:99\"", "[2001:db9::1]:99", false),
            (
                "for=1.1.1.1;proto=http, for=203.0.113.9;proto=https, for=10.0.0.2;proto=http",
                "203.0.113.9:0",
                true,
            ),
            (
                "for=1.1.1.1, for=_hidden;proto=https",
                "10.0.0.1:4000",
                true,
            ),
            ("for=1.1.1.1, for=unknown", "10.0.0.1:4000", false),
            ("for=1.1.1.1, by=10.0.0.1", "10.0.0.1:4000", false),
            ("for=1.1.1.1;for=2.2.2.2", "10.0.0.1:4000", false),
        ] {
            let sent = headers(&[(FORWARDED, value)]);
            let client = proxies.client(peer("10.0.0.1"), &sent);
            let address = client.remote_addr.unwrap().to_string();
            assert_eq!((&*address, client.secure), (expected, secure), "{value}");
        }
    }

    #[test]
    fn whether_the_client_s_connection_is_encrypted_is_what_the_nearest_proxy_says() {
        let proxies: TrustedProxies = "10.0.0.0/8".parse().unwrap();
        let secure = |from: ConnectionInfo, values: &[&str]| {
            let sent: Vec<_> = values
                .iter()
                .map(|value| (X_FORWARDED_PROTO.clone(), *value))
                .collect();
            proxies.client(from, &headers(&sent)).secure
        };
        assert!(secure(peer("10.0.0.1"), &["https"]));
        assert!(secure(peer("10.0.0.1"), &["http", "wss"]));
        assert!(!secure(peer("10.0.0.1"), &["https, http"]));
        assert!(!secure(peer("10.0.0.1").secure(), &["http"]));
        assert!(secure(peer("10.0.0.1").secure(), &[]));
        assert!(!secure(peer("203.0.113.9"), &["https"]));
        assert!(secure(peer("203.0.113.9").secure(), &["http"]));
    }

    #[test]
    fn a_unix_socket_is_trusted_by_name_only_and_silence_not_at_all() {
        let sent = headers(&[(X_FORWARDED_FOR.clone(), "203.0.113.9")]);
        for (networks, expected) in [
            ("unix", Some("203.0.113.9:0".parse().unwrap())),
            ("0.0.0.0/0, ::/0", None),
        ] {
            let proxies: TrustedProxies = networks.parse().unwrap();
            let client = proxies.client(ConnectionInfo::local(), &sent);
            assert_eq!(client.remote_addr, expected);
            // A host that tells nothing of the connection.
            let mut request = http::Request::new(());
            *request.headers_mut() = sent.clone();
            let mut parts = request.into_parts().0;
            proxies.apply(&mut parts);
            assert!(parts.extensions.get::<ConnectionInfo>().is_none());
        }
    }

    /// Whatever a client sends, it is known by its own address: proxies of ours only add at the right.
    #[test]
    fn no_client_passes_for_another() {
        const PIECES: [&str; 14] = [
            "10.0.0.7",
            "198.51.100.1",
            "::1",
            "[2001:db8::1]:80",
            ",",
            ", ",
            ";",
            "for=",
            "\"",
            "=",
            "unknown",
            "proto=https",
            "for=\"10.0.0.1\"",
            "\t",
        ];
        let mut seed = 42_u64;
        let mut random = move |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed % below as u64) as usize
        };
        let x: TrustedProxies = "10.0.0.0/8, unix".parse().unwrap();
        let forwarded = x.clone().forwarded();
        let client = "203.0.113.9";
        for _ in 0..20_000 {
            let mut sent: Vec<String> = Vec::new();
            for _ in 0..random(3) {
                sent.push(
                    (0..random(8))
                        .map(|_| PIECES[random(PIECES.len())])
                        .collect(),
                );
            }
            let hops = 1 + random(3);
            // What the proxies make of it: the first was connected by the client, each further one by the one before.
            for (proxies, name, element) in
                [(&x, &X_FORWARDED_FOR, ""), (&forwarded, &FORWARDED, "for=")]
            {
                let mut lines = sent.clone();
                for hop in 0..hops {
                    let from = if hop == 0 {
                        client.to_owned()
                    } else {
                        format!("10.1.0.{hop}")
                    };
                    match lines.last_mut() {
                        // Some proxies add a line, others go on with the last.
                        Some(line) if random(2) == 0 => {
                            line.push_str(&format!(", {element}{from}"))
                        }
                        _ => lines.push(format!("{element}{from}")),
                    }
                }
                let map = headers(
                    &lines
                        .iter()
                        .map(|line| (name.clone(), &**line))
                        .collect::<Vec<_>>(),
                );
                let last = ConnectionInfo::new(format!("10.1.0.{hops}:5").parse().unwrap());
                let known = proxies.client(last, &map).remote_addr.unwrap().ip();
                assert_eq!(known.to_string(), client, "{lines:?}");
                // The same without a proxy in front.
                let alone = headers(
                    &sent
                        .iter()
                        .map(|line| (name.clone(), &**line))
                        .collect::<Vec<_>>(),
                );
                let direct = proxies.client(peer(client), &alone);
                assert_eq!(
                    (direct.remote_addr, direct.secure),
                    (peer(client).remote_addr, false)
                );
            }
        }
    }
}
