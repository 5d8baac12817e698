//! Socket.IO.

pub mod protocol;

pub use engine_io::Text;
