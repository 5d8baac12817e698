//! The HTTP side: compression, CORS, cookie, headers, the browser client's files.

use std::ffi::OsStr;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use socket_io::{Cookie, Cors, Data, Handshake, SameSite, SocketIo, SocketIoBuilder};

/// With everything.
pub(crate) fn rich(client: Option<&OsStr>) -> SocketIo {
    let cors = Cors::matching(|origin| {
        origin == "https://app.example" || origin.ends_with(".app.example")
    })
    .credentials(true)
    .methods("GET,POST")
    .exposed_headers("x-every")
    .max_age(Duration::from_secs(600));
    let cookie = Cookie::new("sticky")
        .path("/socket.io/")
        .max_age(Duration::from_secs(3600))
        .secure(true)
        .same_site(SameSite::None);
    let one = || HeaderValue::from_static("1");
    let builder = SocketIo::builder()
        .cors(cors)
        .cookie(cookie)
        .engine(|engine| {
            engine
                .keep_request_parts(true)
                .initial_headers(move |headers, _| {
                    headers.insert(HeaderName::from_static("x-initial"), one());
                })
                .headers(move |headers, _| {
                    headers.insert(HeaderName::from_static("x-every"), one());
                })
        });
    serve(match client {
        Some(dist) => builder.serve_client(dist),
        None => builder,
    })
}

/// With everything switched off, and a path without its slash.
pub(crate) fn plain() -> SocketIo {
    let builder = SocketIo::builder();
    serve(builder.engine(|engine| engine.http_compression(None).add_trailing_slash(false)))
}

fn serve(builder: SocketIoBuilder) -> SocketIo {
    let io = builder.build();
    io.of("/")
        .on("echo", async |Data(text): Data<String>| text)
        .on("version", async |handshake: Handshake| {
            handshake
                .parts()
                .map(|parts| format!("{:?}", parts.version))
        });
    io
}
