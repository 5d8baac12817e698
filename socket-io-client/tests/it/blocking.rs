//! The client without asynchronous code.

use std::time::Duration;

use socket_io::{RawArgs, Socket as Peer};
use socket_io_client::blocking::{self, Error, Socket};
use socket_io_client::{AckError, Manager, RecvError};

use crate::support::{Host, log, soon, until};

const LONG: Duration = Duration::from_secs(10);

#[cfg(feature = "store")]
#[tokio::test]
async fn a_blocking_socket_keeps_events() {
    use socket_io_client::Journal;

    let host = Host::start(|io| drop(io.of("/").on("order", async |args: RawArgs| args))).await;
    let builder = host.manager().socket();
    let client = tokio::task::spawn_blocking(move || {
        let path = std::env::temp_dir().join(format!("socket-io-blocking-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let journal = Journal::open_blocking(&path).expect("it is new");
        let socket = Socket::connect(builder.journal(journal)).expect("it joins");
        let durable = socket.inner().durable().key("mine");
        let delivery = socket
            .wait(durable.emit("order", "tea"))
            .expect("it is kept");
        let answer = socket.wait(delivery.acknowledged::<(String, String)>());
        assert_eq!(answer, Ok(("tea".into(), "mine".into())));
        drop(socket);
        let _ = std::fs::remove_file(&path);
    });
    soon(client).await.expect("no panic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocking_socket_emits_asks_and_receives() {
    let (log, mut heard) = log();
    let host = Host::start(|io| {
        io.of("/chat")
            .on("echo", async |args: RawArgs| args)
            .on("silence", async || {})
            .on("send", async |peer: Peer, args: RawArgs| {
                peer.emit("sent", &args).map_err(socket_io::Refusal::from)
            })
            .on("leave", async |peer: Peer| peer.disconnect())
            .on_disconnect(move |reason: socket_io::DisconnectReason| {
                log.say(reason.as_str());
                async {}
            });
    })
    .await;
    let url = host.url("/chat");
    let client = tokio::task::spawn_blocking(move || {
        let socket = blocking::connect(url).expect("it joins");
        assert_eq!(socket.call("echo", &7, LONG), Ok(7));
        let short = Duration::from_millis(10);
        assert_eq!(
            socket.call::<()>("silence", &(), short),
            Err(AckError::Timeout(short))
        );
        assert!(socket.recv(short).expect("it is connected").is_none());
        for n in 0..3 {
            socket.emit("send", &n).expect("it is sent");
        }
        let event = socket
            .recv(LONG)
            .expect("it is connected")
            .expect("it comes");
        assert_eq!((&*event.name, event.data::<u8>()), ("sent", Ok(0)));
        socket.emit("leave", &()).expect("it is sent");
        let rest: Vec<_> = socket.iter().map(|event| event?.data::<u8>()).collect();
        assert_eq!(rest, [Ok(1), Ok(2)]);
        assert!(matches!(
            socket.recv(short),
            Ok(None) | Err(RecvError::Ended)
        ));
    });
    soon(client).await.expect("no panic");
    heard.check(&["server namespace disconnect"]).await;
    let url = host.url("/chat");
    let client =
        tokio::task::spawn_blocking(move || drop(blocking::connect(url).expect("it joins")));
    soon(client).await.expect("no panic");
    heard.check(&["client namespace disconnect"]).await;
    until(|| host.io.connections() == 0).await;
}

#[test]
fn what_cannot_be_connected_is_an_error() {
    let error = blocking::connect("localhost").expect_err("there is no scheme");
    assert!(error.to_string().contains("set up"), "{error}");
    let builder = Manager::builder("http://127.0.0.1:1").socket();
    let error = Socket::connect(builder).expect_err("nobody listens");
    assert!(matches!(error, Error::Connect(_)), "{error}");
}
