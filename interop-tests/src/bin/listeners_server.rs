//! One server on three listeners, for the suite `listeners.test.js`.
//!
//! | setting | what it is |
//! |---|---|
//! | `PORT` | the port of the plain listener |
//! | `TLS_PORT` | the port of the one with TLS |
//! | `CERTIFICATE` | the file to which the certificate is written that clients are to trust |
//! | `SOCKET` | the path of the Unix socket |

use std::error::Error;

use socket_io::{Acceptor, Handshake, RawArgs, SocketIo, TlsConfig};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = |name| -> Result<(&str, u16), Box<dyn Error>> {
        Ok(("127.0.0.1", std::env::var(name)?.parse()?))
    };
    let io = SocketIo::builder().build();
    io.of("/")
        .on("ask", async |args: RawArgs| args)
        .on("handshake", async |handshake: Handshake| handshake);

    let names = ["localhost", "127.0.0.1"].map(str::to_owned);
    let certified = rcgen::generate_simple_self_signed(names)?;
    let (chain, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
    let config = TlsConfig::from_pem(chain.as_bytes(), key.as_bytes())?;
    std::fs::write(std::env::var("CERTIFICATE")?, chain)?;

    let unix = Acceptor::bind_unix(std::env::var("SOCKET")?).await?;
    let tls = Acceptor::from(TcpListener::bind(port("TLS_PORT")?).await?).tls(config);
    // The last one, since its port tells that all are there.
    let plain = TcpListener::bind(port("PORT")?).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    let close = async {
        terminate.recv().await;
        io.close();
    };
    tokio::join!(io.serve(plain), io.serve(tls), io.serve(unix), close);
    Ok(())
}
