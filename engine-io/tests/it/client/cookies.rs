//! Cookies over requests, the upgrade and connections.

use std::sync::Arc;

use engine_io::{ClientConfig, CookieJar, Cookies, ServerConfig, Transport};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use parking_lot::Mutex;

use super::{check_echo, only, upgraded};
use crate::support::Host;

type Seen = Arc<Mutex<Vec<(bool, String)>>>;

/// A server that sets cookies at handshakes, and what its requests sent: whether they are handshakes, and their cookies in order.
async fn host() -> (Host, Seen) {
    let seen = Seen::default();
    let record = seen.clone();
    let config = ServerConfig::default()
        .initial_headers(|headers: &mut HeaderMap, _| {
            for cookie in [
                "1=1; Path=/; Max-Age=86400",
                "2=2; Path=/; HttpOnly; SameSite=Strict",
                "3=3; Path=/; Max-Age=0",
                "4=4; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            ] {
                headers.append(SET_COOKIE, HeaderValue::from_static(cookie));
            }
        })
        .headers(move |_, parts| {
            let handshake = !parts.uri.query().unwrap_or_default().contains("sid=");
            let cookies = parts.headers.get_all(COOKIE);
            assert!(cookies.iter().count() <= 1);
            let header = parts.headers.get(COOKIE);
            let mut cookies: Vec<_> = header
                .map_or("", |value| value.to_str().unwrap())
                .split("; ")
                .collect();
            cookies.sort();
            record.lock().push((handshake, cookies.join("; ")));
        });
    (Host::echo(config).await, seen)
}

/// The cookies of the handshake and of all other requests.
fn sent(seen: &Seen) -> [Vec<String>; 2] {
    let mut seen = std::mem::take(&mut *seen.lock());
    assert!(seen.len() >= 3);
    seen.sort();
    seen.dedup();
    [true, false].map(|handshake| {
        let seen = seen.iter().filter(|(kind, _)| *kind == handshake);
        seen.map(|(_, cookies)| cookies.clone()).collect()
    })
}

async fn session(host: &Host, config: &ClientConfig) {
    let mut socket = host.connect(config).await.unwrap();
    check_echo(&mut socket).await;
    upgraded(&mut socket).await;
    check_echo(&mut socket).await;
}

#[tokio::test]
async fn without_a_jar_there_are_none() {
    let (host, seen) = host().await;
    session(&host, &ClientConfig::default()).await;
    assert_eq!(sent(&seen), [[""], [""]]);
}

#[tokio::test]
async fn a_jar_of_a_connection_serves_its_requests_and_its_upgrade() {
    let (host, seen) = host().await;
    let config = ClientConfig::default().cookies(Cookies::PerConnection);
    for _ in 0..2 {
        session(&host, &config).await;
        assert_eq!(sent(&seen), [[""], ["1=1; 2=2"]]);
    }
}

#[tokio::test]
async fn a_shared_jar_survives_connections() {
    let (host, seen) = host().await;
    let jar = CookieJar::new();
    let config = ClientConfig::default().cookies(Cookies::Shared(jar.clone()));
    session(&host, &config).await;
    assert_eq!(sent(&seen), [[""], ["1=1; 2=2"]]);
    for _ in 0..3 {
        session(&host, &config).await;
        assert_eq!(sent(&seen), [["1=1; 2=2"], ["1=1; 2=2"]]);
    }
    assert_eq!(jar.header(&host.url()).unwrap().len(), "1=1; 2=2".len());
}

#[tokio::test]
async fn handshakes_of_websockets_set_cookies_too() {
    let (host, _) = host().await;
    let jar = CookieJar::new();
    let config = only(Transport::WebSocket).cookies(Cookies::Shared(jar.clone()));
    host.connect(&config).await.unwrap();
    assert!(jar.header(&host.url()).unwrap().contains("1=1"));
}

#[tokio::test]
async fn a_caller_s_cookie_header_stays_as_it_is() {
    let (host, seen) = host().await;
    let config = ClientConfig::default()
        .cookies(Cookies::Shared(CookieJar::new()))
        .header(COOKIE, HeaderValue::from_static("own=1"));
    for _ in 0..3 {
        session(&host, &config).await;
        assert_eq!(sent(&seen), [["own=1"], ["own=1"]]);
    }
}
