//! Limits of time, by a clock that is moved by hand: what waits is there just before the end of its time, and gone right behind it.

use std::io::Write;
use std::time::Duration;

use engine_io::ServerConfig;
use tokio::net::TcpStream;

use crate::support::{Host, Http, StoppedClock, drive, soon};

const GET: &str = "GET /engine.io/ HTTP/1.1\r\n\r\n";
/// More than a task does before others have their turn.
const MANY: usize = 300;

/// Everybody has done what there was to do: requests on another connection are answered.
pub(crate) async fn settle(other: &mut Http) {
    for _ in 0..3 {
        assert_eq!(other.get("/engine.io/").await.status, 400);
    }
}

#[tokio::test]
async fn a_connection_may_be_idle_for_30_seconds() {
    let host = Host::new(ServerConfig::default()).await;
    let request = "POST /engine.io/ HTTP/1.1\r\nContent-Length: 60000\r\n\r\n";
    // Nothing, a part of a head, of one that is not plain, an answered request, one whose body nobody wants and which does not come.
    for (start, replies) in [
        ("", 0),
        ("GET /engine.io/ HTTP/1.1\r\nHost:", 0),
        ("GET /engine.io/ HTTP/1.0\r\nHost:", 0),
        (GET, 1),
        ("HEAD /other HTTP/1.1\r\nHost: a\r\n\r\n", 1),
        (request, 1),
    ] {
        let clock = StoppedClock::new();
        let (mut http, mut other) = (host.http().await, host.http().await);
        http.write(start).await;
        for _ in 0..replies {
            let reply = http.reply(start.starts_with("HEAD"));
            assert!(reply.await.status >= 400);
        }
        settle(&mut other).await;
        clock.advance(29.99).await;
        settle(&mut other).await;
        assert!(http.is_silent(), "{start:?}");
        clock.advance(0.02).await;
        settle(&mut other).await;
        assert!(http.is_ended().await, "{start:?}");
    }
}

#[tokio::test]
async fn a_connection_that_was_busy_has_no_more_time_than_others() {
    let host = Host::new(ServerConfig::default()).await;
    let (polling, socket) = host.polling_pair().await;
    let (sender, _driven) = drive(socket);
    let target = polling.target();
    let clock = StoppedClock::new();
    // Everything is there before the server looks for the first time, so no timer runs when it has done all it may do at a time.
    let poll = format!("GET {target} HTTP/1.1\r\n\r\n");
    let requests = [&poll, &GET.repeat(MANY), &poll]
        .map(String::as_str)
        .concat();
    let mut stream = std::net::TcpStream::connect(host.address).unwrap();
    stream.write_all(requests.as_bytes()).unwrap();
    stream.set_nonblocking(true).unwrap();
    let mut http = Http::over(TcpStream::from_std(stream).unwrap());
    let mut other = host.http().await;

    // The ping answers the GET that is parked, and its timeout the one behind the others.
    settle(&mut other).await;
    assert!(sender.is_writable());
    clock.advance(25.01).await;
    settle(&mut other).await;
    http.reply(false).await.check(200, "2");
    for _ in 0..MANY {
        assert_eq!(http.reply(false).await.status, 400);
    }
    settle(&mut other).await;
    clock.advance(19.99).await;
    settle(&mut other).await;
    assert!(http.is_silent());
    assert_eq!(host.server.sessions(), 1);
    clock.advance(0.02).await;
    settle(&mut other).await;
    http.reply(false).await.check(200, "1");
    assert_eq!(host.server.sessions(), 0);
    clock.advance(29.99).await;
    settle(&mut other).await;
    assert!(http.is_silent());
    clock.advance(0.02).await;
    settle(&mut other).await;
    assert!(http.is_ended().await);

    // The same without anything that is parked.
    let mut stream = std::net::TcpStream::connect(host.address).unwrap();
    stream.write_all(GET.repeat(MANY).as_bytes()).unwrap();
    stream.set_nonblocking(true).unwrap();
    let mut http = Http::over(TcpStream::from_std(stream).unwrap());
    for _ in 0..MANY {
        assert_eq!(http.reply(false).await.status, 400);
    }
    settle(&mut other).await;
    clock.advance(29.99).await;
    settle(&mut other).await;
    assert!(http.is_silent());
    clock.advance(0.02).await;
    settle(&mut other).await;
    assert!(http.is_ended().await);
}

#[tokio::test]
async fn a_session_that_closes_has_30_seconds_for_its_messages() {
    let never = Duration::from_secs(3600);
    let host = Host::new(ServerConfig::default().ping_interval(never)).await;
    let (_polling, socket) = host.polling_pair().await;
    let mut other = host.http().await;
    let clock = StoppedClock::new();
    socket.send("never fetched").unwrap();
    let closing = tokio::spawn(socket.close());
    settle(&mut other).await;
    clock.advance(29.99).await;
    settle(&mut other).await;
    assert_eq!(host.server.sessions(), 1);
    clock.advance(0.02).await;
    settle(&mut other).await;
    soon(closing).await.unwrap();
    assert_eq!(host.server.sessions(), 0);
}
