//! Compressed WebSocket messages over real sockets.

use engine_io::{CloseReason, DeflateConfig, Frame as Outgoing, ServerConfig};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::support::{Header, Host, Http, WebSocket, check_end, drive, soon, upgrade_headers};

const ANSWER: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
/// FIN, RSV1 and text.
const DEFLATED: Header = Header(0xc1);

fn config() -> ServerConfig {
    ServerConfig::default().deflate(DeflateConfig::default())
}

/// Opens a WebSocket with these offers. The connection, and what was answered to them.
async fn open(host: &Host, query: &str, offers: &[&str]) -> (Http, Option<String>) {
    let mut http = host.http().await;
    let offers: String = offers
        .iter()
        .map(|offer| format!("Sec-WebSocket-Extensions: {offer}\r\n"))
        .collect();
    let headers = format!("{}{offers}", upgrade_headers());
    let revision = if query.contains("EIO=") { "" } else { "&EIO=4" };
    let target = format!("/engine.io/?transport=websocket{revision}{query}");
    let reply = http.request("GET", &target, &headers, b"").await;
    assert_eq!(reply.status, 101);
    let answer = reply.header("sec-websocket-extensions");
    let answer = answer.map(str::to_owned);
    (http, answer)
}

/// A client that shows frames as they are.
struct Client {
    stream: TcpStream,
    ahead: Vec<u8>,
}

impl Client {
    /// One that offers compression, its open packet read.
    async fn open(host: &Host) -> Self {
        let mut client = Self::bare(host, "").await;
        let (first, open) = client.frame().await;
        assert_eq!((first, open[0]), (0x81, b'0'));
        client
    }

    async fn bare(host: &Host, query: &str) -> Self {
        let (http, answer) = open(host, query, &["permessage-deflate"]).await;
        assert_eq!(answer.as_deref(), Some(ANSWER));
        Self {
            stream: http.stream,
            ahead: http.ahead,
        }
    }

    async fn write(&mut self, bytes: &[u8]) {
        soon(tokio::io::AsyncWriteExt::write_all(&mut self.stream, bytes))
            .await
            .unwrap();
    }

    async fn send(&mut self, text: &str) {
        self.write(&Header::TEXT.frame(text.as_bytes())).await;
    }

    /// The first byte of the next frame and its payload.
    async fn frame(&mut self) -> (u8, Vec<u8>) {
        soon(async {
            loop {
                if let Some(frame) = self.take_frame() {
                    return frame;
                }
                assert_ne!(self.stream.read_buf(&mut self.ahead).await.unwrap(), 0);
            }
        })
        .await
    }

    fn take_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let code = *self.ahead.get(1)?;
        let (length, header) = match code {
            126 => {
                let bytes = self.ahead.get(2..4)?.try_into().unwrap();
                (usize::from(u16::from_be_bytes(bytes)), 4)
            }
            127 => {
                let bytes = self.ahead.get(2..10)?.try_into().unwrap();
                (u64::from_be_bytes(bytes) as usize, 10)
            }
            short => (short.into(), 2),
        };
        let payload = self.ahead.get(header..header + length)?.to_vec();
        let first = self.ahead[0];
        self.ahead.drain(..header + length);
        Some((first, payload))
    }

    /// The next frame must be compressed; what is in it.
    async fn inflated(&mut self) -> String {
        let (first, payload) = self.frame().await;
        assert_eq!(first, 0xc1);
        let mut output = Vec::with_capacity(2_000_000);
        let mut decompressor = Decompress::new(false);
        let flush = FlushDecompress::Sync;
        decompressor
            .decompress_vec(&payload, &mut output, flush)
            .unwrap();
        String::from_utf8(output).unwrap()
    }
}

fn compressed(data: &[u8]) -> Vec<u8> {
    let mut output = Vec::with_capacity(data.len() + 100);
    let mut compressor = Compress::new(Compression::new(6), false);
    compressor
        .compress_vec(data, &mut output, FlushCompress::Sync)
        .unwrap();
    output.truncate(output.len() - 4);
    output
}

#[tokio::test]
async fn compression_is_agreed_on_when_both_sides_want_it() {
    let host = Host::new(config()).await;
    for (offers, answer) in [
        (&[][..], None),
        (&["permessage-deflate"], Some(ANSWER.to_owned())),
        (
            &["x-other", "permessage-deflate; client_max_window_bits"],
            Some(ANSWER.to_owned()),
        ),
        (
            &["permessage-deflate; server_max_window_bits=10"],
            Some(format!("{ANSWER}; server_max_window_bits=10")),
        ),
        // Declined, and the connection goes on without.
        (&["permessage-deflate; server_max_window_bits=7"], None),
        (&["permessage-deflate; =\"\\"], None),
    ] {
        assert_eq!(open(&host, "", offers).await.1, answer, "{offers:?}");
    }
    let host = Host::new(ServerConfig::default()).await;
    assert_eq!(open(&host, "", &["permessage-deflate"]).await.1, None);
}

#[tokio::test]
async fn long_messages_are_compressed_and_short_ones_are_not() {
    let host = Host::echo(config()).await;
    let mut client = Client::open(&host).await;
    let long = format!("4{}", "ab".repeat(5000));
    for _ in 0..2 {
        client.send(&long).await;
        assert_eq!(client.inflated().await, long);
        client.send("4short").await;
        assert_eq!(client.frame().await, (0x81, b"4short".into()));
        client.write(&DEFLATED.frame(&compressed(b"4small"))).await;
        assert_eq!(client.frame().await, (0x81, b"4small".into()));
    }
    // Without an offer nothing is.
    let mut plain = host.websocket().await;
    plain.send(&long).await;
    assert_eq!(plain.text().await, long);
}

#[tokio::test]
async fn a_broadcast_is_one_compressed_frame_but_for_those_who_offered_nothing() {
    let host = Host::new(config()).await;
    let mut senders = Vec::new();
    let mut clients = Vec::new();
    for _ in 0..3 {
        let client = Client::bare(&host, "").await;
        senders.push(drive(host.accept().await).0);
        clients.push(client);
    }
    let (mut plain, socket) = host.websocket_pair().await;
    senders.push(drive(socket).0);
    let text = "ab".repeat(5000);
    let frame = Outgoing::message(&text);
    for frame in [frame.clone(), frame.uncompressed()] {
        for sender in &senders {
            sender.send_frames(&frame, &[]).unwrap();
        }
    }
    let expected = format!("4{text}");
    for client in &mut clients {
        client.frame().await;
        assert_eq!(client.inflated().await, expected);
        assert_eq!(client.frame().await, (0x81, expected.clone().into()));
    }
    plain.handshake().await;
    assert_eq!(plain.text().await, expected);
    assert_eq!(plain.text().await, expected);
}

#[tokio::test]
async fn binary_for_old_clients_stays_uncompressed_since_it_is_rewritten() {
    let host = Host::new(config().allow_eio3(true)).await;
    let mut new = Client::bare(&host, "").await;
    let mut senders = vec![drive(host.accept().await).0];
    let mut old = Client::bare(&host, "&EIO=3").await;
    senders.push(drive(host.accept().await).0);
    let data = [7; 5000];
    let text = "ab".repeat(2500);
    let frames = [Outgoing::binary(&data), Outgoing::message(&text)];
    for sender in &senders {
        sender.send_frames(&frames[0], &frames[1..]).unwrap();
    }
    for (client, binary) in [(&mut new, 0xc2), (&mut old, 0x82)] {
        client.frame().await;
        let (first, payload) = client.frame().await;
        assert_eq!(first, binary);
        if first == 0x82 {
            assert_eq!(payload, [&[4], &data[..]].concat());
        }
        assert_eq!(client.inflated().await, format!("4{text}"));
    }
}

#[tokio::test]
async fn nothing_is_agreed_on_with_those_who_take_binary_as_base64() {
    let host = Host::new(config().allow_eio3(true)).await;
    for query in ["&b64=1", "&b64=1&EIO=3"] {
        let (_, answer) = open(&host, query, &["permessage-deflate"]).await;
        assert_eq!(answer, None, "{query}");
    }
    let polling = host.polling().await;
    let query = format!("&b64=1&sid={}", polling.sid);
    assert_eq!(open(&host, &query, &["permessage-deflate"]).await.1, None);
}

#[tokio::test]
async fn what_was_queued_before_an_upgrade_is_not_compressed_and_what_comes_later_is() {
    let host = Host::new(config()).await;
    let (mut polling, socket) = host.polling_pair().await;
    let (sender, _driven) = drive(socket);
    let mut client = Client::bare(&host, &format!("&sid={}", polling.sid)).await;
    client.send("2probe").await;
    assert_eq!(client.frame().await, (0x81, b"3probe".into()));
    polling.poll().await.check(200, "6");
    let text = "ab".repeat(5000);
    sender.send(text.as_str()).unwrap();
    client.send("5").await;
    let packet = format!("4{text}");
    assert_eq!(client.frame().await, (0x81, packet.clone().into()));
    sender.send(text.as_str()).unwrap();
    assert_eq!(client.inflated().await, packet);
}

#[tokio::test]
async fn broken_rules_of_compression_are_told_by_their_close_codes() {
    let host = Host::new(config().max_payload(1000)).await;
    let bomb = compressed(&[b'4'; 1_000_000]);
    assert!(bomb.len() < 1000);
    // As much as a message may have after it was inflated, and a byte less.
    let client = Client::bare(&host, "").await;
    let mut websocket = WebSocket::new(client.stream, client.ahead);
    let mut socket = host.accept().await;
    for length in [999, 1000] {
        let bytes = compressed(&vec![b'4'; length]);
        websocket.writer.frame(DEFLATED, &bytes).await;
        let message = soon(socket.recv()).await.unwrap();
        assert_eq!(message.len(), length - 1);
    }
    for (bytes, code) in [
        (DEFLATED.frame(&bomb), 1009),
        (DEFLATED.frame(&compressed(&[b'4'; 1001])), 1009),
        // Before it was inflated, noise may have made it longer: by so much, and not a byte more.
        (DEFLATED.frame(&[0; 1204]), 1007),
        (DEFLATED.frame(&[0; 1205]), 1009),
        (DEFLATED.frame(b"\xff\xff"), 1007),
        (DEFLATED.frame(&compressed(b"4cut")[..3]), 1007),
        (DEFLATED.frame(&compressed(b"4\xff")), 1007),
        (Header(0xc9).frame(b""), 1002),
        (Header(0xe1).frame(&compressed(b"4a")), 1002),
    ] {
        let client = Client::bare(&host, "").await;
        let mut websocket = WebSocket::new(client.stream, client.ahead);
        let (_sender, driven) = drive(host.accept().await);
        websocket
            .writer
            .frame(DEFLATED, &compressed(b"4before"))
            .await;
        websocket.writer.write(&bytes).await;
        websocket.check_close(Some(code)).await;
        check_end(driven, &["before"], CloseReason::TransportError).await;
    }
}

#[tokio::test]
async fn many_bombs_arrive_one_by_one_and_none_is_lost() {
    let host = Host::new(config()).await;
    let mut client = Client::bare(&host, "").await;
    let (_sender, driven) = drive(host.accept().await);
    // More than a read takes, and much more when inflated.
    let text = "4".repeat(1_000_000);
    let bomb = DEFLATED.frame(&compressed(text.as_bytes()));
    for _ in 0..40 {
        client.write(&bomb).await;
        client.send("4next").await;
    }
    client.write(&Header::CLOSE.frame(b"")).await;
    let (messages, reason) = soon(driven).await.unwrap();
    assert_eq!(reason, CloseReason::TransportClose);
    assert_eq!(messages.len(), 80);
    assert!(
        messages
            .chunks(2)
            .all(|pair| pair[0].len() == 999_999 && pair[1] == "next".into())
    );
}
