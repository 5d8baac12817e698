//! The options of compression.

/// How WebSocket messages are compressed with peers that offer permessage-deflate.
///
/// Compression saves bandwidth and costs time, 10 to 20 µs for a message of 2 KiB and some 5 ms for one of 1 MB, in the task that sends. It costs no memory
/// per connection: each thread that sends keeps one compressor, up to 380 KiB, and each that receives one decompressor, 48 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateConfig {
    pub(super) threshold: usize,
    pub(super) level: u8,
}

impl Default for DeflateConfig {
    fn default() -> Self {
        Self {
            threshold: 1024,
            level: 3,
        }
    }
}

impl DeflateConfig {
    /// Messages of fewer bytes are sent as they are, the character of the packet's type included. Default 1024.
    #[must_use]
    pub fn threshold(mut self, bytes: usize) -> Self {
        self.threshold = bytes;
        self
    }

    /// From 1, fast, to 9, small. Default 3: of JSON it leaves hardly more bytes than zlib's own default, 6, and is faster with long messages.
    ///
    /// # Panics
    ///
    /// If it is another number.
    #[must_use]
    pub fn level(mut self, level: u8) -> Self {
        assert!(
            (1..=9).contains(&level),
            "a level is a number from 1 to 9, not {level}"
        );
        self.level = level;
        self
    }
}
