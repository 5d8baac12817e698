//! The URL of a server: `https://example.com/chat?token=x` is the namespace `/chat` of the server at `example.com`.
//!
//! The path is no path of the server here, as in the reference: that one comes from the options of Engine.IO, and is `/socket.io/`. The query goes with
//! each request of the connection.

use engine_io::Text;
use url::Url;

use crate::error::ConfigError;

/// The namespace that a URL names, `/` without a path. What the URL says beside it is not looked at.
pub(crate) fn namespace(url: &str) -> Result<Text, ConfigError> {
    let known = ["http://", "https://", "ws://", "wss://"];
    let scheme = known.into_iter().find(|scheme| {
        let start = url.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let no_scheme = || ConfigError::Scheme { url: url.into() };
    let rest = &url[scheme.ok_or_else(no_scheme)?.len()..];
    Url::parse(url).map_err(|error| ConfigError::Url(error.to_string()))?;
    let authority_ends = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let path = &rest[authority_ends..];
    let path_ends = path.find(['?', '#']).unwrap_or(path.len());
    Ok(normalize(&path[..path_ends]))
}

/// The name of a namespace begins with a slash, whatever a user writes.
pub(crate) fn normalize(name: &str) -> Text {
    if name.starts_with('/') {
        name.into()
    } else {
        format!("/{name}").into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_the_namespace() {
        let cases = [
            ("http://localhost:3000", "/"),
            ("http://localhost:3000/", "/"),
            ("https://example.com/chat", "/chat"),
            ("WSS://example.com/chat/room?x=/y#z", "/chat/room"),
            ("ws://[::1]:80?x=1", "/"),
            ("http://user:secret@example.com#/no", "/"),
            ("http://example.com/пойду", "/пойду"),
        ];
        for (url, expected) in cases {
            assert_eq!(namespace(url).expect(url), expected, "{url}");
        }
        assert_eq!(normalize("chat"), "/chat");
        assert_eq!(normalize(""), "/");
    }

    #[test]
    fn a_url_needs_a_scheme_and_a_host() {
        for url in [
            "localhost:3000",
            "example.com",
            "//example.com",
            "ftp://example.com",
            "",
            "й",
        ] {
            let error = namespace(url).expect_err(url);
            assert_eq!(error, ConfigError::Scheme { url: url.into() });
            assert!(error.to_string().contains("http://"), "{error}");
        }
        for url in ["http://", "http://example.com:70000", "http://[::1"] {
            assert!(matches!(namespace(url), Err(ConfigError::Url(_))), "{url}");
        }
    }
}
