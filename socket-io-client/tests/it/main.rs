//! The client over real sockets, against the server of this workspace.

mod blocking;
mod catching_up;
mod conformance;
mod connecting;
mod durable;
mod emitting;
mod ending;
mod handling;
mod memory;
mod pulling;
mod reconnecting;
mod support;
