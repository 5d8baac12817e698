//! The border of a public server: from which pages it may be used, how often an address may connect, and how much each client may send.
//!
//! Run it:
//!
//! ```text
//! cargo run --release --example limits
//! ```
//!
//! and send more than it takes, from Node.js:
//!
//! ```text
//! > const socket = require("socket.io-client")("http://127.0.0.1:3000");
//! > for (let i = 0; i < 8; i++) socket.emit("say", `message ${i}`, console.log);
//! 1
//! 1
//! 1
//! 1
//! 1
//! { message: 'too many events', data: { retryAfter: 500 } }
//! ```
//!
//! In `/strict` such a client has to leave. Behind a proxy, say which it is, so that addresses are those of the clients: `TRUSTED_PROXIES="10.0.0.0/8, unix"`.
//! Another port: `PORT=8080`.

use std::error::Error;

use socket_io::limit::{ConnectLimit, EventLimit, Excess, Rate};
use socket_io::{
    AllowedOrigins, Data, DisconnectReason, Handshake, Refusal, Socket, SocketIo, TrustedProxies,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let proxies = std::env::var("TRUSTED_PROXIES").unwrap_or_default();
    let io = SocketIo::builder()
        // Browsers let every page open WebSockets, with the cookies of the user.
        .allowed_origins(AllowedOrigins::same_host())
        .trusted_proxies(proxies.parse::<TrustedProxies>()?)
        .connect_limit(ConnectLimit::new(Rate::per_second(1).burst(5)))
        // For every namespace without a limit of its own.
        .event_limit(EventLimit::default())
        .build();
    io.of("/")
        .event_limit(
            EventLimit::default()
                .events(Rate::per_second(2).burst(5))
                .bytes(Rate::per_second(1024).burst(16_384)),
        )
        .on("say", say)
        .on("address", async |handshake: Handshake| {
            handshake.address().map(|address| address.ip())
        });
    io.of("/strict")
        .event_limit(
            EventLimit::default()
                .events(Rate::per_second(2).burst(5))
                .excess(Excess::Disconnect),
        )
        .on("say", say)
        .on_disconnect(async |socket: Socket, reason: DisconnectReason| {
            println!("{} left: {reason}", socket.id());
        });
    println!("listening on http://127.0.0.1:{port}");
    io.listen(("127.0.0.1", port)).await?;
    Ok(())
}

/// For everybody in the namespace; the answer is how many that are.
async fn say(socket: Socket, Data(text): Data<String>) -> Result<usize, Refusal> {
    Ok(socket.namespace().emit("said", &text)?.sent)
}
