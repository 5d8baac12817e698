//! permessage-deflate: compressed WebSocket messages.
//!
//! Both sides begin each message with an empty window ("no context takeover"). So a message compressed once suits every peer, and a connection keeps no
//! codec: those belong to the thread, and an idle connection is as small as without compression.
//!
//! | message | frame |
//! |---|---|
//! | `4aaaaaaaa…` | `c1`, length, compressed data: FIN, RSV1 and the opcode of text |
//! | below the threshold, [`Frame::uncompressed`], or not smaller when compressed | `81`, length, `4aaaa…` |
//! | in fragments | `41` …, `00` …, `80` …: RSV1 on the first only, the data compressed as a whole |
//!
//! What leaves is compressed by whoever sends it, before any lock is taken; what arrives is inflated beside tungstenite, which never sees RSV1 unless a
//! peer breaks the rules.
//!
//! Source: RFC 7692.

mod codec;
mod config;
mod inflater;
mod offer;
#[cfg(test)]
mod tests;

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

pub use config::DeflateConfig;
pub(crate) use inflater::Inflater;

use crate::frame::Frame;

/// What was agreed on with a peer, in the bits of one number: threshold, level, window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agreed(NonZeroU64);

impl Agreed {
    /// `window_bits` is the peer's limit, 8 to 15.
    fn new(config: DeflateConfig, window_bits: u8) -> Option<Self> {
        let threshold = (config.threshold as u64).min(u64::MAX >> 8);
        let bits = threshold << 8 | u64::from(config.level & 15) << 4 | u64::from(window_bits & 15);
        NonZeroU64::new(bits).map(Self)
    }

    fn threshold(self) -> u64 {
        self.0.get() >> 8
    }

    fn level(self) -> u8 {
        (self.0.get() >> 4 & 15) as u8
    }

    /// How many bytes back compressed data may refer to.
    fn window(self) -> u64 {
        1 << (self.0.get() & 15)
    }
}

/// What senders of a session have to know: whether its WebSocket agreed on compression, and on which.
#[derive(Default)]
pub(crate) struct Agreement(AtomicU64);

impl Agreement {
    /// To be called once a WebSocket is the session's transport, and not before: nothing else can carry compressed frames.
    pub(crate) fn set(&self, agreed: Option<Agreed>) {
        self.0
            .store(agreed.map_or(0, |agreed| agreed.0.get()), Ordering::Release);
    }

    pub(crate) fn get(&self) -> Option<Agreed> {
        NonZeroU64::new(self.0.load(Ordering::Acquire)).map(Agreed)
    }
}

/// The compressed form of a frame, made when the first peer needs it; without one inside, the frame is sent as it is.
#[derive(Clone, Default)]
pub(crate) struct Deflated(OnceLock<Option<Arc<Frame>>>);

impl Frame {
    /// The form in which a peer gets the packet. Compresses at the first call that calls for it, and never again.
    pub(crate) fn for_peer(&self, agreed: Agreed) -> &Self {
        if !self.is_compressible() {
            return self;
        }
        let size = self.packet().len() as u64;
        // A message refers to itself only, so what is no longer than a window suits it.
        if size < agreed.threshold() || size > window_limit(agreed) {
            return self;
        }
        let deflated = self.deflated.0.get_or_init(|| {
            codec::deflate_frame(self.packet(), self.is_binary(), agreed.level()).map(Arc::new)
        });
        deflated.as_deref().unwrap_or(self)
    }
}

/// The longest message that is compressed for a peer. Ours have the largest window; a peer with a smaller one gets longer messages uncompressed, rather
/// than everybody another form.
fn window_limit(agreed: Agreed) -> u64 {
    match agreed.window() {
        0x8000 => u64::MAX,
        smaller => smaller,
    }
}
