//! From polling to a WebSocket, and what keeps a session on polling.

use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use engine_io::{ClientConfig, CloseReason, Message, Server, ServerConfig, Socket, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{Detour, check_echo, only, request, upgraded};
use crate::support::{Host, soon};

const MESSAGES: usize = 10_000;

/// Sends numbers while it checks those that arrive.
async fn count(mut socket: Socket, sent: usize) -> Socket {
    let sender = socket.sender();
    let sending = async {
        for number in 0..sent {
            let message = if number % 3 == 0 {
                Message::Binary(number.to_string().into_bytes().into())
            } else {
                number.to_string().into()
            };
            sender.send(message).unwrap();
            if number % 50 == 0 {
                tokio::task::yield_now().await;
            }
        }
    };
    let receiving = async {
        for number in 0..sent {
            let text = match socket.recv().await.expect("the session is open") {
                Message::Text(text) => text.to_string(),
                Message::Binary(data) => String::from_utf8(data.to_vec()).unwrap(),
            };
            assert_eq!(text, number.to_string());
        }
    };
    tokio::join!(sending, receiving);
    // What is left leaves.
    std::future::poll_fn(|cx| match socket.poll_drive(cx) {
        Poll::Ready(reason) => panic!("{reason}"),
        Poll::Pending if sender.buffered() == 0 => Poll::Ready(()),
        Poll::Pending => Poll::Pending,
    })
    .await;
    socket
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_under_load_keeps_order_and_count() {
    let host = Host::new(ServerConfig::default()).await;
    for _ in 0..3 {
        let (client, server) = host.client_pair(&ClientConfig::default()).await;
        let client = tokio::spawn(count(client, MESSAGES));
        let server = tokio::spawn(count(server, MESSAGES));
        let (client, server) = soon(async { tokio::join!(client, server) }).await;
        let (mut client, server) = (client.unwrap(), server.unwrap());
        let server = tokio::spawn(super::super::support::echo(server));
        upgraded(&mut client).await;
        check_echo(&mut client).await;
        soon(client.close()).await;
        assert_eq!(soon(server).await.unwrap(), CloseReason::TransportClose);
    }
}

#[tokio::test]
async fn nothing_is_upgraded_that_is_not_to_be() {
    let offers = Host::echo(ServerConfig::default()).await;
    let offers_not = Host::echo(ServerConfig::default().allow_upgrades(false)).await;
    let refuses = Host::echo(ServerConfig::default().transports([Transport::Polling])).await;
    let both = [Transport::WebSocket, Transport::Polling];
    let has_failed = ClientConfig::default().transports(both);
    let has_failed = has_failed
        .try_all_transports(true)
        .connector(Detour::of_the_first(refuses.address));
    for (host, config) in [
        (&offers, ClientConfig::default().upgrade(false)),
        (&offers, only(Transport::Polling)),
        (&offers_not, ClientConfig::default()),
        (&offers, has_failed),
    ] {
        let mut socket = host.connect(&config).await.unwrap();
        for _ in 0..5 {
            check_echo(&mut socket).await;
        }
        assert_eq!(socket.transport(), Transport::Polling);
    }
}

/// The answer to the request of a WebSocket.
pub(super) fn accepted(head: &str) -> String {
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("sec-websocket-key")
            .then_some(value)
    });
    let accept = tungstenite::handshake::derive_accept_key(key.unwrap().as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

/// A server for candidates, which answers the probe with these bytes or never opens. Its task ends when it is given up.
async fn bad_candidate(frames: Option<&'static [u8]>) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (mut stream, head) = request(stream).await;
        if let Some(frames) = frames {
            let answer = accepted(&head);
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.write_all(frames).await.unwrap();
        }
        // It may as well end with an error.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    (address, task)
}

#[tokio::test]
async fn a_failed_probe_leaves_the_session_on_polling() {
    for frames in [
        // Another packet than the answer to the probe; no answer; the end; no packet at all; no WebSocket.
        Some(&b"\x81\x01\x36"[..]),
        Some(b""),
        Some(b"\x88\x00"),
        Some(b"\x81\x01\x78"),
        None,
    ] {
        let host = Host::echo(ServerConfig::default()).await;
        let (address, candidate) = bad_candidate(frames).await;
        let config = ClientConfig::default()
            .upgrade_timeout(Duration::from_millis(50))
            .connector(Detour::of_the_second(address));
        let mut socket = host.connect(&config).await.unwrap();
        // Until it is given up.
        tokio::select! {
            message = socket.recv() => panic!("{frames:?}: {message:?}"),
            result = soon(candidate) => result.unwrap(),
        }
        check_echo(&mut socket).await;
        assert_eq!(socket.transport(), Transport::Polling);
    }
}

#[tokio::test]
async fn what_was_sent_before_a_close_arrives_although_an_upgrade_is_under_way() {
    for yields in 0..12 {
        let host = Host::new(ServerConfig::default()).await;
        let (mut client, mut server) = host.client_pair(&ClientConfig::default()).await;
        // Some way into the upgrade.
        let driving = async {
            for _ in 0..yields {
                tokio::task::yield_now().await;
            }
        };
        let server = tokio::spawn(async move {
            let mut received = 0;
            while server.recv().await.is_some() {
                received += 1;
            }
            (received, server.close_reason())
        });
        tokio::select! {
            biased;
            message = client.recv() => panic!("{message:?}"),
            () = driving => {}
        }
        for _ in 0..10 {
            client.send("last words").unwrap();
        }
        soon(client.close()).await;
        let (received, reason) = soon(server).await.unwrap();
        assert_eq!(received, 10, "after {yields} turns");
        assert_eq!(
            reason,
            Some(CloseReason::TransportClose),
            "after {yields} turns"
        );
    }
}

#[tokio::test]
async fn no_task_of_its_own_moves_a_client() {
    let server = Server::new(ServerConfig::default());
    let listener = server.listen("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let other = std::thread::spawn(move || {
        // Its runtime has the client and nothing else.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut socket = soon(engine_io::connect(&url, &ClientConfig::default()))
                .await
                .unwrap();
            upgraded(&mut socket).await;
            tokio::runtime::Handle::current()
                .metrics()
                .num_alive_tasks()
        })
    });
    let serving = tokio::spawn(listener.run(std::future::pending()));
    let mut socket = soon(server.accept()).await.unwrap();
    assert_eq!(soon(socket.recv()).await, None);
    assert_eq!(other.join().unwrap(), 0);
    serving.abort();
}
