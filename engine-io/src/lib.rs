//! Engine.IO 4: sessions of messages between a server and its clients, over HTTP long-polling, over WebSocket, and through the upgrade from one to the
//! other.
//!
//! This is the layer under Socket.IO; most programs want the `socket-io` crate. Without features the crate is the protocol alone, without I/O: packets,
//! payloads and the [`Session`] state machine that both roles share. Feature `server` (default) is the server over hyper and tungstenite, which can let
//! clients of revision 3 in, too (`ServerConfig::allow_eio3`); feature `client` is `connect`, with TLS by one of the features whose names begin with
//! `client-`; feature `deflate` adds compressed WebSocket messages (permessage-deflate) to both, and feature `tls` lets the server's own listener encrypt.
//! `Socket` and `Sender` are the same for both roles.
//!
//! A server that sends every message back:
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
//!
//! A client:
//!
//! ```no_run
//! # #[cfg(feature = "client")]
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let mut socket = engine_io::connect("http://127.0.0.1:3000", &Default::default()).await?;
//! socket.send("hello")?;
//! println!("{:?}", socket.recv().await);
//! socket.close().await;
//! # Ok(())
//! # }
//! ```

// A part that only one role uses is left in where the other one is alone: the `dead_code` below.

#[cfg(feature = "client")]
mod client;
#[cfg(all(feature = "io", not(feature = "client")))]
#[allow(clippy::needless_pass_by_ref_mut)] // as the real ones
#[path = "no_client.rs"]
mod client;
#[cfg(all(feature = "client", feature = "deflate"))]
mod client_deflate;
#[cfg(feature = "deflate")]
#[cfg_attr(not(all(feature = "server", feature = "client")), allow(dead_code))]
mod deflate;
#[cfg(not(feature = "deflate"))]
#[cfg_attr(not(all(feature = "server", feature = "client")), allow(dead_code))]
#[path = "no_deflate.rs"]
mod deflate;
mod frame;
#[cfg(all(fuzzing, feature = "server", feature = "client", feature = "deflate"))]
#[doc(hidden)]
pub mod fuzzing;
mod handshake;
mod packet;
mod payload;
mod payload_v3;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod random;
mod rate;
mod session;
mod sid;
mod text;
mod transport;
mod wire;

#[cfg(feature = "io")]
#[cfg_attr(
    not(all(feature = "server", feature = "client")),
    allow(dead_code, unused_imports)
)]
mod connection;
#[cfg(shuttle)]
#[doc(hidden)]
#[allow(missing_docs)] // for the package that runs it, and nobody else
pub mod model;
#[cfg(feature = "server")]
mod registry;
#[cfg(all(feature = "io", not(feature = "server")))]
#[path = "no_server.rs"]
mod registry;
#[cfg(feature = "io")]
#[cfg_attr(not(feature = "server"), allow(dead_code))]
mod request;
#[cfg(feature = "io")]
#[cfg_attr(not(all(feature = "server", feature = "client")), allow(dead_code))]
mod sender;
#[cfg(feature = "server")]
mod server;
#[cfg(all(feature = "server", feature = "deflate"))]
mod server_deflate;
#[cfg(feature = "io")]
#[cfg_attr(not(all(feature = "server", feature = "client")), allow(dead_code))]
mod socket;
#[cfg(feature = "server")]
mod stats;
#[cfg(feature = "io")]
mod sync;
#[cfg(feature = "tls")]
mod tls;
#[cfg(all(feature = "server", not(feature = "tls")))]
#[path = "no_tls.rs"]
mod tls;

#[cfg(all(feature = "client", unix))]
pub use client::UnixConnector;
#[cfg(feature = "client")]
pub use client::{
    ClientConfig, ClientTls, ClientTlsBuilder, ClientTlsError, ConnectError, Connecting,
    Connection, Connector, CookieJar, Cookies, Proxy, ProxyError, Refused, TcpConnector,
    TransportError, UrlError, connect,
};
#[cfg(feature = "deflate")]
pub use deflate::DeflateConfig;
pub use frame::{Frame, FrameBuilder};
pub use handshake::{Handshake, HandshakeError};
pub use packet::{DecodeError, Message, Packet};
pub use payload::{decode_payload, encode_payload, payload_len};
pub use payload_v3::{PayloadV3, decode_binary_payload_v3, decode_payload_v3, encode_payload_v3};
pub use rate::{Bucket, Rate};
#[doc(hidden)] // for the client of Socket.IO, and nobody else
pub use session::later;
pub use session::{
    CloseReason, Counters, LatestKey, Overlap, ReadyState, SendError, Session, SessionConfig, Side,
};
pub use sid::Sid;
pub use text::Text;
pub use transport::Transport;
pub use wire::{BinaryForm, Revision, Wire};

#[cfg(feature = "io")]
pub use request::{ConnectionInfo, Request};
#[cfg(feature = "io")]
pub use sender::Sender;
#[cfg(feature = "server")]
pub use server::{
    Acceptor, AllowedOrigins, ConnectLimit, ContentEncoding, Cookie, CookiePriority, Cors,
    EngineLayer, EngineService, HttpCompression, InvalidNetwork, Listener, Networks, NoService,
    Refusal, Respond, ResponseBody, SameSite, Server, ServerConfig, TrustedProxies, serve,
};
#[cfg(feature = "io")]
pub use socket::Socket;
#[cfg(feature = "server")]
pub use stats::{Closed, Stats};
#[cfg(feature = "tls")]
pub use tls::{TlsConfig, TlsError};
