//! Opening a session: answers, headers, checks and refusals.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use engine_io::{Cookie, Cors, ServerConfig, Transport};
use http::request::Parts;

use crate::support::{Host, Http, Polling, Reply, WebSocket, not_yet, upgrade_headers};

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/engine.io/?EIO=4&transport=websocket";

/// A handshake with these further header lines.
async fn open(host: &Host, headers: &str) -> Reply {
    host.http()
        .await
        .request("GET", POLLING, headers, b"")
        .await
}

/// A WebSocket handshake, answered with 101 or not.
async fn open_websocket(host: &Host, query: &str, headers: &str) -> Reply {
    let headers = format!("{}{headers}", upgrade_headers());
    let target = format!("/engine.io/?{query}");
    host.http()
        .await
        .request("GET", &target, &headers, b"")
        .await
}

#[tokio::test]
async fn a_polling_handshake_is_answered_with_the_open_packet() {
    let host = Host::new(ServerConfig::default()).await;
    let reply = open(&host, "").await;
    let sid = host.accept().await.sid().to_string();
    assert_eq!(sid.len(), 20);
    reply.check(
        200,
        &format!(
            r#"0{{"sid":"{sid}","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}}"#
        ),
    );
    assert_eq!(
        reply.header("content-type"),
        Some("text/plain; charset=UTF-8")
    );
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(
        reply.header("content-length"),
        Some(&*reply.body.len().to_string())
    );
    for absent in [
        "set-cookie",
        "access-control-allow-origin",
        "vary",
        "x-xss-protection",
    ] {
        assert_eq!(reply.header(absent), None, "{absent}");
    }
}

#[tokio::test]
async fn a_websocket_handshake_is_followed_by_the_open_packet() {
    let host = Host::new(ServerConfig::default()).await;
    let mut http = host.http().await;
    let reply = http.request("GET", WEBSOCKET, upgrade_headers(), b"").await;
    assert_eq!(reply.status, 101);
    // The example of RFC 6455 §1.3.
    assert_eq!(
        reply.header("sec-websocket-accept"),
        Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
    assert_eq!(reply.header("sec-websocket-protocol"), None);
    assert_eq!(reply.header("content-length"), None);
    let mut websocket = WebSocket::new(http.stream, http.ahead);
    let (text, sid) = tokio::join!(websocket.text(), async {
        let mut socket = host.accept().await;
        let sid = socket.sid().to_string();
        not_yet(&mut Box::pin(socket.recv())).await;
        sid
    });
    assert_eq!(
        text,
        format!(
            r#"0{{"sid":"{sid}","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}}"#
        )
    );
}

#[tokio::test]
async fn the_initial_packet_follows_the_open_packet() {
    let host = Host::echo(ServerConfig::default().initial_packet("hello")).await;
    let reply = open(&host, "").await;
    assert!(reply.text().ends_with("}\x1e4hello"), "{}", reply.text());
    let mut websocket = host.websocket().await;
    assert_eq!(websocket.text().await, "4hello");
}

#[tokio::test]
async fn no_upgrade_is_offered_when_it_is_switched_off() {
    for config in [
        ServerConfig::default().allow_upgrades(false),
        ServerConfig::default().transports([Transport::Polling]),
    ] {
        let host = Host::new(config).await;
        let reply = open(&host, "").await;
        assert!(reply.text().contains(r#""upgrades":[],"#), "{reply:?}");
    }
}

#[tokio::test]
async fn the_cookie_comes_with_the_handshake_only() {
    let host = Host::echo(ServerConfig::default().cookie(Cookie::default())).await;
    let mut polling = host.polling().await;
    let cookie = format!("io={}; Path=/; HttpOnly; SameSite=Lax", polling.sid);
    let reply = open(&host, "").await;
    let sent = reply.header("set-cookie").unwrap();
    assert_eq!(sent.len(), cookie.len());
    assert_eq!(sent[23..], cookie[23..]);
    polling.say("4a").await;
    assert_eq!(polling.poll().await.header("set-cookie"), None);
}

#[tokio::test]
async fn every_answer_tells_pages_of_other_origins_that_they_may_read_it() {
    let cors = Cors::origins(["https://a.example"]).credentials(true);
    let host = Host::echo(ServerConfig::default().cors(cors)).await;
    let origin = "Origin: https://a.example\r\n";
    let refused = host
        .http()
        .await
        .request("GET", "/engine.io/", origin, b"")
        .await;
    assert_eq!(refused.status, 400);
    for reply in [
        open(&host, origin).await,
        open_websocket(&host, "EIO=4&transport=websocket", origin).await,
        refused,
    ] {
        let origin = reply.header("access-control-allow-origin");
        assert_eq!(origin, Some("https://a.example"), "{reply:?}");
        assert_eq!(reply.header("vary"), Some("Origin"));
    }
    let other = open(&host, "Origin: https://b.example\r\n").await;
    assert_eq!(other.status, 200, "the browser enforces it");
    assert_eq!(other.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn a_preflight_request_opens_no_session() {
    let host = Host::new(ServerConfig::default().cors(Cors::any())).await;
    let headers = "Origin: https://a.example\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-test\r\n";
    let mut http = host.http().await;
    for _ in 0..2 {
        let reply = http.request("OPTIONS", POLLING, headers, b"").await;
        reply.check(204, "");
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
        assert_eq!(
            reply.header("access-control-allow-methods"),
            Some("GET,HEAD,PUT,PATCH,POST,DELETE")
        );
        assert_eq!(reply.header("access-control-allow-headers"), Some("x-test"));
    }
    assert_eq!(host.server.sessions(), 0);
}

#[tokio::test]
async fn header_hooks_run_once_per_session_and_once_per_answer() {
    let count = |counter: &Arc<AtomicUsize>| counter.load(Ordering::Relaxed);
    let (first, every) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (on_first, on_every) = (first.clone(), every.clone());
    let config = ServerConfig::default()
        .initial_headers(move |headers, request| {
            assert!(request.uri.query().is_some());
            headers.insert("x-first", on_first.fetch_add(1, Ordering::Relaxed).into());
        })
        .headers(move |headers, _| {
            headers.insert("x-every", on_every.fetch_add(1, Ordering::Relaxed).into());
        });
    let host = Host::echo(config).await;
    let reply = open(&host, "").await;
    assert_eq!(reply.header("x-first"), Some("0"));
    assert_eq!(reply.header("x-every"), Some("0"));
    let mut polling = host.polling().await;
    polling.say("4a").await;
    let reply = polling.poll().await;
    assert_eq!(reply.header("x-first"), None);
    assert_eq!((count(&first), count(&every)), (2, 4));
    let reply = open_websocket(&host, "EIO=4&transport=websocket", "").await;
    assert_eq!(reply.header("x-first"), Some("2"));
    assert_eq!(reply.header("x-every"), Some("4"));
    let refused = host.http().await.get("/engine.io/").await;
    assert_eq!(refused.header("x-every"), None, "only answers that succeed");
}

#[tokio::test]
async fn plain_requests_are_refused_with_the_reference_s_codes() {
    let config = ServerConfig::default().transports([Transport::Polling, Transport::WebSocket]);
    let host = Host::echo(config).await;
    let sid = host.polling().await.sid;
    let mut websocket = host.bare_websocket("").await;
    let websocket_sid = websocket.handshake().await;
    for (method, query, code) in [
        ("GET", "EIO=4".to_owned(), 0),
        ("GET", "EIO=4&transport=carrier-pigeon".to_owned(), 0),
        ("GET", "EIO=4&transport=webtransport".to_owned(), 0),
        ("GET", "EIO=4&transport=constructor".to_owned(), 0),
        ("GET", "EIO=4&transport=polling&sid=nobody".to_owned(), 1),
        ("POST", "EIO=4&transport=polling&sid=nobody".to_owned(), 1),
        ("POST", "EIO=4&transport=polling".to_owned(), 2),
        ("OPTIONS", "EIO=4&transport=polling".to_owned(), 2),
        ("GET", "EIO=4&transport=websocket".to_owned(), 3),
        ("GET", format!("EIO=4&transport=websocket&sid={sid}"), 3),
        (
            "GET",
            format!("EIO=4&transport=polling&sid={websocket_sid}"),
            3,
        ),
        (
            "POST",
            format!("EIO=4&transport=polling&sid={websocket_sid}"),
            3,
        ),
        ("GET", format!("EIO=3&transport=polling&sid={sid}"), 3),
        ("GET", format!("transport=polling&sid={sid}"), 3),
        ("GET", "EIO=3&transport=polling".to_owned(), 5),
        ("GET", "EIO=5&transport=polling".to_owned(), 5),
        ("GET", "transport=polling".to_owned(), 5),
    ] {
        let mut http = host.http().await;
        let target = format!("/engine.io/?{query}");
        let reply = http.request(method, &target, "", b"").await;
        let message = [
            "Transport unknown",
            "Session ID unknown",
            "Bad handshake method",
            "Bad request",
            "Forbidden",
            "Unsupported protocol version",
        ][code];
        let body = format!(r#"{{"code":{code},"message":"{message}"}}"#);
        assert_eq!((reply.status, reply.text()), (400, &*body), "{query}");
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.header("cache-control"), None);
        // The connection goes on.
        assert_eq!(http.get(POLLING).await.status, 200);
    }
    let head = host.http().await.request("HEAD", POLLING, "", b"").await;
    assert_eq!(head.status, 400);
}

#[tokio::test]
async fn websocket_requests_are_refused_with_a_text_and_the_end_of_the_connection() {
    let host = Host::new(ServerConfig::default()).await;
    for (query, message) in [
        ("EIO=4", "Transport unknown"),
        ("EIO=4&transport=websocket&sid=nobody", "Session ID unknown"),
        ("EIO=3&transport=websocket", "Unsupported protocol version"),
    ] {
        let mut http = host.http().await;
        let target = format!("/engine.io/?{query}");
        let reply = http.request("GET", &target, upgrade_headers(), b"").await;
        reply.check(400, message);
        assert_eq!(reply.header("connection"), Some("close"));
        assert_eq!(reply.header("content-type"), Some("text/html"));
        assert!(http.is_ended().await);
    }
}

#[tokio::test]
async fn garbage_upgrades_are_refused() {
    let host = Host::echo(ServerConfig::default()).await;
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (upgrade, rest, message) in [
        ("h2c", key, "Invalid Upgrade header"),
        (
            "websocket",
            "Sec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n",
            "Missing or invalid Sec-WebSocket-Key header",
        ),
        (
            "websocket",
            key,
            "Missing or invalid Sec-WebSocket-Version header",
        ),
    ] {
        let headers = format!("Connection: Upgrade\r\nUpgrade: {upgrade}\r\n{rest}");
        let mut http = host.http().await;
        let reply = http.request("GET", WEBSOCKET, &headers, b"").await;
        reply.check(400, message);
        let is_version = message.contains("Version");
        let spoken = is_version.then_some("13, 8");
        assert_eq!(reply.header("sec-websocket-version"), spoken, "{message}");
        assert!(http.is_ended().await);
    }
    let mut http = host.http().await;
    http.write("\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03 no http at all\r\n\r\n")
        .await;
    assert!(matches!(
        http.read_reply(false).await,
        None | Some(Reply { status: 400, .. })
    ));
    // The server is none the worse.
    host.websocket().await;
}

#[tokio::test]
async fn a_websocket_that_asks_for_polling_is_opened_and_closed() {
    let host = Host::new(ServerConfig::default()).await;
    let mut http = host.http().await;
    let reply = http.request("GET", POLLING, upgrade_headers(), b"").await;
    assert_eq!(reply.status, 101);
    WebSocket::new(http.stream, http.ahead)
        .check_close(None)
        .await;
    assert_eq!(host.server.sessions(), 0);
}

#[tokio::test]
async fn of_the_subprotocols_that_are_offered_the_first_is_chosen() {
    let host = Host::echo(ServerConfig::default()).await;
    let sid = host.polling().await.sid;
    for query in [
        "EIO=4&transport=websocket".to_owned(),
        format!("EIO=4&transport=websocket&sid={sid}"),
    ] {
        let offer = "Sec-WebSocket-Protocol: v2.chat, v1.chat\r\n";
        let reply = open_websocket(&host, &query, offer).await;
        assert_eq!(reply.status, 101, "{query}");
        assert_eq!(reply.header("sec-websocket-protocol"), Some("v2.chat"));
        let reply = open_websocket(&host, &query, "Sec-WebSocket-Protocol: a,,b\r\n").await;
        reply.check(400, "Invalid Sec-WebSocket-Protocol header");
    }
    let reply = open_websocket(&host, "EIO=4&transport=websocket", "").await;
    assert_eq!(reply.header("sec-websocket-protocol"), None);
}

#[tokio::test]
async fn a_jsonp_index_means_nothing_to_a_websocket() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut websocket = host.bare_websocket("&j=0").await;
    websocket.handshake().await;
    websocket.send("4a").await;
    assert_eq!(websocket.text().await, "4a");
}

/// Lets those in who have the right token, after a while.
pub(crate) fn check_token(parts: &Parts) -> impl Future<Output = Result<(), String>> + use<> {
    let token = parts.headers.get("token").cloned();
    async move {
        tokio::task::yield_now().await;
        match token.as_ref().map(|token| token.as_bytes()) {
            Some(b"good") => Ok(()),
            Some(_) => Err("no such token".to_owned()),
            None => Err(String::new()),
        }
    }
}

#[tokio::test]
async fn the_request_check_refuses_with_its_text() {
    let config = ServerConfig::default().allow_request(check_token);
    let host = Host::echo(config).await;
    for (headers, message) in [("", "Forbidden"), ("Token: bad\r\n", "no such token")] {
        let body = format!(r#"{{"code":4,"message":"{message}"}}"#);
        open(&host, headers).await.check(403, &body);
        // One that asks for polling is no way round.
        for transport in ["websocket", "polling"] {
            let query = format!("EIO=4&transport={transport}");
            let reply = open_websocket(&host, &query, headers).await;
            reply.check(400, message);
        }
    }
    assert_eq!(host.server.sessions(), 0);
    let reply = open(&host, "Token: good\r\n").await;
    assert_eq!(reply.status, 200);
    // Later requests of the session are not asked.
    let mut polling = Polling {
        address: host.address,
        sid: reply.text().split('"').nth(3).unwrap().to_owned(),
        get: host.http().await,
        post: host.http().await,
    };
    polling.say("4a").await;
    polling.poll().await.check(200, "4a");
}

#[tokio::test]
async fn session_ids_may_be_made_by_the_program() {
    let config = ServerConfig::default().generate_id(|parts| {
        let id = parts.headers.get("wanted-id").cloned();
        async move {
            let id = id.ok_or("no id wanted")?;
            Ok(id.to_str().unwrap().to_owned())
        }
    });
    let host = Host::echo(config).await;
    let refused = r#"{"code":3,"message":"Bad request"}"#;
    open(&host, "").await.check(400, refused);
    open_websocket(&host, "EIO=4&transport=websocket", "")
        .await
        .check(400, "Bad request");
    let reply = open(&host, "Wanted-Id: mine\r\n").await;
    assert!(reply.text().starts_with(r#"0{"sid":"mine","#));
    // Nobody takes over a session by asking for its id.
    open(&host, "Wanted-Id: mine\r\n").await.check(400, refused);
    open_websocket(&host, "EIO=4&transport=websocket", "Wanted-Id: mine\r\n")
        .await
        .check(400, "Bad request");
    let mut polling = Polling {
        address: host.address,
        sid: "mine".into(),
        get: host.http().await,
        post: host.http().await,
    };
    polling.say("4still here").await;
    polling.poll().await.check(200, "4still here");
    // A session that is over leaves its id.
    polling.say("1").await;
    let reply = loop {
        let reply = open(&host, "Wanted-Id: mine\r\n").await;
        if reply.status == 200 {
            break reply;
        }
    };
    assert!(reply.text().starts_with(r#"0{"sid":"mine","#));
}

#[tokio::test]
async fn the_path_is_a_prefix_that_ends_with_a_slash() {
    let host = Host::new(ServerConfig::default().path("/a/b")).await;
    for (target, status) in [
        ("/a/b/?EIO=4&transport=polling", 200),
        ("/a/b/more?EIO=3&EIO=4&transport=poll%69ng&sid=", 200),
        ("/a/b?EIO=4&transport=polling", 404),
        ("/a/?EIO=4&transport=polling", 404),
        ("/", 404),
    ] {
        assert_eq!(
            host.http().await.get(target).await.status,
            status,
            "{target}"
        );
    }
}

#[tokio::test]
async fn old_browsers_are_told_not_to_look_for_scripts() {
    let host = Host::new(ServerConfig::default()).await;
    let reply = open(&host, "User-Agent: Mozilla/5.0 (Trident/7.0; rv:11.0)\r\n").await;
    assert_eq!(reply.header("x-xss-protection"), Some("0"));
}

#[tokio::test]
async fn a_session_knows_its_request() {
    let host = Host::new(ServerConfig::default()).await;
    let mut http = Http::connect(host.address).await;
    let target = "/engine.io/?EIO=4&transport=polling&name=J%C3%BCrgen";
    let reply = http.request("GET", target, "X-Test: yes\r\n", b"").await;
    assert_eq!(reply.status, 200);
    let socket = host.accept().await;
    let request = socket.request();
    assert_eq!(request.target(), target);
    assert_eq!(request.header("x-test"), Some("yes"));
    assert_eq!(request.remote_addr(), http.stream.local_addr().ok());
    assert!(!request.is_secure());
    let name = request.query().find(|(name, _)| name == "name");
    assert_eq!(name, Some(("name".into(), "Jürgen".into())));
}
