//! Networks: ranges of addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A list of networks, read from text: addresses, or addresses with the number of bits that count, separated by commas or spaces. `unix` is whoever comes over a
/// Unix socket, and so has no address.
///
/// ```
/// # use engine_io::Networks;
/// let networks: Networks = "10.0.0.0/8, 2001:db8::/32, 192.0.2.7, unix".parse().unwrap();
/// assert!(networks.contains("10.1.2.3".parse().unwrap()));
/// assert!(!networks.contains("192.0.2.8".parse().unwrap()));
/// ```
///
/// An IPv4 address that is written as an IPv6 one (`::ffff:10.1.2.3`), as listeners for both see it, is an IPv4 address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    networks: Vec<Network>,
    unix: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u8,
}

impl Networks {
    /// Whether the address is in one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks
            .iter()
            .any(|network| network.contains(address))
    }

    /// The same for a peer that has no address if it comes over a Unix socket.
    pub(crate) fn contains_peer(&self, address: Option<IpAddr>) -> bool {
        address.map_or(self.unix, |address| self.contains(address))
    }
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        let (differing, length) = match (self.address, address) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                (u128::from(ours.to_bits() ^ theirs.to_bits()), 32)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => (ours.to_bits() ^ theirs.to_bits(), 128),
            _ => return false,
        };
        // All bits of an address may be left.
        differing
            .checked_shr(length - u32::from(self.bits))
            .unwrap_or(0)
            == 0
    }
}

impl FromStr for Network {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                (address, Some(bits.parse().map_err(|_| ())?))
            }
            Some(_) => return Err(()),
            None => (text, None),
        };
        let written: IpAddr = address.parse().map_err(|_| ())?;
        let length = if written.is_ipv4() { 32 } else { 128 };
        let mut bits: u8 = bits.unwrap_or(length);
        let address = written.to_canonical();
        if address.is_ipv4() && written.is_ipv6() {
            bits = bits.checked_sub(96).ok_or(())?;
        }
        if bits > if address.is_ipv4() { 32 } else { 128 } {
            return Err(());
        }
        Ok(Self { address, bits })
    }
}

impl FromStr for Networks {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let mut networks = Self::default();
        let words = text.split(|character: char| character == ',' || character.is_whitespace());
        for word in words.filter(|word| !word.is_empty()) {
            if word == "unix" {
                networks.unix = true;
            } else {
                let network = word.parse().map_err(|()| InvalidNetwork(word.into()))?;
                networks.networks.push(network);
            }
        }
        Ok(networks)
    }
}

/// The text, which is neither an address nor a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidNetwork(String);

impl fmt::Display for InvalidNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "neither an address nor a network: {:?}", self.0)
    }
}

impl std::error::Error for InvalidNetwork {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_what_begins_like_them() {
        for (networks, address, expected) in [
            ("10.0.0.0/8", "10.255.255.255", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("10.0.0.0/8", "::10.0.0.1", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("192.0.2.128/25", "192.0.2.127", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "::1", true),
            ("::/0", "127.0.0.1", false),
            ("::1", "::1", true),
            ("2001:db8::/33", "2001:db8:8000::", false),
            ("2001:db8::/33", "2001:db8:7fff::", true),
            ("::ffff:10.0.0.0/104", "10.9.9.9", true),
            ("::ffff:10.0.0.0/104", "11.9.9.9", false),
            ("10.0.0.0/8 ::1,,127.0.0.1", "127.0.0.1", true),
            ("", "127.0.0.1", false),
            ("unix", "127.0.0.1", false),
        ] {
            let parsed: Networks = networks.parse().unwrap();
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(parsed.contains(address), expected, "{networks} {address}");
            assert!(!parsed.contains_peer(None) || networks == "unix");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "10.0.0.0/33",
            "::/129",
            "10.0.0/8",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "/8",
            "localhost",
            "::ffff:10.0.0.0/8",
            "10.0.0.0/256",
        ] {
            let error = text.parse::<Networks>().unwrap_err();
            assert!(error.to_string().contains(text));
        }
    }
}
