//! What happens while a broadcast is under way: joins, leaves and connects do not wait for its end.

use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use socket_io::{Data, EventName, Namespace, RecoveryConfig, Socket, SocketIo};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::support::{Client, Host, Polling, Stage, soon, until};

/// A namespace whose clients say which rooms they want to be in.
fn hall(io: &SocketIo) -> Namespace {
    io.of("/")
        .on("join", async |socket: Socket, Data(room): Data<String>| {
            socket.join(room.as_str());
            socket.namespace().room_size(&room)
        })
        .on("leave", async |socket: Socket, Data(room): Data<String>| {
            socket.leave(&room);
            socket.namespace().room_size(&room)
        })
}

/// A broadcast to many on a runtime of one thread: those that are not written to at once are written to some at a time, and others have their turns between
/// them. What they do meanwhile needs no network here, so it is counted in deliveries alone how soon it is done.
#[tokio::test]
async fn on_one_thread_others_are_served_before_a_broadcast_has_reached_everybody() {
    // 1024 are written to at once, then 256 at a time.
    const MEMBERS: usize = 1024 + 5 * 256;
    // Nobody answers pings here.
    let never = Duration::from_secs(3600);
    let stage = Stage::with(|builder| builder.ping_interval(never));
    let namespace = hall(&stage.io);
    let host = stage.listen().await;
    let mut crowd = Vec::with_capacity(MEMBERS);
    for _ in 0..MEMBERS {
        crowd.push(host.member().await.0);
    }
    let members = namespace.all().sockets();
    let reached = || {
        let written = members.iter().filter(|socket| socket.buffered() == 0);
        written.count()
    };
    let mut other = host.polling().await;
    let id = other.join().await;
    until(|| reached() == MEMBERS).await;

    let delivery = namespace.except(&id).emit("news", &1).unwrap();
    assert_eq!(delivery.sent, MEMBERS);
    let mut progress = vec![reached()];
    other.send(r#"421["join","x"]"#).await;
    other.check("431[1]").await;
    progress.push(reached());
    other.send(r#"422["leave","x"]"#).await;
    other.check("432[0]").await;
    progress.push(reached());
    let mut newcomer = Polling::open(&host.io).await;
    newcomer.join().await;
    progress.push(reached());
    assert!(
        progress.iter().all(|&reached| reached < MEMBERS),
        "{progress:?}"
    );
    until(|| reached() == MEMBERS).await;
    for client in &mut crowd {
        client.check(r#"42["news",1]"#).await;
    }
}

/// A broadcast that waits in a hook for the test, with half of its recipients behind it.
struct HeldUp {
    entered: UnboundedReceiver<()>,
    release: Sender<()>,
}

impl HeldUp {
    fn set_up(namespace: &Namespace, recipients: usize) -> Self {
        let (enter, entered) = unbounded_channel();
        let (release, released) = channel();
        let state = Mutex::new((0, released));
        namespace
            .clone()
            .on_any_outgoing(move |EventName(name): EventName| {
                if &*name == "held up" {
                    let mut state = state.lock().unwrap();
                    state.0 += 1;
                    if state.0 == recipients / 2 {
                        enter.send(()).unwrap();
                        // Whoever waits for this fails the test before it ends by itself, which it does so that the test can end.
                        let _ = state.1.recv_timeout(Duration::from_secs(60));
                    }
                }
                std::future::ready(())
            });
        Self { entered, release }
    }
}

/// A client in `/`, which may have been told a private id, too.
async fn enter(host: &Host) -> Client {
    let mut client = host.client().await;
    client.send("40").await;
    wait_for(&mut client, "40{").await;
    client
}

/// Reads up to the frame that begins so.
async fn wait_for(client: &mut Client, start: &str) {
    while !client.text().await.starts_with(start) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broadcast_that_is_held_up_holds_no_lock_that_others_need() {
    const MEMBERS: usize = 8;
    for recovers in [false, true] {
        let stage = Stage::with(|builder| match recovers {
            true => builder.recovery(RecoveryConfig::default()),
            false => builder,
        });
        let namespace = hall(&stage.io);
        let mut held_up = HeldUp::set_up(&namespace, MEMBERS);
        let host = stage.listen().await;
        let mut clients = Vec::new();
        for _ in 0..MEMBERS {
            clients.push(enter(&host).await);
        }
        let crowd = namespace.clone();
        let held = tokio::task::spawn_blocking(move || crowd.emit("held up", &1));
        soon(held_up.entered.recv()).await.unwrap();

        clients[0].send(r#"421["join","x"]"#).await;
        wait_for(&mut clients[0], "431[1]").await;
        clients[0].send(r#"422["leave","x"]"#).await;
        wait_for(&mut clients[0], "432[0]").await;
        namespace.all().join("y");
        assert_eq!(namespace.room_size("y"), MEMBERS);
        let mut newcomer = enter(&host).await;
        clients[1].send("41").await;
        until(|| namespace.len() == MEMBERS).await;
        assert_eq!(namespace.room_size("y"), MEMBERS - 1);
        assert_eq!(namespace.emit("other", &2).unwrap().sent, MEMBERS);
        wait_for(&mut newcomer, r#"42["other",2"#).await;
        assert!(!held.is_finished());

        held_up.release.send(()).unwrap();
        soon(held).await.unwrap().unwrap();
        for client in clients.iter_mut().skip(2) {
            wait_for(client, r#"42["held up",1"#).await;
        }
    }
}
