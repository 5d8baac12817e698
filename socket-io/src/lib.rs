//! Socket.IO for Rust: a server that JavaScript clients cannot tell from the original.

#[cfg(feature = "server")]
mod adapter;
#[cfg(feature = "brotli")]
mod brotli;
mod common;
#[cfg(feature = "server")]
pub mod limit {
    //! Limits on how much clients may do, none of which is on by default. Each is a [`Rate`]: so much in a while, and so much at once after a pause.
    //!
    //! | limit | of what | where | beyond it |
    //! |---|---|---|---|
    //! | [`ConnectLimit`] | sessions that an address opens | [`SocketIoBuilder::connect_limit`](crate::SocketIoBuilder::connect_limit) | status 429 with `Retry-After` |
    //! | [`EventLimit`] | events and bytes that a client sends | [`Namespace::event_limit`](crate::Namespace::event_limit), [`SocketIoBuilder::event_limit`](crate::SocketIoBuilder::event_limit) | the event is refused, or the socket has to leave: [`Excess`] |
    //!
    //! For limits of one's own, such as on what a user does, there is the [`Bucket`]: it wants 16 bytes and the time.
    //!
    //! ```
    //! use socket_io::SocketIo;
    //! use socket_io::limit::{ConnectLimit, EventLimit};
    //!
    //! let io = SocketIo::builder().connect_limit(ConnectLimit::default()).event_limit(EventLimit::default()).build();
    //! ```

    pub use crate::server::{EventLimit, Excess};
    pub use engine_io::{Bucket, ConnectLimit, Rate};
}
#[cfg(all(fuzzing, feature = "server"))]
#[doc(hidden)]
pub use server::fuzzing;
#[doc(hidden)]
pub mod panic;
pub mod protocol;
mod refusal;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "tls")]
mod tls;

pub use common::{Data, EventName, State};
pub use engine_io::{Message, Text};
pub use protocol::{Args, Binary, Date, DisconnectReason, Parser, RawArgs, Value};
pub use refusal::Refusal;

#[cfg(feature = "server")]
pub use adapter::{
    Adapter, Delivery, FetchSockets, Flags, IntoRooms, MemoryAdapter, OverflowPolicy, Room,
    RoomChange, RoomEvent, SocketId, Target,
};
#[cfg(feature = "deflate")]
pub use engine_io::DeflateConfig;
#[cfg(feature = "server")]
pub use engine_io::{
    Acceptor, AllowedOrigins, Closed, ConnectionInfo, Cookie, CookiePriority, Cors, Counters,
    HttpCompression, InvalidNetwork, Networks, Refusal as RequestRefusal, Revision, SameSite,
    Stats as EngineStats, Transport, TrustedProxies,
};
#[cfg(feature = "tls")]
pub use engine_io::{TlsConfig, TlsError};
#[cfg(feature = "server")]
pub use server::{
    Ack, AckError, AckFuture, Auth, AuthorizeError, Broadcast, BroadcastAcks, BroadcastAnswers,
    Candidate, Context, Decide, Decision, Drain, DrainReport, Emit, EmitError, EventPacket,
    EventStream, Failure, FetchError, FromCandidate, FromContext, Grant, Handler, HandlerError,
    HandlerId, Handshake, Health, InvalidOffset, LoggedEvent, MemorySessionStore, Middleware,
    Namespace, NamespaceName, Offset, Outcome, Params, ParamsError, RecoveryConfig, RemoteAck,
    RemoteAnswers, RemoteSocket, ServerState, SessionStore, Socket, SocketData, SocketDetails,
    SocketIo, SocketIoBuilder, Stats, StoreError, StoreFuture, StoredSession, WeakNamespace,
};

/// Compresses a whole file.
#[cfg(feature = "server")]
type CompressFile = fn(&[u8]) -> std::io::Result<Vec<u8>>;

/// How to compress with Brotli, if this was built with it.
#[cfg(feature = "server")]
const BROTLI: Option<CompressFile> = {
    #[cfg(feature = "brotli")]
    let compress = Some(brotli::compress as CompressFile);
    #[cfg(not(feature = "brotli"))]
    let compress = None;
    compress
};
