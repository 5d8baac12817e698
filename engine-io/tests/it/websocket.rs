//! Sessions over WebSocket.

use engine_io::{CloseReason, Message, ServerConfig};

use crate::support::{Frame, Header, Host, WebSocket, check_end, drive, soon, upgrade_headers};

#[tokio::test]
async fn text_and_binary_come_back_over_a_websocket() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut websocket = host.websocket().await;
    websocket.send("4héllo").await;
    websocket.writer.frame(Header::BINARY, &[1, 2, 3]).await;
    websocket.send("bBAUG").await;
    websocket.send("4").await;
    assert_eq!(websocket.text().await, "4héllo");
    assert_eq!(websocket.frame().await, Frame::Binary(vec![1, 2, 3]));
    assert_eq!(websocket.frame().await, Frame::Binary(vec![4, 5, 6]));
    assert_eq!(websocket.text().await, "4");
}

#[tokio::test]
async fn large_messages_travel_both_ways_over_a_websocket() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut websocket = host.websocket().await;
    let text = format!("4{}", "é".repeat(450_000));
    let data: Vec<_> = (0..900_000_u32).map(|number| number as u8).collect();
    for _ in 0..2 {
        websocket.send(&text).await;
        assert_eq!(websocket.text().await, text);
        websocket.writer.frame(Header::BINARY, &data).await;
        assert_eq!(websocket.frame().await, Frame::Binary(data.clone()));
    }
}

#[tokio::test]
async fn fragments_become_one_message() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut websocket = host.websocket().await;
    for _ in 0..2 {
        // In the middle of the character, with a ping between the fragments.
        websocket.writer.frame(Header::FIRST, b"4h\xc3").await;
        websocket.writer.frame(Header::PING, b"there?").await;
        assert_eq!(websocket.frame().await, Frame::Pong(b"there?".into()));
        websocket.writer.frame(Header::MIDDLE, b"\xa9ll").await;
        websocket.writer.frame(Header::LAST, b"o").await;
        assert_eq!(websocket.text().await, "4héllo");
    }
    websocket.send("4whole").await;
    assert_eq!(websocket.text().await, "4whole");
}

#[tokio::test]
async fn frames_may_arrive_byte_by_byte() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut websocket = host.websocket().await;
    let frames = [Header::TEXT.frame(b"4a"), Header::TEXT.frame(&[b'4'; 130])].concat();
    for byte in frames {
        websocket.writer.write(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(websocket.text().await, "4a");
    assert_eq!(websocket.text().await, "4".repeat(130));
}

#[tokio::test]
async fn what_follows_the_handshake_at_once_is_not_lost() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut http = host.http().await;
    let request = format!(
        "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
        upgrade_headers()
    );
    let message = Header::TEXT.frame(b"4early");
    http.write([request.as_bytes(), &message].concat()).await;
    assert_eq!(http.reply(false).await.status, 101);
    let mut websocket = WebSocket::new(http.stream, http.ahead);
    websocket.handshake().await;
    assert_eq!(websocket.text().await, "4early");
}

#[tokio::test]
async fn broken_rules_are_told_by_their_close_codes() {
    let host = Host::new(ServerConfig::default().max_payload(1000)).await;
    let large = [b'4'; 1001];
    for (bytes, code) in [
        (Header::TEXT.frame(&large), 1009),
        // Only the header of a message that would be far too large.
        (vec![0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0], 1009),
        (
            [
                Header::FIRST.frame(&large[..600]),
                Header::LAST.frame(&large[..600]),
            ]
            .concat(),
            1009,
        ),
        (Header::TEXT.frame(b"4\xff"), 1007),
        (Header::CLOSE.frame(b"\x03\xe8\xff"), 1007),
        // Not masked.
        (b"\x81\x024a".to_vec(), 1002),
        // A reserved bit, a reserved opcode, a fragmented ping, a continuation of nothing.
        (Header(0xc1).frame(b"4a"), 1002),
        (Header(0x83).frame(b"4a"), 1002),
        (Header(0x09).frame(b""), 1002),
        (Header::LAST.frame(b"4a"), 1002),
    ] {
        let (mut websocket, socket) = host.websocket_pair().await;
        let (_sender, driven) = drive(socket);
        websocket.send("4before").await;
        websocket.writer.write(&bytes).await;
        websocket.check_close(Some(code)).await;
        check_end(driven, &["before"], CloseReason::TransportError).await;
    }
}

#[tokio::test]
async fn what_is_no_packet_closes_the_websocket_without_a_code() {
    let host = Host::new(ServerConfig::default()).await;
    for text in ["", "7", "x"] {
        let (mut websocket, socket) = host.websocket_pair().await;
        let (_sender, driven) = drive(socket);
        websocket.send("4before").await;
        websocket.send(text).await;
        websocket.send("4after").await;
        websocket.check_close(None).await;
        check_end(driven, &["before"], CloseReason::ParseError).await;
    }
}

#[tokio::test]
async fn a_close_packet_means_nothing_on_a_websocket() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut websocket = host.websocket().await;
    for packet in ["1", "0", "3", "5", "6", "4a"] {
        websocket.send(packet).await;
    }
    assert_eq!(websocket.text().await, "4a");
    websocket.send("2").await;
    websocket.check_close(None).await;
}

#[tokio::test]
async fn pings_of_the_websocket_are_answered() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut websocket = host.websocket().await;
    for _ in 0..3 {
        websocket.writer.frame(Header::PING, b"hi").await;
        assert_eq!(websocket.frame().await, Frame::Pong(b"hi".into()));
    }
}

#[tokio::test]
async fn a_close_frame_is_answered() {
    let host = Host::new(ServerConfig::default()).await;
    for (body, code) in [(&b""[..], None), (b"\x03\xe8bye", Some(1000))] {
        let (mut websocket, socket) = host.websocket_pair().await;
        let (_sender, driven) = drive(socket);
        websocket.send("4last").await;
        websocket.writer.frame(Header::CLOSE, body).await;
        websocket.check_close(code).await;
        check_end(driven, &["last"], CloseReason::TransportClose).await;
    }
}

#[tokio::test]
async fn a_lost_connection_is_the_peer_s_close() {
    let host = Host::new(ServerConfig::default()).await;
    for reset in [false, true] {
        let (mut websocket, socket) = host.websocket_pair().await;
        let (_sender, driven) = drive(socket);
        websocket.handshake().await;
        websocket.send("4last").await;
        // A reset would overtake what is on its way.
        websocket.writer.frame(Header::PING, b"").await;
        assert_eq!(websocket.frame().await, Frame::Pong(Vec::new()));
        // Half a frame.
        websocket.writer.write(&[0x81]).await;
        if reset {
            websocket.reset();
        } else {
            drop(websocket);
        }
        check_end(driven, &["last"], CloseReason::TransportClose).await;
    }
}

#[tokio::test]
async fn messages_that_came_before_a_reset_count_although_writing_fails() {
    // More than one read takes, less than the system holds.
    const COUNT: usize = 3000;
    let host = Host::new(ServerConfig::default()).await;
    let (mut websocket, mut socket) = host.websocket_pair().await;
    websocket.send("4ready").await;
    assert_eq!(soon(socket.recv()).await, Some("ready".into()));
    let mut frames = Vec::new();
    for number in 0..COUNT {
        frames.extend(Header::TEXT.frame(format!("4{number}").as_bytes()));
    }
    websocket.writer.write(&frames).await;
    // The open packet is still unread, so this is a reset.
    drop(websocket);
    for number in 0..COUNT {
        let message = soon(socket.recv()).await;
        assert_eq!(message, Some(number.to_string().into()));
        socket.send("answer").unwrap_or_default();
    }
    assert_eq!(soon(socket.recv()).await, None);
    assert_eq!(socket.close_reason(), Some(CloseReason::TransportClose));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_is_kept_over_a_websocket_while_both_sides_send() {
    const COUNT: usize = 10_000;
    let host = Host::new(ServerConfig::default()).await;
    let (mut websocket, socket) = host.websocket_pair().await;
    let (sender, driven) = drive(socket);
    websocket.handshake().await;
    let sending = tokio::spawn(async move {
        for number in 0..COUNT {
            sender.send(number.to_string()).unwrap();
            if number % 17 == 0 {
                tokio::task::yield_now().await;
            }
        }
    });
    let (mut reader, mut writer) = (websocket.reader, websocket.writer);
    let writing = tokio::spawn(async move {
        for number in 0..COUNT {
            writer.send(&format!("4{number}")).await;
        }
        writer
    });
    for number in 0..COUNT {
        assert_eq!(reader.text().await, format!("4{number}"));
    }
    soon(sending).await.unwrap();
    let mut writer = soon(writing).await.unwrap();
    writer.frame(Header::CLOSE, b"").await;
    let (messages, reason) = soon(driven).await.unwrap();
    assert_eq!(reason, CloseReason::TransportClose);
    assert!(
        messages
            .into_iter()
            .eq((0..COUNT).map(|number| Message::from(number.to_string())))
    );
}
