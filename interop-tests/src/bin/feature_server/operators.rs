//! Sockets that are found and told what to do, handlers that come and go, room events, volatile events.

use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde_json::{Value as Json, json};
use socket_io::{
    Args, Binary, Broadcast, Data, EventName, Parser, RawArgs, Refusal, RemoteSocket, RoomChange,
    RoomEvent, Socket, SocketIo, Value,
};

/// What was told, until somebody asks.
struct Log<T>(Mutex<Vec<T>>);

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Log<T> {
    fn push(&self, item: T) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.push(item);
    }

    fn take(&self) -> Vec<T> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

static ROOM_CHANGES: Log<[String; 3]> = Log(Mutex::new(Vec::new()));

/// Events sent to a socket that wanted to be told.
#[derive(Default)]
struct Outgoing(Log<Vec<Value>>);

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    rooms: Vec<String>,
    #[serde(default)]
    except: Vec<String>,
}

pub(crate) fn server() -> SocketIo {
    let parser = match std::env::var("PARSER").as_deref() {
        Ok("msgpack") => Parser::message_pack(),
        _ => Parser::json(),
    };
    let io = SocketIo::builder()
        .parser(parser)
        .remote_data(|socket: &Socket| json!({"name": socket.data::<String>().as_deref()}))
        .build();
    many(&io);
    one(&io);
    io.of("/other");
    io.of("/rooms")
        .on_room_event(|event: &RoomEvent| {
            let (what, id) = match &event.change {
                RoomChange::Created => ("create-room", ""),
                RoomChange::Joined(id) => ("join-room", id.as_str()),
                RoomChange::Left(id) => ("leave-room", id.as_str()),
                RoomChange::Deleted => ("delete-room", ""),
                _ => return,
            };
            ROOM_CHANGES.push([what.to_owned(), event.room.to_string(), id.to_owned()]);
        })
        .on(
            "join",
            async |socket: Socket, Data(rooms): Data<Vec<String>>| {
                socket.join(rooms);
                true
            },
        )
        .on("leave", async |socket: Socket, Data(room): Data<String>| {
            socket.leave(&room);
            true
        });
    io.of("/").on("room-changes", async || ROOM_CHANGES.take());
    io
}

fn all(socket: &Socket, choice: Choice) -> Broadcast {
    let all = socket.namespace().all();
    all.to(choice.rooms).except(choice.except)
}

/// Operations on many sockets.
fn many(io: &SocketIo) {
    io.of("/")
        .on("name", async |socket: Socket, Data(name): Data<String>| {
            socket.insert_data(name);
            true
        })
        .on("find", async |socket: Socket, Data(choice): Data<Choice>| {
            let found = all(&socket, choice).fetch_sockets().await.map_err(text)?;
            let told = found.iter().map(|socket| {
                let mut rooms: Vec<_> = socket.rooms().iter().map(|room| room.to_string()).collect();
                rooms.sort();
                let data: Json = socket.data()?;
                let handshake = serde_json::to_value(socket.handshake())?;
                let transport = &handshake["query"]["transport"];
                Ok(json!({"id": socket.id(), "rooms": rooms, "data": data, "transport": transport}))
            });
            told.collect::<Result<Vec<_>, Refusal>>()
        })
        .on("sockets-join", async |socket: Socket, Data((choice, rooms)): Data<(Choice, Vec<String>)>| {
            all(&socket, choice).join(rooms);
            true
        })
        .on("sockets-leave", async |socket: Socket, Data((choice, rooms)): Data<(Choice, Vec<String>)>| {
            all(&socket, choice).leave(rooms);
            true
        })
        .on("sockets-disconnect", async |socket: Socket, Data((choice, close)): Data<(Choice, bool)>| {
            let all = all(&socket, choice);
            if close { all.disconnect_all() } else { all.disconnect() }
        })
        .on("ask-one", async |socket: Socket, Data((id, question)): Data<(String, Value)>| {
            let found = socket.namespace().to(id).fetch_sockets().await.map_err(text)?;
            let socket: &RemoteSocket = found.first().ok_or_else(|| Refusal::new("no such socket"))?;
            let answer = socket.emit_with_ack::<Value>("question", &(question,));
            Ok::<_, Refusal>((answer.await?,))
        });
}

fn text(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(error.to_string())
}

/// What concerns one socket.
fn one(io: &SocketIo) {
    io.of("/")
        .on("watch-outgoing", async |socket: Socket| {
            socket.insert_data(Outgoing::default());
            socket.on_any_outgoing(
                async |socket: Socket,
                       EventName(name): EventName,
                       Data(Args(args)): Data<Args<Value>>| {
                    if let Some(told) = socket.data::<Outgoing>() {
                        told.0
                            .push([name.as_str().into()].into_iter().chain(args).collect());
                    }
                },
            );
            true
        })
        .on("outgoing", async |socket: Socket| {
            let told = socket.data::<Outgoing>();
            told.map(|told| told.0.take())
        })
        .on("ignore-outgoing", async |socket: Socket| {
            socket.off_any_outgoing();
            true
        })
        .on("send-me", async |socket: Socket, args: RawArgs| {
            socket.emit("sent", &args)?;
            socket.namespace().emit("sent-all", &args)?;
            Ok::<_, Refusal>(true)
        })
        .on(
            "volatile-pair",
            async |socket: Socket, Data(data): Data<Binary>| {
                for n in 1..=2 {
                    socket.volatile().emit("v", &(n, &data, &data))?;
                }
                Ok::<_, Refusal>(socket.emit("v-done", &())?)
            },
        )
        .on(
            "listen",
            async |socket: Socket, Data((event, once)): Data<(String, bool)>| {
                let echo = async |args: RawArgs| args;
                if once {
                    socket.once(&event, echo);
                } else {
                    socket.on(&event, echo);
                }
                true
            },
        )
        .on(
            "unlisten",
            async |socket: Socket, Data(event): Data<String>| {
                socket.off(&event);
                true
            },
        )
        .on("sum", async |socket: Socket, Data(count): Data<usize>| {
            let mut numbers = socket.stream::<i64>("number");
            socket.emit("listening", &())?;
            let mut sum = 0;
            for _ in 0..count {
                let number = numbers.next().await;
                sum += number.ok_or_else(|| Refusal::new("the client has left"))??;
            }
            Ok::<_, Refusal>(sum)
        });
}
