//! Engine.IO 4.

mod frame;
mod packet;
mod text;

pub use frame::{Frame, FrameBuilder};
pub use packet::{DecodeError, Message, Packet};
pub use text::Text;
