//! The server over real sockets: a raw HTTP/1.1 client and a WebSocket client that can break every rule.

mod closing;
#[cfg(feature = "deflate")]
mod deflate;
mod handshake;
mod hosting;
mod limits;
mod polling;
mod support;
mod upgrade;
mod websocket;
