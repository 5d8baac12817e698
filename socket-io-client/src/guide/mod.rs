//! Longer explanations, one subject a page; there is no code in here.
//!
//! | page | what it answers |
//! |---|---|
//! | [`reconnection`] | what comes back by itself, when, and what a program has to do then |
//! | [`delivery`] | which events may be lost or come twice, how to choose, and what each choice costs |
//! | [`migrating`] | from `rust_socketio` to this crate: what was called how, and what behaves differently |
//!
//! Whole programs are among the examples of the workspace: `chat_terminal`, `client_streams`, `client_blocking`, `client_offline` and `latency`.

pub mod delivery;
pub mod migrating;
pub mod reconnection;
