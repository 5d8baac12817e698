//! TLS in the stand-alone listener.

use std::io;

use engine_io::{Acceptor, TlsConfig};
use tokio::net::{TcpListener, ToSocketAddrs};

use crate::SocketIo;

impl SocketIo {
    /// Listens on a TCP address and serves over TLS until [`close`](Self::close). Feature `tls`.
    ///
    /// A client has 10 s to negotiate; one that fails is let go, and the others do not notice. HTTP/2 is offered, too, with WebSockets on its streams.
    ///
    /// ```no_run
    /// # async fn example(io: socket_io::SocketIo) -> Result<(), Box<dyn std::error::Error>> {
    /// use socket_io::TlsConfig;
    /// let tls = TlsConfig::from_pem_files("chain.pem", "key.pem")?;
    /// io.listen_tls("0.0.0.0:443", tls).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the address cannot be bound.
    ///
    /// # Cancel safety
    ///
    /// As [`serve`](Self::serve).
    pub async fn listen_tls(
        &self,
        address: impl ToSocketAddrs,
        config: impl Into<TlsConfig>,
    ) -> io::Result<()> {
        let listener = TcpListener::bind(address).await?;
        self.serve(Acceptor::from(listener).tls(config)).await;
        Ok(())
    }
}
