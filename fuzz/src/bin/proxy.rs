//! What a proxy answers to a client.
#![no_main]

use engine_io::{Proxy, fuzzing};
use fuzz::Input;
use libfuzzer_sys::fuzz_target;

const URLS: [&str; 4] = [
    "http://proxy:8080",
    "http://user:p%40ss@[::1]",
    "socks5://proxy",
    "socks5h://user:pass@127.0.0.1:1080",
];
const HOSTS: [&str; 3] = ["example.com", "127.0.0.1", "::1"];

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let proxy = Proxy::new(URLS[usize::from(input.below(4))]).expect("the URL is one");
    let host = HOSTS[usize::from(input.below(3))];
    let answer = input.0;
    // Whether it opens is decided by what was read: with less of it more is awaited, or it is the same.
    if let Some(result) = fuzzing::open_tunnel(&proxy, host, answer) {
        let more = [answer, b"behind"].concat();
        assert_eq!(fuzzing::open_tunnel(&proxy, host, &more), Some(result));
    }
});
