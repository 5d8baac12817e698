//! Events that are read instead of handled.

use socket_io::{Data as PeerData, Socket as Peer, SocketIo};
use socket_io_client::{
    Args, DisconnectReason, ManagerEvent, RawArgs, RecvError, SocketEvent, Value,
};

use crate::support::{Host, soon};

fn sender(io: &SocketIo) {
    io.of("/")
        .on(
            "burst",
            async |peer: Peer, PeerData((name, count)): PeerData<(String, u32)>| {
                for n in 0..count {
                    peer.emit(&name, &(n, "text"))?;
                }
                Ok::<_, socket_io::Refusal>(count)
            },
        )
        .on("ask", async |peer: Peer, args: RawArgs| {
            let answer: Args<Value> = peer.emit_with_ack("question", &args).await?;
            Ok::<_, socket_io::Refusal>(answer)
        })
        .on("leave", async |peer: Peer| peer.disconnect());
}

#[tokio::test]
async fn everything_that_happens_to_a_socket_can_be_read() {
    let host = Host::start(sender).await;
    let socket = host.manager().socket().build().expect("nothing is wrong");
    let mut events = socket.events();
    soon(socket.connect()).await.expect("it joins");
    let Some(SocketEvent::Connect {
        id,
        recovered: false,
    }) = soon(events.recv()).await
    else {
        panic!("it has joined");
    };
    assert_eq!(socket.id(), Some(id));
    let answer = socket.emit_with_ack::<(u32, String)>("ask", &7);
    let Some(SocketEvent::Event(question)) = soon(events.recv()).await else {
        panic!("it is asked");
    };
    assert_eq!(
        (&*question.name, question.data::<u32>()),
        ("question", Ok(7))
    );
    assert!(question.ack.is_wanted() && question.offset.is_none());
    question.ack.send(&(8, "eight")).expect("the server waits");
    assert_eq!(soon(answer).await, Ok((8, "eight".to_owned())));
    socket.emit("leave", &()).expect("it is sent");
    let left = soon(events.recv()).await;
    let expected = DisconnectReason::IoServerDisconnect;
    assert!(matches!(left, Some(SocketEvent::Disconnect(reason)) if reason == expected));
    assert!(soon(events.recv()).await.is_none());
    // It is not the end of the stream for good.
    soon(socket.connect()).await.expect("it joins");
    assert!(matches!(
        soon(events.recv()).await,
        Some(SocketEvent::Connect { .. })
    ));
}

#[tokio::test]
async fn a_stream_has_the_events_of_one_name() {
    let host = Host::start(sender).await;
    let socket = soon(host.manager().socket().connect())
        .await
        .expect("it joins");
    let mut both = socket.stream::<(u32, String)>("news");
    let mut first = socket.stream::<u32>("news");
    let mut wrong = socket.stream::<bool>("news");
    socket.emit("burst", &("other", 2)).expect("it is sent");
    socket.emit("burst", &("news", 2)).expect("it is sent");
    for n in 0..2 {
        assert_eq!(soon(both.recv()).await, Some(Ok((n, "text".to_owned()))));
        assert_eq!(soon(first.recv()).await, Some(Ok(n)));
        assert!(matches!(
            soon(wrong.recv()).await,
            Some(Err(RecvError::Args(_)))
        ));
    }
    drop(both);
    socket.emit("burst", &("news", 1)).expect("it is sent");
    assert_eq!(soon(first.recv()).await, Some(Ok(0)));
    socket.disconnect();
    assert_eq!(soon(first.recv()).await, None);
}

#[tokio::test]
async fn a_stream_that_is_not_read_says_what_is_missing() {
    let host = Host::start(sender).await;
    let manager = host.manager().inbox_limit(2000);
    let socket = soon(manager.socket().connect()).await.expect("it joins");
    let mut news = socket.stream::<u32>("news");
    let done = socket.emit_with_ack::<u32>("burst", &("news", 100));
    assert_eq!(soon(done).await, Ok(100));
    let Some(Err(RecvError::Lagged(missing))) = soon(news.recv()).await else {
        panic!("something is missing");
    };
    let missing = u32::try_from(missing).expect("it is less than was sent");
    assert!((80..100).contains(&missing), "{missing}");
    for n in missing..100 {
        assert_eq!(soon(news.recv()).await, Some(Ok(n)));
    }
}

#[tokio::test]
async fn the_next_event_counts_from_the_call() {
    let host = Host::start(sender).await;
    let socket = soon(host.manager().socket().connect())
        .await
        .expect("it joins");
    let next = socket.next::<u32>("news");
    let done = socket.emit_with_ack::<u32>("burst", &("news", 3));
    assert_eq!(soon(done).await, Ok(3));
    assert_eq!(soon(next).await, Ok(0));
    let never = socket.next::<u32>("news");
    socket.disconnect();
    assert_eq!(soon(never).await, Err(RecvError::Ended));
}

#[tokio::test]
async fn a_manager_tells_what_happens_to_all_its_sockets_in_one_order() {
    let host = Host::start(|io| {
        sender(io);
        io.of("/foo");
    })
    .await;
    let manager = host.manager().build().expect("the url is right");
    let mut events = manager.all_events();
    let socket = manager.socket("/").build().expect("nothing is wrong");
    soon(socket.connect()).await.expect("it joins");
    let foo = soon(manager.socket("/foo").connect())
        .await
        .expect("it joins");
    socket.emit("burst", &("news", 1)).expect("it is sent");
    let mut seen = Vec::new();
    while seen.len() < 4 {
        seen.push(describe(soon(events.recv()).await));
    }
    assert_eq!(seen, ["open", "/ connect", "/foo connect", "/ news"]);
    socket.disconnect();
    foo.disconnect();
    seen.clear();
    while seen.len() < 3 {
        seen.push(describe(soon(events.recv()).await));
    }
    let last = "/foo disconnect:io client disconnect";
    assert_eq!(
        seen,
        [
            "/ disconnect:io client disconnect",
            "close:forced close",
            last
        ]
    );
}

pub(crate) fn describe(event: ManagerEvent) -> String {
    match event {
        ManagerEvent::Open(_) => "open".into(),
        ManagerEvent::Error(_) => "error".into(),
        ManagerEvent::Close { reason, .. } => format!("close:{reason}"),
        ManagerEvent::Upgrade => "upgrade".into(),
        ManagerEvent::ReconnectAttempt(n) => format!("reconnect_attempt:{n}"),
        ManagerEvent::ReconnectError(_) => "reconnect_error".into(),
        ManagerEvent::ReconnectFailed => "reconnect_failed".into(),
        ManagerEvent::Reconnect(n) => format!("reconnect:{n}"),
        ManagerEvent::Socket(socket, event) => {
            let what = match event {
                SocketEvent::Connect { .. } => "connect".into(),
                SocketEvent::ConnectError(_) => "connect_error".into(),
                SocketEvent::Disconnect(reason) => format!("disconnect:{reason}"),
                SocketEvent::Event(event) => event.name.to_string(),
                _ => "?".into(),
            };
            format!("{} {what}", socket.namespace())
        }
        _ => "?".into(),
    }
}
