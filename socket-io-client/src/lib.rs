//! The place of the Socket.IO client for Rust programs. There is no code in it yet.
//!
//! What it will be built on is there and tested: the session state machine of `engine-io`, which knows the client's side as well as the server's, and the
//! protocol of `socket-io`, which is the same for both. Neither of them needs a feature for that, and so neither brings a server with it.
mod core;
