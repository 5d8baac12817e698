//! Compressed answers of polls.
//!
//! Source: the reference's `transports/polling.ts`.

use std::cell::Cell;

use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress, Status};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Extensions, Response};

use super::encoding::ContentEncoding;
use super::headers::vary;
use crate::frame::Frame;

/// What polls are offered, the preferred one first.
const OFFERED: [ContentEncoding; 2] = [ContentEncoding::Gzip, ContentEncoding::Deflate];
/// The window of gzip: 32 KiB.
const WINDOW_BITS: u8 = 15;
/// A body of this size takes longer than other tasks of the thread should wait.
const ASIDE: usize = 128 * 1024;

/// How the answers of polls are compressed, with gzip or deflate as the client prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpCompression {
    threshold: usize,
    level: u32,
}

impl Default for HttpCompression {
    fn default() -> Self {
        Self {
            threshold: 1024,
            level: 6,
        }
    }
}

impl HttpCompression {
    /// Bytes from which on a body is compressed. Default 1024.
    pub fn threshold(mut self, bytes: usize) -> Self {
        self.threshold = bytes;
        self
    }

    /// From 1 (fast) to 9 (small). Default 6.
    ///
    /// # Panics
    ///
    /// If it is another number.
    pub fn level(mut self, level: u32) -> Self {
        assert!((1..=9).contains(&level), "no level of compression: {level}");
        self.level = level;
        self
    }

    /// Compresses the answer to a poll if the client takes it, it is long enough, and it becomes shorter.
    pub(crate) async fn apply(self, response: &mut Response<Bytes>, request: &HeaderMap) {
        let body = response.body();
        if body.len() < self.threshold || response.extensions().get::<Incompressible>().is_some() {
            return;
        }
        // In a box, so that short answers need no room for it.
        Box::pin(self.compress(response, request)).await;
    }

    async fn compress(self, response: &mut Response<Bytes>, request: &HeaderMap) {
        let encoding = ContentEncoding::negotiate(request, &OFFERED);
        vary(response.headers_mut(), "Accept-Encoding");
        let Some(encoding) = encoding else { return };
        let body = response.body().clone();
        let compressed = if body.len() < ASIDE {
            compress(encoding, self.level, &body)
        } else {
            let task = move || Compressor::new(encoding, self.level).compress(&body);
            tokio::task::spawn_blocking(task).await.ok().flatten()
        };
        if let Some(compressed) = compressed {
            *response.body_mut() = compressed.into();
            let name = HeaderValue::from_static(encoding.name());
            response
                .headers_mut()
                .insert(header::CONTENT_ENCODING, name);
        }
    }
}

/// In the extensions of a response: nothing in it wants to be compressed.
#[derive(Clone, Copy)]
struct Incompressible;

/// Remembers whether one of the packets may be compressed; as in the reference, one is enough.
pub(crate) fn mark(extensions: &mut Extensions, batch: &[Frame]) {
    if !batch.iter().any(Frame::is_compressible) {
        extensions.insert(Incompressible);
    }
}

thread_local! {
    /// A compressor has a few hundred kilobytes, so a thread keeps one. Nearly all clients want the same.
    static COMPRESSOR: Cell<Option<Compressor>> = const { Cell::new(None) };
}

/// Compresses with the thread's compressor. `None` when nothing would be won.
fn compress(encoding: ContentEncoding, level: u32, data: &[u8]) -> Option<Vec<u8>> {
    let mut compressor = COMPRESSOR
        .take()
        .filter(|kept| (kept.encoding, kept.level) == (encoding, level))
        .unwrap_or_else(|| Compressor::new(encoding, level));
    let compressed = compressor.compress(data);
    // One that was stopped halfway is not as good as new after a reset: at level 1, zlib-rs 0.6.8 takes the block along that is open.
    if compressed.is_some() {
        COMPRESSOR.set(Some(compressor));
    }
    compressed
}

struct Compressor {
    encoding: ContentEncoding,
    level: u32,
    state: Compress,
}

impl Compressor {
    fn new(encoding: ContentEncoding, level: u32) -> Self {
        let compression = Compression::new(level);
        let state = match encoding {
            ContentEncoding::Gzip => Compress::new_gzip(compression, WINDOW_BITS),
            // Brotli is not offered.
            ContentEncoding::Brotli | ContentEncoding::Deflate => Compress::new(compression, true),
        };
        Self {
            encoding,
            level,
            state,
        }
    }

    fn compress(&mut self, data: &[u8]) -> Option<Vec<u8>> {
        self.state.reset();
        let mut compressed = Vec::with_capacity(data.len() / 2);
        loop {
            if compressed.len() >= data.len() {
                return None;
            }
            // Room for at least the trailer; a buffer of which half was not enough grows by half.
            compressed.reserve(data.len() / 4 + 64);
            let rest = data.get(usize::try_from(self.state.total_in()).ok()?..)?;
            let status = self
                .state
                .compress_vec(rest, &mut compressed, FlushCompress::Finish);
            match status {
                Ok(Status::StreamEnd) => {
                    return Some(compressed).filter(|compressed| compressed.len() < data.len());
                }
                Ok(Status::Ok | Status::BufError) => {}
                Err(_) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::{GzDecoder, ZlibDecoder};

    use super::*;

    fn decompressed(encoding: ContentEncoding, data: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        match encoding {
            ContentEncoding::Gzip => GzDecoder::new(data).read_to_end(&mut plain),
            _ => ZlibDecoder::new(data).read_to_end(&mut plain),
        }
        .unwrap();
        plain
    }

    #[test]
    fn a_compressor_serves_one_body_after_the_other() {
        let repetitive = "4hello world ".repeat(1000).into_bytes();
        let short = b"4aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_vec();
        let large: Vec<u8> = (0..60_000_u32)
            .flat_map(|n| n.to_string().into_bytes())
            .collect();
        for encoding in OFFERED {
            for data in [&repetitive, &short, &large, &repetitive] {
                let compressed = compress(encoding, 6, data).expect("it becomes shorter");
                assert!(compressed.len() < data.len());
                assert_eq!(decompressed(encoding, &compressed), *data);
            }
        }
    }

    #[test]
    fn what_becomes_longer_is_left_as_it_is() {
        // A xorshift generator: nothing repeats.
        let mut state = 0x2545_f491_u32;
        let noise: Vec<u8> = (0..5000)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                state as u8
            })
            .collect();
        for data in [&noise[..], b"", b"x"] {
            assert_eq!(compress(ContentEncoding::Gzip, 6, data), None);
        }
        // And the compressor is as good as new.
        let text = vec![b'a'; 5000];
        let compressed = compress(ContentEncoding::Gzip, 6, &text).unwrap();
        assert_eq!(decompressed(ContentEncoding::Gzip, &compressed), text);
    }

    #[tokio::test]
    async fn bodies_are_compressed_from_the_threshold_on() {
        let request = HeaderMap::from_iter([(header::ACCEPT_ENCODING, "gzip".parse().unwrap())]);
        for (length, compressed) in [(1023, false), (1024, true), (ASIDE, true)] {
            let mut response = Response::new(Bytes::from(vec![b'a'; length]));
            HttpCompression::default()
                .apply(&mut response, &request)
                .await;
            let encoding = response.headers().get(header::CONTENT_ENCODING);
            assert_eq!(encoding.is_some(), compressed, "{length}");
            assert_eq!(response.headers().contains_key(header::VARY), compressed);
            assert_eq!(response.body().len() < length, compressed);
        }
    }

    #[tokio::test]
    async fn a_client_that_takes_no_encoding_gets_none() {
        let mut response = Response::new(Bytes::from(vec![b'a'; 2000]));
        HttpCompression::default()
            .apply(&mut response, &HeaderMap::new())
            .await;
        assert_eq!(response.body().len(), 2000);
        assert!(!response.headers().contains_key(header::CONTENT_ENCODING));
        assert_eq!(response.headers()[header::VARY], "Accept-Encoding");
    }

    #[tokio::test]
    async fn one_packet_that_may_be_compressed_is_enough() {
        let request = HeaderMap::from_iter([(header::ACCEPT_ENCODING, "gzip".parse().unwrap())]);
        let packet = Frame::message(&"a".repeat(2000));
        let kept = packet.clone().uncompressed();
        for (batch, compressed) in [
            (vec![kept.clone()], false),
            (vec![kept.clone(), kept.clone()], false),
            (vec![kept, packet], true),
        ] {
            let mut response = Response::new(crate::payload::encode_payload(&batch));
            mark(response.extensions_mut(), &batch);
            HttpCompression::default()
                .apply(&mut response, &request)
                .await;
            let encoding = response.headers().get(header::CONTENT_ENCODING);
            assert_eq!(encoding.is_some(), compressed);
        }
    }

    #[test]
    fn a_body_that_does_not_shrink_does_not_spoil_the_next() {
        let text = "4what was said once need not be said again; ".repeat(10);
        let mut random = 1_u32;
        for size in (100..70_000).step_by(97) {
            let noise = std::iter::repeat_with(|| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (random >> 24) as u8
            });
            let noise: Vec<u8> = noise.take(size).collect();
            for encoding in OFFERED {
                assert_eq!(compress(encoding, 1, &noise), None);
                let compressed = compress(encoding, 1, text.as_bytes()).expect("it shrinks");
                let body = decompressed(encoding, &compressed);
                assert_eq!(body, text.as_bytes(), "after {size} bytes");
            }
        }
    }
}
