//! Socket.IO.

pub use engine_io::Text;
