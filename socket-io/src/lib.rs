//! Socket.IO for Rust: a server that JavaScript clients cannot tell from the original.

#[cfg(feature = "server")]
mod adapter;
pub mod protocol;
#[cfg(feature = "server")]
mod server;

pub use engine_io::Text;
pub use protocol::{Args, Binary, DisconnectReason, RawArgs, Value};

#[cfg(feature = "server")]
pub use adapter::{Adapter, Delivery, Flags, IntoRooms, MemoryAdapter, Room, SocketId, Target};
#[cfg(feature = "deflate")]
pub use engine_io::DeflateConfig;
#[cfg(feature = "server")]
pub use engine_io::{ConnectionInfo, Cookie, Cors, Transport};
#[cfg(feature = "server")]
pub use server::{
    Ack, AckError, AckFuture, Auth, Broadcast, BroadcastAcks, BroadcastAnswers, Context, Data,
    EmitError, EventName, Failure, FromContext, Handler, HandlerError, Handshake, Middleware,
    Namespace, Refusal, Socket, SocketData, SocketIo, SocketIoBuilder, State,
};
