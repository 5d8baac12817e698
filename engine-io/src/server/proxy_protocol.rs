//! The PROXY protocol: what a load balancer that passes bytes on says of the client, in front of everything else.
//!
//! ```text
//! version 1   PROXY TCP4 203.0.113.9 10.0.0.1 51234 443\r\n
//!             PROXY UNKNOWN\r\n
//! version 2   0D 0A 0D 0A 00 0D 0A 51 55 49 54 0A   signature
//!             21                                    version 2, a connection of somebody else (20: the balancer's own)
//!             11                                    TCP over IPv4 (21: over IPv6)
//!             00 0C                                 bytes that follow
//!             source, destination, ports, and whatever else
//! ```
//!
//! Source: "The PROXY protocol", haproxy, sections 2.1 and 2.2.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::io::AsyncRead;

use crate::connection::Stream;

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, its end included.
const LONGEST_LINE: usize = 107;
/// The most that version 2 may say: addresses and a few certificates' worth of other things.
const LONGEST_BLOCK: usize = 4096;

/// Reads the header, and not a byte more. The client's address, or `None` where the balancer speaks for itself or says nothing of use.
pub(crate) async fn read(stream: &mut Stream) -> io::Result<Option<SocketAddr>> {
    let mut begin = [0; SIGNATURE.len()];
    fill(stream, &mut begin).await?;
    if begin == SIGNATURE {
        let mut fixed = [0; 4];
        fill(stream, &mut fixed).await?;
        let [kind, family, high, low] = fixed;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > LONGEST_BLOCK {
            return Err(invalid());
        }
        let mut block = vec![0; length];
        fill(stream, &mut block).await?;
        return decode_block(kind, family, &block).ok_or_else(invalid);
    }
    let mut line = begin.to_vec();
    // A byte at a time: what follows the line is not ours to read.
    while !line.ends_with(b"\r\n") {
        if line.len() == LONGEST_LINE {
            return Err(invalid());
        }
        let mut byte = [0];
        fill(stream, &mut byte).await?;
        line.extend(byte);
        // Not one of these at all.
        if !line.starts_with(b"PROXY ") {
            return Err(invalid());
        }
    }
    decode_line(&line).ok_or_else(invalid)
}

async fn fill(stream: &mut Stream, buffer: &mut [u8]) -> io::Result<()> {
    let mut buffer = tokio::io::ReadBuf::new(buffer);
    while buffer.remaining() > 0 {
        let before = buffer.filled().len();
        std::future::poll_fn(|cx| std::pin::Pin::new(&mut *stream).poll_read(cx, &mut buffer))
            .await?;
        if buffer.filled().len() == before {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

fn invalid() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "no header of the PROXY protocol",
    )
}

/// A line of version 1, with its end. `None` when it is none.
fn decode_line(line: &[u8]) -> Option<Option<SocketAddr>> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
    let mut words = line.strip_prefix("PROXY ")?.split(' ');
    let is_v4 = match words.next()? {
        "UNKNOWN" => return Some(None),
        "TCP4" => true,
        "TCP6" => false,
        _ => return None,
    };
    let mut address = || -> Option<IpAddr> {
        let address: IpAddr = words.next()?.parse().ok()?;
        (address.is_ipv4() == is_v4).then_some(address)
    };
    let (source, _destination) = (address()?, address()?);
    let mut port = || -> Option<u16> { words.next()?.parse().ok() };
    let (source_port, _destination_port) = (port()?, port()?);
    let is_complete = words.next().is_none();
    is_complete.then(|| Some(SocketAddr::new(source.to_canonical(), source_port)))
}

/// What follows the signature of version 2. `None` when it is wrong.
fn decode_block(kind: u8, family: u8, block: &[u8]) -> Option<Option<SocketAddr>> {
    match kind {
        // The balancer's own, such as a check of our health.
        0x20 => return Some(None),
        0x21 => {}
        _ => return None,
    }
    let (source, port) = match family {
        0x11 => {
            let block: &[u8; 12] = block.first_chunk()?;
            let [a, b, c, d, _, _, _, _, port @ .., _, _] = *block;
            (IpAddr::from([a, b, c, d]), port)
        }
        0x21 => {
            let source: &[u8; 16] = block.first_chunk()?;
            let [port @ .., _, _] = *block.get(32..36)?.first_chunk::<4>()?;
            (IpAddr::from(*source), port)
        }
        // Unix sockets, datagrams, and what is not told.
        _ => return Some(None),
    };
    let port = u16::from_be_bytes(port);
    Some(Some(SocketAddr::new(source.to_canonical(), port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_version_1() {
        let address = |text: &str| Some(Some(text.parse().unwrap()));
        for (line, expected) in [
            (
                "PROXY TCP4 203.0.113.9 10.0.0.1 51234 443\r\n",
                address("203.0.113.9:51234"),
            ),
            (
                "PROXY TCP6 2001:db8::9 ::1 65535 443\r\n",
                address("[2001:db8::9]:65535"),
            ),
            (
                "PROXY TCP6 ::ffff:203.0.113.9 ::1 1 443\r\n",
                address("203.0.113.9:1"),
            ),
            ("PROXY UNKNOWN\r\n", Some(None)),
            ("PROXY UNKNOWN ffff:f...f 1 2 3\r\n", Some(None)),
            ("PROXY TCP4 203.0.113.9 10.0.0.1 51234\r\n", None),
            ("PROXY TCP4 203.0.113.9 10.0.0.1 51234 443 1\r\n", None),
            ("PROXY TCP4 203.0.113.9 10.0.0.1 51234 99999\r\n", None),
            ("PROXY TCP4 2001:db8::9 ::1 51234 443\r\n", None),
            ("PROXY TCP4  203.0.113.9 10.0.0.1 51234 443\r\n", None),
            ("PROXY UDP4 203.0.113.9 10.0.0.1 51234 443\r\n", None),
            ("proxy TCP4 203.0.113.9 10.0.0.1 51234 443\r\n", None),
            ("PROXY TCP4 203.0.113.9 10.0.0.1 51234 443\n", None),
            ("GET / HTTP/1.1\r\n", None),
        ] {
            assert_eq!(decode_line(line.as_bytes()), expected, "{line:?}");
        }
    }

    #[test]
    fn blocks_of_version_2() {
        let v4 = [203, 0, 113, 9, 10, 0, 0, 1, 0xc8, 0x22, 1, 0xbb];
        let client: SocketAddr = "203.0.113.9:51234".parse().unwrap();
        let mut v6 = [0; 36];
        v6[..16].copy_from_slice(
            &"2001:db8::9"
                .parse::<std::net::Ipv6Addr>()
                .unwrap()
                .octets(),
        );
        v6[32..].copy_from_slice(&[0xc8, 0x22, 1, 0xbb]);
        let client_v6: SocketAddr = "[2001:db8::9]:51234".parse().unwrap();
        let more = [&v4[..], &[4, 0, 1, 0]].concat();
        for (kind, family, block, expected) in [
            (0x21, 0x11, &v4[..], Some(Some(client))),
            (0x21, 0x11, &more, Some(Some(client))),
            (0x21, 0x21, &v6, Some(Some(client_v6))),
            (0x21, 0x11, &v4[..11], None),
            (0x21, 0x21, &v6[..35], None),
            (0x21, 0x00, &[], Some(None)),
            (0x21, 0x31, &[0; 216], Some(None)),
            (0x20, 0x00, &[], Some(None)),
            (0x20, 0x11, &v4, Some(None)),
            (0x22, 0x11, &v4, None),
            (0x11, 0x11, &v4, None),
        ] {
            assert_eq!(
                decode_block(kind, family, block),
                expected,
                "{kind:x} {family:x}"
            );
        }
    }
}
