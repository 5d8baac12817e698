//! What answers look like: compression, cookies, CORS; and which requests are answered at all.

use std::io::Read;
use std::time::Duration;

use engine_io::{Cookie, Cors, HttpCompression, SameSite, ServerConfig};
use flate2::read::{GzDecoder, ZlibDecoder};
use http::StatusCode;

use crate::support::{Host, Polling, Reply, upgrade_headers};

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";

/// Polls with that `Accept-Encoding` for a message of so many bytes, which the server echoes.
async fn poll(polling: &mut Polling, accepted: &str, size: usize) -> Reply {
    polling.say(format!("4{}", "a".repeat(size - 1))).await;
    let target = polling.target();
    let headers = format!("Accept-Encoding: {accepted}\r\n");
    polling.get.request("GET", &target, &headers, b"").await
}

fn decompressed(reply: &Reply) -> String {
    let mut text = String::new();
    match reply.header("content-encoding") {
        Some("gzip") => GzDecoder::new(&reply.body[..]).read_to_string(&mut text),
        Some("deflate") => ZlibDecoder::new(&reply.body[..]).read_to_string(&mut text),
        other => panic!("not compressed: {other:?}"),
    }
    .unwrap();
    text
}

#[tokio::test]
async fn polls_are_compressed_as_the_client_prefers() {
    let host = Host::echo(ServerConfig::default()).await;
    let mut polling = host.polling().await;
    for (accepted, size, encoding) in [
        ("gzip, deflate", 1024, Some("gzip")),
        ("deflate", 1024, Some("deflate")),
        ("gzip;q=0.5, deflate;q=0.7", 1024, Some("deflate")),
        ("gzip, deflate", 300_000, Some("gzip")),
        ("gzip, deflate", 1023, None),
        ("br", 1024, None),
    ] {
        let reply = poll(&mut polling, accepted, size).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-encoding"), encoding, "{accepted}");
        assert_eq!(
            reply.header("content-type"),
            Some("text/plain; charset=UTF-8")
        );
        let vary = (size >= 1024).then_some("Accept-Encoding");
        assert_eq!(reply.header("vary"), vary);
        let expected = format!("4{}", "a".repeat(size - 1));
        if encoding.is_some() {
            assert!(reply.body.len() < size / 10);
            assert_eq!(decompressed(&reply), expected);
        } else {
            assert_eq!(reply.text(), expected);
        }
    }
}

#[tokio::test]
async fn compression_can_be_set_and_switched_off() {
    let config = ServerConfig::default();
    let eager = HttpCompression::default().threshold(0).level(1);
    for (config, size, compressed) in [
        (config.clone().http_compression(eager), 100, true),
        (config.http_compression(None), 100_000, false),
    ] {
        let host = Host::echo(config).await;
        let reply = poll(&mut host.polling().await, "gzip", size).await;
        assert_eq!(reply.header("content-encoding").is_some(), compressed);
        assert_eq!(reply.header("vary").is_some(), compressed);
    }
}

#[tokio::test]
async fn the_handshake_and_scripts_are_compressed_as_well() {
    let initial = "x".repeat(2000);
    let config = ServerConfig::default().initial_packet(initial.as_str());
    let host = Host::echo(config).await;
    let mut http = host.http().await;
    let gzip = "Accept-Encoding: gzip\r\n";
    let reply = http.request("GET", POLLING, gzip, b"").await;
    assert!(decompressed(&reply).ends_with(&format!("\x1e4{initial}")));
    let script = format!("{POLLING}&j=0");
    let reply = http.request("GET", &script, gzip, b"").await;
    let text = decompressed(&reply);
    assert!(text.starts_with("___eio[0](\"0{"), "{text}");
    assert!(text.ends_with("\");"), "{text}");
}

#[tokio::test]
async fn header_hooks_see_the_encoding() {
    let config = ServerConfig::default().headers(|headers, _| {
        let seen = headers.get("content-encoding").cloned();
        headers.extend(seen.map(|seen| (http::HeaderName::from_static("x-seen"), seen)));
    });
    let host = Host::echo(config).await;
    let reply = poll(&mut host.polling().await, "gzip", 2000).await;
    assert_eq!(reply.header("x-seen"), Some("gzip"));
}

#[tokio::test]
async fn a_websocket_handshake_sets_the_cookie_too() {
    let cookie = Cookie::new("sticky")
        .path("/engine.io/")
        .max_age(Duration::from_secs(60))
        .secure(true)
        .same_site(SameSite::None);
    let host = Host::new(ServerConfig::default().cookie(cookie)).await;
    let target = "/engine.io/?EIO=4&transport=websocket";
    let mut http = host.http().await;
    let reply = http.request("GET", target, upgrade_headers(), b"").await;
    assert_eq!(reply.status, 101);
    let sid = host.accept().await.sid().to_string();
    let expected =
        format!("sticky={sid}; Max-Age=60; Path=/engine.io/; HttpOnly; Secure; SameSite=None");
    assert_eq!(reply.header("set-cookie"), Some(&*expected));
}

#[tokio::test]
async fn an_upgrade_sets_no_cookie_and_runs_the_hook_of_every_answer() {
    let config = ServerConfig::default()
        .cookie(Cookie::default())
        .initial_headers(|headers, _| {
            headers.insert("x-first", http::HeaderValue::from_static("1"));
        })
        .headers(|headers, _| {
            headers.insert("x-every", http::HeaderValue::from_static("1"));
        });
    let host = Host::echo(config).await;
    let polling = host.polling().await;
    let target = format!("/engine.io/?EIO=4&transport=websocket&sid={}", polling.sid);
    let mut http = host.http().await;
    let reply = http.request("GET", &target, upgrade_headers(), b"").await;
    assert_eq!(reply.status, 101);
    assert_eq!(reply.header("set-cookie"), None);
    assert_eq!(reply.header("x-first"), None);
    assert_eq!(reply.header("x-every"), Some("1"));
}

#[tokio::test]
async fn preflight_requests_get_their_status_or_pass() {
    let origin = "Origin: https://a.example\r\n";
    let config = |cors| ServerConfig::default().cors(cors);
    let cors = Cors::reflect().preflight_status(StatusCode::OK);
    let host = Host::echo(config(cors)).await;
    let mut http = host.http().await;
    let reply = http.request("OPTIONS", POLLING, origin, b"").await;
    reply.check(200, "");
    assert_eq!(
        reply.header("vary"),
        Some("Origin, Access-Control-Request-Headers")
    );

    let host = Host::echo(config(Cors::reflect().preflight_status(None))).await;
    let polling = host.polling().await;
    for (target, status) in [(POLLING.to_owned(), 400), (polling.target(), 500)] {
        let mut http = host.http().await;
        let reply = http.request("OPTIONS", &target, origin, b"").await;
        assert_eq!(reply.status, status);
        assert_eq!(
            reply.header("access-control-allow-methods"),
            Some("GET,HEAD,PUT,PATCH,POST,DELETE")
        );
    }
}

#[tokio::test]
async fn compression_and_cors_share_the_vary_header() {
    let host = Host::echo(ServerConfig::default().cors(Cors::reflect())).await;
    let reply = poll(&mut host.polling().await, "gzip", 2000).await;
    assert_eq!(reply.header("vary"), Some("Accept-Encoding, Origin"));
}

#[tokio::test]
async fn the_trailing_slash_can_be_left_away() {
    let config = ServerConfig::default().add_trailing_slash(false);
    let host = Host::echo(config).await;
    let mut http = host.http().await;
    for (target, status) in [
        ("/engine.io?EIO=4&transport=polling", 200),
        ("/engine.io/?EIO=4&transport=polling", 200),
        ("/engine.iota?EIO=4&transport=polling", 404),
    ] {
        assert_eq!(http.get(target).await.status, status, "{target}");
    }
    let host = Host::echo(ServerConfig::default()).await;
    let mut http = host.http().await;
    for (target, status) in [
        ("/engine.io/more?EIO=4&transport=polling", 200),
        ("/engine.io?EIO=4&transport=polling", 404),
    ] {
        assert_eq!(http.get(target).await.status, status, "{target}");
    }
}

#[tokio::test]
async fn the_whole_request_is_kept_on_demand() {
    let host = Host::new(ServerConfig::default().keep_request_parts(true)).await;
    let target = "/engine.io/?EIO=4&transport=websocket";
    let headers = format!("{}X-Test: 1\r\n", upgrade_headers());
    let mut http = host.http().await;
    http.request("GET", target, &headers, b"").await;
    let socket = host.accept().await;
    let parts = socket.request().parts().unwrap();
    assert_eq!(parts.headers["x-test"], "1");
    assert_eq!(parts.uri, target);
    assert!(
        parts
            .extensions
            .get::<hyper::upgrade::OnUpgrade>()
            .is_none()
    );
    assert!(
        parts
            .extensions
            .get::<engine_io::ConnectionInfo>()
            .is_some()
    );

    let host = Host::new(ServerConfig::default()).await;
    let (_polling, socket) = host.polling_pair().await;
    assert!(socket.request().parts().is_none());
}

#[tokio::test]
async fn an_upgrade_for_another_path_is_closed_without_an_answer() {
    let config = ServerConfig::default;
    let host = Host::new(config().destroy_upgrade(Duration::from_millis(50))).await;
    let mut http = host.http().await;
    http.send("GET", "/other", upgrade_headers(), b"").await;
    assert!(http.is_ended().await);
    // Plain requests are answered.
    host.http().await.get("/other").await.check(404, "");

    let host = Host::new(config().destroy_upgrade(None)).await;
    let mut http = host.http().await;
    let reply = http.request("GET", "/other", upgrade_headers(), b"").await;
    reply.check(404, "");
}
