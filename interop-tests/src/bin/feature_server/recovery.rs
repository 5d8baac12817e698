//! Connection state recovery with other options than the contract's.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use socket_io::{
    Args, Auth, Data, RecoveryConfig, Refusal, Socket, SocketData, SocketIo, State, Value,
};
use tokio::sync::Notify;

/// How often a client has come; data of the socket.
struct Number(u64);

/// Where clients that want to wait do so.
#[derive(Default)]
struct Door {
    waiting: AtomicUsize,
    opened: Notify,
}

/// Middlewares are asked again. They let a client that says `wait` wait until somebody opens, and refuse it if it says `no`.
pub(crate) fn careful() -> SocketIo {
    let io = serve(RecoveryConfig::default().skip_middlewares(false));
    io.of("/")
        .middleware(async |Auth(auth): Auth<Value>, State(door): State<Door>| {
            if auth.get("wait").is_some() {
                let opened = door.opened.notified();
                door.waiting.fetch_add(1, Ordering::SeqCst);
                opened.await;
            }
            match auth.get("no") {
                Some(_) => Err(Refusal::new("no")),
                None => Ok(()),
            }
        })
        .on("waiting", async |State(door): State<Door>| {
            door.waiting.load(Ordering::SeqCst)
        })
        .on("open", async |State(door): State<Door>| {
            door.waiting.store(0, Ordering::SeqCst);
            door.opened.notify_waiters();
        });
    io
}

/// Nobody is waited for for long.
pub(crate) fn short() -> SocketIo {
    serve(RecoveryConfig::default().max_disconnection(Duration::from_millis(300)))
}

/// Clients are in a room, and have something said there in each way there is.
fn serve(config: RecoveryConfig) -> SocketIo {
    let io = SocketIo::builder()
        .recovery(config)
        .state(Door::default())
        .build();
    io.of("/")
        .on_connect(async |socket: Socket, number: Option<SocketData<Number>>| {
            let number = number.map_or(1, |SocketData(number)| number.0 + 1);
            socket.insert_data(Number(number));
            if !socket.recovered() {
                socket.join("room");
            }
            socket
                .emit("hello", &(socket.recovered(), number))
                .map_err(Refusal::from)
        })
        .on(
            "say",
            async |io: SocketIo, Data(Args(args)): Data<Args<Value>>| {
                io.to("room")
                    .emit("said", &Args(args))
                    .map(drop)
                    .map_err(Refusal::from)
            },
        )
        .on(
            "say-volatile",
            async |io: SocketIo, Data(text): Data<String>| {
                let said = io.to("room").volatile().emit("said", &text);
                said.map(drop).map_err(Refusal::from)
            },
        )
        .on("ask", async |io: SocketIo, Data(text): Data<String>| {
            let asked = io.to("room").timeout(Duration::from_millis(100));
            let answers = asked.emit_with_ack::<Value>("asked", &text).await?;
            Ok::<_, Refusal>(answers.answers.len())
        })
        .on("here", async |socket: Socket| socket.namespace().len());
    io
}
