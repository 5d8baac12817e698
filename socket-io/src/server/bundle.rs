//! Serves the browser client out of its npm package.

use std::path::Path;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use serde::Deserialize;

/// The files that are served, and nothing else.
const FILES: [&str; 8] = [
    "socket.io.js",
    "socket.io.js.map",
    "socket.io.min.js",
    "socket.io.min.js.map",
    "socket.io.esm.min.js",
    "socket.io.esm.min.js.map",
    "socket.io.msgpack.min.js",
    "socket.io.msgpack.min.js.map",
];

/// The file that a path under the server's asks for.
pub(crate) fn requested(path: &str) -> Option<&'static str> {
    FILES.into_iter().find(|file| *file == path)
}

/// The answer to a request for one of the files; `None` when it is not in the folder.
///
/// The entity tag is the version of the package, as the reference has it.
pub(crate) async fn serve(
    dist: &Path,
    file: &'static str,
    request: &HeaderMap,
) -> Option<Response<Bytes>> {
    let dist = dist.to_owned();
    let loaded = tokio::task::spawn_blocking(move || load(&dist, file)).await;
    let (content, tag) = match loaded {
        Ok(Ok(loaded)) => loaded,
        Ok(Err(error)) => {
            tracing::warn!(file, %error, "file of the browser client not readable");
            return None;
        }
        Err(_) => return None,
    };
    let known = request.get(header::IF_NONE_MATCH).is_some_and(|value| {
        let value = value.as_bytes();
        value.strip_prefix(b"W/").unwrap_or(value) == tag.as_bytes()
    });
    let content_type = if file.ends_with(".map") {
        "application/json; charset=utf-8"
    } else {
        "application/javascript; charset=utf-8"
    };
    let mut response = Response::new(if known { Bytes::new() } else { content });
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    let headers = response.headers_mut();
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=0"),
    );
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    Some(response)
}

fn load(dist: &Path, file: &str) -> std::io::Result<(Bytes, String)> {
    #[derive(Deserialize)]
    struct Package {
        version: String,
    }
    let content = std::fs::read(dist.join(file))?;
    let manifest = dist
        .parent()
        .map(|package| std::fs::read(package.join("package.json")));
    let package = manifest
        .and_then(Result::ok)
        .and_then(|json| serde_json::from_slice::<Package>(&json).ok());
    // A copy of the folder without its package has only the size to go by.
    let tag = package.map_or_else(
        || format!("\"{file}-{}\"", content.len()),
        |package| format!("\"{}\"", package.version),
    );
    Ok((content.into(), tag))
}
