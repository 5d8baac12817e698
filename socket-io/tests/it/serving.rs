//! Over HTTP: the browser client's files, other services beside the server, other paths.

use std::convert::Infallible;
use std::fs;
use std::future::{Ready, ready};
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use socket_io::{Cookie, SocketIo};
use tower_layer::Layer;
use tower_service::Service;

use crate::support::{Client, Stage, respond};

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("socket-io-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    /// A package as npm would unpack it; returns its `dist`.
    fn package(&self, manifest: Option<&str>) -> PathBuf {
        if let Some(manifest) = manifest {
            fs::write(self.0.join("package.json"), manifest).unwrap();
        }
        let dist = self.0.join("dist");
        fs::create_dir_all(&dist).unwrap();
        for file in [
            "socket.io.js",
            "socket.io.js.map",
            "socket.io.esm.min.js",
            "secret.txt",
        ] {
            fs::write(dist.join(file), format!("content of {file}")).unwrap();
        }
        dist
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

async fn get(io: &SocketIo, path: &str, tag: Option<&str>) -> Response<Bytes> {
    let mut request = Request::builder().uri(path);
    if let Some(tag) = tag {
        request = request.header("If-None-Match", tag);
    }
    respond(io, request.body(Full::default()).unwrap()).await
}

fn header<'a>(response: &'a Response<Bytes>, name: &str) -> Option<&'a str> {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap())
}

const UNKNOWN_TRANSPORT: &[u8] = br#"{"code":0,"message":"Transport unknown"}"#;

#[tokio::test]
async fn the_files_of_the_browser_client_are_served_with_the_version_as_tag() {
    let folder = Folder::new("served");
    let dist = folder.package(Some(r#"{"name":"socket.io-client","version":"4.8.4"}"#));
    let io = SocketIo::builder().serve_client(&dist).build();
    for (file, content_type) in [
        ("socket.io.js", "application/javascript; charset=utf-8"),
        (
            "socket.io.esm.min.js",
            "application/javascript; charset=utf-8",
        ),
        ("socket.io.js.map", "application/json; charset=utf-8"),
    ] {
        for query in ["", "?v=1"] {
            let response = get(&io, &format!("/socket.io/{file}{query}"), None).await;
            assert_eq!(response.status(), 200);
            assert_eq!(header(&response, "content-type"), Some(content_type));
            assert_eq!(
                header(&response, "cache-control"),
                Some("public, max-age=0")
            );
            assert_eq!(header(&response, "etag"), Some("\"4.8.4\""));
            assert_eq!(**response.body(), *format!("content of {file}").as_bytes());
        }
    }
}

#[tokio::test]
async fn a_file_that_the_browser_has_is_not_sent_again() {
    let folder = Folder::new("tags");
    let dist = folder.package(Some(r#"{"version":"4.8.4"}"#));
    let io = SocketIo::builder().serve_client(&dist).build();
    for (tag, status) in [
        ("\"4.8.4\"", 304),
        ("W/\"4.8.4\"", 304),
        ("\"4.8.3\"", 200),
        ("4.8.4", 200),
        ("W/4.8.4", 200),
    ] {
        let response = get(&io, "/socket.io/socket.io.js", Some(tag)).await;
        assert_eq!(response.status(), status, "{tag}");
        assert_eq!(response.body().is_empty(), status == 304, "{tag}");
        assert_eq!(header(&response, "etag"), Some("\"4.8.4\""));
    }
}

#[tokio::test]
async fn nothing_else_of_the_folder_is_served() {
    let folder = Folder::new("others");
    let dist = folder.package(None);
    let io = SocketIo::builder().serve_client(&dist).build();
    for path in [
        "/socket.io/secret.txt",
        "/socket.io/../package.json",
        "/socket.io/%2e%2e/package.json",
        "/socket.io//socket.io.js",
        "/socket.io/socket.io.js/",
        "/socket.io/SOCKET.IO.JS",
        "/socket.io/",
        // On the list, but not there.
        "/socket.io/socket.io.min.js",
    ] {
        let response = get(&io, path, None).await;
        assert_eq!(
            (response.status().as_u16(), &**response.body()),
            (400, UNKNOWN_TRANSPORT),
            "{path}"
        );
    }
    // Without a manifest there still is a tag.
    let response = get(&io, "/socket.io/socket.io.js", None).await;
    let tag = header(&response, "etag").unwrap();
    assert_eq!(
        get(&io, "/socket.io/socket.io.js", Some(tag))
            .await
            .status(),
        304
    );
}

#[tokio::test]
async fn without_the_folder_or_the_option_there_are_no_files() {
    let missing = Path::new("/no/such/folder");
    for io in [
        SocketIo::builder().serve_client(missing).build(),
        SocketIo::builder().build(),
    ] {
        let response = get(&io, "/socket.io/socket.io.js", None).await;
        assert_eq!(
            (response.status().as_u16(), &**response.body()),
            (400, UNKNOWN_TRANSPORT)
        );
    }
}

#[tokio::test]
async fn other_paths_are_not_found_and_the_path_can_be_changed() {
    let folder = Folder::new("path");
    let dist = folder.package(None);
    let io = SocketIo::builder()
        .path("/live/")
        .serve_client(&dist)
        .build();
    assert_eq!(
        get(&io, "/socket.io/socket.io.js", None).await.status(),
        404
    );
    assert_eq!(get(&io, "/live/socket.io.js", None).await.status(), 200);
    assert_eq!(
        get(&io, "/live/?EIO=4&transport=polling", None)
            .await
            .status(),
        200
    );
}

/// Another tower service.
#[derive(Clone)]
struct Pages;

impl Service<Request<Full<Bytes>>> for Pages {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        ready(Ok(Response::new(Full::from(format!(
            "page {}",
            request.uri().path()
        )))))
    }
}

#[tokio::test]
async fn a_layer_takes_its_own_requests_and_passes_the_others_on() {
    let io = SocketIo::builder().build();
    let mut service = io.layer().layer(Pages);
    for (path, start) in [
        ("/", "page /"),
        ("/socket.iox", "page /socket.iox"),
        ("/other/socket.io/", "page /other/socket.io/"),
        ("/socket.io/?EIO=4&transport=polling", "0{\"sid\":"),
        ("/socket.io/?EIO=3&transport=polling", "{\"code\":5,"),
    ] {
        let request = Request::builder().uri(path).body(Full::default()).unwrap();
        let response = service.call(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(body.starts_with(start.as_bytes()), "{path}: {body:?}");
    }
    assert_eq!(io.connections(), 1);
}

#[tokio::test]
async fn options_of_the_engine_reach_the_engine() {
    let stage = Stage::with(|builder| {
        builder
            .cookie(Cookie::default())
            .allow_request(|parts| {
                let refused = parts.headers.contains_key("x-refuse");
                async move {
                    if refused {
                        Err("not you".into())
                    } else {
                        Ok(())
                    }
                }
            })
            .engine(|engine| engine.max_payload(12_345))
    });
    let response = get(&stage.io, "/socket.io/?EIO=4&transport=polling", None).await;
    assert!(header(&response, "set-cookie").unwrap().starts_with("io="));
    assert!(response.body().ends_with(br#""maxPayload":12345}"#));
    let request = Request::builder()
        .uri("/socket.io/?EIO=4&transport=polling")
        .header("X-Refuse", "1")
        .body(Full::default())
        .unwrap();
    let response = respond(&stage.io, request).await;
    assert_eq!(
        (response.status().as_u16(), &**response.body()),
        (403, &br#"{"code":4,"message":"not you"}"#[..])
    );
    let host = stage.listen().await;
    Client::open(host.address).await.join("/").await;
}
