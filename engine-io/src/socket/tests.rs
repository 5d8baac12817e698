use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::connection::Stream;
use crate::frame::Frame;
use crate::handshake::Handshake;
use crate::session::Session;
use crate::wire::Wire;

fn shared(transport: Transport) -> Arc<Shared> {
    let handshake = Handshake {
        sid: "sid".into(),
        upgrades: Vec::new(),
        ping_interval: std::time::Duration::MAX,
        ping_timeout: std::time::Duration::MAX,
        max_payload: 0,
    };
    let config = Arc::default();
    let session = Session::server(now(), &config, Wire::default(), transport, &handshake);
    let request = http::Request::new(()).into_parts().0;
    Arc::new(Shared::new(
        1,
        "sid".into(),
        Request::new(&request),
        session,
    ))
}

#[tokio::test]
async fn a_burst_leaves_no_memory_behind() {
    let shared = shared(Transport::Polling);
    let mut socket = Socket::new(shared.clone(), None);
    for burst in [1, 10_000, 1] {
        shared.update(|state| state.inbox.extend(vec![Message::from("a"); burst]));
        for _ in 0..burst {
            assert_eq!(socket.recv().await, Some("a".into()));
        }
        let next = poll_fn(|cx| Poll::Ready(socket.poll_recv(cx))).await;
        assert!(next.is_pending());
        assert_eq!(socket.inbox.capacity() + shared.lock().inbox.capacity(), 0);
    }
}

#[tokio::test]
async fn one_read_of_messages_is_taken_ahead_of_their_owner() {
    const READ: usize = 16 * 1024;
    let mut cx = Context::from_waker(Waker::noop());
    let message = b"\x81\x82\0\0\0\x004a";
    // The last message ends just before the limit, at it, and just behind it.
    for (last, ahead) in [
        (&b"\x81\x81\0\0\0\x004"[..], READ / 8),
        (message, READ / 8),
        (b"\x81\x83\0\0\0\x004ab", READ / 8 - 1),
    ] {
        let sent = [&message.repeat(READ / 8 - 1), last].concat();
        // There is room for as many bytes as were read.
        let (stream, mut peer) = tokio::io::duplex(sent.len());
        let websocket = WebSocket::server(Stream::Other(Box::new(stream)), &[], 1000);
        let mut socket = Socket::new(shared(Transport::WebSocket), Some(Box::new(websocket)));
        assert!(socket.poll_recv(&mut cx).is_pending());
        peer.write_all(&sent).await.unwrap();
        assert!(socket.recv().await.is_some());
        assert_eq!(
            peer.write(&message.repeat(READ)).await.unwrap(),
            sent.len().min(READ)
        );
        // The owner takes them, and nothing more is read before it has taken all.
        for taken in 1..ahead {
            assert_eq!(socket.inbox.len(), ahead - taken);
            let next = if taken == READ / 8 - 1 {
                &last[6..]
            } else {
                b"4a"
            };
            assert_eq!(
                socket.recv().await,
                Some(std::str::from_utf8(&next[1..]).unwrap().into())
            );
            assert!(pin!(peer.write(message)).poll(&mut cx).is_pending());
        }
        assert!(socket.recv().await.is_some());
        assert!(peer.write(message).await.unwrap() > 0);
    }
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn an_owner_whose_peer_does_not_read_is_not_woken_by_each_message() {
    let (stream, mut peer) = tokio::io::duplex(1000);
    let stream = Stream::Other(Box::new(stream));
    let websocket = Box::new(WebSocket::server(stream, &[], 1000));
    let shared = shared(Transport::WebSocket);
    let mut socket = Socket::new(shared, Some(websocket));
    let wakes = Arc::new(Wakes::default());
    let waker = wakes.clone().into();
    let mut cx = Context::from_waker(&waker);
    assert!(socket.poll_recv(&mut cx).is_pending());
    for (size, expected) in [(10, 1), (2000, 2), (2000, 2), (2000, 2)] {
        socket.send("x".repeat(size)).unwrap();
        assert_eq!(wakes.0.load(Ordering::Relaxed), expected);
        assert!(socket.poll_recv(&mut cx).is_pending());
    }
    // What has been held back leaves when the peer reads.
    let sender = socket.sender();
    let mut buffer = [0; 1000];
    while sender.buffered() > 0 {
        assert!(peer.read(&mut buffer).await.unwrap() > 0);
        assert!(socket.poll_recv(&mut cx).is_pending());
    }
    socket.send("x").unwrap();
    assert!(socket.poll_recv(&mut cx).is_pending());
    assert_eq!(sender.buffered(), 0);
}

/// A session over TCP that has sent its open packet and sleeps, and its peer.
async fn asleep(waker: &Waker) -> (Socket, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connected = TcpStream::connect(listener.local_addr().unwrap());
    let (peer, accepted) = tokio::join!(connected, listener.accept());
    let (mut peer, (stream, _)) = (peer.unwrap(), accepted.unwrap());
    let websocket = Box::new(WebSocket::server(Stream::tcp(stream), &[], 1 << 20));
    let mut socket = Socket::new(shared(Transport::WebSocket), Some(websocket));
    let mut cx = Context::from_waker(waker);
    while socket.poll_recv(&mut cx).is_pending() && socket.sender().buffered() > 0 {
        tokio::task::yield_now().await;
    }
    let header = [peer.read_u8().await.unwrap(), peer.read_u8().await.unwrap()];
    peer.read_exact(&mut vec![0; header[1].into()])
        .await
        .unwrap();
    (socket, peer)
}

#[tokio::test]
async fn an_idle_connection_is_written_to_by_whoever_sends() {
    let wakes = Arc::new(Wakes::default());
    let waker = wakes.clone().into();
    let (mut socket, mut peer) = asleep(&waker).await;
    let before = wakes.0.load(Ordering::Relaxed);
    let woken = || wakes.0.load(Ordering::Relaxed) - before;
    let mut frame = [0; 4];

    direct::begin_turn();
    socket.send("a").unwrap();
    peer.read_exact(&mut frame).await.unwrap();
    assert_eq!((&frame, woken()), (b"\x81\x024a", 0));
    assert_eq!(socket.sender().buffered(), 0);
    assert_eq!(socket.counters().packets_out, 2);

    // What comes soon after it is collected, and so is what comes in a batch.
    socket.send("b").unwrap();
    assert_eq!(woken(), 1);
    assert!(
        socket
            .poll_recv(&mut Context::from_waker(&waker))
            .is_pending()
    );
    peer.read_exact(&mut frame).await.unwrap();
    assert_eq!(&frame, b"\x81\x024b");
    direct::begin_batch();
    socket.send("c").unwrap();
    assert_eq!(woken(), 2);
    direct::begin_turn();
    socket.send("d").unwrap();
    assert_eq!(woken(), 2);
    assert!(
        socket
            .poll_recv(&mut Context::from_waker(&waker))
            .is_pending()
    );
    let mut frames = [0; 8];
    peer.read_exact(&mut frames).await.unwrap();
    assert_eq!(&frames, b"\x81\x024c\x81\x024d");
}

#[tokio::test]
async fn what_waits_leaves_in_its_order_however_long_it_is() {
    const SIZES: [usize; 7] = [1, 100, 1000, 1022, 1023, 5000, 20_000];
    let (mut socket, mut peer) = asleep(Waker::noop()).await;
    let sender = socket.sender();
    let mut expected = Vec::new();
    direct::begin_batch();
    // First many short ones, then some of each size.
    for size in std::iter::repeat_n(&30, 200).chain(SIZES.iter().cycle().take(500)) {
        let letter = char::from(b'a' + (expected.len() % 26) as u8);
        let frame = Frame::message(&String::from(letter).repeat(*size));
        expected.extend_from_slice(frame.websocket());
        if size % 2 == 0 {
            sender.send_frame(frame).unwrap();
        } else {
            sender.send_frames(&frame, &[]).unwrap();
        }
    }
    assert_eq!(sender.buffered(), expected.len());
    let task = tokio::spawn(async move { socket.recv().await });
    let mut received = vec![0; expected.len()];
    peer.read_exact(&mut received).await.unwrap();
    assert!(received == expected, "the same bytes");
    sender.drained().await.unwrap();
    assert_eq!(sender.counters().packets_out, 1 + 700);
    task.abort();
}

#[tokio::test]
async fn a_message_may_come_in_many_parts_and_with_others_behind_it() {
    let (mut socket, mut peer) = asleep(Waker::noop()).await;
    let long = |size: usize| {
        let header = [&[0x81, 0xff][..], &(1 + size as u64).to_be_bytes(), &[0; 4]];
        let payload = ["4", &"é".repeat(size / 2)].concat();
        [&header.concat()[..], payload.as_bytes()].concat()
    };
    let short = b"\x81\x82\0\0\0\x004x".to_vec();
    let parts = [
        long(700_000),
        short.clone(),
        short.clone(),
        long(20_000),
        short,
    ];
    let peer = tokio::spawn(async move {
        for part in parts.concat().chunks(33_333) {
            peer.write_all(part).await.unwrap();
            tokio::task::yield_now().await;
        }
        peer
    });
    for size in [700_000, 0, 0, 20_000, 0] {
        let expected = match size {
            0 => "x".into(),
            size => "é".repeat(size / 2),
        };
        assert!(socket.recv().await == Some(expected.into()), "{size} bytes");
    }
    peer.await.unwrap();
}

#[tokio::test]
async fn what_a_sender_could_not_write_goes_before_everything_else() {
    const SIZE: usize = 12 << 20;
    for aborted in [false, true] {
        let wakes = Arc::new(Wakes::default());
        let waker = wakes.clone().into();
        let (mut socket, mut peer) = asleep(&waker).await;
        let sender = socket.sender();
        direct::begin_turn();
        sender.send("x".repeat(SIZE)).unwrap();
        let rest = sender.buffered();
        assert!(0 < rest && rest < SIZE, "{rest} bytes are left");
        let end: &[u8] = if aborted {
            sender.abort();
            b"\x88\0"
        } else {
            sender.send("y").unwrap();
            b"\x81\x024y"
        };
        let task = tokio::spawn(async move { socket.recv().await });
        let mut received = vec![0; 10 + 1 + SIZE + end.len()];
        peer.read_exact(&mut received).await.unwrap();
        assert!(received[11..11 + SIZE].iter().all(|byte| *byte == b'x'));
        assert_eq!(&received[11 + SIZE..], end);
        task.abort();
    }
}

#[tokio::test]
async fn what_a_large_broadcast_has_no_time_for_is_written_by_a_task() {
    let wakes = Arc::new(Wakes::default());
    let waker = wakes.clone().into();
    let (socket, mut peer) = asleep(&waker).await;
    let before = wakes.0.load(Ordering::Relaxed);
    let woken = || wakes.0.load(Ordering::Relaxed) - before;
    direct::begin_spent_turn();
    socket.send("a").unwrap();
    assert_eq!((woken(), socket.sender().buffered()), (0, 4));
    socket.sender().drained().await.unwrap();
    let mut frame = [0; 4];
    peer.read_exact(&mut frame).await.unwrap();
    assert_eq!((&frame, woken()), (b"\x81\x024a", 0));

    // The next message does not wait for it.
    direct::begin_spent_turn();
    socket.send("b").unwrap();
    socket.send("c").unwrap();
    assert_eq!(woken(), 1);
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!((woken(), socket.sender().buffered()), (1, 8));
}

#[tokio::test]
async fn who_is_to_be_written_to_later_may_end_before() {
    let wakes = Arc::new(Wakes::default());
    let waker = wakes.clone().into();
    let (socket, mut aborted) = asleep(&waker).await;
    let (dropped, _peer) = asleep(&waker).await;
    let (last, mut peer) = asleep(&waker).await;
    direct::begin_spent_turn();
    for socket in [&socket, &dropped, &last] {
        socket.send("a").unwrap();
    }
    let held = Arc::downgrade(&dropped.shared);
    drop(dropped);
    socket.sender().abort();
    drop(socket);
    last.sender().drained().await.unwrap();
    let mut frame = [0; 4];
    peer.read_exact(&mut frame).await.unwrap();
    assert_eq!(&frame, b"\x81\x024a");
    assert!(
        held.upgrade().is_none(),
        "nothing keeps a session that is over"
    );
    let mut rest = Vec::new();
    aborted.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"\x88\0");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_several_threads_owners_share_the_rest_of_a_large_broadcast() {
    let wakes = Arc::new(Wakes::default());
    let waker = wakes.clone().into();
    let (socket, _peer) = asleep(&waker).await;
    let before = wakes.0.load(Ordering::Relaxed);
    direct::begin_spent_turn();
    socket.send("a").unwrap();
    assert_eq!(wakes.0.load(Ordering::Relaxed) - before, 1);
}

#[test]
fn frames_that_nobody_writes_later_wake_the_owner() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let owners = runtime();
    let connect = || {
        let wakes = Arc::new(Wakes::default());
        let (socket, peer) = owners.block_on(asleep(&wakes.clone().into()));
        let before = wakes.0.load(Ordering::Relaxed);
        (socket, peer, move || {
            wakes.0.load(Ordering::Relaxed) - before
        })
    };
    // No runtime at all.
    let (socket, _peer, woken) = connect();
    direct::begin_spent_turn();
    socket.send("a").unwrap();
    assert_eq!(woken(), 1);

    // A runtime that nobody drives: whoever sends next sees to it.
    let (socket, _peer, woken) = connect();
    let idle = runtime();
    let inside = idle.enter();
    direct::begin_spent_turn();
    socket.send("a").unwrap();
    assert_eq!(woken(), 0);
    socket.send("b").unwrap();
    assert_eq!(woken(), 1);

    // Another runtime of the same thread does not wait for that one.
    let (socket, mut peer, woken) = connect();
    drop(inside);
    owners.block_on(async {
        direct::begin_spent_turn();
        socket.send("a").unwrap();
        let mut frame = [0; 4];
        peer.read_exact(&mut frame).await.unwrap();
        assert_eq!((&frame, woken()), (b"\x81\x024a", 0));
    });

    // A runtime that ends before the task has had its turn.
    let (socket, _peer, woken) = connect();
    let inside = idle.enter();
    direct::begin_spent_turn();
    socket.send("a").unwrap();
    assert_eq!(woken(), 0);
    drop(inside);
    drop(idle);
    assert_eq!(woken(), 1);
}
