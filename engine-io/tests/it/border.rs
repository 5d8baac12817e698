//! Who is let in: how often an address may come, pages of other origins, whom proxies speak for; and what a client does not learn.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use engine_io::{
    Acceptor, AllowedOrigins, ConnectLimit, ConnectionInfo, Cors, Rate, Refusal, Server,
    ServerConfig,
};
use parking_lot::Mutex;
use tokio::net::TcpListener;

use crate::support::{Host, Http, Polling, Reply, WebSocket, soon, upgrade_headers};

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
const EVIL: &str = "Origin: https://evil.example\r\n";
const FRIEND: &str = "Origin: https://app.example\r\n";

async fn get(host: &Host, target: &str, headers: &str) -> Reply {
    let mut http = host.http().await;
    http.request("GET", target, headers, b"").await
}

/// A WebSocket request for a new session, or for that one.
async fn upgrade(host: &Host, sid: &str, headers: &str) -> Reply {
    let sid = if sid.is_empty() {
        String::new()
    } else {
        format!("&sid={sid}")
    };
    let target = format!("/engine.io/?EIO=4&transport=websocket{sid}");
    get(host, &target, &format!("{}{headers}", upgrade_headers())).await
}

/// So many sessions, and no more within the test.
fn sessions(count: u64) -> ConnectLimit {
    ConnectLimit::new(Rate::new(1, Duration::from_secs(3600)).burst(count))
}

#[tokio::test]
async fn an_address_that_opens_too_many_sessions_has_to_wait() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let hook = told.clone();
    let config = ServerConfig::default()
        .connect_limit(sessions(3))
        .cors(Cors::any())
        // Who is asked is asked for a reason.
        .allow_request(|_| async { Ok(()) })
        .on_refusal(move |refusal, _| hook.lock().push(refusal.clone()));
    let host = Host::echo(config).await;
    let mut polling = host.polling().await;
    let mut websocket = host.websocket().await;
    let _third = host.polling().await;
    for _ in 0..2 {
        let reply = get(&host, POLLING, FRIEND).await;
        reply.check(429, r#"{"code":4,"message":"Too many requests"}"#);
        let seconds: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((3000..=3600).contains(&seconds), "{seconds}");
        // The page is to learn of it.
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
        let reply = upgrade(&host, "", "").await;
        reply.check(429, "Too many requests");
        assert!(reply.header("retry-after").is_some());
        assert_eq!(reply.header("connection"), Some("close"));
    }
    assert_eq!(host.server.stats().refused[4], 4);
    let told = std::mem::take(&mut *told.lock());
    let is_expected = |refusal| matches!(refusal, &Refusal::TooManyRequests { .. });
    assert!(told.len() == 4 && told.iter().all(is_expected), "{told:?}");
    // Those who are in stay in.
    websocket.send("4still here").await;
    assert_eq!(websocket.text().await, "4still here");
    polling.say("4me too").await;
    assert_eq!(polling.packets(1).await, ["4me too"]);
    let query = format!("&sid={}", polling.sid);
    let mut candidate = host.bare_websocket(&query).await;
    candidate.send("2probe").await;
    assert_eq!(candidate.text().await, "3probe");
}

#[tokio::test]
async fn a_host_that_tells_no_address_limits_nobody() {
    let server = Server::new(ServerConfig::default().connect_limit(sessions(1)));
    for _ in 0..5 {
        let request = http::Request::get(POLLING).body(http_body_util::Empty::<&[u8]>::new());
        assert_eq!(server.handle(request.unwrap()).await.status(), 200);
    }
}

#[tokio::test]
async fn pages_of_other_origins_get_no_session_and_into_none() {
    let host = Host::echo(ServerConfig::default().allowed_origins(["https://app.example"])).await;
    let forbidden = r#"{"code":4,"message":"Forbidden"}"#;
    get(&host, POLLING, EVIL).await.check(403, forbidden);
    upgrade(&host, "", EVIL).await.check(400, "Forbidden");
    assert_eq!(host.server.sessions(), 0);
    for headers in [FRIEND, ""] {
        assert_eq!(get(&host, POLLING, headers).await.status, 200);
        assert_eq!(upgrade(&host, "", headers).await.status, 101);
    }
    // Not with a session's id either.
    let mut polling = host.polling().await;
    let target = polling.target();
    get(&host, &target, EVIL).await.check(403, forbidden);
    let reply = polling.post_with(EVIL, "4x").await;
    reply.check(403, forbidden);
    let reply = upgrade(&host, &polling.sid, EVIL).await;
    reply.check(400, "Forbidden");
    // The session has not noticed.
    polling.say("4hello").await;
    assert_eq!(polling.packets(1).await, ["4hello"]);
    let reply = upgrade(&host, &polling.sid, FRIEND).await;
    assert_eq!(reply.status, 101);
}

#[tokio::test]
async fn one_list_is_for_cors_and_for_websockets() {
    let cors = Cors::origins(["https://app.example"]);
    let config = ServerConfig::default().allowed_origins(&cors).cors(cors);
    let host = Host::new(config).await;
    let reply = get(&host, POLLING, FRIEND).await;
    assert_eq!(reply.status, 200);
    let allowed = reply.header("access-control-allow-origin");
    assert_eq!(allowed, Some("https://app.example"));
    let reply = get(&host, POLLING, EVIL).await;
    assert_eq!(reply.status, 403);
    assert_eq!(reply.header("access-control-allow-origin"), None);
    let own = ServerConfig::default().allowed_origins(AllowedOrigins::same_host());
    let host = Host::new(own).await;
    let ours = "Origin: http://localhost\r\n";
    assert_eq!(upgrade(&host, "", ours).await.status, 101);
    assert_eq!(upgrade(&host, "", EVIL).await.status, 400);
}

#[tokio::test]
async fn nobody_is_believed_by_default() {
    let host = Host::new(ServerConfig::default()).await;
    let headers = "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\nForwarded: for=203.0.113.9;proto=https\r\n";
    assert_eq!(get(&host, POLLING, headers).await.status, 200);
    let socket = host.accept().await;
    let request = socket.request();
    assert!(request.remote_addr().unwrap().ip().is_loopback());
    assert!(!request.is_secure());
}

#[tokio::test]
async fn behind_a_proxy_each_client_has_its_own_address() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let config = ServerConfig::default()
        .trusted_proxies("127.0.0.0/8".parse().unwrap())
        .connect_limit(sessions(1))
        .allow_request(move |parts| {
            let info = parts.extensions.get::<ConnectionInfo>();
            seen.lock().extend(info.and_then(|info| info.remote_addr));
            async { Ok(()) }
        });
    let host = Host::new(config).await;
    let from = |list: &str| format!("X-Forwarded-For: {list}\r\nX-Forwarded-Proto: https\r\n");
    for address in ["203.0.113.9", "203.0.113.10"] {
        // What the client has made up stands on the left.
        let reply = get(&host, POLLING, &from(&format!("192.0.2.1, {address}"))).await;
        assert_eq!(reply.status, 200);
        let socket = host.accept().await;
        let address: SocketAddr = format!("{address}:0").parse().unwrap();
        assert_eq!(socket.request().remote_addr(), Some(address));
        assert!(socket.request().is_secure());
        assert_eq!(asked.lock().pop(), Some(address));
    }
    for made_up in ["", "192.0.2.1, ", "127.0.0.1, ", "192.0.2.2,192.0.2.3,"] {
        let reply = get(&host, POLLING, &from(&format!("{made_up}203.0.113.9"))).await;
        assert_eq!(reply.status, 429, "{made_up}");
    }
}

#[tokio::test]
async fn a_load_balancer_says_whose_connection_it_is() {
    let v2 = [
        &b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"[..],
        &[203, 0, 113, 9, 10, 0, 0, 1, 0xc8, 0x22, 1, 0xbb],
    ]
    .concat();
    let v1 = b"PROXY TCP4 203.0.113.9 10.0.0.1 51234 443\r\n".to_vec();
    let own = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0".to_vec();
    let client: SocketAddr = "203.0.113.9:51234".parse().unwrap();
    for (balancers, header, expected) in [
        ("127.0.0.1", &v1, Some(Some(client))),
        ("127.0.0.1", &v2, Some(Some(client))),
        ("127.0.0.1", &own, Some(None)),
        // Who has nothing to say is not let in.
        ("127.0.0.1", &Vec::new(), None),
        // Who is no balancer has no say.
        ("10.0.0.0/8", &v1, None),
        ("10.0.0.0/8", &v2, None),
        ("10.0.0.0/8", &Vec::new(), Some(None)),
    ] {
        let server = Server::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = Acceptor::from(listener).proxy_protocol(balancers.parse().unwrap());
        let serving = tokio::spawn(server.service().serve(acceptor, std::future::pending()));
        let mut http = Http::connect(address).await;
        let own = http.stream.local_addr().unwrap();
        let request = format!("GET {POLLING} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        http.write([&header[..], request.as_bytes()].concat()).await;
        let reply = soon(http.read_reply(false)).await;
        let is_in = reply.is_some_and(|reply| reply.status == 200);
        assert_eq!(is_in, expected.is_some(), "{balancers} {header:?}");
        if let Some(expected) = expected {
            let socket = soon(server.accept()).await.unwrap();
            let known = socket.request().remote_addr();
            assert_eq!(
                known,
                Some(expected.unwrap_or(own)),
                "{balancers} {header:?}"
            );
        }
        serving.abort();
    }
}

fn fails<T>() -> T {
    panic!("a secret of /srv/app/main.rs")
}

#[tokio::test]
async fn what_a_hook_s_panic_says_is_nobody_s_business() {
    let config = ServerConfig::default()
        .allow_request(|parts| {
            let query = parts.uri.query().unwrap_or_default().to_owned();
            assert!(!query.contains("early"), "a secret of /srv/app/main.rs");
            async move {
                tokio::task::yield_now().await;
                assert!(!query.contains("late"), "a secret of /srv/app/main.rs");
                Ok(())
            }
        })
        .check_upgrade(|_| async { fails::<Result<(), String>>() });
    let host = Host::echo(config).await;
    for when in ["early", "late"] {
        let reply = get(&host, &format!("{POLLING}&{when}=1"), "").await;
        reply.check(403, r#"{"code":4,"message":"Forbidden"}"#);
    }
    let mut polling = host.polling().await;
    let reply = upgrade(&host, &polling.sid, "").await;
    reply.check(400, "Forbidden");
    polling.say("4hello").await;
    assert_eq!(polling.packets(1).await, ["4hello"]);

    let config =
        ServerConfig::default().generate_id(|_| async { fails::<Result<String, String>>() });
    let host = Host::new(config).await;
    let reply = get(&host, POLLING, "").await;
    reply.check(400, r#"{"code":3,"message":"Bad request"}"#);
    let config = ServerConfig::default().generate_id(|_| async { Err("a secret".to_owned()) });
    let host = Host::new(config).await;
    let reply = get(&host, POLLING, "").await;
    reply.check(400, r#"{"code":3,"message":"Bad request"}"#);
}

#[tokio::test]
async fn what_is_printed_of_a_request_has_no_secrets() {
    let host = Host::new(ServerConfig::default()).await;
    let target = format!("{POLLING}&token=hidden");
    get(
        &host,
        &target,
        "Cookie: hidden\r\nAuthorization: hidden\r\n",
    )
    .await;
    let socket = host.accept().await;
    let printed = format!("{:?}", socket.request());
    assert!(printed.contains("/engine.io/"), "{printed}");
    assert!(!printed.contains("hidden"), "{printed}");
    // Neither does a handle show the credential of its session.
    let sid = socket.sid().to_string();
    let printed = format!("{socket:?} {:?} {:?}", socket.sender(), host.server);
    assert!(!printed.contains(&sid), "{printed}");
}

/// Many sessions at once over all transports, each with its own words: nobody hears another's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_session_hears_another_s_messages() {
    const SESSIONS: usize = 48;
    const ROUNDS: usize = 25;
    const BATCH: usize = 20;
    // However busy the machine is, nothing else comes in between.
    let time = Duration::from_secs(600);
    let config = ServerConfig::default()
        .ping_interval(time)
        .upgrade_timeout(time);
    let host = Host::echo(config).await;
    let address = host.address;
    let mut tasks = tokio::task::JoinSet::new();
    for session in 0..SESSIONS {
        tasks.spawn(async move {
            let tag = |round, index| format!("4session {session} round {round} message {index}");
            let words = |round| (0..BATCH).map(move |index| tag(round, index));
            if session % 3 == 0 {
                let mut websocket = WebSocket::connect(address, "").await;
                websocket.handshake().await;
                for round in 0..ROUNDS {
                    for word in words(round) {
                        websocket.send(&word).await;
                    }
                    for word in words(round) {
                        assert_eq!(websocket.text().await, word);
                    }
                }
                return;
            }
            let mut polling = Polling::open(address).await;
            let last = if session % 3 == 1 { ROUNDS } else { ROUNDS / 2 };
            for round in 0..last {
                polling
                    .say(words(round).collect::<Vec<_>>().join("\x1e"))
                    .await;
                assert!(polling.packets(BATCH).await.into_iter().eq(words(round)));
            }
            if last == ROUNDS {
                return;
            }
            // The rest over the WebSocket that it upgrades to.
            let mut websocket = WebSocket::connect(address, &format!("&sid={}", polling.sid)).await;
            websocket.send("2probe").await;
            assert_eq!(websocket.text().await, "3probe");
            websocket.send("5").await;
            for round in last..ROUNDS {
                for word in words(round) {
                    websocket.send(&word).await;
                }
                for word in words(round) {
                    assert_eq!(websocket.text().await, word);
                }
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let stats = host.server.stats();
    assert!(stats.packets_in >= (SESSIONS * ROUNDS * BATCH) as u64);
    assert_eq!(stats.refused, [0; 6]);
}
