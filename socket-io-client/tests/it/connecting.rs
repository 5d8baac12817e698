//! From a URL to a joined namespace, or to the reason why not.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use socket_io::{Auth, Handshake, Socket as Peer, SocketIo};
use socket_io_client::{
    Attempt, BoxError, ConfigError, ConnectError, Manager, ManagerState, Reconnect, Refusal,
    Socket, SocketEvent, Transport, Value,
};
use tokio::net::TcpListener;

use crate::support::{Host, log, nowhere, quickly, soon, until};

/// Answers `who` with the id, and `auth` with the credentials.
fn facts(io: &SocketIo) {
    io.of("/")
        .on("who", async |peer: Peer| peer.id().to_string())
        .on("auth", async |Auth(auth): Auth<Value>| auth)
        .on("query", async |handshake: Handshake| {
            handshake.queries().collect::<HashMap<_, _>>()
        });
}

#[tokio::test]
async fn connected_means_joined_over_each_transport() {
    let host = Host::start(facts).await;
    let choices: [&[Transport]; 3] = [
        &[Transport::Polling],
        &[Transport::WebSocket],
        &[Transport::Polling, Transport::WebSocket],
    ];
    for transports in choices {
        let socket = Manager::builder(host.url("/"))
            .engine(|engine| engine.transports(transports.iter().copied()))
            .socket()
            .connect();
        let socket = soon(socket).await.expect("it joins");
        assert!(socket.is_connected() && socket.is_active());
        let id: String = soon(socket.emit_with_ack("who", &()))
            .await
            .expect("it is answered");
        assert_eq!(socket.id().as_deref(), Some(&*id));
        let last = transports.last().copied();
        until(|| socket.manager().engine().map(|engine| engine.transport()) == last).await;
    }
}

#[tokio::test]
async fn the_path_is_the_namespace_and_the_query_goes_along() {
    let host = Host::start(|io| {
        io.of("/chat")
            .on("query", async |handshake: Handshake| handshake.query("x"));
    })
    .await;
    let socket = soon(socket_io_client::connect(host.url("/chat?x=7")))
        .await
        .expect("it joins");
    assert_eq!(socket.namespace(), "/chat");
    let x: Option<String> = soon(socket.emit_with_ack("query", &()))
        .await
        .expect("it is answered");
    assert_eq!(x.as_deref(), Some("7"));
}

#[tokio::test]
async fn a_refusal_is_an_error_and_nothing_remains() {
    let host = Host::start(|io| {
        io.of("/no").middleware(async || {
            let refusal = Refusal::new("go away");
            Err::<(), _>(refusal.with_data(&[1, 2]).expect("it is JSON"))
        });
    })
    .await;
    let manager = host.manager().build().expect("the url is right");
    let refused = soon(manager.socket("no").connect()).await;
    let Err(ConnectError::Refused { message, data }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((&*message, data), ("go away", Some(vec![1, 2].into())));
    until(|| manager.state() == ManagerState::Closed && host.io.connections() == 0).await;
    let refused = soon(manager.socket("/unknown").connect()).await;
    let refused = refused.expect_err("there is no such namespace");
    assert!(refused.is_refused());
    assert_eq!(refused.to_string(), "the server refused: Invalid namespace");
}

#[tokio::test]
async fn where_nobody_listens_connecting_fails_at_once_and_is_not_repeated() {
    let address = nowhere().await;
    let manager = crate::support::manager(address)
        .build()
        .expect("the url is right");
    let mut events = manager.events();
    let socket = manager.socket("/").build().expect("nothing is wrong");
    let failed = soon(socket.connect()).await;
    assert!(matches!(failed, Err(ConnectError::Engine(_))), "{failed:?}");
    assert!(!socket.is_active());
    assert_eq!(manager.state(), ManagerState::Closed);
    let failed = soon(manager.open()).await;
    assert!(matches!(failed, Err(ConnectError::Engine(_))), "{failed:?}");
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(format!("{:?}", soon(events.recv()).await));
    }
    let kinds: Vec<_> = seen
        .iter()
        .map(|text| text.split(['(', ' ']).next())
        .collect();
    assert_eq!(kinds, [Some("Error"), Some("Close"), Some("Error")]);
}

#[tokio::test]
async fn a_server_that_accepts_and_closes_is_no_reason_to_wait() {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("there is a port");
    let address = listener.local_addr().expect("it is bound");
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream);
        }
    });
    let manager = crate::support::manager(address).connect_timeout(None);
    let failed = soon(manager.socket().connect()).await;
    assert!(matches!(failed, Err(ConnectError::Engine(_))), "{failed:?}");
    task.abort();
}

#[tokio::test]
async fn a_server_that_ends_the_connection_before_it_answers_is_a_failure() {
    for transports in [&[Transport::Polling][..], &[Transport::WebSocket]] {
        let server = engine_io::Server::new(engine_io::ServerConfig::default().path("/socket.io"));
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("there is a port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(server.service().serve(listener, std::future::pending()));
        let ending = tokio::spawn(async move {
            while let Some(mut session) = server.accept().await {
                // The wish to join.
                session.recv().await;
                session.close().await;
            }
        });
        let manager = crate::support::manager(address)
            .engine(|engine| engine.transports(transports.iter().copied()));
        let failed = soon(manager.socket().connect()).await;
        assert!(
            matches!(failed, Err(ConnectError::Disconnected)),
            "{failed:?}"
        );
        ending.abort();
    }
}

#[tokio::test]
async fn a_server_that_never_answers_runs_into_the_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("there is a port");
    let address = listener.local_addr().expect("it is bound");
    let timeout = Duration::from_millis(50);
    let manager = crate::support::manager(address).connect_timeout(timeout);
    let failed = soon(manager.socket().connect()).await;
    assert!(
        matches!(failed, Err(ConnectError::Timeout(time)) if time == timeout),
        "{failed:?}"
    );
}

#[tokio::test]
async fn retry_first_waits_for_a_server_that_comes_later() {
    let address = nowhere().await;
    let (log, mut heard) = log();
    let socket = crate::support::manager(address)
        .socket()
        .retry_first()
        .on_connect_error(move || {
            log.say("error");
            async {}
        });
    let joined = tokio::spawn(socket.connect());
    heard.check(&["error", "error"]).await;
    let host = Host::at(address, |builder| builder, facts).await;
    let socket = soon(joined).await.expect("no panic").expect("it joins");
    assert!(socket.is_connected());
    drop(host);
}

#[tokio::test]
async fn retry_first_ends_when_the_attempts_are_used_up() {
    let address = nowhere().await;
    let socket = crate::support::manager(address)
        .reconnect(quickly().attempts(2))
        .socket()
        .retry_first();
    let failed = soon(socket.connect()).await;
    assert!(matches!(failed, Err(ConnectError::Engine(_))), "{failed:?}");
    let socket = crate::support::manager(address)
        .reconnect(Reconnect::off())
        .socket()
        .retry_first();
    let failed = soon(socket.connect()).await;
    assert!(matches!(failed, Err(ConnectError::Engine(_))), "{failed:?}");
}

#[tokio::test]
async fn a_lazy_socket_is_there_before_its_server() {
    let address = nowhere().await;
    let socket = crate::support::manager(address).socket().connect_lazy();
    let socket = socket.expect("nothing is wrong");
    assert!(socket.is_active() && !socket.is_connected());
    let id = socket.emit_with_ack::<String>("who", &());
    let _host = Host::at(address, |builder| builder, facts).await;
    let id = soon(id).await.expect("it is answered");
    assert_eq!(socket.id().as_deref(), Some(&*id));
}

#[tokio::test]
async fn what_is_set_up_wrongly_is_said_before_anything_is_tried() {
    let error = soon(socket_io_client::connect("localhost:3000")).await;
    assert!(
        matches!(error, Err(ConnectError::Config(ConfigError::Scheme { .. }))),
        "{error:?}"
    );
    let error = Socket::builder("http://localhost").auth("secret").build();
    assert!(matches!(error, Err(ConfigError::Auth(_))), "{error:?}");
    let manager = Manager::builder("http://localhost")
        .build()
        .expect("the url is right");
    let first = manager
        .socket("chat")
        .build()
        .expect("the first of its namespace");
    let second = manager.socket("/chat").build();
    assert!(matches!(second, Err(ConfigError::NamespaceTaken(name)) if name == "/chat"));
    drop(first);
    manager.socket("/chat").build().expect("the only one now");
}

#[tokio::test]
async fn namespaces_share_a_connection_and_joining_twice_is_joining_once() {
    let (log, mut heard) = log();
    let host = Host::start(|io| {
        for name in ["/", "/foo"] {
            let log = log.clone();
            io.of(name).on_connect(move |peer: Peer| {
                log.say(peer.namespace().name().to_string());
                async {}
            });
        }
    })
    .await;
    let manager = host.manager().build().expect("the url is right");
    let main = manager.socket("/").build().expect("nothing is wrong");
    let (a, b) = soon(async { tokio::join!(main.connect(), main.connect()) }).await;
    assert!(a.is_ok() && b.is_ok());
    main.connect_lazy();
    soon(main.connect()).await.expect("it has joined");
    heard.check(&["/"]).await;
    let foo = soon(manager.socket("/foo").connect())
        .await
        .expect("it joins");
    heard.check(&["/foo"]).await;
    assert_eq!(host.io.connections(), 1);
    // One leaves, the other stays.
    main.disconnect();
    soon(main.flushed()).await;
    assert!(foo.is_connected() && manager.state() == ManagerState::Open);
    foo.disconnect();
    until(|| host.io.connections() == 0).await;
    heard.check_silence();
}

#[tokio::test]
async fn credentials_are_asked_for_each_time() {
    let host = Host::start(facts).await;
    let count = Arc::new(AtomicU32::new(0));
    let asked = count.clone();
    let socket = host.manager().socket().auth_with(move || {
        let n = asked.fetch_add(1, Ordering::Relaxed);
        async move {
            match n {
                0 => Err(BoxError::from("not yet")),
                1 => panic!("nor now"),
                n => Ok::<_, BoxError>(HashMap::from([("n", n)])),
            }
        }
    });
    let socket = socket.build().expect("nothing is wrong");
    let mut events = socket.events();
    let failed = soon(socket.connect()).await;
    assert!(
        matches!(&failed, Err(ConnectError::Auth(text)) if text == "not yet"),
        "{failed:?}"
    );
    socket.connect_lazy();
    for expected in ["not yet", "panicked: nor now"] {
        match soon(events.recv()).await {
            Some(SocketEvent::ConnectError(ConnectError::Auth(text))) => assert_eq!(text, expected),
            // It was given up after the first failure.
            None => match soon(events.recv()).await {
                Some(SocketEvent::ConnectError(ConnectError::Auth(text))) => {
                    assert_eq!(text, expected);
                }
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }
    let auth: Value = soon(socket.emit_with_ack("auth", &()))
        .await
        .expect("it is answered");
    assert_eq!(auth.get("n"), Some(&2.into()));
    socket.disconnect();
    socket
        .set_auth(&HashMap::from([("token", "x")]))
        .expect("it is an object");
    soon(socket.connect()).await.expect("it joins");
    let auth: Value = soon(socket.emit_with_ack("auth", &()))
        .await
        .expect("it is answered");
    assert_eq!(auth.get("token").and_then(Value::as_str), Some("x"));
    assert!(socket.set_auth(&["x"]).is_err());
    socket.disconnect();
    socket.set_auth(&None::<()>).expect("it is taken back");
    soon(socket.connect()).await.expect("it joins");
    let auth: Value = soon(socket.emit_with_ack("auth", &()))
        .await
        .expect("it is answered");
    assert_eq!(auth.get("token"), None);
    assert_eq!(count.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn each_attempt_is_prepared() {
    let host = Host::start(facts).await;
    let address = host.address;
    let closed = nowhere().await;
    let socket = crate::support::manager(closed)
        .before_attempt(move |mut attempt: Attempt| async move {
            match attempt.number {
                0 => return Err("no luck".to_owned()),
                1 => panic!("worse luck"),
                n => attempt.engine = attempt.engine.query("n", n.to_string()),
            }
            attempt.url = format!("http://{address}");
            Ok(attempt)
        })
        .socket()
        .retry_first();
    let socket = socket.build().expect("nothing is wrong");
    let mut events = socket.events();
    soon(socket.connect()).await.expect("it joins");
    for expected in ["no luck", "panicked: worse luck"] {
        match soon(events.recv()).await {
            Some(SocketEvent::ConnectError(ConnectError::Attempt(text))) => {
                assert_eq!(text, expected);
            }
            other => panic!("{other:?}"),
        }
    }
    let query: HashMap<String, String> = soon(socket.emit_with_ack("query", &()))
        .await
        .expect("it is answered");
    assert_eq!(query.get("n").map(String::as_str), Some("2"));
}
