//! From `rust_socketio` 0.6 to this crate.
//!
//! # What was called how
//!
//! | `rust_socketio` | here |
//! |---|---|
//! | `ClientBuilder::new(url)` | [`Socket::builder(url)`](crate::Socket::builder); options of the connection are those of [`Manager::builder(url)`](crate::Manager::builder) |
//! | `.namespace("/chat")` | the path of the URL, `https://example.com/chat`, or [`Manager::socket("/chat")`](crate::Manager::socket) |
//! | `rust_socketio::client::Client` | [`blocking::Socket`](crate::blocking::Socket) |
//! | `rust_socketio::asynchronous::Client` | [`Socket`](crate::Socket) |
//! | `.on("event", \|payload, client\| …)` | [`.on("event", async \|Data(x): Data<T>, socket: Socket\| …)`](crate::SocketBuilder::on), before and after connecting, also several |
//! | `async \|payload, client\| { … }.boxed()`, `async_callback!` | a plain `async` closure or function |
//! | `.on_any(\|event, payload, client\| …)` | [`.on_any(async \|name: EventName, args: RawArgs\| …)`](crate::SocketBuilder::on_any) |
//! | `.on("open", …)`, `.on("close", …)`, `.on("error", …)` | [`on_connect`](crate::SocketBuilder::on_connect), [`on_disconnect`](crate::SocketBuilder::on_disconnect), [`on_connect_error`](crate::SocketBuilder::on_connect_error) and [`on_error`](crate::ManagerBuilder::on_error) |
//! | `Payload::Text(values)` | [`Data<T>`](crate::Data) with a type of yours; [`Data<Args<Value>>`](crate::Args) for any number of anything |
//! | `Payload::Binary(bytes)` | [`Binary`](crate::Binary), anywhere in the arguments, as often as you like |
//! | `client.emit("event", json!(…))` | [`socket.emit("event", &value)`](crate::Socket::emit): not asynchronous, and everything that serializes |
//! | `client.emit("event", vec![json!(1), json!(2)])` | `socket.emit("event", &(1, 2))`: a tuple is several arguments, a `Vec` is one |
//! | `client.emit_with_ack("event", data, timeout, callback)` | [`socket.emit_with_ack::<T>("event", &data).timeout(timeout).await`](crate::Socket::emit_with_ack) |
//! | acknowledging the server: not possible | what a handler returns, or [`Ack`](crate::Ack) |
//! | `.auth(json!(…))` | [`.auth(&value)`](crate::SocketBuilder::auth), [`.auth_with(async \|\| …)`](crate::SocketBuilder::auth_with) |
//! | `.opening_header(name, value)` | [`.engine(\|engine\| engine.header(name, value))`](crate::ManagerBuilder::engine) |
//! | `.transport_type(TransportType::Websocket)` | `.engine(\|engine\| engine.transports([Transport::WebSocket]))` |
//! | `.tls_config(connector)` | `.engine(\|engine\| engine.tls(ClientTls::…))`: [`ClientTls`](crate::ClientTls) |
//! | `.reconnect(false)` | [`.reconnect(Reconnect::off())`](crate::ManagerBuilder::reconnect) |
//! | `.reconnect_delay(min, max)`, `.max_reconnect_attempts(n)` | [`Reconnect::default().delay(min).delay_max(max).attempts(n)`](crate::Reconnect) |
//! | `.reconnect_on_disconnect(true)` | [`connect_lazy` in `on_disconnect`](super::reconnection#what-comes-back) |
//! | `.on_reconnect(…)`, `set_reconnect_url` | [`before_attempt`](crate::ManagerBuilder::before_attempt), `auth_with` |
//! | `client.disconnect()` | [`socket.disconnect()`](crate::Socket::disconnect), [`socket.flushed().await`](crate::Socket::flushed); dropping does the first |
//! | feature `async` | always there; without a runtime of your own: [`blocking`](crate::blocking) |
//! | native TLS | rustls; the feature `native-tls` for the other |
//!
//! # A program, before and after
//!
//! ```text
//! let callback = |payload: Payload, client: Client| {
//!     async move {
//!         if let Payload::Text(values) = payload {
//!             let name = values[0]["name"].as_str().unwrap_or_default();
//!             client.emit("welcome", json!(name)).await.expect("not sent");
//!         }
//!     }
//!     .boxed()
//! };
//! let client = ClientBuilder::new("http://localhost:3000")
//!     .namespace("/chat")
//!     .auth(json!({ "token": "secret" }))
//!     .on("joined", callback)
//!     .on("error", |error, _| async move { eprintln!("{error:?}") }.boxed())
//!     .connect()
//!     .await?;
//! sleep(Duration::from_secs(1)).await; // until the namespace is joined
//! let callback = |answer: Payload, _: Client| async move { println!("{answer:?}") }.boxed();
//! client.emit_with_ack("count", json!({}), Duration::from_secs(2), callback).await?;
//! sleep(Duration::from_secs(2)).await; // until it is answered
//! client.disconnect().await?;
//! ```
//!
//! ```no_run
//! use serde::Deserialize;
//! use socket_io_client::{Data, Refusal, Socket};
//! use std::time::Duration;
//!
//! #[derive(Deserialize)]
//! struct Person { name: String }
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let socket = Socket::builder("http://localhost:3000/chat")
//!     .auth(&serde_json::json!({ "token": "secret" }))
//!     .on("joined", async |socket: Socket, Data(person): Data<Person>| {
//!         socket.emit("welcome", &person.name).map_err(Refusal::from)
//!     })
//!     .connect() // joined when this is ready, or an error that says why not
//!     .await?;
//! let count: u32 = socket.emit_with_ack("count", &()).timeout(Duration::from_secs(2)).await?;
//! println!("{count}");
//! socket.disconnect();
//! socket.flushed().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What behaves differently
//!
//! - `connect` is ready when the namespace is joined. Nothing has to be waited for, and a refusal is its error, [`ConnectError::Refused`](crate::ConnectError::Refused).
//! - What is emitted without a connection waits for one instead of failing, up to a limit. `volatile` events do not.
//! - Handlers run apart from the connection and may wait for anything, acknowledgements included. They begin in the order of the events; who needs one to be
//!   done before the next one begins reads a [stream](crate::Socket::stream) instead.
//! - What a handler returns is sent to a server that asked for an acknowledgement. One that should not answer returns `()`.
//! - Names of events mean what they say: none is folded to lower case, and an event `message` is not mistaken for one without a name.
//! - A string is a string: `socket.emit("event", "123")` does not send a number.
//! - A panic in a handler is caught and reported to the error hook.
//! - Sockets of several namespaces share a connection when they are made by one [`Manager`](crate::Manager).
//! - Lost connections are made again for ever, unless [`Reconnect`](crate::Reconnect) says otherwise. `disconnect` and dropping the last handle end everything.
