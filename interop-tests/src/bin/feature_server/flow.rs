//! Slow clients: events that report what waits for somebody else, and that send in every way there is.

use std::sync::{Arc, Mutex};

use socket_io::{
    Data, DisconnectReason, Outcome, OverflowPolicy, Refusal, Socket, SocketIo, State,
};

/// Who has left, and why.
#[derive(Clone, Default)]
struct Left(Arc<Mutex<Vec<(String, DisconnectReason)>>>);

pub(crate) fn io() -> SocketIo {
    let left = Left::default();
    let io = SocketIo::builder()
        .outbox_limit(1_000_000)
        .state(left)
        .build();
    io.of("/")
        .on_disconnect(
            async |socket: Socket, reason: DisconnectReason, State(left): State<Left>| {
                let mut left = left.0.lock().expect("nobody panics with it");
                left.push((socket.id().to_string(), reason));
            },
        )
        .on("left", async |State(left): State<Left>| {
            let left = left.0.lock().expect("nobody panics with it");
            let left = left
                .iter()
                .map(|(id, reason)| (id.clone(), reason.to_string()));
            (left.collect::<Vec<_>>(),)
        })
        .on("tick", tick)
        .on(
            "tick-or-leave",
            async |io: SocketIo, Data((n, size)): Data<(u32, usize)>| {
                let delivery = io.emit("tick", &(n, "x".repeat(size)))?;
                Ok::<_, Refusal>((delivery.sent, delivery.overflowed))
            },
        )
        .on("move", async |io: SocketIo, Data(n): Data<u32>| {
            let all = io.of("/").all().latest("player 7");
            Ok::<_, Refusal>(
                all.emit("position", &(n, socket_io::Binary::from(vec![7; 100])))?
                    .sent,
            )
        })
        .on("buffered", async |io: SocketIo, Data(id): Data<String>| {
            Ok::<_, Refusal>(find(&io, &id)?.buffered())
        })
        .on("drained", async |io: SocketIo, Data(id): Data<String>| {
            let socket = find(&io, &id)?;
            socket.drained().await?;
            Ok::<_, Refusal>(socket.buffered())
        })
        .on("kick", async |io: SocketIo, Data(id): Data<String>| {
            let socket = find(&io, &id)?;
            socket.disconnect();
            Ok::<_, Refusal>(socket.is_connected())
        });
    io
}

/// For how many it was queued, and who did not get it.
async fn tick(
    io: SocketIo,
    Data((n, size)): Data<(u32, usize)>,
) -> Result<(usize, Vec<String>), Refusal> {
    let all = io.of("/").all().overflow(OverflowPolicy::DropNewest);
    let outcomes = all.emit_each("tick", &(n, "x".repeat(size)))?;
    let (queued, others): (Vec<_>, Vec<_>) = outcomes
        .into_iter()
        .partition(|(_, outcome)| *outcome == Outcome::Queued);
    let others = others.into_iter().map(|(id, _)| id.to_string());
    Ok((queued.len(), others.collect()))
}

fn find(io: &SocketIo, id: &str) -> Result<Socket, Refusal> {
    let socket = io.of("/").socket(id);
    socket.ok_or_else(|| Refusal::new("no such socket"))
}
