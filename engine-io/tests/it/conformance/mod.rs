//! The table of conformance over real sockets, our server and our client at the other end, in one write and in writes of a byte.

mod cases;

use engine_io::{CloseReason, Message, ServerConfig};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;

use crate::support::{Frame, Host, WebSocket, drive, soon};
use cases::{Arrived, CLOSE, Case, End, FIN, MAX, Raw, cases};

/// How the bytes of a case leave.
#[derive(Clone, Copy, Debug)]
enum Writes {
    AtOnce,
    /// Of a byte each, but for what is long.
    OfAByte,
}

/// So many sessions at a time.
const AT_A_TIME: usize = 16;

/// Plays a case to a session: its peer is `websocket`, and what arrives there is collected by `driven`. Returns what is wrong with the outcome.
async fn play(
    case: &Case,
    websocket: WebSocket,
    driven: tokio::task::JoinHandle<(Vec<Message>, CloseReason)>,
    is_client: bool,
    writes: Writes,
) -> Result<(), String> {
    let WebSocket {
        mut reader,
        mut writer,
    } = websocket;
    let mut bytes = case.bytes(is_client);
    let (code, reason) = match case.end {
        End::Open => {
            // It is still open if this is answered.
            bytes.extend(Raw::new(FIN | CLOSE, 1000_u16.to_be_bytes()).bytes(is_client));
            (Some(1000), CloseReason::TransportClose)
        }
        End::Answered(code) => (code, CloseReason::TransportClose),
        End::Violation(code) => (Some(code), CloseReason::TransportError),
    };
    let writing = tokio::spawn(async move {
        let step = match writes {
            Writes::OfAByte if bytes.len() < 2000 => 1,
            Writes::OfAByte => 1000,
            Writes::AtOnce => bytes.len(),
        };
        for part in bytes.chunks(step) {
            // The session may be over before everything is written.
            if writer.stream.write_all(part).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        writer
    });
    let mut pongs = Vec::new();
    let end = loop {
        match reader.frame().await {
            Frame::Pong(payload) => pongs.push(payload),
            Frame::Text(_) | Frame::Binary(_) => {}
            end @ (Frame::Close(_) | Frame::End) => break end,
        }
    };
    drop(soon(writing).await.map_err(|error| error.to_string())?);
    drop(reader);
    let (messages, found) = soon(driven).await.map_err(|error| error.to_string())?;
    let messages: Vec<_> = messages
        .into_iter()
        .map(|message| match message {
            // Without the type of the packet.
            Message::Text(text) => Arrived::Text(format!("4{text}")),
            Message::Binary(data) => Arrived::Binary(data.into()),
        })
        .collect();
    let expected = (Frame::Close(code), reason, &case.pongs, &case.messages);
    let outcome = (end, found, &pongs, &messages);
    if outcome == expected {
        Ok(())
    } else {
        let mut outcome = format!("{outcome:?}");
        outcome.truncate(1000);
        Err(format!("{} ({writes:?}): {outcome}", case.name))
    }
}

/// Plays all cases, some at a time.
async fn play_all<F>(play_one: impl Fn(Case, Writes) -> F)
where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let mut playing = JoinSet::new();
    let mut wrong = Vec::new();
    for writes in [Writes::AtOnce, Writes::OfAByte] {
        for case in cases() {
            playing.spawn(play_one(case, writes));
            if playing.len() >= AT_A_TIME {
                wrong.extend(playing.join_next().await.unwrap().unwrap().err());
            }
        }
    }
    while let Some(played) = playing.join_next().await {
        wrong.extend(played.unwrap().err());
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_server_keeps_to_rfc_6455() {
    let host = Host::new(ServerConfig::default().max_payload(MAX)).await;
    let (address, server) = (host.address, host.server.clone());
    // Sessions are accepted in no order, so each is found by its id.
    let driven = std::sync::Arc::new(std::sync::Mutex::new(std::collections::HashMap::new()));
    let found = driven.clone();
    tokio::spawn(async move {
        while let Some(socket) = server.accept().await {
            let sid = socket.sid().to_string();
            let (_, task) = drive(socket);
            found.lock().unwrap().insert(sid, task);
        }
    });
    play_all(|case, writes| {
        let driven = driven.clone();
        async move {
            let mut websocket = WebSocket::connect(address, "").await;
            let sid = websocket.handshake().await;
            let driven = driven.lock().unwrap().remove(&sid).unwrap();
            play(&case, websocket, driven, true, writes).await
        }
    })
    .await;
}

#[cfg(feature = "client")]
mod client {
    use engine_io::Transport;
    use tokio::net::TcpListener;
    use tungstenite::handshake::derive_accept_key;
    use tungstenite::protocol::Role;

    use super::*;
    use crate::client::{only, request};

    const OPEN: &str = r#"0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":100000}"#;

    /// A session of our client with a server made by hand: the server's end, on which nothing has been sent, and the client's.
    async fn session(open: &[u8]) -> (WebSocket, engine_io::Socket) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let accepted = async {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (mut stream, head) = request(stream).await;
            let key = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("sec-websocket-key")
                    .then_some(value)
            });
            let accept = derive_accept_key(key.unwrap().as_bytes());
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            let bytes = [answer.as_bytes(), open].concat();
            stream.write_all(&bytes).await.unwrap();
            WebSocket::with_role(stream, Vec::new(), Role::Server)
        };
        let config = only(Transport::WebSocket).max_payload(MAX);
        let connected = engine_io::connect(&url, &config);
        let (websocket, socket) = soon(async { tokio::join!(accepted, connected) }).await;
        (websocket, socket.unwrap())
    }

    fn open_packet() -> Vec<u8> {
        cases::whole(OPEN).bytes(false)
    }

    #[tokio::test]
    async fn a_client_keeps_to_rfc_6455() {
        play_all(|case, writes| async move {
            let (websocket, socket) = session(&open_packet()).await;
            let (_, driven) = drive(socket);
            play(&case, websocket, driven, false, writes).await
        })
        .await;
    }

    #[tokio::test]
    async fn what_comes_with_the_open_packet_counts() {
        for (frames, code, reason) in [
            (
                vec![Raw::new(FIN | CLOSE, 1001_u16.to_be_bytes())],
                1001,
                CloseReason::TransportClose,
            ),
            (
                vec![Raw::new(FIN | 3, "")],
                1002,
                CloseReason::TransportError,
            ),
        ] {
            let frames = frames.iter().flat_map(|frame| frame.bytes(false));
            let message = cases::whole("4early").bytes(false);
            let bytes: Vec<u8> = [open_packet(), message].concat();
            let bytes: Vec<u8> = bytes.into_iter().chain(frames).collect();
            let (mut websocket, socket) = session(&bytes).await;
            let (_, driven) = drive(socket);
            assert_eq!(websocket.frame().await, Frame::Close(Some(code)));
            drop(websocket);
            crate::support::check_end(driven, &["early"], reason).await;
        }
    }
}
