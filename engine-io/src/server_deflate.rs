//! The option of a server for permessage-deflate.

use crate::deflate::DeflateConfig;
use crate::server::ServerConfig;

impl ServerConfig {
    /// Agrees on permessage-deflate with WebSocket clients that offer it: `permessage-deflate; server_no_context_takeover; client_no_context_takeover`.
    /// Off by default, as in the reference. Polling is not concerned.
    ///
    /// Needs the feature `deflate`. [`max_payload`](Self::max_payload) bounds a message before and after it is inflated; a larger one closes the
    /// connection with code 1009, and invalid data does with 1007.
    ///
    /// Unlike the reference, each message is compressed by itself, so that a broadcast is compressed once, the threshold holds, and
    /// [`Frame::uncompressed`](crate::Frame::uncompressed) is honoured.
    #[must_use]
    pub fn deflate(mut self, config: DeflateConfig) -> Self {
        self.deflate = Some(config);
        self
    }
}
