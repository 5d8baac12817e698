//! Brotli, for the browser client's files.

use std::io;

use ::brotli::BrotliCompress;
use ::brotli::enc::BrotliEncoderParams;

/// The best. Each file is compressed once, so a tenth of its size is worth a tenth of a second.
const QUALITY: i32 = 11;

/// Compresses a whole file.
pub(crate) fn compress(mut content: &[u8]) -> io::Result<Vec<u8>> {
    let params = BrotliEncoderParams {
        quality: QUALITY,
        size_hint: content.len(),
        ..BrotliEncoderParams::default()
    };
    let mut compressed = Vec::new();
    BrotliCompress(&mut content, &mut compressed, &params)?;
    Ok(compressed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_comes_back() {
        let content = "let answer = 42;\n".repeat(1000).into_bytes();
        let compressed = compress(&content).unwrap();
        assert!(compressed.len() < 100);
        let mut plain = Vec::new();
        ::brotli::BrotliDecompress(&mut &compressed[..], &mut plain).unwrap();
        assert_eq!(plain, content);
    }
}
