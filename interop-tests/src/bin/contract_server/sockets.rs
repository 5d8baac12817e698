//! The modes `sio-protocol` and `sio-client`.

use std::time::{Duration, SystemTime};

use serde_json::json;
use socket_io::{
    Auth, Binary, Data, Handshake, RawArgs, RecoveryConfig, Refusal, Socket, SocketIo, Value,
};

/// What a suite for the protocol asks of a server.
pub(crate) fn protocol() -> SocketIo {
    let io = SocketIo::builder()
        .ping_interval(Duration::from_millis(300))
        .ping_timeout(crate::ping_timeout())
        .connect_timeout(Duration::from_millis(1000))
        .build();
    for name in ["/", "/custom"] {
        io.of(name)
            .on_connect(async |socket: Socket, Auth(auth): Auth<Value>| {
                socket.emit("auth", &auth).map_err(Refusal::from)
            })
            .on("message", async |socket: Socket, args: RawArgs| {
                socket.emit("message-back", &args).map_err(Refusal::from)
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
            socket.emit("hi", &()).map_err(Refusal::from)
        })
        .on("echo", async |Data(value): Data<Value>| value)
        .on("ack", async |socket: Socket| {
            let (number, object): (Value, Value) = socket.emit_with_ack("ack", &()).await?;
            let truthy = object.get("test").is_some_and(is_truthy);
            if number.as_f64() == Some(5.0) && truthy {
                socket.emit("got it", &())?;
            }
            Ok::<_, Refusal>(())
        })
        .on("getAckDate", async || now())
        .on("getDate", async |socket: Socket| {
            socket.emit("takeDate", &now()).map_err(Refusal::from)
        })
        .on("getDateObj", async |socket: Socket| {
            socket
                .emit("takeDateObj", &json!({"date": now()}))
                .map_err(Refusal::from)
        })
        .on("getUtf8", async |socket: Socket| {
            for text in [
                "てすと",
                "Я Б Г Д Ж Й",
                "Ä ä Ü ü ß",
                "utf8 — string",
                "utf8 — string",
            ] {
                socket.emit("takeUtf8", text)?;
            }
            Ok::<_, Refusal>(())
        })
        .on("false", async |socket: Socket| {
            socket.emit("false", &false).map_err(Refusal::from)
        })
        .on("doge", async |socket: Socket| {
            socket
                .emit("doge", &Binary::from(&b"asdfasdf"[..]))
                .map_err(Refusal::from)
        })
        .on("getbin", async |socket: Socket| {
            socket
                .emit("takebin", &Binary::from(&b"asdfasdf"[..]))
                .map_err(Refusal::from)
        })
        .on("getHandshake", async |handshake: Handshake| handshake)
        .on("getId", async |socket: Socket| socket.id().clone());
    uploads(io);
}

/// Events with binary from the client.
fn uploads(io: &SocketIo) {
    struct Uploaded;
    io.of("/")
        .on(
            "buffa",
            async |socket: Socket, Data(value): Data<Value>| match value {
                Value::Binary(_) => socket.emit("buffack", &()).map_err(Refusal::from),
                _ => Ok(()),
            },
        )
        .on(
            "jsonbuff",
            async |socket: Socket, Data(value): Data<Value>| {
                let text = |key| value.get(key).and_then(Value::as_str);
                let binary = value
                    .get("message")
                    .is_some_and(|message| message.as_bytes().is_some());
                if text("hello") == Some("lol") && binary && text("goodbye") == Some("gotcha") {
                    socket.emit("jsonbuff-ack", &())?;
                }
                Ok::<_, Refusal>(())
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
            match socket.data::<Uploaded>() {
                Some(_) => socket.emit("abuff2-ack", &()).map_err(Refusal::from),
                None => Ok(()),
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
