//! Clients of revision 3, let in by `allow_eio3`.

use std::time::Duration;

use engine_io::{CloseReason, Revision, ServerConfig, Transport};

use crate::support::{
    Frame, Header, Host, Http, Reply, WebSocket, check_end, drive, soon, until, upgrade_headers,
};

const OCTETS: &str = "Content-Type: application/octet-stream\r\n";
const MISMATCH: &str = r#"{"code":3,"message":"Bad request"}"#;

fn config() -> ServerConfig {
    ServerConfig::default().allow_eio3(true)
}

/// A session over polling; `query` goes with every request.
struct Old {
    target: String,
    sid: String,
    get: Http,
    post: Http,
}

impl Old {
    async fn open(host: &Host, query: &str) -> Self {
        let mut get = host.http().await;
        let target = format!("/engine.io/?EIO=3&transport=polling{query}");
        let reply = get.get(&target).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let (_, open) = reply.text().split_once('{').unwrap();
        let sid = open
            .split(['"', '\\'])
            .filter(|part| !part.is_empty())
            .nth(2)
            .unwrap();
        Self {
            target: format!("{target}&sid={sid}"),
            sid: sid.to_owned(),
            get,
            post: host.http().await,
        }
    }

    async fn poll(&mut self) -> Reply {
        self.get.get(&self.target).await
    }

    async fn post(&mut self, headers: &str, body: impl AsRef<[u8]>) -> Reply {
        self.post
            .request("POST", &self.target, headers, body.as_ref())
            .await
    }

    async fn say(&mut self, body: impl AsRef<[u8]>) {
        self.post("", body).await.check(200, "ok");
    }

    /// What comes until the body is this long.
    async fn polled(&mut self, length: usize) -> Vec<u8> {
        let mut body = Vec::new();
        while body.len() < length {
            let reply = self.poll().await;
            assert_eq!(reply.status, 200);
            body.extend(reply.body);
        }
        body
    }

    async fn candidate(&self, host: &Host, query: &str) -> WebSocket {
        websocket(host, &format!("EIO=3&sid={}{query}", self.sid)).await
    }
}

async fn websocket(host: &Host, query: &str) -> WebSocket {
    let mut http = host.http().await;
    let target = format!("/engine.io/?transport=websocket&{query}");
    let reply = http.request("GET", &target, upgrade_headers(), b"").await;
    assert_eq!(reply.status, 101, "{}", reply.text());
    WebSocket::new(http.stream, http.ahead)
}

#[tokio::test]
async fn the_handshake_is_a_payload_with_a_length() {
    let host = Host::new(config()).await;
    for query in ["EIO=3&", "", "EIO=5&"] {
        let target = format!("/engine.io/?{query}transport=polling");
        let (reply, socket) = tokio::join!(
            async { host.http().await.get(&target).await },
            host.accept()
        );
        let (length, packet) = reply.text().split_once(':').unwrap();
        assert_eq!(length.parse(), Ok(packet.len()));
        assert!(packet.starts_with("0{\"sid\":\""), "{packet}");
        assert!(packet.contains("\"upgrades\":[\"websocket\"]"), "{packet}");
        let content_type = reply.header("content-type");
        assert_eq!(content_type, Some("text/plain; charset=UTF-8"));
        assert_eq!(socket.revision(), Revision::V3);
        assert_eq!(socket.revision().number(), 3);
    }
    let (_polling, socket) = host.polling_pair().await;
    assert_eq!(socket.revision(), Revision::V4);
}

#[tokio::test]
async fn requests_keep_the_revision_of_their_session() {
    let host = Host::echo(config()).await;
    let mut old = Old::open(&host, "").await;
    let mut http = host.http().await;
    let target = old.target.replace("EIO=3", "EIO=4");
    http.get(&target).await.check(400, MISMATCH);
    let current = host.polling().await;
    for query in ["EIO=3&", ""] {
        let target = current.target().replace("EIO=4&", query);
        http.get(&target).await.check(400, MISMATCH);
    }
    let target = target.replace("polling", "websocket");
    http.request("GET", &target, upgrade_headers(), b"")
        .await
        .check(400, "Bad request");
    // None is 3, here as in the handshake.
    old.say("3:4hi").await;
    old.target = old.target.replace("EIO=3&", "");
    old.poll().await.check(200, "3:4hi");
}

#[tokio::test]
async fn text_has_lengths_in_utf_16_code_units() {
    let host = Host::echo(config()).await;
    let mut old = Old::open(&host, "").await;
    old.say("5:4hé😀0:1:4").await;
    let body = old.polled("5:4hé😀1:4".len()).await;
    assert_eq!(String::from_utf8(body), Ok("5:4hé😀1:4".into()));
}

#[tokio::test]
async fn binary_travels_in_binary_payloads() {
    let host = Host::echo(config()).await;
    let mut old = Old::open(&host, "").await;
    let body = b"\x01\x03\xff\x04\x01\x02\x00\x03\xff4\xc3\xa9";
    old.post(OCTETS, body).await.check(200, "ok");
    let reply = old.poll().await;
    assert_eq!(
        reply.header("content-type"),
        Some("application/octet-stream")
    );
    assert_eq!(reply.body, body);
    // Base64 is read, too, whatever the answers look like.
    old.say("6:b4AQI=").await;
    assert_eq!(old.polled(1).await, b"\x01\x03\xff\x04\x01\x02");
}

#[tokio::test]
async fn binary_is_base64_for_those_who_ask() {
    let host = Host::echo(config()).await;
    let mut old = Old::open(&host, "&b64=1").await;
    old.say("6:b4AQI=3:4hi").await;
    assert_eq!(old.polled(13).await, b"6:b4AQI=3:4hi");
    let body = b"\x01\x02\xff\x04\x07";
    old.post(OCTETS, body).await.check(200, "ok");
    assert_eq!(old.polled(1).await, b"6:b4Bw==");
}

#[tokio::test]
async fn jsonp_carries_payloads_with_lengths() {
    let host = Host::echo(config()).await;
    let mut old = Old::open(&host, "&j=7").await;
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let body = "d=5%3A4h%C3%A9%F0%9F%98%806%3Ab4AQI%3D";
    old.post(form, body).await.check(200, "ok");
    let expected = "___eio[7](\"5:4hé😀6:b4AQI=\");";
    old.poll().await.check(200, expected);
}

#[tokio::test]
async fn bad_payloads_end_the_session() {
    let host = Host::new(config()).await;
    for (headers, body, taken) in [
        ("", &b"3:4hi9:4"[..], 1),
        ("", b"3:4hi2:4hi", 2),
        ("", b"", 0),
        (OCTETS, b"\x00\x03\xff4hi\x00\x03\xff4", 1),
    ] {
        let (mut old, socket) = tokio::join!(Old::open(&host, ""), host.accept());
        let (_sender, driven) = drive(socket);
        old.post(headers, body).await.check(200, "ok");
        let (messages, reason) = soon(driven).await.unwrap();
        assert_eq!(reason, CloseReason::ParseError, "{body:?}");
        assert_eq!(messages.len(), taken, "{body:?}");
    }
}

#[tokio::test]
async fn the_client_s_pings_are_answered() {
    let host = Host::echo(config()).await;
    let mut old = Old::open(&host, "").await;
    old.say("6:2probe").await;
    old.poll().await.check(200, "1:3");
    let mut websocket = websocket(&host, "EIO=3").await;
    websocket.handshake().await;
    websocket.send("2").await;
    assert_eq!(websocket.text().await, "3");
}

#[tokio::test]
async fn a_client_that_stops_pinging_is_given_up_even_after_the_upgrade() {
    let times = Duration::from_millis(500);
    let host = Host::new(config().ping_interval(times).ping_timeout(times)).await;
    let (old, socket) = tokio::join!(Old::open(&host, ""), host.accept());
    let (sender, driven) = drive(socket);
    let mut websocket = old.candidate(&host, "").await;
    websocket.send("2probe").await;
    assert_eq!(websocket.text().await, "3probe");
    websocket.send("5").await;
    until(|| sender.transport() == Transport::WebSocket).await;
    check_end(driven, &[], CloseReason::PingTimeout).await;
    websocket.check_close(None).await;
}

#[tokio::test]
async fn a_pong_ends_the_session() {
    let host = Host::new(config()).await;
    let mut websocket = websocket(&host, "EIO=3").await;
    let (_sender, driven) = drive(host.accept().await);
    websocket.send("3").await;
    check_end(driven, &[], CloseReason::TransportError).await;
    websocket.check_close(None).await;
}

#[tokio::test]
async fn binary_frames_have_a_type() {
    let host = Host::echo(config()).await;
    let mut websocket = websocket(&host, "EIO=3").await;
    websocket.handshake().await;
    websocket
        .writer
        .frame(Header::BINARY, b"\x04\x01\x02")
        .await;
    assert_eq!(websocket.frame().await, Frame::Binary(vec![4, 1, 2]));
    websocket.send("b4AQI=").await;
    assert_eq!(websocket.frame().await, Frame::Binary(vec![4, 1, 2]));
    // What means nothing is ignored.
    for data in [&b"\x09\x01"[..], b""] {
        websocket.writer.frame(Header::BINARY, data).await;
    }
    websocket.writer.frame(Header::BINARY, b"\x04").await;
    assert_eq!(websocket.frame().await, Frame::Binary(vec![4]));
}

#[tokio::test]
async fn a_websocket_gets_base64_if_it_asks() {
    let host = Host::echo(config()).await;
    for (query, sent, expected) in [
        ("EIO=3&b64=1", &b"\x04\x01\x02"[..], "b4AQI="),
        ("EIO=4&b64=1", b"\x01\x02", "bAQI="),
    ] {
        let mut websocket = websocket(&host, query).await;
        websocket.handshake().await;
        websocket.writer.frame(Header::BINARY, sent).await;
        assert_eq!(websocket.text().await, expected);
        websocket.send(expected).await;
        assert_eq!(websocket.text().await, expected);
    }
}

#[tokio::test]
async fn the_websocket_of_an_upgrade_has_a_form_of_its_own() {
    let host = Host::echo(config()).await;
    for (query, candidate, expected) in [
        ("&b64=1", "", Frame::Binary(vec![4, 7])),
        ("", "&b64=1", Frame::Text("b4Bw==".into())),
    ] {
        let mut old = Old::open(&host, query).await;
        old.say("3:4hi").await;
        old.poll().await.check(200, "3:4hi");
        let mut websocket = old.candidate(&host, candidate).await;
        websocket.send("2probe").await;
        assert_eq!(websocket.text().await, "3probe");
        old.poll().await.check(200, "1:6");
        websocket.send("5").await;
        websocket.writer.frame(Header::BINARY, b"\x04\x07").await;
        assert_eq!(websocket.frame().await, expected);
    }
}

#[tokio::test]
async fn the_initial_packet_rides_along() {
    let host = Host::new(config().initial_packet("hi")).await;
    let target = "/engine.io/?EIO=3&transport=polling";
    let reply = host.http().await.get(target).await;
    assert!(reply.text().ends_with("}3:4hi"), "{}", reply.text());
}
