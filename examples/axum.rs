//! Socket.IO in an axum application, beside ordinary routes.
//!
//! Run it:
//!
//! ```text
//! cargo run --release --example axum
//! ```
//!
//! `http://127.0.0.1:3000/` says how many clients are connected; `curl -d hello http://127.0.0.1:3000/announce` sends each of them the event
//! `announcement`; Socket.IO clients connect to `http://127.0.0.1:3000` and may emit `rename` to change what `whoami` answers.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use socket_io::{Data, Socket, SocketIo};
use tokio::net::TcpListener;

/// What a client calls itself.
struct Name(String);

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let io = SocketIo::builder().build();
    io.of("/")
        .on(
            "rename",
            async |socket: Socket, Data(name): Data<String>| {
                socket.insert_data(Name(name));
            },
        )
        .on("whoami", async |socket: Socket| {
            let name = socket.data::<Name>();
            name.map_or_else(|| "nobody".to_owned(), |name| name.0.clone())
        });

    let app = Router::new()
        .route("/", get(index))
        .route("/announce", post(announce))
        .with_state(io.clone())
        .layer(io.layer());

    println!("listening on http://127.0.0.1:3000");
    axum::serve(TcpListener::bind("127.0.0.1:3000").await?, app).await
}

async fn index(State(io): State<SocketIo>) -> String {
    format!("{} clients are connected\n", io.of("/").len())
}

/// Sending works from anywhere in the program.
async fn announce(State(io): State<SocketIo>, text: String) -> String {
    match io.emit("announcement", &text) {
        Ok(delivery) => format!("sent to {} clients\n", delivery.sent),
        Err(error) => format!("not sent: {error}\n"),
    }
}
