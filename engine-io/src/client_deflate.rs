//! The option of a client for permessage-deflate.

use crate::client::ClientConfig;
use crate::deflate::DeflateConfig;

impl ClientConfig {
    /// Offers permessage-deflate in the handshakes of WebSockets, without context takeover on either side. Off by default; the reference offers it in
    /// Node.js. With [`force_base64`](Self::force_base64) nothing is offered.
    ///
    /// Needs the feature `deflate`. [`max_payload`](Self::max_payload) bounds a message before and after it is inflated.
    #[must_use]
    pub fn deflate(mut self, config: DeflateConfig) -> Self {
        self.deflate = Some(config);
        self
    }
}
