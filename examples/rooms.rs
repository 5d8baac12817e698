//! Rooms that people open, talk in, vote in and close. The server says when a room comes into being and when it is no more.
//!
//! Run it:
//!
//! ```text
//! cargo run --release --example rooms
//! ```
//!
//! and talk to it from Node.js, in a folder where `npm install socket.io-client` was run:
//!
//! ```text
//! > const { io } = require("socket.io-client");
//! > const person = (name) => io("http://127.0.0.1:3000", { auth: { name }, forceNew: true });
//! > const ann = person("Ann"), ben = person("Ben");
//! > ann.onAny(console.log); ben.on("vote", (question, answer) => answer(true));
//! > await ann.emitWithAck("enter", "garden")
//! opened garden
//! [ 'Ann' ]
//! > await ben.emitWithAck("enter", "garden")
//! [ 'Ann', 'Ben' ]
//! > ben.emit("say", "garden", "hello");
//! said garden Ben hello
//! > await ann.emitWithAck("vote", "garden", "Shall we go?")
//! { yes: 1, no: 0, silent: 0 }
//! > await ann.emitWithAck("rooms")
//! { garden: 2 }
//! > ben.emit("close", "garden");
//! closed garden
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use socket_io::{
    Auth, Data, Refusal, RemoteSocket, RoomChange, RoomEvent, Socket, SocketData, SocketIo,
};

/// Rooms of people start with this, so that they are not taken for those that are named like the ids of sockets.
const PREFIX: &str = "room ";

/// How long people may think.
const TIME_TO_VOTE: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct Person {
    name: String,
}

#[derive(Serialize)]
struct Votes {
    yes: usize,
    no: usize,
    silent: usize,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // What other sockets may know of a person, wherever in a cluster they ask.
    let name = |socket: &Socket| socket.data::<Person>().map(|person| person.name.clone());
    let io = SocketIo::builder().remote_data(name).build();
    let hall = io.of("/");
    // The hook belongs to the namespace, so it must not keep it.
    let everybody = hall.downgrade();
    hall.middleware(async |Auth(person): Auth<Person>| Ok::<_, Refusal>(person))
        .on_room_event(move |event: &RoomEvent| {
            let (Some(room), Some(hall)) = (event.room.strip_prefix(PREFIX), everybody.upgrade())
            else {
                return;
            };
            let told = match event.change {
                RoomChange::Created => hall.emit("opened", room),
                RoomChange::Deleted => hall.emit("closed", room),
                _ => return,
            };
            if let Err(error) = told {
                eprintln!("{room}: {error}");
            }
        })
        .on("enter", async |socket: Socket, Data(room): Data<String>| {
            socket.join(inner(&room));
            people(&socket, &room).await
        })
        .on("leave", async |socket: Socket, Data(room): Data<String>| {
            socket.leave(&inner(&room));
            people(&socket, &room).await
        })
        .on("say", say)
        .on("vote", vote)
        .on("rooms", async |socket: Socket| {
            let rooms = socket.namespace().rooms().into_iter();
            let named = rooms
                .filter_map(|(room, size)| Some((room.strip_prefix(PREFIX)?.to_owned(), size)));
            named.collect::<BTreeMap<_, _>>()
        })
        .on("close", async |socket: Socket, Data(room): Data<String>| {
            let room = inner(&room);
            socket.namespace().to(&room).leave(&room);
        });

    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    println!("rooms on http://127.0.0.1:{port}");
    io.listen(("127.0.0.1", port)).await?;
    Ok(())
}

fn inner(room: &str) -> String {
    format!("{PREFIX}{room}")
}

/// The names of those in a room.
async fn people(socket: &Socket, room: &str) -> Result<Vec<String>, Refusal> {
    let found = socket.namespace().to(inner(room)).fetch_sockets().await?;
    let names: Result<Vec<_>, _> = found.iter().map(RemoteSocket::data).collect();
    let mut names: Vec<String> = names?;
    names.sort();
    Ok(names)
}

async fn say(
    socket: Socket,
    SocketData(person): SocketData<Person>,
    Data((room, text)): Data<(String, String)>,
) -> Result<(), Refusal> {
    let others = socket.to(inner(&room));
    others.emit("said", &(room, &person.name, text))?;
    Ok(())
}

/// Asks the others in the room. Who does not answer in time, or leaves, is silent.
async fn vote(
    socket: Socket,
    Data((room, question)): Data<(String, String)>,
) -> Result<Votes, Refusal> {
    let others = socket.to(inner(&room)).timeout(TIME_TO_VOTE);
    let answers = others.emit_with_ack::<bool>("vote", &question).await?;
    let yes = answers.answers.iter().filter(|&&yes| yes).count();
    Ok(Votes {
        yes,
        no: answers.answers.len() - yes,
        silent: answers.missing.len(),
    })
}
