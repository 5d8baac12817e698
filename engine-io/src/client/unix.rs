//! Connections to a server that listens on a Unix socket.

use std::path::PathBuf;

use tokio::net::UnixStream;

use super::connector::{Connecting, Connection, Connector};

/// Connects to one Unix socket, whatever host the URL names; that goes into the `Host` header.
#[derive(Clone, Debug)]
pub struct UnixConnector {
    path: PathBuf,
}

impl UnixConnector {
    /// The path of the socket.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

impl Connector for UnixConnector {
    fn connect<'a>(&'a self, _: &'a str, _: u16) -> Connecting<'a> {
        Box::pin(async { Ok(Connection::new(UnixStream::connect(&self.path).await?)) })
    }
}
