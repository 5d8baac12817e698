//! What comes back by itself, when, and what a program has to do then.
//!
//! # What comes back
//!
//! A connection that was lost is made again, and each socket that used it joins its namespace again. One that was ended on purpose is not:
//! [`Socket::is_active`](crate::Socket::is_active) tells them apart, and these are the reasons:
//!
//! | [`DisconnectReason`](crate::DisconnectReason) | what has happened | comes back |
//! |---|---|---|
//! | `TransportClose`, `TransportError` | the connection broke, the server was stopped or restarted | yes |
//! | `PingTimeout` | the server was silent for too long, or this machine was asleep | yes |
//! | `ParseError` | the server has sent what is no Socket.IO | yes |
//! | `IoServerDisconnect` | the server has made this socket leave | no |
//! | `IoClientDisconnect`, `ForcedClose` | [`Socket::disconnect`](crate::Socket::disconnect), [`Manager::close`](crate::Manager::close) | no |
//!
//! A connection that breaks before a socket has joined is a [`ConnectError::Engine`](crate::ConnectError::Engine) as well, which says what has happened: when it
//! comes again and again, requests of one session probably reach different servers.
//!
//! A server that refuses a namespace ([`ConnectError::Refused`](crate::ConnectError::Refused)) means it: the socket stays out until it is connected again by
//! hand. So does one that was sent away; a program that wants back in says so, and waits a little, since it may be sent away again:
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use socket_io_client::{DisconnectReason, Socket};
//!
//! let socket = Socket::builder("https://example.com")
//!     .on_disconnect(async |socket: Socket, reason: DisconnectReason| {
//!         if reason == DisconnectReason::IoServerDisconnect {
//!             tokio::time::sleep(Duration::from_secs(5)).await;
//!             socket.connect_lazy();
//!         }
//!     })
//!     .connect()
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! # The first time
//!
//! | | when the server cannot be reached | when it refuses |
//! |---|---|---|
//! | [`connect`](crate::SocketBuilder::connect) | an error at once | an error |
//! | [`retry_first`](crate::SocketBuilder::retry_first) and `connect` | tries again, as later | an error |
//! | [`connect_lazy`](crate::SocketBuilder::connect_lazy), which returns at once | tries again, as later | told by `on_connect_error` |
//!
//! # When
//!
//! [`Reconnect`](crate::Reconnect) says how long to wait: the n-th wait is `delay · 2ⁿ`, spread by the jitter, `delay_max` at the most. By default that is about
//! 1 s, 2 s, 4 s, then 5 s each, without an end; each wait is between half and one and a half of that, so that the clients of a server that restarts do not all
//! come at once. A server of a million clients wants a longer `delay_max`.
//!
//! ```
//! use std::time::Duration;
//! use socket_io_client::{Manager, Reconnect};
//!
//! let reconnect = Reconnect::default().delay(Duration::from_millis(200)).delay_max(Duration::from_secs(60));
//! let manager = Manager::builder("https://example.com").reconnect(reconnect).build()?;
//! // Later: the user has switched to flight mode.
//! manager.set_reconnect(Reconnect::off());
//! # Ok::<(), socket_io_client::ConfigError>(())
//! ```
//!
//! With [`attempts`](crate::Reconnect::attempts) it gives up at some time, [`ManagerEvent::ReconnectFailed`](crate::ManagerEvent::ReconnectFailed) tells, and
//! [`Socket::connect`](crate::Socket::connect) begins again.
//!
//! # What to do each time
//!
//! To the server a client that comes back is a new one, unless the connection was [recovered](crate::Socket::recovered): rooms are gone, and whoever had
//! logged in with an event has to do it again. That belongs into [`on_connect`](crate::SocketBuilder::on_connect), which is called each time. Events that were
//! emitted meanwhile are sent before it is called, so what they depend on belongs into the credentials instead, which come first:
//!
//! ```no_run
//! # async fn fetch_token() -> Result<String, socket_io_client::BoxError> { Ok(String::new()) }
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use std::collections::HashMap;
//! use socket_io_client::{BoxError, Refusal, Socket};
//!
//! let socket = Socket::builder("https://example.com")
//!     // Asked each time, so that it is not too old.
//!     .auth_with(async || Ok::<_, BoxError>(HashMap::from([("token", fetch_token().await?)])))
//!     .on_connect(async |socket: Socket| {
//!         if !socket.recovered() {
//!             socket.emit("subscribe", &("news", "weather"))?;
//!         }
//!         Ok::<_, Refusal>(())
//!     })
//!     .connect()
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! What belongs to the connection rather than to the socket, such as headers or the URL of another server, comes from
//! [`before_attempt`](crate::ManagerBuilder::before_attempt):
//!
//! ```
//! use socket_io_client::{Attempt, BoxError, Manager};
//!
//! let servers = ["https://a.example.com", "https://b.example.com"];
//! let manager = Manager::builder(servers[0])
//!     .before_attempt(move |mut attempt: Attempt| {
//!         attempt.url = servers[attempt.number as usize % servers.len()].into();
//!         async { Ok::<_, BoxError>(attempt) }
//!     })
//!     .build()?;
//! # Ok::<(), socket_io_client::ConfigError>(())
//! ```
//!
//! # Watching it
//!
//! [`Manager::events`](crate::Manager::events) has the attempts and what becomes of them, for the user to see:
//!
//! ```no_run
//! # async fn run(socket: socket_io_client::Socket) {
//! use socket_io_client::ManagerEvent;
//!
//! let mut events = socket.manager().events();
//! loop {
//!     match events.recv().await {
//!         ManagerEvent::Close { reason, .. } => println!("offline: {reason}"),
//!         ManagerEvent::ReconnectAttempt(attempt) => println!("attempt {attempt}"),
//!         ManagerEvent::ReconnectError(error) => println!("{error}"),
//!         ManagerEvent::Reconnect(attempts) => println!("online again after {attempts}"),
//!         _ => {}
//!     }
//! }
//! # }
//! ```
//!
//! # How a dead connection is noticed
//!
//! The server pings, by default every 25 s, and who hears nothing for that long and 20 s more takes the connection for dead. A machine that was asleep does not
//! wait for that: when it wakes, what is emitted is not written to a connection whose time is up, but kept for the next one.
