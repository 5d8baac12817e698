//! Rooms: joining, leaving, and who is reached.

use futures_util::future::join_all;
use socket_io::{Adapter, Data, MemoryAdapter, Room, Socket, SocketId, State};

use crate::support::{Client, Host, Log, Stage, until};

async fn rooms() -> Host {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on(
            "join",
            async |socket: Socket, Data(rooms): Data<Vec<String>>| {
                socket.join(rooms);
                Ok::<_, String>(())
            },
        )
        .on("leave", async |socket: Socket, Data(room): Data<String>| {
            socket.leave(&room);
            Ok::<_, String>(())
        })
        .on("rooms", async |socket: Socket| {
            let rooms = socket.rooms();
            rooms
                .iter()
                .map(|room| room.to_string())
                .collect::<Vec<_>>()
        });
    stage.listen().await
}

async fn join(client: &mut Client, rooms: &str) {
    client
        .ask(&format!(r#"420["join",{rooms}]"#), "430[]")
        .await;
}

/// Nothing came before the answer to an event, so nothing was sent.
async fn check_nothing(client: &mut Client) {
    client.ask(r#"429["leave","no such room"]"#, "439[]").await;
}

#[tokio::test]
async fn a_socket_is_in_its_own_room_and_in_those_it_joined() {
    let host = rooms().await;
    let (mut client, id) = host.member().await;
    client
        .ask(r#"421["rooms"]"#, &format!(r#"431[["{id}"]]"#))
        .await;
    join(&mut client, r#"["a","b","a"]"#).await;
    join(&mut client, &format!(r#"["a","{id}"]"#)).await;
    client
        .ask(r#"421["rooms"]"#, &format!(r#"431[["{id}","a","b"]]"#))
        .await;
    client.ask(r#"421["leave","a"]"#, "431[]").await;
    client.ask(r#"421["leave","a"]"#, "431[]").await;
    client
        .ask(r#"421["rooms"]"#, &format!(r#"431[["{id}","b"]]"#))
        .await;
    // Its own it cannot leave.
    client
        .ask(&format!(r#"421["leave","{id}"]"#), "431[]")
        .await;
    assert_eq!(host.io.to(&id).emit("x", &()).unwrap().sent, 1);
}

#[tokio::test]
async fn rooms_are_united_and_each_socket_is_reached_once() {
    let host = rooms().await;
    let ([mut a, mut b, mut c, mut d], ids) = host.members().await;
    join(&mut a, r#"["x","y"]"#).await;
    join(&mut b, r#"["y"]"#).await;
    join(&mut c, r#"["z"]"#).await;
    let io = &host.io;
    assert_eq!(io.to("x").to("y").emit("1", &()).unwrap().sent, 2);
    assert_eq!(
        io.to(["x", "y", "z", "x"])
            .except("z")
            .emit("2", &())
            .unwrap()
            .sent,
        2
    );
    assert_eq!(io.to("y").except(&ids[1]).emit("3", &()).unwrap().sent, 1);
    assert_eq!(io.to(&ids[2]).to("z").emit("4", &()).unwrap().sent, 1);
    assert_eq!(io.except("y").emit("5", &()).unwrap().sent, 2);
    assert_eq!(
        io.except("y")
            .except(["z", &ids[3]])
            .emit("6", &())
            .unwrap()
            .sent,
        0
    );
    assert_eq!(io.to("no such room").emit("7", &()).unwrap().sent, 0);
    assert_eq!(io.emit("8", &()).unwrap().sent, 4);
    for (client, events) in [
        (&mut a, "1238"),
        (&mut b, "128"),
        (&mut c, "458"),
        (&mut d, "58"),
    ] {
        for event in events.chars() {
            client.check(&format!(r#"42["{event}"]"#)).await;
        }
        check_nothing(client).await;
    }
}

#[tokio::test]
async fn a_socket_broadcasts_to_everybody_but_itself() {
    let stage = Stage::new();
    stage.io.of("/").on("go", async |socket: Socket| {
        socket.join("room");
        let others = |delivery: socket_io::Delivery| delivery.sent;
        Ok::<_, socket_io::Refusal>((
            others(socket.broadcast().emit("1", &())?),
            others(socket.to("room").emit("2", &())?),
            others(socket.except("room").emit("3", &())?),
            // Naming itself does not help.
            others(socket.to(socket.id()).emit("4", &())?),
        ))
    });
    let host = stage.listen().await;
    let ([mut a, mut b, mut c], _) = host.members().await;
    a.ask(r#"420["go"]"#, "430[2,0,2,0]").await;
    b.check(r#"42["1"]"#).await;
    b.check(r#"42["3"]"#).await;
    b.send(r#"420["go"]"#).await;
    b.check("430[2,1,1,0]").await;
    a.check(r#"42["1"]"#).await;
    a.check(r#"42["2"]"#).await;
    for event in ["1", "3", "1", "3"] {
        c.check(&format!(r#"42["{event}"]"#)).await;
    }
}

#[tokio::test]
async fn a_room_named_like_a_socket_reaches_that_socket_and_who_joined_it() {
    let host = rooms().await;
    let ([mut a, mut b], [id_a, _]) = host.members().await;
    join(&mut b, &format!(r#"["{id_a}"]"#)).await;
    assert_eq!(host.io.to(&id_a).emit("x", &()).unwrap().sent, 2);
    a.check(r#"42["x"]"#).await;
    b.check(r#"42["x"]"#).await;
    // So a broadcast that leaves the sender out leaves out both.
    let sender = host.io.of("/").socket(&id_a).unwrap();
    assert_eq!(sender.broadcast().emit("y", &()).unwrap().sent, 0);
}

#[tokio::test]
async fn rooms_of_one_namespace_are_not_those_of_another() {
    let stage = Stage::new();
    for name in ["/a", "/b"] {
        stage
            .io
            .of(name)
            .on_connect(async |socket: Socket| socket.join("room"));
    }
    let host = stage.listen().await;
    let mut client = host.client().await;
    client.join("/a").await;
    client.join("/b").await;
    assert_eq!(host.io.of("/b").to("room").emit("x", &()).unwrap().sent, 1);
    client.check(r#"42/b,["x"]"#).await;
    assert_eq!(host.io.of("/c").to("room").emit("x", &()).unwrap().sent, 0);
}

#[tokio::test]
async fn many_sockets_can_be_made_to_join_leave_and_go() {
    let host = rooms().await;
    let ([mut a, mut b, mut c], [id_a, id_b, _]) = host.members().await;
    let io = &host.io;
    io.to([&id_a, &id_b]).join(["x", "y"]);
    assert_eq!(io.to("x").sockets().len(), 2);
    io.to("x").except(&id_a).leave(["x"]);
    assert_eq!(io.to("x").sockets().len(), 1);
    io.of("/").all().join("all");
    assert_eq!(io.to("all").emit("x", &()).unwrap().sent, 3);
    io.to("x").disconnect();
    a.check(r#"42["x"]"#).await;
    a.check("41").await;
    io.to("y").disconnect_all();
    b.check(r#"42["x"]"#).await;
    b.check("41").await;
    b.check_end().await;
    c.check(r#"42["x"]"#).await;
    check_nothing(&mut c).await;
    assert_eq!(io.of("/").len(), 1);
}

#[tokio::test]
async fn rooms_are_still_there_when_a_socket_is_about_to_leave_and_gone_when_it_has_left() {
    let stage = Stage::new();
    stage
        .io
        .of("/")
        .on_connect(async |socket: Socket| socket.join(["a", "b"]))
        .on_disconnecting(async |socket: Socket, State(log): State<Log>| {
            log.say(format!("disconnecting {}", socket.rooms()[1..].join(",")));
        })
        .on_disconnect(async |socket: Socket, State(log): State<Log>| {
            // Nothing happens any more.
            socket.join("c");
            log.say(format!("disconnect {}", socket.rooms().len()));
        });
    let host = stage.listen().await;
    let (mut client, _) = host.member().await;
    client.send("41").await;
    host.check_heard("disconnecting a,b").await;
    host.check_heard("disconnect 0").await;
    assert_eq!(host.io.to("a").sockets().len(), 0);
    assert_eq!(host.io.to("c").sockets().len(), 0);
}

#[tokio::test]
async fn nothing_is_left_of_a_thousand_sockets_and_their_rooms() {
    let stage = Stage::new();
    stage.io.of("/").on_connect(async |socket: Socket| {
        socket.join("everybody");
        socket.join(format!("of {}", socket.id()));
        socket.join((0..5).map(|n| format!("room {n}")).collect::<Vec<_>>());
    });
    let mut clients = Vec::new();
    for _ in 0..1000 {
        let client = stage.polling().await;
        client.send("40").await;
        clients.push(client);
    }
    let namespace = stage.io.of("/");
    let table = || format!("{namespace:?}");
    assert!(
        table().contains("MemoryAdapter { sockets: 1000, rooms: 1006 }"),
        "{}",
        table()
    );
    assert_eq!(
        stage
            .io
            .to(["everybody", "room 1", "room 2"])
            .sockets()
            .len(),
        1000
    );
    join_all(clients.iter().map(|client| client.send("1"))).await;
    until(|| stage.io.connections() == 0 && namespace.is_empty()).await;
    assert!(
        table().contains("MemoryAdapter { sockets: 0, rooms: 0 }"),
        "{}",
        table()
    );
}

/// Passes everything on, and tells of rooms.
#[derive(Debug)]
struct Told(MemoryAdapter, &'static str);

impl Adapter for Told {
    fn add(&self, socket: &Socket) {
        self.0.add(socket);
    }

    fn remove(&self, id: &SocketId) {
        self.0.remove(id);
    }

    fn join(&self, id: &SocketId, rooms: &[Room]) {
        let named: Vec<Room> = rooms
            .iter()
            .map(|room| format!("{}{room}", self.1).into())
            .collect();
        self.0.join(id, &named);
    }

    fn leave(&self, id: &SocketId, room: &str) {
        self.0.leave(id, room);
    }

    fn rooms(&self, id: &SocketId) -> Vec<Room> {
        self.0.rooms(id)
    }

    fn socket(&self, id: &str) -> Option<Socket> {
        self.0.socket(id)
    }

    fn sockets(&self, target: &socket_io::Target) -> Vec<Socket> {
        self.0.sockets(target)
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn room_sizes(&self) -> Vec<(Room, usize)> {
        self.0.room_sizes()
    }

    fn room_size(&self, room: &str) -> usize {
        self.0.room_size(room)
    }
}

#[tokio::test]
async fn an_adapter_of_the_users_is_made_for_each_namespace() {
    let stage = Stage::with(|builder| {
        builder.adapter(|name| {
            Told(
                MemoryAdapter::default(),
                if name == "/a" { "a-" } else { "" },
            )
        })
    });
    stage
        .io
        .of("/a")
        .on_connect(async |socket: Socket| socket.join("room"));
    let host = stage.listen().await;
    let mut client = host.client().await;
    client.join("/a").await;
    assert_eq!(
        host.io.of("/a").to("a-room").emit("x", &()).unwrap().sent,
        1
    );
    client.check(r#"42/a,["x"]"#).await;
}
