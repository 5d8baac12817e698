//! Some clients talk in rooms of ten while many others are silent.

use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket_io_client::{Data, Reconnect, Socket};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::program::{Program, free_port};
use crate::usage::{Usage, WAYS, client, percentiles};
use crate::{Options, Outcome};

const AT_ONCE: usize = 200;
const ROOM: usize = 10;
const SOUND: &str = "nothing panics under it";

pub(crate) async fn run(mut options: Options) -> Outcome {
    let idle: usize = options.take("idle", 10_000)?;
    let chatting: usize = options.take("chatting", 1000)?;
    let seconds: u64 = options.take("seconds", 60)?;
    options.finish()?;
    let server = Program::server(free_port()?).await?;
    let url = server.url();
    let control = client(&url, WAYS[0], Reconnect::off())?;
    control.connect().await?;
    let chatters = connect(&url, chatting, false).await?;
    let alone = measure(&chatters, seconds).await?;
    println!(
        "{chatting} clients chat in rooms of {ROOM}, each once a second: {alone}; server with {}",
        Usage::of(&control).await?
    );
    let silent = connect(&url, idle, true).await?;
    let together = measure(&chatters, seconds).await?;
    println!(
        "the same beside {idle} that are silent: {together}; server with {}",
        Usage::of(&control).await?
    );
    let lost = silent
        .iter()
        .filter(|socket| !socket.is_connected())
        .count();
    if lost > 0 {
        return Err(format!("{lost} silent clients have lost their connections").into());
    }
    Ok(())
}

/// Those who are silent are on every transport; those who chat on WebSockets.
async fn connect(url: &str, count: usize, is_mixed: bool) -> Outcome<Vec<Socket>> {
    let mut sockets = Vec::new();
    while sockets.len() < count {
        let mut connecting = JoinSet::new();
        for index in sockets.len()..count.min(sockets.len() + AT_ONCE) {
            let way = if is_mixed {
                WAYS[index % WAYS.len()]
            } else {
                WAYS[0]
            };
            let socket = client(url, way, Reconnect::off())?;
            connecting.spawn(async move { socket.connect().await.map(|()| socket) });
        }
        while let Some(connected) = connecting.join_next().await {
            sockets.push(connected??);
        }
    }
    Ok(sockets)
}

/// From a client by the server to each member of its room: how long that takes, and that each gets each message.
async fn measure(sockets: &[Socket], seconds: u64) -> Outcome<String> {
    let times = Arc::new(Mutex::new(Vec::new()));
    let mut talking = JoinSet::new();
    let start = Instant::now();
    for (index, socket) in sockets.iter().enumerate() {
        let room = format!("room {}", index / ROOM);
        let () = socket.emit_with_ack("join", &room).await?;
        socket.off_all("said");
        let heard = times.clone();
        socket.on("said", move |Data(sent): Data<u64>| {
            let time = start.elapsed().saturating_sub(Duration::from_micros(sent));
            heard.lock().expect(SOUND).push(time);
            ready(())
        });
    }
    for (index, socket) in sockets.iter().cloned().enumerate() {
        let room = format!("room {}", index / ROOM);
        // Spread over the second.
        let first = Duration::from_micros(1_000_000 * index as u64 / sockets.len() as u64);
        talking.spawn(async move {
            let mut pace = interval_at(Instant::now() + first, Duration::from_secs(1));
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for _ in 0..seconds {
                pace.tick().await;
                let now = start.elapsed().as_micros() as u64;
                let () = socket.emit_with_ack("say", &(&room, now)).await?;
            }
            Ok::<_, socket_io_client::AckError>(seconds)
        });
    }
    let mut said = 0;
    while let Some(talked) = talking.join_next().await {
        said += talked??;
    }
    // What was acknowledged was sent, and is here behind this.
    for socket in sockets {
        let _: u8 = socket.emit_with_ack("echo", &0_u8).await?;
    }
    let mut times = std::mem::take(&mut *times.lock().expect(SOUND));
    let full = sockets.len() / ROOM * ROOM;
    let rest = sockets.len() - full;
    let expected = seconds as usize * (full * ROOM + rest * rest);
    if times.len() != expected {
        return Err(format!("{} of {expected} messages have arrived", times.len()).into());
    }
    Ok(format!(
        "{said} messages, {} deliveries in {:.0?}: {}",
        times.len(),
        start.elapsed(),
        percentiles(&mut times)
    ))
}
