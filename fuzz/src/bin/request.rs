//! A request: query, headers, offers of extensions, and the form of a POST by JSONP.
#![no_main]

use engine_io::{ContentEncoding, fuzzing};
use http::header::{HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_EXTENSIONS};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|&byte| byte == b'\n');
    let target = lines.next().unwrap_or_default();
    fuzzing::read_jsonp(target);
    fuzzing::read_query(&String::from_utf8_lossy(target));
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_at(line.iter().position(|&byte| byte == b':').unwrap_or(0));
        let name = HeaderName::from_bytes(name);
        let value = HeaderValue::from_bytes(value.get(1..).unwrap_or_default());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let offered = [ContentEncoding::Gzip, ContentEncoding::Deflate];
    ContentEncoding::negotiate(&headers, &offered);
    let (answer, _) = fuzzing::negotiate_deflate(&headers);
    if let Some(answer) = answer {
        // What a server of ours answers, a client of ours accepts.
        let mut headers = HeaderMap::new();
        let answer = answer.parse().expect("an answer is a header");
        headers.insert(SEC_WEBSOCKET_EXTENSIONS, answer);
        assert!(fuzzing::negotiate_deflate(&headers).1);
    }
    let Ok(request) = http::Request::get(target).body(()) else {
        return;
    };
    let mut parts = request.into_parts().0;
    parts.headers = headers;
    let request = fuzzing::remember(&parts);
    let sent = parts.headers.iter();
    let mut sent: Vec<_> = sent
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    let authority = parts.uri.authority();
    if let Some(host) = authority.filter(|_| !parts.headers.contains_key("host")) {
        sent.insert(0, ("host", host.as_str().as_bytes()));
    }
    assert_eq!(request.headers().collect::<Vec<_>>(), sent);
    let target = parts.uri.path_and_query();
    assert_eq!(
        request.target(),
        target.map_or("/", |target| target.as_str())
    );
    request.query().for_each(drop);
});
