//! What a client does not do: follow where it is sent, or tell its secrets.

use engine_io::{ClientConfig, ConnectError, Cookies, TransportError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{BOTH, only};
use crate::support::soon;

/// Text of an error with all of its causes, in every form.
fn printed(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(|cause| format!("{cause} {cause:?} ")).collect()
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_no_error_shows_the_password() {
    let (front, other) = tokio::join!(
        TcpListener::bind("127.0.0.1:0"),
        TcpListener::bind("127.0.0.1:0")
    );
    let (front, other) = (front.unwrap(), other.unwrap());
    let (address, elsewhere) = (front.local_addr().unwrap(), other.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = front.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else {
                    break;
                };
                head.push(byte);
            }
            // The password is sent where it belongs.
            assert!(String::from_utf8_lossy(&head).contains("Basic YW5uOnBhNTV3b3Jk"));
            let answer = format!(
                "HTTP/1.1 302 Found\r\nLocation: http://{elsewhere}/engine.io/\r\nContent-Length: 0\r\n\r\n"
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let url = format!("http://ann:pa55word@{address}/?token=t0ken");
    for transport in BOTH {
        let config = only(transport).cookies(Cookies::PerConnection);
        let error = soon(engine_io::connect(&url, &config)).await.unwrap_err();
        let ConnectError::Transport(_, TransportError::Status(refused)) = &error else {
            panic!("{error:?}");
        };
        assert_eq!(refused.status, 302);
        let printed = printed(&error);
        assert!(
            !printed.contains("pa55word") && !printed.contains("t0ken"),
            "{printed}"
        );
    }
    // Nobody has come here.
    tokio::select! {
        biased;
        _ = other.accept() => panic!("the client went where it was sent"),
        () = std::future::ready(()) => {}
    }
}

#[tokio::test]
async fn no_unusable_url_shows_the_password() {
    for url in [
        "http://ann:pa55word@",
        "ftp://ann:pa55word@a.example/",
        "http://ann:pa55word@a.example:99999/",
        "http://ann:pa55word@[::1/",
        "ann:pa55word@a.example",
        "http://ann:pa55word@127.0.0.1:1/?token=pa55word",
    ] {
        let error = soon(engine_io::connect(url, &ClientConfig::default()))
            .await
            .unwrap_err();
        let printed = printed(&error);
        assert!(!printed.contains("pa55word"), "{printed}");
    }
}
