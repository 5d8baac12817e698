//! permessage-deflate between our client and our server.

use engine_io::{DeflateConfig, Message, ServerConfig, Transport};

use super::{check_echo, only, upgraded};
use crate::support::{Host, soon};

#[tokio::test]
async fn messages_are_compressed_both_ways_when_both_want_it() {
    let deflate = DeflateConfig::default().threshold(100);
    for server in [false, true] {
        let config = ServerConfig::default();
        let config = if server {
            config.deflate(deflate)
        } else {
            config
        };
        let host = Host::echo(config).await;
        for config in [only(Transport::WebSocket), Default::default()] {
            let mut socket = host.connect(&config.deflate(deflate)).await.unwrap();
            if socket.transport() == Transport::Polling {
                upgraded(&mut socket).await;
            }
            check_echo(&mut socket).await;
            let long = Message::from("compress me ".repeat(1000));
            socket.send(long.clone()).unwrap();
            // What is queued is what leaves.
            assert_eq!(socket.sender().buffered() < 1000, server);
            assert_eq!(soon(socket.recv()).await, Some(long));
            let noise = Message::from(
                (0..5000_u32)
                    .map(|n| (n * n % 241) as u8)
                    .collect::<Vec<_>>(),
            );
            socket.send(noise.clone()).unwrap();
            assert_eq!(soon(socket.recv()).await, Some(noise));
        }
    }
}
