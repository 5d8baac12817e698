//! The smallest server: it listens by itself, sends events back and acknowledges with what it got.
//!
//! Run it:
//!
//! ```text
//! cargo run --release --example echo
//! ```
//!
//! and talk to it from Node.js, in a folder where `npm install socket.io-client` was run:
//!
//! ```text
//! > const socket = require("socket.io-client")("http://127.0.0.1:3000");
//! > socket.onAny(console.log);
//! > socket.emit("echo", "hello", { answer: 42 }, Buffer.from("binary"));
//! echo hello { answer: 42 } <Buffer 62 69 6e 61 72 79>
//! > socket.emit("ask", 1, 2, (...answer) => console.log(answer));
//! [ 1, 2 ]
//! ```

use socket_io::{EmitError, RawArgs, Refusal, Socket, SocketIo};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let io = SocketIo::builder().build();
    io.of("/")
        .on_connect(async |socket: Socket| println!("{} connected", socket.id()))
        .on("echo", echo)
        .on("ask", async |args: RawArgs| args);

    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    println!("echo server on http://127.0.0.1:{port}");
    io.listen(("127.0.0.1", port)).await?;
    Ok(())
}

/// Arguments that are only passed on need not be parsed.
async fn echo(socket: Socket, args: RawArgs) -> Result<(), Refusal> {
    let sent: Result<(), EmitError> = socket.emit("echo", &args);
    Ok(sent?)
}
