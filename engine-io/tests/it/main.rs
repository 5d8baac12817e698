//! The server over real sockets, and the client with it: a raw HTTP/1.1 client and a WebSocket client that can break every rule.

mod answers;
mod border;
#[cfg(feature = "client")]
mod client;
mod closing;
mod conformance;
#[cfg(feature = "deflate")]
mod deflate;
mod draining;
mod handshake;
mod hostile;
mod hosting;
mod http1;
mod http2;
#[cfg(feature = "tls")]
mod http2_floods;
mod limits;
mod listening;
mod polling;
mod stats;
mod support;
mod times;
#[cfg(feature = "tls")]
mod tls;
mod upgrade;
mod v3;
mod websocket;
