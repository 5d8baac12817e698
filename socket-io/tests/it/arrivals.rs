//! How namespaces come into being and go: who waits for it, who is told of it, and how many there may be.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use socket_io::{
    Adapter, Auth, MemoryAdapter, Namespace, NamespaceName, Refusal, Room, Socket, SocketId, State,
    Target, Value,
};

use crate::support::{Client, Gate, Log, Stage, soon, until};

/// Says when it is dropped.
struct Watched(Arc<Log>);

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.say("dropped");
    }
}

/// Everything but what begins with `/no` is accepted, by a function that waits for the gate.
fn waiting(stage: &Stage) -> Namespace {
    stage.io.of_async(
        async |NamespaceName(name): NamespaceName,
               State(log): State<Log>,
               State(gate): State<Gate>| {
            let _watched = Watched(log.clone());
            log.say(format!("asked for {name}"));
            gate.pass().await;
            !name.starts_with("/no")
        },
    )
}

#[tokio::test]
async fn while_a_function_decides_everything_else_goes_on() {
    let stage = Stage::new();
    waiting(&stage);
    stage.io.of("/").on("ping", async || "pong");
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    client.send("40/a,").await;
    host.check_heard("asked for /a").await;
    client.ask(r#"421["ping"]"#, r#"431["pong"]"#).await;
    client.send("40/no,").await;
    host.check_heard("asked for /no").await;
    host.open_gate(2);
    let mut answers = [client.text().await, client.text().await];
    answers.sort();
    assert!(answers[0].starts_with("40/a,"), "{answers:?}");
    assert_eq!(answers[1], r#"44/no,{"message":"Invalid namespace"}"#);
    assert_eq!(host.io.namespaces().len(), 2);
}

#[tokio::test]
async fn a_namespace_that_is_being_decided_on_counts_as_joining() {
    let stage = Stage::with(|builder| builder.max_joining(2));
    waiting(&stage);
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    for name in ["/a", "/b"] {
        client.send(&format!("40{name},")).await;
        host.check_heard(&format!("asked for {name}")).await;
    }
    client
        .ask("40/c,", r#"44/c,{"message":"too many namespaces"}"#)
        .await;
    host.open_gate(2);
    for _ in 0..2 {
        assert!(client.text().await.starts_with("40/"));
    }
}

#[tokio::test]
async fn what_the_client_must_not_do_meanwhile_ends_its_connection_and_the_decision() {
    for packet in ["40/a,", r#"42/a,["x"]"#, "43/a,1[]", "41/a,"] {
        let stage = Stage::new();
        waiting(&stage);
        let host = stage.listen().await;
        let (mut client, _) = host.member().await;
        client.send("40/a,").await;
        host.check_heard("asked for /a").await;
        client.send(packet).await;
        client.check_end().await;
        host.check_heard("dropped").await;
        host.open_gate(1);
        assert_eq!(host.io.namespaces().len(), 1, "{packet}");
    }
}

#[tokio::test]
async fn when_the_client_goes_the_decision_is_dropped() {
    let stage = Stage::new();
    waiting(&stage);
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    client.send("40/a,").await;
    host.check_heard("asked for /a").await;
    drop(client);
    host.check_heard("dropped").await;
    until(|| host.io.connections() == 0).await;
    assert_eq!(host.io.namespaces().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_decision_does_not_hold_a_connection_that_has_joined_nothing() {
    let stage = Stage::with(|builder| builder.connect_timeout(Duration::from_secs(10)));
    waiting(&stage);
    let polling = stage.polling().await;
    polling.send("40/a,").await;
    stage.check_heard("asked for /a").await;
    assert_eq!(polling.poll().await, "1");
    stage.check_heard("dropped").await;
    until(|| stage.io.connections() == 0).await;
}

#[tokio::test]
async fn two_clients_who_want_the_same_share_it() {
    let stage = Stage::new();
    let parent = waiting(&stage);
    let told = Arc::new(AtomicUsize::new(0));
    stage.io.on_new_namespace({
        let told = told.clone();
        move |_| {
            told.fetch_add(1, Ordering::SeqCst);
        }
    });
    let host = stage.listen().await;
    let (mut a, mut b) = (host.client().await, host.client().await);
    for client in [&mut a, &mut b] {
        client.send("40/a,").await;
        host.check_heard("asked for /a").await;
    }
    host.open_gate(2);
    for client in [&mut a, &mut b] {
        assert!(client.text().await.starts_with("40/a,"));
    }
    assert_eq!(parent.emit("x", &()).unwrap().sent, 2);
    assert_eq!(parent.children().len(), 1);
    assert_eq!(told.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_decision_may_come_too_late() {
    let stage = Stage::new();
    waiting(&stage).on("who", async || "family");
    let host = stage.listen().await;
    let mut client = host.client().await;
    client.send("40/a,").await;
    host.check_heard("asked for /a").await;
    let _ = host.io.of("/a").on("who", async || "program");
    host.open_gate(1);
    assert!(client.text().await.starts_with("40/a,"));
    client.ask(r#"42/a,1["who"]"#, r#"43/a,1["program"]"#).await;
}

#[tokio::test]
async fn the_program_is_told_of_namespaces_that_come_and_go() {
    let stage = Stage::new();
    let (events, told) = mpsc::channel();
    stage.io.on_new_namespace({
        let (io, events) = (stage.io.clone(), events.clone());
        move |namespace| {
            let known = io.namespaces();
            assert!(known.iter().any(|known| known.name() == namespace.name()));
            let _ = events.send(format!("+{}", namespace.name()));
        }
    });
    stage.io.on_new_namespace(|_| panic!("a hook may panic"));
    stage.io.on_namespace_removed(|_| panic!("this one, too"));
    stage.io.on_namespace_removed({
        let (io, events) = (stage.io.clone(), events.clone());
        move |namespace| {
            let known = io.namespaces();
            assert!(known.iter().all(|known| known.name() != namespace.name()));
            let _ = events.send(format!("-{}", namespace.name()));
        }
    });
    let check = |expected: &[&str]| {
        for expected in expected {
            let next = told.recv_timeout(Duration::from_secs(20));
            assert_eq!(next.as_deref(), Ok(*expected));
        }
        assert_eq!(told.try_recv().ok(), None);
    };
    stage.io.of("/");
    stage.io.of_path("/p/{n}");
    check(&[]);
    stage.io.of("/static");
    stage.io.of("/static");
    check(&["+/static"]);
    stage.io.of("/p/0");
    check(&["+/p/0"]);
    stage
        .io
        .of_matching(|name| name.starts_with("/m"))
        .middleware(async |Auth(auth): Auth<Value>| match auth.get("refuse") {
            Some(_) => Err(Refusal::new("no")),
            None => Ok(()),
        });
    let host = stage.listen().await;
    let (mut a, mut b) = (host.client().await, host.client().await);
    a.join("/m1").await;
    check(&["+/m1"]);
    b.join("/m1").await;
    a.ask(r#"40/m2,{"refuse":1}"#, r#"44/m2,{"message":"no"}"#)
        .await;
    check(&["+/m2", "-/m2"]);
    a.send("41/m1,").await;
    until(|| host.io.namespaces().iter().any(|known| known.len() == 1)).await;
    check(&[]);
    drop(b);
    until(|| host.io.namespaces().len() == 3).await;
    check(&["-/m1"]);
}

#[tokio::test]
async fn what_the_hook_adds_to_a_namespace_counts_for_its_first_client_and_for_no_other_namespace()
{
    let stage = Stage::new();
    stage.io.on_new_namespace(|namespace| {
        if namespace.param("n") == Some("1") {
            let _ = namespace
                .clone()
                .middleware(async || Err::<(), _>(Refusal::new("closed")));
        }
    });
    stage.io.of_path("/p/{n}");
    let host = stage.listen().await;
    let mut client = host.client().await;
    client
        .ask("40/p/1,", r#"44/p/1,{"message":"closed"}"#)
        .await;
    client.join("/p/2").await;
    client
        .ask("40/p/1,", r#"44/p/1,{"message":"closed"}"#)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_gets_into_a_namespace_before_the_hook_has_returned() {
    let stage = Stage::new();
    let (arrived, arrival) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let gate = Mutex::new((arrived, released));
    stage.io.on_new_namespace(move |_| {
        let gate = gate.lock().unwrap();
        gate.0.send(()).unwrap();
        // The runtime needs to know, or it would not look for other work.
        let _ = tokio::task::block_in_place(|| gate.1.recv());
    });
    stage.io.of_path("/p/{n}");
    stage.io.of("/").on("ping", async || "pong");
    let host = stage.listen().await;
    let ((mut a, _), (mut b, _)) = (host.member().await, host.member().await);
    a.send("40/p/1,").await;
    until(|| arrival.try_recv().is_ok()).await;
    b.send("40/p/1,").await;
    // Had it been let in, that would have been said first.
    b.ask(r#"421["ping"]"#, r#"431["pong"]"#).await;
    release.send(()).unwrap();
    for client in [&mut a, &mut b] {
        assert!(soon(client.text()).await.starts_with("40/p/1,"));
    }
}

#[tokio::test]
async fn empty_children_stay_if_the_server_is_told_so() {
    let stage = Stage::with(|builder| {
        builder
            .cleanup_empty_child_namespaces(false)
            .max_child_namespaces(2)
    });
    let parent = stage.io.of_path("/p/{n}");
    let host = stage.listen().await;
    let mut client = host.client().await;
    for name in ["/p/1", "/p/2"] {
        client.join(name).await;
        client.send(&format!("41{name},")).await;
    }
    until(|| parent.is_empty()).await;
    assert_eq!(parent.children().len(), 2);
    client
        .ask("40/p/3,", r#"44/p/3,{"message":"too many namespaces"}"#)
        .await;
    client.join("/p/1").await;
}

#[tokio::test]
async fn clients_can_make_so_many_namespaces() {
    let stage = Stage::with(|builder| builder.max_child_namespaces(2));
    stage.io.of_path("/p/{n}");
    stage.io.of_async(async || true);
    // What the program names is not counted.
    stage.io.of("/p/named");
    let host = stage.listen().await;
    let (mut a, mut b) = (host.client().await, host.client().await);
    async fn refused(client: &mut Client) {
        client
            .ask("40/p/x,", r#"44/p/x,{"message":"too many namespaces"}"#)
            .await;
    }
    a.join("/p/1").await;
    a.join("/async").await;
    refused(&mut b).await;
    for name in ["/p/1", "/async", "/p/named"] {
        b.join(name).await;
    }
    // A place is free when nobody is left in a namespace …
    for client in [&mut a, &mut b] {
        client.send("41/async,").await;
    }
    until(|| host.io.namespaces().len() == 3).await;
    b.join("/p/2").await;
    refused(&mut b).await;
    // … or when the program names it.
    host.io.of("/p/2");
    host.io.of("/p/2");
    b.join("/p/3").await;
    refused(&mut b).await;
}

#[tokio::test]
async fn names_that_are_kept_are_of_limited_length() {
    let stage = Stage::new();
    stage.io.of_matching(|_| true);
    stage.io.of_async(async || true);
    let host = stage.listen().await;
    let mut client = host.client().await;
    client.join(&format!("/{}", "x".repeat(1023))).await;
    let name = format!("/{}", "x".repeat(1024));
    let refusal = format!(r#"44{name},{{"message":"Invalid namespace"}}"#);
    client.ask(&format!("40{name},"), &refusal).await;
    // Those of the program may be as long as it likes.
    host.io.of(&name);
    client.join(&name).await;
}

/// Counts how often it is closed.
#[derive(Debug)]
struct Closing {
    inner: MemoryAdapter,
    name: String,
    closed: Arc<Mutex<Vec<String>>>,
}

impl Adapter for Closing {
    fn add(&self, socket: &Socket) {
        self.inner.add(socket);
    }
    fn remove(&self, id: &SocketId) {
        self.inner.remove(id);
    }
    fn join(&self, id: &SocketId, rooms: &[Room]) {
        self.inner.join(id, rooms);
    }
    fn leave(&self, id: &SocketId, room: &str) {
        self.inner.leave(id, room);
    }
    fn rooms(&self, id: &SocketId) -> Vec<Room> {
        self.inner.rooms(id)
    }
    fn socket(&self, id: &str) -> Option<Socket> {
        self.inner.socket(id)
    }
    fn sockets(&self, target: &Target) -> Vec<Socket> {
        self.inner.sockets(target)
    }
    fn len(&self) -> usize {
        self.inner.len()
    }
    fn room_sizes(&self) -> Vec<(Room, usize)> {
        self.inner.room_sizes()
    }
    fn room_size(&self, room: &str) -> usize {
        self.inner.room_size(room)
    }
    fn close(&self) {
        assert!(self.is_empty());
        self.closed.lock().unwrap().push(self.name.clone());
        assert!(self.name != "/p/bad", "an adapter may panic");
    }
}

#[tokio::test]
async fn adapters_are_closed_with_their_namespaces() {
    let closed = Arc::new(Mutex::new(Vec::new()));
    let list = closed.clone();
    let stage = Stage::with(|builder| {
        builder.adapter(move |name| Closing {
            inner: MemoryAdapter::default(),
            name: name.to_owned(),
            closed: list.clone(),
        })
    });
    let parent = stage.io.of_path("/p/{n}");
    let host = stage.listen().await;
    let mut client = host.client().await;
    for name in ["/p/1", "/p/bad"] {
        client.join(name).await;
        client.send(&format!("41{name},")).await;
    }
    until(|| closed.lock().unwrap().len() == 2).await;
    client.join("/").await;
    client.join("/p/2").await;
    assert_eq!(*closed.lock().unwrap(), ["/p/1", "/p/bad"]);
    host.io.close();
    host.io.close();
    until(|| closed.lock().unwrap().len() >= 4).await;
    let mut closed = closed.lock().unwrap().clone();
    closed.sort();
    assert_eq!(closed, ["/", "/p/1", "/p/2", "/p/bad"]);
    assert!(parent.is_empty());
}
