//! The client over real sockets, against the server of this workspace.

mod blocking;
mod conformance;
mod connecting;
mod emitting;
mod ending;
mod handling;
mod pulling;
mod reconnecting;
mod support;
