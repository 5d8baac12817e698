//! Socket.IO for Rust: a server that JavaScript clients cannot tell from the original.

#[cfg(feature = "server")]
mod adapter;
#[cfg(feature = "brotli")]
mod brotli;
mod common;
#[cfg(all(fuzzing, feature = "server"))]
#[doc(hidden)]
pub use server::fuzzing;
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
    Acceptor, Closed, ConnectionInfo, Cookie, CookiePriority, Cors, Counters, HttpCompression,
    Refusal as RequestRefusal, Revision, SameSite, Stats as EngineStats, Transport,
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
