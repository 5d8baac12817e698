//! Batches of a polling client, and large amounts both ways.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use engine_io::{Connecting, Connector, Message, ServerConfig, Transport};
use parking_lot::Mutex;
use tokio::net::TcpStream;

use super::{check_echo, only};
use crate::support::{Host, drive, not_yet, soon};

#[tokio::test]
async fn posts_are_filled_up_to_the_server_s_limit() {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let record = bodies.clone();
    let config = ServerConfig::default()
        .max_payload(100)
        .headers(move |_, parts| {
            if parts.method == http::Method::POST {
                let length = parts.headers["content-length"].to_str().unwrap();
                record.lock().push(length.parse::<usize>().unwrap());
            }
        });
    let host = Host::new(config).await;
    // What is sent, the bodies that carry it; text has one more byte, binary `b` and four for three.
    let text = |len: usize| Message::from("x".repeat(len));
    let binary = |len: usize| Message::from(vec![7; len]);
    for (messages, expected) in [
        (vec![text(48), text(48)], vec![99]),
        (vec![text(48), text(49)], vec![100]),
        (vec![text(49), text(49)], vec![50, 50]),
        (vec![text(99), text(0)], vec![100, 1]),
        // 1 + 4 * 12 = 49 each.
        (vec![binary(36), binary(36)], vec![99]),
        (vec![binary(34), text(49)], vec![100]),
        (vec![binary(37), text(49)], vec![53, 50]),
        (vec![binary(72), text(1), text(0)], vec![100, 1]),
    ] {
        let (client, server) = host.client_pair(&only(Transport::Polling)).await;
        let (_sender, driven) = drive(server);
        bodies.lock().clear();
        for message in &messages {
            client.send(message.clone()).unwrap();
        }
        soon(client.close()).await;
        let (received, _) = soon(driven).await.unwrap();
        assert_eq!(received, messages);
        // Behind them comes the goodbye.
        let mut bodies = bodies.lock().clone();
        assert_eq!(bodies.pop(), Some(1));
        assert_eq!(bodies, expected, "{messages:?}");
    }
}

#[tokio::test]
async fn many_packets_in_one_answer_are_taken_in_order() {
    let host = Host::new(ServerConfig::default()).await;
    for transport in [Transport::Polling, Transport::WebSocket] {
        let (mut client, server) = host.client_pair(&only(transport)).await;
        for number in 0..5000 {
            server.send(number.to_string()).unwrap();
        }
        let (_sender, _driven) = drive(server);
        for number in 0..5000 {
            assert_eq!(soon(client.recv()).await, Some(number.to_string().into()));
        }
    }
}

#[tokio::test]
async fn large_messages_travel_both_ways() {
    let host = Host::echo(ServerConfig::default().max_payload(8_000_000)).await;
    let text = Message::from("é".repeat(1_000_000));
    let data: Vec<u8> = (0..3_000_000_u32)
        .map(|index| (index % 251) as u8)
        .collect();
    for transport in [Transport::Polling, Transport::WebSocket] {
        let mut client = host.connect(&only(transport)).await.unwrap();
        for message in [text.clone(), data.clone().into(), "".into()] {
            client.send(message.clone()).unwrap();
            assert!(soon(client.recv()).await == Some(message), "{transport}");
        }
    }
}

/// Counts connections.
#[derive(Clone, Default)]
struct Counting(Arc<AtomicUsize>);

impl Connector for Counting {
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> Connecting<'a> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move { Ok(TcpStream::connect((host, port)).await?.into()) })
    }
}

#[tokio::test]
async fn two_connections_carry_all_requests_of_polling() {
    let host = Host::echo(ServerConfig::default()).await;
    let connector = Counting::default();
    let config = only(Transport::Polling).connector(connector.clone());
    let mut socket = host.connect(&config).await.unwrap();
    for _ in 0..20 {
        check_echo(&mut socket).await;
    }
    assert_eq!(connector.0.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_post_has_to_be_answered_before_the_outbox_is_drained() {
    let host = Host::new(ServerConfig::default()).await;
    let (client, mut server) = host.client_pair(&only(Transport::Polling)).await;
    let (sender, _client) = drive(client);
    sender.send("a").unwrap();
    let mut drained = std::pin::pin!(sender.drained());
    // The server answers a POST when its messages are taken.
    not_yet(&mut drained).await;
    assert_eq!(soon(server.recv()).await, Some("a".into()));
    let (_sender, _server) = drive(server);
    assert_eq!(soon(drained).await, Ok(()));
    assert_eq!(sender.buffered(), 0);
}

#[tokio::test]
async fn the_outbox_is_bounded() {
    let host = Host::new(ServerConfig::default()).await;
    for transport in [Transport::Polling, Transport::WebSocket] {
        let config = only(transport).outbox_limit(1000);
        let (client, _server) = host.client_pair(&config).await;
        let sender = client.sender();
        assert!(sender.is_writable());
        sender.send("x".repeat(900)).unwrap();
        assert!(!sender.is_writable());
        assert!(sender.buffered() > 900);
        // A short message is three bytes longer: its type, and the header of its frame.
        let rest = 1000 - sender.buffered() - 3;
        let full = sender.send("x".repeat(rest + 1));
        assert!(matches!(
            full,
            Err(engine_io::SendError::Full { limit: 1000, .. })
        ));
        sender.send("x".repeat(rest)).unwrap();
        assert_eq!(sender.buffered(), 1000);
        assert!(sender.send("").is_err());
    }
}
