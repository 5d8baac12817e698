//! Floods of HTTP/2, by frames made by hand: what is bounded, and that others are served meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use engine_io::{Server, ServerConfig};
use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::http2::Client;
use crate::listening::check_session;
use crate::support::{soon, until};
use crate::tls::{Identity, listen};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;
/// Streams that there may be at a time.
const STREAMS: u32 = 200;
/// Streams that may be taken back before anybody has looked at them.
const TAKEN_BACK: u32 = 20;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The transport of a request that is not answered.
const HELD: &str = "polling&hold";

/// The headers of a GET: with what the static table has, method and scheme are a byte each.
fn request(transport: &str) -> Vec<u8> {
    let target = format!("/engine.io/?EIO=4&transport={transport}");
    let path = [&[0x04, target.len() as u8], target.as_bytes()].concat();
    [&[0x82, 0x87][..], &path, b"\x01\x09localhost"].concat()
}

/// The number of the nth stream.
fn stream(number: u32) -> u32 {
    2 * number + 1
}

/// A GET on the nth stream that is not answered.
fn held(number: u32) -> Vec<u8> {
    let flags = END_STREAM | END_HEADERS;
    frame(HEADERS, flags, stream(number), &request(HELD))
}

fn reset(number: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream(number), &CANCEL.to_be_bytes())
}

/// A server of which some requests get no answer.
struct Host {
    server: Server,
    identity: Identity,
    address: SocketAddr,
    /// Requests that wait for one.
    waiting: Arc<()>,
    /// Requests that have waited for one.
    held: Arc<AtomicUsize>,
}

impl Host {
    async fn new() -> Self {
        let (waiting, held) = (Arc::new(()), Arc::<AtomicUsize>::default());
        let (one, count) = (waiting.clone(), held.clone());
        let server = Server::new(ServerConfig::default().allow_request(move |parts| {
            let hold = parts
                .uri
                .query()
                .is_some_and(|query| query.contains("hold"));
            let one = hold.then(|| one.clone());
            let count = count.clone();
            async move {
                if one.is_some() {
                    count.fetch_add(1, Ordering::Relaxed);
                    std::future::pending::<()>().await;
                }
                drop(one);
                Ok::<_, String>(())
            }
        }));
        let identity = Identity::new();
        let address = listen(&server, identity.config()).await;
        Self {
            server,
            identity,
            address,
            waiting,
            held,
        }
    }

    /// The server has one, and this one does.
    fn waiting(&self) -> u32 {
        Arc::strong_count(&self.waiting) as u32 - 2
    }

    async fn peer(&self) -> Peer {
        let stream = self.identity.connect(self.address, "h2").await.unwrap();
        let mut peer = Peer(stream);
        peer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        peer.write(&frame(SETTINGS, 0, 0, b"")).await;
        peer
    }

    /// Others are served, whichever HTTP they speak.
    async fn check(&self) {
        let connect = async |protocol| {
            let connected = self.identity.connect(self.address, protocol).await;
            connected.unwrap()
        };
        check_session(&self.server, async || connect("http/1.1").await).await;
        let mut client = Client::over(connect("h2").await).await;
        let (response, _) = client.get("&transport=none").await;
        assert_eq!(response.status(), 400);
    }
}

/// A client that minds no rule, and its connection.
struct Peer(TlsStream<TcpStream>);

impl Peer {
    async fn write(&mut self, bytes: &[u8]) {
        soon(self.0.write_all(bytes)).await.unwrap();
        soon(self.0.flush()).await.unwrap();
    }

    /// Kind, stream and payload of the next frame; `None` at the end of the connection.
    async fn frame(&mut self) -> Option<(u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        soon(self.0.read_exact(&mut head)).await.ok()?;
        let [a, b, c, kind, _, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        soon(self.0.read_exact(&mut payload)).await.ok()?;
        Some((kind, u32::from_be_bytes(stream), payload))
    }

    /// The next frame of that kind on the nth stream.
    async fn frame_of(&mut self, wanted: u8, number: u32) -> Vec<u8> {
        loop {
            let (kind, id, payload) = self.frame().await.expect("the connection goes on");
            assert_ne!(kind, GOAWAY);
            if (kind, id) == (wanted, stream(number)) {
                return payload;
            }
        }
    }

    /// Writes the same again and again without reading. Returns how much of it was taken until the server read no more, or has ended the connection.
    async fn flood(&mut self, bytes: &[u8], most: usize) -> usize {
        let mut written = 0;
        while written < most {
            let writing = self.0.write_all(bytes);
            // A machine that pauses for so long ends the flood, too: then this shows less, but does not fail.
            match tokio::time::timeout(Duration::from_millis(500), writing).await {
                Ok(Ok(())) => written += bytes.len(),
                Ok(Err(_)) | Err(_) => break,
            }
        }
        written
    }

    /// Why the server ends the connection, as it says in its last frame.
    async fn farewell(mut self) -> u32 {
        let mut last = None;
        while let Some(frame) = self.frame().await {
            last = Some(frame);
        }
        let (kind, _, payload) = last.expect("it says something");
        assert_eq!(kind, GOAWAY);
        u32::from_be_bytes(*payload[4..].first_chunk().unwrap())
    }

    /// The connection ends.
    async fn check_end(mut self) {
        while self.frame().await.is_some() {}
    }
}

#[tokio::test]
async fn a_connection_has_so_many_streams_at_a_time() {
    let host = Host::new().await;
    let mut peer = host.peer().await;
    let begin: Vec<u8> = (0..STREAMS - 1).flat_map(held).collect();
    peer.write(&begin).await;
    until(|| host.waiting() == STREAMS - 1).await;
    peer.write(&held(STREAMS - 1)).await;
    until(|| host.waiting() == STREAMS).await;
    for number in STREAMS..5 * STREAMS {
        peer.write(&held(number)).await;
        let why = peer.frame_of(RST_STREAM, number).await;
        assert_eq!(why, REFUSED_STREAM.to_be_bytes());
    }
    assert_eq!(host.held.load(Ordering::Relaxed) as u32, STREAMS);
    host.check().await;
    // Who gives one back has a place.
    peer.write(&[reset(0), held(5 * STREAMS)].concat()).await;
    until(|| host.held.load(Ordering::Relaxed) as u32 == STREAMS + 1).await;
    until(|| host.waiting() == STREAMS).await;
    drop(peer);
    until(|| host.waiting() == 0).await;
}

/// Streams that are begun and taken back.
fn taken_back(from: u32, count: u32) -> Vec<u8> {
    (from..from + count)
        .flat_map(|number| [held(number), reset(number)].concat())
        .collect()
}

#[tokio::test]
async fn so_many_streams_may_be_taken_back_before_anybody_has_looked_at_them() {
    let host = Host::new().await;
    let looked_at = || host.held.load(Ordering::Relaxed) as u32;
    let mut expected = 0;
    for count in [TAKEN_BACK - 1, TAKEN_BACK, TAKEN_BACK + 1] {
        let mut peer = host.peer().await;
        let mut from = 0;
        // When they have been looked at, there may be as many again.
        for _ in 0..2 {
            let last = from + count;
            // They are in one record of TLS, so nobody looks before all of them have arrived.
            let streams = [taken_back(from, count), held(last)].concat();
            peer.write(&streams).await;
            if count > TAKEN_BACK {
                break;
            }
            expected += count + 1;
            until(|| looked_at() == expected && host.waiting() == 1).await;
            peer.write(&reset(last)).await;
            until(|| host.waiting() == 0).await;
            from = last + 1;
        }
        if count > TAKEN_BACK {
            assert_eq!(peer.farewell().await, ENHANCE_YOUR_CALM);
        }
    }
    assert_eq!(looked_at(), expected);
    host.check().await;
}

#[tokio::test]
async fn streams_that_are_taken_back_at_once_end_the_connection() {
    let host = Host::new().await;
    let mut peer = host.peer().await;
    peer.write(&held(0)).await;
    until(|| host.waiting() == 1).await;
    let many = taken_back(1, 5000);
    let _ = soon(peer.0.write_all(&many)).await;
    peer.check_end().await;
    until(|| host.waiting() == 0).await;
    assert!(host.held.load(Ordering::Relaxed) < 5000);
    host.check().await;
}

#[tokio::test]
async fn frames_that_are_answered_are_not_read_before_their_answers_are() {
    const ENOUGH: usize = 64 << 20;
    let host = Host::new().await;
    for flood in [frame(PING, 0, 0, b"12345678"), frame(SETTINGS, 0, 0, b"")] {
        let mut peer = host.peer().await;
        let written = peer.flood(&flood.repeat(1000), ENOUGH).await;
        assert!(written < ENOUGH, "the server read everything");
        host.check().await;
    }
}

#[tokio::test]
async fn frames_that_carry_nothing_end_the_connection() {
    const ENOUGH: usize = 16 << 20;
    let host = Host::new().await;
    // A head without end; a body of nothing, and one of a byte at a time that nobody reads.
    for (flags, frame) in [
        (END_STREAM, frame(CONTINUATION, 0, stream(0), b"")),
        (END_HEADERS, frame(DATA, 0, stream(0), b"")),
        (END_HEADERS, frame(DATA, 0, stream(0), b"x")),
    ] {
        let mut peer = host.peer().await;
        let begin = self::frame(HEADERS, flags, stream(0), &request(HELD));
        peer.write(&begin).await;
        let written = peer.flood(&frame.repeat(1000), ENOUGH).await;
        assert!(written < ENOUGH, "all of it was read");
        peer.check_end().await;
        until(|| host.waiting() == 0).await;
        host.check().await;
    }
}

#[tokio::test]
async fn header_lists_have_a_limit_however_they_are_packed() {
    let host = Host::new().await;
    let connected = host.identity.connect(host.address, "h2").await;
    let mut client = Client::over(connected.unwrap()).await;
    // Each header counts with 32 bytes beside its own, and what a client says by itself comes to less than 512.
    for (beside, status) in [(512, 400), (32, 431), (512, 400)] {
        let long = "x".repeat(64 * 1024 - beside);
        let request = Request::get("http://localhost/engine.io/?transport=none");
        let response = client.send(request.header("x-long", long), "").await;
        assert_eq!(response.status(), status);
    }
    // The same header again and again is a byte each: 16 of them are less than the limit, and 17 are more.
    let bomb = |number, times: usize| {
        let value = [&b"\x40\x06x-bomb\x7f\xbd\x1d"[..], &[b'x'; 3900]].concat();
        let again = vec![0xbe; times - 1];
        let headers = [request("none"), value, again].concat();
        let flags = END_STREAM | END_HEADERS;
        frame(HEADERS, flags, stream(number), &headers)
    };
    let mut peer = host.peer().await;
    for (number, times) in [(0, 16), (1, 17), (2, 16)] {
        peer.write(&bomb(number, times)).await;
        // The static table has status 400, but not status 431.
        let answer = peer.frame_of(HEADERS, number).await;
        assert_eq!(answer[0] == 0x8c, times == 16, "{times}: {answer:?}");
    }
    // Far more than that ends the connection.
    peer.write(&bomb(3, 12_000)).await;
    peer.check_end().await;
    host.check().await;
}
