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
//! | `namespaces` | namespaces by name, by a path with parameters, and by an asynchronous decision; one emit for a whole family |
//! | `binary_upload` | a file in chunks, with acknowledgements as flow control and a checksum at the end |
//! | `recovery` | a ticker whose readers miss nothing when their connection breaks |
//! | `drain` | an end that sends clients elsewhere, a few at a time, and the health for a load balancer |
//! | `rooms` | rooms: their events and sizes, who is in them, votes of all who are |
//! | `limits` | the border of a public server: origins, proxies, and limits on connections, events and bytes |
//! | `chat_terminal` | a client: the chat in a terminal, with reconnection; everything in one loop |
//! | `client_streams` | a client: a robot in the chat, with streams and futures instead of handlers |
//! | `client_blocking` | a client without asynchronous code: sends a file to `binary_upload` |
//! | `latency` | a client: the time that a server takes to answer, as a live chart |
//! | `client_offline` | a client whose orders survive offline times and `kill -9`, and a server that takes each once |
//! | `bench_server` | the server that benchmarks are run against |
//! | `client_bench` | the client that benchmarks measure |

use std::error::Error;

/// An error with what is behind it.
pub fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let causes: Vec<String> = causes.map(ToString::to_string).collect();
    causes.join(": ")
}

/// The code of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[derive(Debug)]
pub struct Readme;
