//! Mode `contract`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use socket_io::{
    AckError, Args, Auth, Binary, Data, DisconnectReason, Handshake, Namespace, Parser, RawArgs,
    RecoveryConfig, Refusal, Socket, SocketId, SocketIo, State, Value,
};

use crate::no_ack;

/// With what reason each socket left, by namespace and id.
#[derive(Default)]
struct Reasons(Mutex<HashMap<(String, String), &'static str>>);

/// What `seq-in` has seen.
#[derive(Default)]
struct Sequence(Mutex<(u64, bool)>);

pub(crate) fn server() -> SocketIo {
    let parser = match std::env::var("PARSER").as_deref() {
        Ok("msgpack") => Parser::message_pack(),
        _ => Parser::json(),
    };
    let mut builder = SocketIo::builder();
    if std::env::var("CSR").is_ok_and(|value| value == "1") {
        let time = Duration::from_secs(60);
        builder = builder.recovery(RecoveryConfig::default().max_disconnection(time));
    }
    let io = builder
        .parser(parser)
        .ping_interval(Duration::from_millis(1000))
        .ping_timeout(Duration::from_millis(4000))
        .connect_timeout(Duration::from_millis(2000))
        .allow_eio3(true)
        .engine(|engine| engine.upgrade_timeout(Duration::from_millis(2000)))
        .state(Reasons::default())
        .build();
    serve(io.of("/"));
    serve(io.of("/chat"));
    serve(io.of_regex(r"^/dyn-[0-9]+$"));
    serve(io.of("/auth").middleware(authenticate));
    io.of("/deny").middleware(deny);
    io
}

async fn authenticate(Auth(auth): Auth<Value>, handshake: Handshake) -> Result<(), Refusal> {
    let token = auth.get("token").and_then(Value::as_str).map(str::to_owned);
    if token.or_else(|| handshake.query("token")).as_deref() == Some("secret") {
        return Ok(());
    }
    Err(Refusal::new("unauthorized").with_data(&json!({"code": 401}))?)
}

async fn deny() -> Result<(), Refusal> {
    let data = Denied {
        code: 4031,
        reason: "nope",
        list: [1, 2],
    };
    Err(Refusal::new("denied").with_data(&data)?)
}

// Structs keep the order of their members.

#[derive(Serialize)]
struct Denied {
    code: u16,
    reason: &'static str,
    list: [u8; 2],
}

#[derive(Serialize)]
struct Welcome<'a> {
    nsp: &'a str,
    sid: &'a SocketId,
    transport: &'a str,
    eio: u8,
}

#[derive(Serialize)]
struct Whoami {
    sid: SocketId,
    nsp: String,
    auth: Value,
    query: Value,
    xtest: Option<String>,
    transport: &'static str,
    eio: u8,
}

/// Which sockets `emit-to` means, and what they get.
#[derive(Deserialize)]
struct EmitTo {
    scope: String,
    #[serde(default)]
    rooms: Vec<String>,
    #[serde(default)]
    except: Vec<String>,
    ev: String,
    #[serde(default)]
    args: Vec<Value>,
}

#[derive(Serialize)]
struct Responses {
    err: bool,
    responses: Vec<Value>,
}

fn serve(namespace: Namespace) {
    messages(rooms(sequences(facts(namespace))))
        .on_connect(async |socket: Socket| {
            socket.insert_data(Sequence(Mutex::new((0, true))));
            let welcome = Welcome {
                nsp: socket.namespace().name().as_str(),
                sid: socket.id(),
                transport: socket.transport().as_str(),
                eio: socket.revision().number(),
            };
            socket.emit("welcome", &welcome).map_err(Refusal::from)
        })
        .on_disconnect(
            async |socket: Socket, reason: DisconnectReason, State(reasons): State<Reasons>| {
                let key = (
                    socket.namespace().name().to_string(),
                    socket.id().to_string(),
                );
                let mut reasons = reasons.0.lock().unwrap_or_else(PoisonError::into_inner);
                reasons.insert(key, reason.as_str());
            },
        );
}

fn messages(namespace: Namespace) -> Namespace {
    namespace
        .on("echo", async |socket: Socket, args: RawArgs| {
            no_ack(socket.emit("echo-back", &args));
        })
        .on("echo-ack", async |args: RawArgs| args)
        .on(
            "emit-back",
            async |socket: Socket, Data(Args(args)): Data<Args<Value>>| {
                if let Some((name, rest)) = args.split_first() {
                    let name = name.as_str().unwrap_or_default();
                    no_ack(socket.emit(name, &Args(rest.to_vec())));
                }
            },
        )
        .on("ask", async |socket: Socket, args: RawArgs| {
            let answer = socket.emit_with_ack::<Args<Value>>("question", &args);
            if let Ok(answer) = answer.await {
                no_ack(socket.emit("answer", &answer));
            }
        })
        .on(
            "ask-timeout",
            async |socket: Socket, Data(ms): Data<u64>| {
                let question = socket.emit_with_ack::<Args<Value>>("question", "timeout");
                match question.timeout(Duration::from_millis(ms)).await {
                    Ok(answer) => no_ack(socket.emit("answer", &answer)),
                    Err(AckError::Timeout(_)) => no_ack(socket.emit("answer-timeout", &())),
                    Err(_) => {}
                }
            },
        )
        .on(
            "disconnect-me",
            async |socket: Socket, Data(close): Data<bool>| {
                if close {
                    socket.disconnect_all();
                } else {
                    socket.disconnect();
                }
            },
        )
        .on(
            "binary-gen",
            async |socket: Socket, Data(n): Data<usize>| {
                let bytes: Vec<u8> = (0..n).map(|i| i as u8).collect();
                no_ack(socket.emit("binary", &Binary::from(bytes)));
            },
        )
        .on(
            "binary-info",
            async |Data(value): Data<Value>| match value.as_bytes() {
                Some(bytes) => {
                    let sum = bytes
                        .iter()
                        .fold(0_u32, |sum, &byte| sum.wrapping_add(byte.into()));
                    json!({"len": bytes.len(), "sum": sum})
                }
                None => json!({"len": -1, "sum": 0}),
            },
        )
        .on("big", async |socket: Socket, Data(n): Data<usize>| {
            no_ack(socket.emit("big", &"x".repeat(n)));
        })
        .on("late", async |Data(ms): Data<u64>| {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            "late"
        })
        .on("no-ack", async || {})
}

fn rooms(namespace: Namespace) -> Namespace {
    namespace
        .on("join", async |socket: Socket, Data(room): Data<String>| {
            socket.join(room);
            "ok"
        })
        .on("leave", async |socket: Socket, Data(room): Data<String>| {
            socket.leave(&room);
            "ok"
        })
        .on("rooms", async |socket: Socket| {
            let own = socket.id().to_string();
            let rooms = socket.rooms().into_iter().map(|room| room.to_string());
            let mut rooms: Vec<_> = rooms.filter(|room| *room != own).collect();
            rooms.sort();
            rooms
        })
        .on(
            "emit-to",
            async |socket: Socket, Data(wanted): Data<EmitTo>| {
                let everybody = match wanted.scope.as_str() {
                    "socket" => socket.broadcast(),
                    _ => socket.namespace().all(),
                };
                let chosen = everybody.to(wanted.rooms).except(wanted.except);
                no_ack(chosen.emit(&wanted.ev, &Args(wanted.args)));
            },
        )
        .on(
            "ask-room",
            async |socket: Socket, Data((room, ms, question)): Data<(String, u64, Value)>| {
                let asked = socket
                    .namespace()
                    .to(room)
                    .timeout(Duration::from_millis(ms));
                let answers = asked
                    .emit_with_ack::<Value>("question", &(question,))
                    .await?;
                Ok::<_, Refusal>(Responses {
                    err: !answers.is_complete(),
                    responses: answers.answers,
                })
            },
        )
}

fn sequences(namespace: Namespace) -> Namespace {
    namespace
        .on("burst", async |socket: Socket, Data(n): Data<u64>| {
            for i in 0..n {
                no_ack(socket.emit("seq", &i));
            }
            no_ack(socket.emit("seq-done", &n));
        })
        .on(
            "volatile-burst",
            async |socket: Socket, Data(n): Data<u64>| {
                for i in 0..n {
                    no_ack(socket.volatile().emit("v", &i));
                }
                no_ack(socket.emit("v-done", &n));
            },
        )
        .on("seq-in", async |socket: Socket, Data(i): Data<u64>| {
            if let Some(sequence) = socket.data::<Sequence>() {
                let mut seen = sequence.0.lock().unwrap_or_else(PoisonError::into_inner);
                seen.1 &= i == seen.0;
                seen.0 += 1;
            }
        })
        .on("seq-report", async |socket: Socket| {
            let sequence = socket.data::<Sequence>().unwrap_or_default();
            let mut seen = sequence.0.lock().unwrap_or_else(PoisonError::into_inner);
            let (count, ordered) = std::mem::replace(&mut *seen, (0, true));
            json!({"count": count, "ordered": ordered})
        })
}

fn facts(namespace: Namespace) -> Namespace {
    namespace
        .on("whoami", async |socket: Socket, handshake: Handshake| {
            Ok::<_, Refusal>(Whoami {
                sid: socket.id().clone(),
                nsp: socket.namespace().name().to_string(),
                auth: handshake.auth()?,
                query: Value::Object(handshake.queries().collect()),
                xtest: handshake.header("x-test").map(str::to_owned),
                transport: socket.transport().as_str(),
                eio: socket.revision().number(),
            })
        })
        .on("count", async |socket: Socket| socket.namespace().len())
        .on(
            "reason",
            async |socket: Socket, Data(id): Data<String>, State(reasons): State<Reasons>| {
                let key = (socket.namespace().name().to_string(), id);
                let reasons: Arc<Reasons> = reasons;
                let reasons = reasons.0.lock().unwrap_or_else(PoisonError::into_inner);
                Value::from(reasons.get(&key).copied())
            },
        )
}
