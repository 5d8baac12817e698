//! Hooks for rooms, and what a namespace tells of its rooms.

use std::sync::{Arc, Mutex};

use socket_io::{RoomChange, RoomEvent, Socket, SocketIo};
use tokio::sync::mpsc::unbounded_channel;

use crate::support::{Stage, soon, until};

/// What was told, in words.
#[derive(Clone, Default)]
struct Story(Arc<Mutex<Vec<String>>>);

impl Story {
    fn hook(&self) -> impl Fn(&RoomEvent) + Send + Sync + 'static {
        let story = self.0.clone();
        move |event| story.lock().unwrap().push(words(event))
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

fn words(event: &RoomEvent) -> String {
    let room = &event.room;
    match &event.change {
        RoomChange::Created => format!("+{room}"),
        RoomChange::Joined(id) => format!("{id}>{room}"),
        RoomChange::Left(id) => format!("{id}<{room}"),
        RoomChange::Deleted => format!("-{room}"),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn rooms_are_told_in_the_order_in_which_they_change() {
    let story = Story::default();
    let stage = Stage::new();
    let namespace = stage.io.of("/").on_room_event(story.hook());
    let host = stage.listen().await;
    let (mut client, a) = host.member().await;
    let (_other, b) = host.member().await;
    until(|| namespace.len() == 2).await;
    assert_eq!(
        story.take(),
        [
            format!("+{a}"),
            format!("{a}>{a}"),
            format!("+{b}"),
            format!("{b}>{b}")
        ]
    );
    let (first, second) = (namespace.socket(&a).unwrap(), namespace.socket(&b).unwrap());
    first.join(["x", "y", "x", &a]);
    second.join("x");
    second.join("x");
    assert_eq!(
        story.take(),
        [
            "+x".to_owned(),
            format!("{a}>x"),
            "+y".to_owned(),
            format!("{a}>y"),
            format!("{b}>x")
        ]
    );
    first.leave("y");
    first.leave("y");
    second.leave("x");
    first.leave(&a);
    assert_eq!(
        story.take(),
        [format!("{a}<y"), "-y".to_owned(), format!("{b}<x")]
    );
    namespace.all().join("z");
    namespace.except(&a).leave("z");
    story.take();
    client.send("41").await;
    until(|| !first.is_connected() && namespace.len() == 1).await;
    // The hook is called by the connection's task.
    let mut told = Vec::new();
    until(|| story.0.lock().unwrap().len() == 6).await;
    told.extend(story.take());
    assert_eq!(
        told,
        [
            format!("{a}<{a}"),
            format!("-{a}"),
            format!("{a}<x"),
            "-x".to_owned(),
            format!("{a}<z"),
            "-z".to_owned()
        ]
    );
}

#[tokio::test]
async fn a_hook_may_change_rooms_and_may_panic() {
    let stage = Stage::new();
    let story = Story::default();
    let io: SocketIo = stage.io.clone();
    let namespace = stage
        .io
        .of("/")
        .on_room_event(|event| assert!(&*event.room != "x", "not this room"))
        .on_room_event(move |event| {
            if let (RoomChange::Joined(id), "x") = (&event.change, &*event.room) {
                io.to(id).join("y");
            }
        })
        .on_room_event(story.hook());
    let host = stage.listen().await;
    let (_client, id) = host.member().await;
    story.take();
    let socket: Socket = namespace.socket(&id).unwrap();
    socket.join("x");
    assert_eq!(
        story.take(),
        [
            "+x".to_owned(),
            format!("{id}>x"),
            "+y".to_owned(),
            format!("{id}>y")
        ]
    );
}

#[tokio::test]
async fn namespaces_of_a_pattern_tell_their_parent_s_hooks() {
    let stage = Stage::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    let names = told.clone();
    stage
        .io
        .of_matching(|name| name.starts_with("/p"))
        .on_room_event(move |event| {
            names.lock().unwrap().push(event.namespace.to_string());
        });
    let host = stage.listen().await;
    let mut client = host.client().await;
    client.join("/p1").await;
    client.join("/p2").await;
    until(|| told.lock().unwrap().len() == 4).await;
    assert_eq!(*told.lock().unwrap(), ["/p1", "/p1", "/p2", "/p2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_many_hands_the_story_is_still_true() {
    let stage = Stage::new();
    let story = Story::default();
    let namespace = stage.io.of("/").on_room_event(story.hook());
    let host = stage.listen().await;
    let (_clients, ids) = host.members::<4>().await;
    until(|| namespace.len() == 4).await;
    let tasks = ids.clone().map(|id| {
        let socket = namespace.socket(&id).unwrap();
        tokio::task::spawn_blocking(move || {
            for _ in 0..500 {
                socket.join("room");
                socket.leave("room");
            }
        })
    });
    for task in tasks {
        task.await.unwrap();
    }
    // Each socket's own room is told, too, when it enters.
    until(|| {
        story
            .0
            .lock()
            .unwrap()
            .iter()
            .filter(|words| words.ends_with("<room"))
            .count()
            == 2000
    })
    .await;
    until(|| {
        story
            .0
            .lock()
            .unwrap()
            .last()
            .is_some_and(|last| last == "-room")
    })
    .await;
    let mut inside = std::collections::HashSet::new();
    let mut exists = false;
    for words in story.take() {
        if words == "+room" {
            assert!(!exists && inside.is_empty());
            exists = true;
        } else if words == "-room" {
            assert!(exists && inside.is_empty());
            exists = false;
        } else if let Some(id) = words.strip_suffix(">room") {
            assert!(exists && inside.insert(id.to_owned()));
        } else if let Some(id) = words.strip_suffix("<room") {
            assert!(exists && inside.remove(id));
        }
    }
    assert!(!exists);
}

#[tokio::test]
async fn a_namespace_knows_its_rooms() {
    let host = Stage::new().listen().await;
    let (_clients, ids) = host.members::<3>().await;
    let namespace = host.io.of("/");
    namespace.to([&ids[0], &ids[1]]).join("x");
    namespace.to(&ids[1]).join("y");
    let mut rooms = namespace.rooms();
    rooms.sort();
    assert_eq!(rooms, [("x".into(), 2), ("y".into(), 1)]);
    assert_eq!(namespace.room_size("x"), 2);
    assert_eq!(namespace.room_size("nobody"), 0);
    assert_eq!(namespace.room_size(&ids[2]), 1);
    let mut inside: Vec<_> = namespace
        .to("x")
        .sockets()
        .iter()
        .map(|socket| socket.id().to_string())
        .collect();
    inside.sort();
    let mut expected = ids[..2].to_vec();
    expected.sort();
    assert_eq!(inside, expected);
    namespace.all().leave(["x", "y"]);
    assert!(namespace.rooms().is_empty());
}

#[tokio::test]
async fn a_hook_that_does_not_keep_up_is_told_what_it_has_missed() {
    const WAITING: usize = 65_536;
    for (changes, missed) in [(WAITING - 1, 0), (WAITING, 0), (WAITING + 1, 1)] {
        let story = Story::default();
        let (enter, mut entered) = unbounded_channel();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (released, hook) = (Mutex::new(released), story.hook());
        let stage = Stage::new();
        let namespace = stage.io.of("/").on_room_event(move |event| {
            if &*event.room == "slow" && event.change == RoomChange::Created {
                enter.send(()).unwrap();
                released.lock().unwrap().recv().unwrap();
            }
            hook(event);
        });
        let host = stage.listen().await;
        let (_clients, [a, b]) = host.members::<2>().await;
        until(|| namespace.len() == 2).await;
        let (first, second) = (namespace.socket(&a).unwrap(), namespace.socket(&b).unwrap());
        story.take();
        // The hook has taken the first of two changes, so the other one waits.
        let stuck = std::thread::spawn(move || first.join("slow"));
        soon(entered.recv()).await.unwrap();
        for n in 1..changes {
            match n % 2 {
                1 => second.join("slow"),
                _ => second.leave("slow"),
            }
        }
        release.send(()).unwrap();
        stuck.join().unwrap();
        let told = story.take();
        assert_eq!(
            told[..3],
            ["+slow".to_owned(), format!("{a}>slow"), format!("{b}>slow")]
        );
        assert_eq!(told.len(), 1 + changes);
        let last = told.last().unwrap();
        match missed {
            0 => assert!(last.starts_with(&b), "{last}"),
            _ => assert_eq!(last, "Missed(1)"),
        }
        // From then on everything is told again.
        second.join("y");
        assert_eq!(story.take(), ["+y".to_owned(), format!("{b}>y")]);
    }
}
