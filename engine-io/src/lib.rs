//! Engine.IO 4: sessions of messages between a server and its clients, over HTTP long-polling, over WebSocket, and through the upgrade from one to the
//! other.
//!
//! This is the layer under Socket.IO; most programs want the `socket-io` crate. Without features the crate is the protocol alone, without I/O: packets,
//! payloads and the [`Session`] state machine that both roles share. Feature `server` (default) is the server over hyper and tungstenite, which can let
//! clients of revision 3 in, too (`ServerConfig::allow_eio3`); feature `deflate` adds compressed WebSocket messages (permessage-deflate) to it,
//! and feature `tls` lets its own listener encrypt.
//!
//! ```no_run
//! # #[cfg(feature = "server")]
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     let server = engine_io::Server::default();
//!     let listener = server.listen("127.0.0.1:3000").await?;
//!     tokio::spawn(listener.run(std::future::pending()));
//!     while let Some(mut socket) = server.accept().await {
//!         tokio::spawn(async move {
//!             while let Some(message) = socket.recv().await {
//!                 if socket.send(message).is_err() {
//!                     break;
//!                 }
//!             }
//!         });
//!     }
//!     Ok(())
//! }
//! # #[cfg(not(feature = "server"))]
//! # fn main() {}
//! ```

#[cfg(feature = "deflate")]
mod deflate;
#[cfg(not(feature = "deflate"))]
#[cfg_attr(not(feature = "server"), allow(dead_code))]
#[path = "no_deflate.rs"]
mod deflate;
mod frame;
mod handshake;
mod packet;
mod payload;
mod payload_v3;
mod session;
mod sid;
mod text;
mod transport;
mod wire;

#[cfg(feature = "server")]
mod connection;
#[cfg(feature = "server")]
mod registry;
#[cfg(feature = "server")]
mod request;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "server")]
mod socket;
#[cfg(feature = "server")]
mod stats;
#[cfg(feature = "tls")]
mod tls;
#[cfg(all(feature = "server", not(feature = "tls")))]
#[path = "no_tls.rs"]
mod tls;

#[cfg(feature = "deflate")]
pub use deflate::DeflateConfig;
pub use frame::{Frame, FrameBuilder};
pub use handshake::{Handshake, HandshakeError};
pub use packet::{DecodeError, Message, Packet};
pub use payload::{decode_payload, encode_payload, payload_len};
pub use payload_v3::{PayloadV3, decode_binary_payload_v3, decode_payload_v3, encode_payload_v3};
pub use session::{
    CloseReason, Counters, LatestKey, Overlap, ReadyState, SendError, Session, SessionConfig, Side,
};
pub use sid::Sid;
pub use text::Text;
pub use transport::Transport;
pub use wire::{BinaryForm, Revision, Wire};

#[cfg(feature = "server")]
pub use request::{ConnectionInfo, Request};
#[cfg(feature = "server")]
pub use server::{
    Acceptor, ContentEncoding, Cookie, CookiePriority, Cors, EngineLayer, EngineService,
    HttpCompression, Listener, NoService, Refusal, Respond, ResponseBody, SameSite, Server,
    ServerConfig, serve,
};
#[cfg(feature = "server")]
pub use socket::{Sender, Socket};
#[cfg(feature = "server")]
pub use stats::{Closed, Stats};
#[cfg(feature = "tls")]
pub use tls::{TlsConfig, TlsError};
