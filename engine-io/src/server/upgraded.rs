//! The byte stream taken out of hyper's upgraded connection.

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::connection::Stream;
use crate::tls;

/// Takes the stream out of an upgraded HTTP connection, so that nothing of the HTTP server stays in memory, and what it had read ahead.
pub(crate) fn stream(upgraded: Upgraded) -> (Stream, Bytes) {
    // The first is what the stand-alone listener serves.
    downcast::<Stream>(upgraded)
        .or_else(|upgraded| {
            let (stream, ahead) = downcast(upgraded)?;
            Ok((Stream::tcp(stream), ahead))
        })
        .or_else(tls::from_upgraded)
        .unwrap_or_else(|upgraded: Upgraded| {
            let stream = Stream::Other(Box::new(TokioIo::new(upgraded)));
            (stream, Bytes::new())
        })
}

/// The stream under an upgraded connection, if it is a `T`, and what had been read ahead. hyper's connections and hyper-util's automatic ones wrap it differently.
pub(crate) fn downcast<T: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    upgraded: Upgraded,
) -> Result<(T, Bytes), Upgraded> {
    let upgraded = match upgraded.downcast::<TokioIo<T>>() {
        Ok(parts) => return Ok((parts.io.into_inner(), parts.read_buf)),
        Err(upgraded) => upgraded,
    };
    let parts = hyper_util::server::conn::auto::upgrade::downcast::<TokioIo<T>>(upgraded)?;
    Ok((parts.io.into_inner(), parts.read_buf))
}
