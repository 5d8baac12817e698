//! The examples of socket-io, one idea a file, each with a header that says how to run it and what to see.
//!
//! | example | what it shows |
//! |---|---|
//! | `chat` | a chat room with a web page: acknowledgements, rooms, volatile events, a graceful end |
//! | `echo` | the smallest server, with a listener of its own |
//! | `auth` | who may do what, and until when: tokens at the door, a middleware for events, renewal, and the end of an authorization |
//! | `axum` | the server in an axum application, beside ordinary routes |
//! | `hyper` | the server as a plain hyper service |
//! | `custom_parser` | packets in a format of one's own, CBOR |
//! | `recovery` | a ticker whose readers miss nothing when their connection breaks |
//! | `drain` | an end that sends clients elsewhere, a few at a time, and the health for a load balancer |
//! | `rooms` | rooms: their events and sizes, who is in them, votes of all who are |
//! | `client_offline` | a client whose orders survive offline times and `kill -9`, and a server that takes each once |
//! | `bench_server` | the server that benchmarks are run against |

/// The code of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[derive(Debug)]
pub struct Readme;
