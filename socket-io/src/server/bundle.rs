//! Serves the browser client out of its npm package.
//!
//! A file is read when it is first asked for, compressed when that form is first asked for, and stays in memory: eight files of a megabyte in all, each in up to
//! four forms. Source: the reference's `serve` in `socket.io/lib/index.ts`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use engine_io::ContentEncoding;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use serde::Deserialize;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

use crate::BROTLI;

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
/// The forms of a file, the preferred one first. Without the feature `brotli`, the first one is left out.
const ENCODINGS: [ContentEncoding; 3] = [
    ContentEncoding::Brotli,
    ContentEncoding::Gzip,
    ContentEncoding::Deflate,
];

/// The files of one folder.
#[derive(Debug)]
pub(crate) struct Bundles {
    dist: PathBuf,
    files: [OnceCell<File>; FILES.len()],
}

/// A file in memory.
#[derive(Debug)]
struct File {
    content: Bytes,
    /// The version of the package, as the reference has it; the same for all forms.
    tag: HeaderValue,
    compressed: [OnceCell<Option<Bytes>>; ENCODINGS.len()],
}

/// One of the files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name(usize);

impl Name {
    /// The file that a path under the server's asks for.
    pub(crate) fn requested(path: &str) -> Option<Self> {
        FILES.iter().position(|file| *file == path).map(Self)
    }

    fn as_str(self) -> &'static str {
        FILES[self.0]
    }
}

impl Bundles {
    pub(crate) fn new(dist: &Path) -> Self {
        Self {
            dist: dist.to_owned(),
            files: Default::default(),
        }
    }

    /// The answer to a request for a file; `None` when it is not in the folder.
    pub(crate) async fn serve(&self, name: Name, request: &HeaderMap) -> Option<Response<Bytes>> {
        let file = self.load(name).await?;
        let mut response = Response::new(Bytes::new());
        let known = file.is_known(request);
        if known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            let offered = if BROTLI.is_some() { 0.. } else { 1.. };
            let encoding = ContentEncoding::negotiate(request, &ENCODINGS[offered]);
            let compressed = match encoding {
                Some(encoding) => file.compressed(encoding).await,
                None => None,
            };
            if let (Some(encoding), Some(_)) = (encoding, &compressed) {
                let encoding = HeaderValue::from_static(encoding.name());
                response
                    .headers_mut()
                    .insert(header::CONTENT_ENCODING, encoding);
            }
            *response.body_mut() = compressed.unwrap_or_else(|| file.content.clone());
        }
        let headers = response.headers_mut();
        let content_type = if name.as_str().ends_with(".map") {
            "application/json; charset=utf-8"
        } else {
            "application/javascript; charset=utf-8"
        };
        if !known {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=0"),
        );
        headers.insert(header::ETAG, file.tag.clone());
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        Some(response)
    }

    /// What cannot be read is tried anew next time.
    async fn load(&self, name: Name) -> Option<&File> {
        let load = || async {
            let dist = self.dist.clone();
            let loaded = spawn_blocking(move || File::load(&dist, name.as_str())).await;
            loaded.map_err(io::Error::other)?
        };
        match self.files[name.0].get_or_try_init(load).await {
            Ok(file) => Some(file),
            Err(error) => {
                tracing::warn!(name: "bundle_unreadable", target: "socket_io", file = name.as_str(), %error);
                None
            }
        }
    }
}

impl File {
    fn load(dist: &Path, file: &str) -> io::Result<Self> {
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
        Ok(Self {
            content: content.into(),
            tag: HeaderValue::try_from(tag).map_err(io::Error::other)?,
            compressed: Default::default(),
        })
    }

    /// Whether the client has this version already.
    fn is_known(&self, request: &HeaderMap) -> bool {
        let known = request.get_all(header::IF_NONE_MATCH).iter();
        known
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            .any(|tag| tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == self.tag.as_bytes())
    }

    /// The compressed form; `None` when it could not be made.
    async fn compressed(&self, encoding: ContentEncoding) -> Option<Bytes> {
        let index = ENCODINGS.iter().position(|known| *known == encoding)?;
        let compressed = self.compressed[index].get_or_init(|| async {
            let content = self.content.clone();
            let compressed = spawn_blocking(move || compress(encoding, &content)).await;
            compressed.ok()?.ok().map(Bytes::from)
        });
        compressed.await.clone()
    }
}

fn compress(encoding: ContentEncoding, content: &[u8]) -> io::Result<Vec<u8>> {
    match (encoding, BROTLI) {
        (ContentEncoding::Brotli, Some(compress)) => compress(content),
        (ContentEncoding::Gzip, _) => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(content)?;
            encoder.finish()
        }
        (ContentEncoding::Deflate, _) => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(content)?;
            encoder.finish()
        }
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const CODE: &str = "let answer = 42; let answer = 42; let answer = 42; let answer = 42;";

    /// A package with one file, gone when dropped.
    struct Package(PathBuf);

    impl Package {
        fn new(name: &str) -> Self {
            let folder = format!("socket-io-bundles-{}-{name}", std::process::id());
            let package = Self(std::env::temp_dir().join(folder));
            std::fs::create_dir_all(package.dist()).unwrap();
            package.write("package.json", r#"{"version":"4.8.4"}"#);
            package.write("dist/socket.io.js", CODE);
            package
        }

        fn write(&self, file: &str, content: &str) {
            std::fs::write(self.0.join(file), content).unwrap();
        }

        fn dist(&self) -> PathBuf {
            self.0.join("dist")
        }
    }

    impl Drop for Package {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    async fn serve(
        bundles: &Bundles,
        file: &str,
        name: header::HeaderName,
        value: &str,
    ) -> Option<Response<Bytes>> {
        let request = HeaderMap::from_iter([(name, value.parse().unwrap())]);
        bundles
            .serve(Name::requested(file).unwrap(), &request)
            .await
    }

    #[test]
    fn nothing_but_the_client_s_files_is_served() {
        for file in ["", "package.json", "../package.json", "SOCKET.IO.JS"] {
            assert!(Name::requested(file).is_none(), "{file}");
        }
        assert_eq!(Name::requested("socket.io.esm.min.js").unwrap().0, 4);
    }

    #[tokio::test]
    async fn a_file_comes_in_the_form_that_the_client_prefers() {
        let package = Package::new("forms");
        let bundles = Bundles::new(&package.dist());
        let get = async |accepted| {
            let response = serve(&bundles, "socket.io.js", header::ACCEPT_ENCODING, accepted);
            let response = response.await.unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(response.headers()[header::VARY], "Accept-Encoding");
            let encoding = response.headers().get(header::CONTENT_ENCODING).cloned();
            (encoding, response.into_body())
        };
        assert_eq!(get("identity").await, (None, CODE.into()));
        let mut text = String::new();
        let (encoding, body) = get("gzip, deflate").await;
        assert_eq!(encoding.unwrap(), "gzip");
        let mut decoder = flate2::read::GzDecoder::new(&body[..]);
        decoder.read_to_string(&mut text).unwrap();
        assert_eq!(text, CODE);
        let (encoding, body) = get("deflate").await;
        assert_eq!(encoding.unwrap(), "deflate");
        let mut decoder = flate2::read::ZlibDecoder::new(&body[..]);
        text.clear();
        decoder.read_to_string(&mut text).unwrap();
        assert_eq!(text, CODE);
        let (encoding, _) = get("br, gzip;q=0.5").await;
        let best = if BROTLI.is_some() { "br" } else { "gzip" };
        assert_eq!(encoding.unwrap(), best);
    }

    #[tokio::test]
    async fn a_known_version_is_not_sent_again() {
        let package = Package::new("tags");
        let bundles = Bundles::new(&package.dist());
        for (tag, status) in [
            ("\"4.8.4\"", 304),
            ("W/\"4.8.4\"", 304),
            ("\"4.8.3\", W/\"4.8.4\"", 304),
            ("*", 304),
            ("\"4.8.3\"", 200),
            ("4.8.4", 200),
        ] {
            let response = serve(&bundles, "socket.io.js", header::IF_NONE_MATCH, tag);
            let response = response.await.unwrap();
            assert_eq!(response.status(), status, "{tag}");
            assert_eq!(response.headers()[header::ETAG], "\"4.8.4\"");
            assert_eq!(
                response.headers()[header::CACHE_CONTROL],
                "public, max-age=0"
            );
            assert_eq!(response.body().is_empty(), status == 304);
        }
    }

    #[tokio::test]
    async fn a_file_is_read_once_and_a_missing_one_again() {
        let package = Package::new("cache");
        let bundles = Bundles::new(&package.dist());
        let get = |file| serve(&bundles, file, header::ACCEPT, "*/*");
        assert!(get("socket.io.js").await.is_some());
        package.write("dist/socket.io.js", "changed");
        assert_eq!(get("socket.io.js").await.unwrap().body(), CODE);
        assert!(get("socket.io.js.map").await.is_none());
        package.write("dist/socket.io.js.map", "{}");
        let map = get("socket.io.js.map").await.unwrap();
        assert_eq!(
            map.headers()[header::CONTENT_TYPE],
            "application/json; charset=utf-8"
        );
    }
}
