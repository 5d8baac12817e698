//! Namespaces of three kinds: one with a name, families whose names have parameters, and a family that an asynchronous function decides on.
//!
//! | namespace | what it is |
//! |---|---|
//! | `/` | the lobby: everybody hears here which namespaces come and go; `announce` reaches the rooms of all projects, `create` makes a document |
//! | `/project/{id}/room/{room}` | a room of a project, there for as long as somebody is in it |
//! | `/document/…` | a document, if it is in the catalogue; joined with the document's key |
//!
//! Run it:
//!
//! ```text
//! cargo run --release --example namespaces
//! ```
//!
//! and talk to it from Node.js, in a folder where `npm install socket.io-client` was run:
//!
//! ```text
//! > const { io } = require("socket.io-client");
//! > const lobby = io("http://127.0.0.1:3000");
//! > lobby.onAny((...event) => console.log("lobby:", ...event));
//! > const room = io("http://127.0.0.1:3000/project/42/room/garden");
//! > room.onAny((...event) => console.log("room:", ...event));
//! lobby: there is /project/42/room/garden
//! room: welcome { project: 42, room: 'garden' }
//! > await lobby.emitWithAck("announce", "lunch is ready")
//! room: announcement lunch is ready
//! 1
//! > await lobby.emitWithAck("create", "plan", "secret")
//! > io("http://127.0.0.1:3000/document/plan", { auth: { key: "wrong" } }).on("connect_error", (error) => console.log(error.message));
//! lobby: there is /document/plan
//! lobby: gone is /document/plan
//! wrong key
//! > io("http://127.0.0.1:3000/document/other").on("connect_error", (error) => console.log(error.message));
//! Invalid namespace
//! ```

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use socket_io::{
    Auth, Data, EmitError, Namespace, NamespaceName, Params, Refusal, Socket, SocketIo, State,
};
use tokio::sync::RwLock;

/// What a room's name says.
#[derive(Deserialize, Serialize)]
struct Place {
    project: u32,
    room: String,
}

/// The documents and their keys. It stands for a database: whoever asks it has to wait.
#[derive(Default)]
struct Catalogue(RwLock<HashMap<String, String>>);

#[derive(Deserialize)]
struct Key {
    key: Option<String>,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let io = SocketIo::builder().state(Catalogue::default()).build();
    let rooms = rooms(&io);
    documents(&io);
    lobby(&io, rooms);

    let port = std::env::var("PORT")
        .ok()
        .and_then(|port| port.parse().ok());
    let port: u16 = port.unwrap_or(3000);
    println!("namespaces on http://127.0.0.1:{port}");
    io.listen(("127.0.0.1", port)).await
}

/// A name. Everybody who connects without one is here.
fn lobby(io: &SocketIo, rooms: Namespace) {
    for (event, is_new) in [("there is", true), ("gone is", false)] {
        let lobby = io.of("/");
        let tell = move |namespace: &Namespace| {
            println!("{event} {}", namespace.name());
            let _ = lobby.emit(event, namespace.name().as_str());
        };
        match is_new {
            true => io.on_new_namespace(tell),
            false => io.on_namespace_removed(tell),
        }
    }
    io.of("/")
        .on("announce", move |Data(text): Data<String>| {
            // One event for the sockets of all namespaces that were made from the path.
            let sent = rooms.emit("announcement", &text);
            async { Ok::<_, Refusal>(sent?.sent) }
        })
        .on("create", create);
}

async fn create(
    Data((name, key)): Data<(String, String)>,
    State(catalogue): State<Catalogue>,
) -> Result<(), Refusal> {
    let mut catalogue = catalogue.0.write().await;
    if catalogue.len() == 1000 {
        return Err(Refusal::new("the catalogue is full"));
    }
    catalogue.insert(name, key);
    Ok(())
}

/// A path with parameters. A client whose project is no number is refused, since the middleware cannot have what it asks for.
fn rooms(io: &SocketIo) -> Namespace {
    io.of_path("/project/{project}/room/{room}")
        .middleware(async |Params(place): Params<Place>| match place.project {
            0 => Err(Refusal::new("no such project")),
            _ => Ok(()),
        })
        .on_connect(async |socket: Socket, Params(place): Params<Place>| {
            socket.emit("welcome", &place).map_err(Refusal::from)
        })
        .on("say", async |socket: Socket, Data(text): Data<String>| {
            let sent: Result<_, EmitError> = socket.namespace().emit("said", &text);
            Ok::<_, Refusal>(sent?.sent)
        })
}

/// An asynchronous decision: whether there is such a namespace. Who may join it, the middleware says.
fn documents(io: &SocketIo) {
    io.of_async(
        async |NamespaceName(name): NamespaceName, State(catalogue): State<Catalogue>| {
            let catalogue = catalogue.0.read().await;
            document(&name).is_some_and(|document| catalogue.contains_key(document))
        },
    )
    .middleware(open)
    .on("read", async |socket: Socket| {
        format!("the text of {}", socket.namespace().name())
    });
}

async fn open(
    socket: Socket,
    Auth(auth): Auth<Key>,
    State(catalogue): State<Catalogue>,
) -> Result<(), Refusal> {
    let catalogue = catalogue.0.read().await;
    let key = document(socket.namespace().name()).and_then(|document| catalogue.get(document));
    match key == auth.key.as_ref() {
        true => Ok(()),
        false => Err(Refusal::new("wrong key")),
    }
}

fn document(namespace: &str) -> Option<&str> {
    namespace.strip_prefix("/document/")
}
