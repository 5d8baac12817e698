//! The byte stream under an HTTP connection that was upgraded.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::Extensions;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

use super::rewound::Rewound;
use crate::connection::Stream;
use crate::tls;

/// What a request has that may become a WebSocket: the byte stream, once the answer has been sent.
pub(crate) enum Upgrade {
    Hyper(OnUpgrade),
    /// Of the stand-alone listener's own connections.
    Own(Handover),
}

type Handover = oneshot::Receiver<(Stream, Bytes)>;

/// The latter in a request's extensions, which ask for `Clone`.
#[derive(Clone)]
struct Offer(Arc<Mutex<Option<Handover>>>);

/// Lets the request have the stream that is sent, and what was read ahead of it.
pub(crate) fn offer(extensions: &mut Extensions) -> oneshot::Sender<(Stream, Bytes)> {
    let (sender, receiver) = oneshot::channel();
    extensions.insert(Offer(Arc::new(Mutex::new(Some(receiver)))));
    sender
}

impl Upgrade {
    /// Takes it out of a request. `None` where the HTTP server has none to give.
    pub(crate) fn take(extensions: &mut Extensions) -> Option<Self> {
        match extensions.remove::<Offer>() {
            Some(Offer(receiver)) => receiver.lock().take().map(Self::Own),
            None => extensions.remove().map(Self::Hyper),
        }
    }

    /// The stream, and what was read ahead of it.
    pub(crate) async fn stream(self) -> io::Result<(Stream, Bytes)> {
        match self {
            Self::Hyper(upgrade) => upgrade.await.map(stream).map_err(io::Error::other),
            Self::Own(receiver) => receiver.await.map_err(io::Error::other),
        }
    }
}

/// Takes the stream out of an upgraded HTTP connection, so that nothing of the HTTP server stays in memory, and what it had read ahead.
fn stream(upgraded: Upgraded) -> (Stream, Bytes) {
    // The first two are what the stand-alone listener serves.
    downcast::<Stream>(upgraded)
        .or_else(|upgraded| {
            let (rewound, ahead) = downcast::<Rewound>(upgraded)?;
            Ok((rewound.stream, [ahead, rewound.ahead].concat().into()))
        })
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
