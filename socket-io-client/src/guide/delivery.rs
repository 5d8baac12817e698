//! Which events may be lost or come twice, how to choose, and what each choice costs.
//!
//! Events arrive in order, whatever is chosen, and over one connection each of them once. The question is what becomes of those that are under way when a
//! connection breaks: nobody can know whether the other side has got them.
//!
//! | to the server | an event that is under way when the connection breaks | costs |
//! |---|---|---|
//! | [`volatile`](crate::Socket::volatile) | is lost; while there is no connection it is not even queued | nothing |
//! | [`emit`](crate::Socket::emit) | is lost, and nobody is told | nothing; memory for what waits for a connection |
//! | [`emit_with_ack`](crate::Socket::emit_with_ack) | is lost or not, and the program is told that | an answer of the server's |
//! | [`retries`](crate::SocketBuilder::retries) | is sent again, so that it may come twice; lost with the program | an answer for each event, and one event under way at a time |
//! | [`durable`](crate::Socket::durable) | is sent again with the same key, also by the next run of the program | the same, and a write to the disk for each event |
//!
//! | from the server | what was sent while there was no connection | costs |
//! |---|---|---|
//! | as it is | is lost | nothing |
//! | recovery | comes, in order, once, if the client is back in time | the server keeps the events of the last minutes |
//! | [`catch_up`](crate::SocketBuilder::catch_up) | comes whenever the client is back | the server stores events for good, and numbers them |
//!
//! # At most once
//!
//! This is the default, to the server and from it. Events that are emitted without a connection wait and are sent with the next one, up to
//! [`send_buffer`](crate::SocketBuilder::send_buffer) (16 MiB); only what had left when the connection broke can be lost. Where old news is no news, such as
//! positions of a mouse, `volatile` does without the waiting:
//!
//! ```no_run
//! # fn run(socket: socket_io_client::Socket) -> Result<(), socket_io_client::EmitError> {
//! socket.volatile().emit("position", &(12.5, 7.0))?;
//! # Ok(())
//! # }
//! ```
//!
//! # To be told
//!
//! The error of an acknowledgement says what is known, and the program decides:
//!
//! ```no_run
//! # async fn run(socket: socket_io_client::Socket) {
//! use std::time::Duration;
//! use socket_io_client::AckError;
//!
//! let answer = socket.emit_with_ack::<u64>("order", &("coffee", 2));
//! match answer.timeout(Duration::from_secs(5)).await {
//!     Ok(number) => println!("order {number}"),
//!     // It was not sent, and will not be.
//!     Err(AckError::Emit(error)) => println!("not ordered: {error}"),
//!     // Sent, perhaps received; asking the user beats ordering twice. A timeout that ends before the event was sent takes it back.
//!     Err(error @ (AckError::Disconnected | AckError::Timeout(_))) => println!("look whether it was ordered: {error}"),
//!     Err(error) => println!("an answer that is none: {error}"),
//! }
//! # }
//! ```
//!
//! # At least once
//!
//! With [`retries`](crate::SocketBuilder::retries) each event is sent until the server has acknowledged it, over as many connections as it takes, in order. An
//! event is given up after its retries, which count while there is a connection: an outage of hours costs one try. `emit` does not tell when one was given up,
//! `emit_with_ack` does.
//!
//! One event is under way at a time, so there are no more of them in a second than round trips; what waits is in memory, within `send_buffer`, and gone with the
//! program. The server has to acknowledge every event, also those without a result, and takes the same one twice when an acknowledgement was lost. A number makes
//! that harmless: a server that keeps the last number of each client knows what it has seen, and then it is exactly once.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use socket_io_client::Socket;
//!
//! let socket = Socket::builder("https://example.com")
//!     .auth(&serde_json::json!({ "client": "till 7" }))
//!     .retries(10, Duration::from_secs(5))
//!     .connect()
//!     .await?;
//! for (number, sale) in ["coffee", "tea"].into_iter().enumerate() {
//!     socket.emit("sale", &(number, sale))?;
//! }
//! // Until all are acknowledged or given up.
//! socket.flushed().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Across the end of the program
//!
//! With a [journal](crate::SocketBuilder::journal), events are on the disk before they leave, and stay there until the server has acknowledged them: a power cut
//! costs nothing but time. Each has a key, which the server gets behind the other arguments, and by which it recognizes one that it has taken already:
//!
//! ```no_run
//! # #[cfg(feature = "store")]
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use socket_io_client::{Journal, Socket};
//!
//! let journal = Journal::open("orders.journal").await?;
//! let socket = Socket::builder("https://example.com").journal(journal).connect_lazy()?;
//! let delivery = socket.durable().emit("order", &("coffee", 2)).await?; // it is on the disk
//! let number: u64 = delivery.acknowledged().await?; // the server has it
//! # Ok(())
//! # }
//! ```
//!
//! An event that the server never acknowledges holds up those behind it, for ever: [`undelivered`](crate::Socket::undelivered) shows them,
//! [`withdraw`](crate::Socket::withdraw) takes one back.
//!
//! # From the server: recovery
//!
//! A server with connection state recovery brings a client that is back within its time (two minutes by default) up to date by itself: rooms and id are as they
//! were, and what was missed comes before everything else. Nothing has to be done here, but for the other case:
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use socket_io_client::{Data, Refusal, Socket};
//!
//! let socket = Socket::builder("https://example.com")
//!     .on("price", async |Data((name, price)): Data<(String, f64)>| println!("{name}: {price}"))
//!     .on_connect(async |socket: Socket| {
//!         if !socket.recovered() {
//!             // Too long away, or the first time: the whole state.
//!             let prices: Vec<(String, f64)> = socket.emit_with_ack("prices", &()).await?;
//!             println!("{prices:?}");
//!         }
//!         Ok::<_, Refusal>(())
//!     })
//!     .connect()
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! # From the server: catching up
//!
//! Where nothing may be missed, however long the client was away or the server was down, events have numbers and the server stores them.
//! [`catch_up`](crate::SocketBuilder::catch_up) tells it with the credentials which one was the last, and the server begins behind that:
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use socket_io_client::{Data, Socket};
//!
//! let socket = Socket::builder("https://example.com")
//!     .on("message", async |Data((text, number)): Data<(String, u64)>| println!("{number}: {text}"))
//!     // Its second argument goes with the credentials, as `serverOffset`.
//!     .catch_up("message", 1, "serverOffset")
//!     .connect()
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! With a journal that goes on where the last run of the program has stopped: behind the last event whose handlers have ended. So an event may be handled twice,
//! and a handler that must not do so looks at the number. Servers that want to know of each event whether it has arrived ask for an acknowledgement: what a
//! handler here returns is that, and a handler that fails is told to the server as well.
