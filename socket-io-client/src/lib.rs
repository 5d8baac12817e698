//! The Socket.IO client for Rust: work in progress, nothing here yet.
