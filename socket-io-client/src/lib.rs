//! The Socket.IO client for Rust programs.
//!
//! ```no_run
//! use socket_io_client::{Data, Socket};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let socket = Socket::builder("http://127.0.0.1:3000/chat")
//!         .on("message", async |Data(text): Data<String>| println!("{text}"))
//!         .connect()
//!         .await?;
//!     let receipt: String = socket.emit_with_ack("message", "hello").await?;
//!     println!("{receipt}");
//!     socket.disconnect();
//!     socket.flushed().await;
//!     Ok(())
//! }
//! ```
//!
//! It speaks to every server of Socket.IO 3 and 4, over polling and WebSocket with the upgrade between them, and behaves as the official client does:
//! reconnecting, buffering, acknowledgements both ways, namespaces over one connection, binary data, recovery of missed events, in the same order of events.
//!
//! # Connecting
//!
//! The path of a URL is the namespace, its query goes with every request. [`SocketBuilder::connect`] is ready when the namespace is joined; it fails when the
//! server cannot be reached or refuses. [`retry_first`](SocketBuilder::retry_first) lets it wait for a server that is not there yet, and
//! [`connect_lazy`](SocketBuilder::connect_lazy) does all that in the background.
//!
//! Several namespaces of one server share a connection through their [`Manager`], which also has the options of the connection: transports, headers, TLS,
//! proxies, [how to reconnect](Reconnect), and [a function to prepare each attempt](ManagerBuilder::before_attempt).
//!
//! A lost connection is made again by itself, and what was emitted meanwhile is sent then. It is not when this side or the server has ended it on purpose:
//! [`Socket::is_active`] tells. Credentials come from [`auth`](SocketBuilder::auth), or from [a function](SocketBuilder::auth_with) that is called each time.
//!
//! # Sending
//!
//! [`Socket::emit`] never waits: it queues, or says why not. [`Socket::emit_with_ack`] is a future of the answer. [`volatile`](Socket::volatile) events are
//! dropped rather than queued; [`retries`](SocketBuilder::retries) repeat events until the server has acknowledged them.
//!
//! What must not be lost: [`Socket::durable`] keeps events on disk until the server has acknowledged them, across restarts of the program, if the socket has a
//! [journal](SocketBuilder::journal).
//!
//! # Receiving
//!
//! Handlers are asynchronous functions over what they need: see [`FromContext`]. What they return is the acknowledgement, if the server wants one. They run
//! apart from the connection, so a slow one delays neither heartbeats nor acknowledgements nor other sockets; it may wait for acknowledgements itself.
//!
//! Who would rather pull: [`Socket::events`] is everything that happens to a socket, [`Socket::stream`] the events of one name as a type, and
//! [`Socket::next`] the next one of them.
//!
//! # Ending
//!
//! Dropping the last handle of a socket leaves its namespace, and the connection with the last socket; no task remains. [`Socket::disconnect`] does it
//! sooner, and [`Socket::flushed`] waits until everything has left, which a program does before it ends.
//!
//! # The guide
//!
//! [`guide`] goes on from here: what [comes back](guide::reconnection) and when, what may be [lost or come twice](guide::delivery), and how to
//! [migrate](guide::migrating) from `rust_socketio`.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `rustls` (default) | `https` and `wss` by rustls with ring and Mozilla's roots |
//! | `platform-verifier` | rustls trusts what the operating system trusts |
//! | `native-tls` | `https` and `wss` by the operating system's library |
//! | `msgpack` | `Parser::message_pack()` |
//! | `deflate` | permessage-deflate |
//! | `store` | [`Journal::open`]: journals in files |

pub mod blocking;
mod config;
mod core;
mod dispatch;
mod driver;
mod durable;
mod emit;
mod endpoint;
mod error;
mod extract;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
pub mod guide;
mod handler;
mod inbox;
mod manager;
mod manager_builder;
mod observers;
mod shared;
mod socket;
mod socket_builder;
mod store;
mod stream;
mod url;

pub use config::{Attempt, Reconnect};
pub use core::Jitter;
pub use durable::{Delivery, Durable, Keeping, Undelivered};
pub use emit::{AckFuture, Emit, Outcome};
pub use endpoint::HandlerId;
#[cfg(feature = "deflate")]
pub use engine_io::DeflateConfig;
#[cfg(unix)]
pub use engine_io::UnixConnector;
pub use engine_io::{
    ClientConfig, ClientTls, ClientTlsBuilder, ClientTlsError, ConnectError as EngineError,
    Connecting, Connection, Connector, CookieJar, Cookies, Handshake, Proxy, ProxyError, Refused,
    Sender as Engine, Sid, TcpConnector, Text, Transport, TransportError, UrlError,
};
pub use error::{
    AckError, BoxError, ConfigError, ConnectError, EmitError, Failure, HandlerError, RecvError,
};
pub use extract::{Ack, Context, FromContext};
pub use handler::Handler;
pub use manager::{Manager, ManagerState};
pub use manager_builder::ManagerBuilder;
pub use observers::{ManagerEvent, ManagerEvents};
pub use socket::Socket;
pub use socket_builder::SocketBuilder;
pub use socket_io::protocol::AckId;
pub use socket_io::{
    Args, Binary, Data, Date, DisconnectReason, EventName, Parser, RawArgs, Refusal, State, Value,
};
#[cfg(feature = "store")]
pub use store::FileStore;
pub use store::{Change, Content, Journal, Record, Store, StoreError};
pub use stream::{EventStream, Events, Incoming, SocketEvent};

/// Connects to the namespace that the path of a URL names, with default options.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let socket = socket_io_client::connect("http://127.0.0.1:3000").await?;
/// socket.emit("hello", "world")?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// As [`SocketBuilder::connect`].
///
/// # Cancel safety
///
/// Dropping the future gives up.
pub async fn connect(url: impl Into<String>) -> Result<Socket, ConnectError> {
    Socket::builder(url).connect().await
}
