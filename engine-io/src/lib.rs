//! Engine.IO 4.

mod frame;
mod handshake;
mod packet;
mod payload;
mod session;
mod sid;
mod text;
mod transport;

pub use frame::{Frame, FrameBuilder};
pub use handshake::{Handshake, HandshakeError};
pub use packet::{DecodeError, Message, Packet};
pub use payload::{decode_payload, encode_payload, payload_len};
pub use session::{CloseReason, Overlap, ReadyState, SendError, Session, SessionConfig, Side};
pub use sid::Sid;
pub use text::Text;
pub use transport::Transport;
