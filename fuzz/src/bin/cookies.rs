//! Cookies that a server sets.
#![no_main]

use engine_io::CookieJar;
use libfuzzer_sys::fuzz_target;

const URLS: [&str; 4] = [
    "http://example.com/socket.io/",
    "https://www.example.com/a/b",
    "ws://127.0.0.1:3000/",
    "wss://xn--bcher-kva.example/",
];

fuzz_target!(|data: &str| {
    let jar = CookieJar::new();
    for (index, line) in data.lines().enumerate() {
        let url = URLS[index % URLS.len()];
        let before = jar.header(url);
        if !jar.insert(url, line) {
            assert_eq!(jar.header(url), before, "nothing was taken");
        }
    }
    for url in URLS {
        if let Some(header) = jar.header(url) {
            assert!(!header.is_empty() && header.len() <= data.len() * 2 + 2);
        }
    }
    jar.clear();
    assert!(URLS.iter().all(|url| jar.header(url).is_none()));
});
