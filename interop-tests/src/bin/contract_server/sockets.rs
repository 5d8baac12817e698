//! The modes `sio-protocol` and `sio-client`.

use std::time::{Duration, SystemTime};

use serde_json::json;
use socket_io::{
    Auth, Binary, Data, Handshake, RawArgs, RecoveryConfig, Refusal, Socket, SocketIo, Value,
};

use crate::no_ack;

/// What a suite for the protocol asks of a server.
pub(crate) fn protocol() -> SocketIo {
    let (ping_interval, ping_timeout) = crate::heartbeat();
    let io = SocketIo::builder()
        .ping_interval(ping_interval)
        .ping_timeout(ping_timeout)
        .connect_timeout(Duration::from_millis(1000))
        .build();
    for name in ["/", "/custom"] {
        io.of(name)
            .on_connect(async |socket: Socket, Auth(auth): Auth<Value>| {
                socket.emit("auth", &auth).map_err(Refusal::from)
            })
            .on("message", async |socket: Socket, args: RawArgs| {
                no_ack(socket.emit("message-back", &args));
            })
            .on("message-with-ack", async |args: RawArgs| args);
    }
    io
}

/// What a suite for clients asks of a server.
pub(crate) fn client() -> SocketIo {
    let io = SocketIo::builder()
        .ping_interval(Duration::from_millis(2000))
        .recovery(RecoveryConfig::default())
        .allow_request(|_| async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            Ok(())
        })
        .build();
    for name in ["/timeout_socket", "/valid", "/asd"] {
        io.of(name);
    }
    io.of("/foo")
        .on("getId", async |socket: Socket| socket.id().clone());
    io.of("/abc")
        .on_connect(async |socket: Socket, handshake: Handshake| {
            socket.emit("handshake", &handshake).map_err(Refusal::from)
        });
    io.of("/no")
        .middleware(async || Err::<(), _>(Refusal::new("Auth failed (custom namespace)")));
    main_namespace(&io);
    io
}

fn main_namespace(io: &SocketIo) {
    io.of("/")
        .middleware(async |handshake: Handshake| {
            let fail = handshake.query("fail").is_some_and(|fail| !fail.is_empty());
            if fail {
                Err(Refusal::new("Auth failed (main namespace)"))
            } else {
                Ok(())
            }
        })
        .on("hi", async |socket: Socket| {
            no_ack(socket.emit("hi", &()));
        })
        .on("echo", async |Data(value): Data<Value>| value)
        .on("ack", async |socket: Socket| {
            let answer = socket.emit_with_ack::<(Value, Value)>("ack", &()).await;
            let Ok((number, object)) = answer else { return };
            let truthy = object.get("test").is_some_and(is_truthy);
            if number.as_f64() == Some(5.0) && truthy {
                no_ack(socket.emit("got it", &()));
            }
        })
        .on("getAckDate", async || now())
        .on("getDate", async |socket: Socket| {
            no_ack(socket.emit("takeDate", &now()));
        })
        .on("getDateObj", async |socket: Socket| {
            no_ack(socket.emit("takeDateObj", &json!({"date": now()})));
        })
        .on("getUtf8", async |socket: Socket| {
            for text in [
                "てすと",
                "Я Б Г Д Ж Й",
                "Ä ä Ü ü ß",
                "utf8 — string",
                "utf8 — string",
            ] {
                no_ack(socket.emit("takeUtf8", text));
            }
        })
        .on("false", async |socket: Socket| {
            no_ack(socket.emit("false", &false));
        })
        .on("doge", async |socket: Socket| {
            no_ack(socket.emit("doge", &Binary::from(&b"asdfasdf"[..])));
        })
        .on("getbin", async |socket: Socket| {
            no_ack(socket.emit("takebin", &Binary::from(&b"asdfasdf"[..])));
        })
        .on("getHandshake", async |handshake: Handshake| handshake)
        .on("getId", async |socket: Socket| socket.id().clone());
    uploads(io);
}

/// Events with binary from the client.
fn uploads(io: &SocketIo) {
    struct Uploaded;
    io.of("/")
        .on("buffa", async |socket: Socket, Data(value): Data<Value>| {
            if value.as_bytes().is_some() {
                no_ack(socket.emit("buffack", &()));
            }
        })
        .on(
            "jsonbuff",
            async |socket: Socket, Data(value): Data<Value>| {
                let text = |key| value.get(key).and_then(Value::as_str);
                let binary = value
                    .get("message")
                    .is_some_and(|message| message.as_bytes().is_some());
                if text("hello") == Some("lol") && binary && text("goodbye") == Some("gotcha") {
                    no_ack(socket.emit("jsonbuff-ack", &()));
                }
            },
        )
        .on(
            "abuff1",
            async |socket: Socket, Data(value): Data<Value>| {
                if value.as_bytes().is_some() {
                    socket.insert_data(Uploaded);
                }
            },
        )
        .on("abuff2", async |socket: Socket| {
            if socket.data::<Uploaded>().is_some() {
                no_ack(socket.emit("abuff2-ack", &()));
            }
        });
}

/// As JavaScript decides it.
fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::String(text) => !text.is_empty(),
        number @ Value::Number(_) => number.as_f64().is_some_and(|number| number != 0.0),
        _ => true,
    }
}

/// The present time as `1970-01-01T00:00:00.000Z`.
fn now() -> String {
    let now = SystemTime::now();
    humantime::format_rfc3339_millis(now).to_string()
}
