//! Socket.IO in an axum application, beside ordinary routes.
//!
//! Run it:
//!
//! ```text
//! cargo run --release --example axum
//! ```
//!
//! `http://127.0.0.1:3000/` says how many clients are connected; `curl -d hello http://127.0.0.1:3000/announce` sends each of them the event
//! `announcement`; Socket.IO clients connect to `http://127.0.0.1:3000` and may emit `rename` to change what `whoami` answers. `whereami` answers with the
//! client's address, which axum knows and the server is told by `connection_info`.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::map_request;
use axum::routing::{get, post};
use socket_io::{ConnectionInfo, Data, Handshake, Socket, SocketIo};
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
        })
        .on("whereami", async |handshake: Handshake| handshake.address());

    let app = Router::new()
        .route("/", get(index))
        .route("/announce", post(announce))
        .with_state(io.clone())
        .layer(io.layer())
        // Added last, so it comes first.
        .layer(map_request(connection_info));

    println!("listening on http://127.0.0.1:3000");
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await
}

/// Tells the server whom a connection is with. Behind a proxy that can be trusted, its header with the client's address is the place to look instead; where
/// the connection is encrypted, add `.secure()`.
async fn connection_info(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
) -> Request {
    request.extensions_mut().insert(ConnectionInfo::new(peer));
    request
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
