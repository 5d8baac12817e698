//! Proxies between a client and its server.
//!
//! | proxy | `http`, polling | everything else |
//! |---|---|---|
//! | HTTP | the request names the whole URL | `CONNECT host:port HTTP/1.1` |
//! | SOCKS5 | connect | connect |
//!
//! The proxy resolves the server's name.
//!
//! Sources: RFC 9110, section 9.3.6; RFC 1928 and 1929.

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

use super::error::{ProxyError, UrlError};
use crate::connection::Stream;

/// Bytes of an HTTP proxy's answer to CONNECT.
const MAX_ANSWER: usize = 16 * 1024;

/// A proxy, by its URL.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    kind: Kind,
    pub(crate) host: String,
    pub(crate) port: u16,
    credentials: Option<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Http,
    Socks5,
}

impl Proxy {
    /// A proxy of the form `http://user:password@host:port` or `socks5://…`; `socks5h` is the same, since names are always resolved by the proxy. The
    /// default ports are 80 and 1080.
    ///
    /// # Errors
    ///
    /// [`UrlError`] when it is no such URL.
    pub fn new(url: &str) -> Result<Self, UrlError> {
        let url = Url::parse(url).map_err(|error| UrlError::Invalid(error.to_string()))?;
        let (kind, port) = match url.scheme() {
            "http" => (Kind::Http, 80),
            "socks5" | "socks5h" => (Kind::Socks5, 1080),
            other => return Err(UrlError::Scheme(other.into())),
        };
        let host = url.host_str().filter(|host| !host.is_empty());
        Ok(Self {
            kind,
            host: host
                .ok_or(UrlError::NoHost)?
                .trim_matches(['[', ']'])
                .into(),
            port: url.port().unwrap_or(port),
            credentials: credentials(&url),
        })
    }

    /// Whether unencrypted requests are given to it as they are.
    pub(crate) fn takes_requests(&self) -> bool {
        self.kind == Kind::Http
    }

    /// The header `Proxy-Authorization`.
    pub(crate) fn authorization(&self) -> Option<HeaderValue> {
        let (user, password) = self.credentials.as_ref()?;
        basic(user, password)
    }

    /// Opens a way through.
    pub(crate) async fn tunnel(
        &self,
        stream: &mut Stream,
        host: &str,
        port: u16,
    ) -> Result<(), ProxyError> {
        match self.kind {
            Kind::Http => self.connect(stream, host, port).await,
            Kind::Socks5 => self.socks(stream, host, port).await,
        }
    }

    async fn connect(&self, stream: &mut Stream, host: &str, port: u16) -> Result<(), ProxyError> {
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.into()
        };
        let mut request =
            format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n").into_bytes();
        if let Some(value) = self.authorization() {
            request.extend_from_slice(b"Proxy-Authorization: ");
            request.extend_from_slice(value.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        stream.write_all(&request).await?;
        stream.flush().await?;
        // Byte by byte, since what comes behind the head is not the proxy's any more.
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() >= MAX_ANSWER {
                return Err(ProxyError::Invalid);
            }
            head.push(stream.read_u8().await?);
        }
        let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
        let line = std::str::from_utf8(line).map_err(|_| ProxyError::Invalid)?;
        let status = line
            .strip_prefix("HTTP/1.")
            .and_then(|rest| rest.split(' ').nth(1))
            .and_then(|status| status.parse().ok());
        match status {
            Some(200..=299) => Ok(()),
            Some(status) => Err(ProxyError::Status(status)),
            None => Err(ProxyError::Invalid),
        }
    }

    async fn socks(&self, stream: &mut Stream, host: &str, port: u16) -> Result<(), ProxyError> {
        const VERSION: u8 = 5;
        const NO_AUTHENTICATION: u8 = 0;
        const PASSWORD: u8 = 2;
        let methods: &[u8] = match self.credentials {
            Some(_) => &[VERSION, 2, NO_AUTHENTICATION, PASSWORD],
            None => &[VERSION, 1, NO_AUTHENTICATION],
        };
        stream.write_all(methods).await?;
        stream.flush().await?;
        let mut choice = [0; 2];
        stream.read_exact(&mut choice).await?;
        match (choice, &self.credentials) {
            ([VERSION, NO_AUTHENTICATION], _) => {}
            ([VERSION, PASSWORD], Some((user, password))) => {
                let mut login = vec![1];
                push_short(&mut login, user)?;
                push_short(&mut login, password)?;
                stream.write_all(&login).await?;
                stream.flush().await?;
                let mut answer = [0; 2];
                stream.read_exact(&mut answer).await?;
                if answer[1] != 0 {
                    return Err(ProxyError::Authentication);
                }
            }
            ([VERSION, _], _) => return Err(ProxyError::Authentication),
            _ => return Err(ProxyError::Invalid),
        }
        let mut request = vec![VERSION, 1, 0];
        match host.parse() {
            Ok(IpAddr::V4(address)) => {
                request.push(1);
                request.extend(address.octets());
            }
            Ok(IpAddr::V6(address)) => {
                request.push(4);
                request.extend(address.octets());
            }
            Err(_) => {
                request.push(3);
                push_short(&mut request, host)?;
            }
        }
        request.extend(port.to_be_bytes());
        stream.write_all(&request).await?;
        stream.flush().await?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await?;
        let rest = match answer {
            [VERSION, 0, _, 1] => 4,
            [VERSION, 0, _, 3] => usize::from(stream.read_u8().await?),
            [VERSION, 0, _, 4] => 16,
            [VERSION, code, ..] if code != 0 => return Err(ProxyError::Socks(code)),
            _ => return Err(ProxyError::Invalid),
        };
        // The address that the proxy bound, and its port, say nothing to us.
        let mut bound = [0; 257];
        stream.read_exact(&mut bound[..rest + 2]).await?;
        Ok(())
    }
}

/// Appends text behind its length of one byte.
fn push_short(output: &mut Vec<u8>, text: &str) -> Result<(), ProxyError> {
    output.push(u8::try_from(text.len()).map_err(|_| ProxyError::TooLong)?);
    output.extend_from_slice(text.as_bytes());
    Ok(())
}

/// User and password in a URL, decoded.
pub(crate) fn credentials(url: &Url) -> Option<(String, String)> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let decode = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
    Some((decode(url.username()), decode(url.password().unwrap_or(""))))
}

/// The value of a header with user and password.
pub(crate) fn basic(user: &str, password: &str) -> Option<HeaderValue> {
    let encoded = BASE64_STANDARD.encode(format!("{user}:{password}"));
    let mut value = HeaderValue::from_str(&format!("Basic {encoded}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the credentials.
        f.debug_struct("Proxy")
            .field("kind", &self.kind)
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}
