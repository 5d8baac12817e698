//! The client's limits of time, by a clock that is moved by hand.

use std::time::Duration;

use engine_io::{ClientConfig, ConnectError, ServerConfig, Socket, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{BOTH, Detour, check_echo, only, request};
use crate::support::{Host, StoppedClock, soon};
use crate::times::settle;

/// Beyond the resolution of timers.
const MOMENT: f64 = 0.002;

/// Whether nothing has arrived, and the connection goes on.
fn is_silent(stream: &TcpStream) -> bool {
    let read = stream.try_read(&mut [0]);
    matches!(read, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

#[tokio::test]
async fn a_session_has_20_seconds_to_open() {
    let host = Host::new(ServerConfig::default()).await;
    // Accepts connections and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    for transport in BOTH {
        let mut other = host.http().await;
        let clock = StoppedClock::new();
        let (url, config) = (url.clone(), only(transport));
        let opening = tokio::spawn(async move { engine_io::connect(&url, &config).await });
        let (stream, _) = soon(listener.accept()).await.unwrap();
        let (mut stream, _) = request(stream).await;
        clock.advance(20.0 - MOMENT).await;
        settle(&mut other).await;
        assert!(!opening.is_finished() && is_silent(&stream));
        clock.advance(2.0 * MOMENT).await;
        settle(&mut other).await;
        let result = soon(opening).await.unwrap();
        let expected = Duration::from_secs(20);
        assert!(matches!(result, Err(ConnectError::Timeout(after)) if after == expected));
        if transport == Transport::WebSocket {
            assert_eq!(soon(stream.read(&mut [0])).await.unwrap(), 0);
        }
    }
}

/// Drives a client until it is wanted back.
fn driven(mut socket: Socket) -> (oneshot::Sender<()>, JoinHandle<Socket>) {
    let (stop, stopped) = oneshot::channel();
    let driving = tokio::spawn(async move {
        tokio::select! {
            message = socket.recv() => panic!("{message:?}"),
            _ = stopped => socket,
        }
    });
    (stop, driving)
}

#[tokio::test]
async fn the_candidate_of_an_upgrade_has_10_seconds_to_open_and_10_to_answer() {
    let host = Host::echo(ServerConfig::default()).await;
    for opens in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let detour = Detour::of_the_second(listener.local_addr().unwrap());
        let config = ClientConfig::default().connector(detour);
        let socket = host.connect(&config).await.unwrap();
        let mut other = host.http().await;
        let clock = StoppedClock::new();
        let (stop, driving) = driven(socket);
        let (candidate, _) = soon(listener.accept()).await.unwrap();
        let (mut candidate, head) = request(candidate).await;
        clock.advance(10.0 - MOMENT).await;
        settle(&mut other).await;
        assert!(is_silent(&candidate));
        if opens {
            let answer = super::upgrade::accepted(&head);
            candidate.write_all(answer.as_bytes()).await.unwrap();
            // The probe is short, so this is all of its frame.
            soon(candidate.read_exact(&mut [0; 6 + 6])).await.unwrap();
            clock.advance(10.0 - MOMENT).await;
            settle(&mut other).await;
            assert!(is_silent(&candidate));
        }
        clock.advance(2.0 * MOMENT).await;
        settle(&mut other).await;
        // One that has opened is told.
        let mut rest = [0; 2];
        match opens {
            true => assert_eq!(candidate.try_read(&mut rest).unwrap(), 2),
            false => assert_eq!(candidate.try_read(&mut rest).unwrap(), 0),
        }
        assert_eq!(rest[0], if opens { 0x88 } else { 0 });
        drop(clock);
        stop.send(()).unwrap();
        let mut socket = soon(driving).await.unwrap();
        check_echo(&mut socket).await;
        assert_eq!(socket.transport(), Transport::Polling);
    }
}
