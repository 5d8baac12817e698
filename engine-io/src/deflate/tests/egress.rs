//! Frames out.

use super::*;
use crate::deflate::codec::inflate;

#[test]
fn a_frame_is_compressed_from_the_threshold_on() {
    let agreed = agreed(DeflateConfig::default().threshold(100), 15);
    for (size, compressed) in [(98, false), (99, true), (1000, true), (100_000, true)] {
        // The packet's type counts.
        let frame = Frame::message(&"a".repeat(size));
        let sent = frame.for_peer(agreed);
        assert_eq!(
            sent.websocket()[0],
            if compressed { 0xc1 } else { 0x81 },
            "{size}"
        );
        if compressed {
            assert!(sent.len() < frame.len() / 2);
            assert_eq!(inflate(sent.packet(), size + 1), Ok(frame.packet().into()));
        } else {
            assert_eq!(sent, &frame);
        }
    }
    let sent = Frame::binary(&[1; 100]).for_peer(agreed).clone();
    assert_eq!(sent.websocket()[0], 0xc2);
    assert_eq!(inflate(sent.packet(), 100), Ok(vec![1; 100]));
}

#[test]
fn the_header_of_a_compressed_frame_has_the_right_length() {
    let agreed = agreed(DeflateConfig::default().threshold(0).level(1), 15);
    for size in [50, 300, 3000, 300_000, 3_000_000] {
        let text: String = (0..size / 2)
            .map(|number| if number % 7 < 3 { "ab" } else { "cd" })
            .collect();
        let frame = Frame::message(&text);
        let sent = frame.for_peer(agreed);
        assert_eq!(sent.websocket()[0], 0xc1, "{size}");
        assert!(
            inflate(sent.packet(), size + 1) == Ok(frame.packet().into()),
            "{size}"
        );
    }
}

#[test]
fn a_frame_is_compressed_once() {
    let (one, other) = (
        agreed(DeflateConfig::default(), 15),
        agreed(DeflateConfig::default().level(1), 12),
    );
    let frame = Frame::message(&"a".repeat(2000));
    let before = frame.clone();
    let sent = frame.for_peer(one).websocket().as_ptr();
    assert_eq!(frame.for_peer(other).websocket().as_ptr(), sent);
    let clone = frame.clone();
    assert_eq!(clone.for_peer(one).websocket().as_ptr(), sent);
    assert_ne!(
        before.for_peer(one).websocket().as_ptr(),
        sent,
        "a clone from before knows nothing of it"
    );
    // Equal is what says the same.
    assert_eq!(before, frame);
}

#[test]
fn an_uncompressed_frame_stays_as_it_is() {
    let agreed = agreed(DeflateConfig::default().threshold(0), 15);
    let frame = Frame::message(&"a".repeat(2000)).uncompressed();
    assert_eq!(
        frame.for_peer(agreed).websocket().as_ptr(),
        frame.websocket().as_ptr()
    );
    let clone = frame.clone();
    assert_eq!(
        clone.for_peer(agreed).websocket().as_ptr(),
        frame.websocket().as_ptr()
    );
    // Too late for those who have it, in time for others.
    let frame = Frame::message(&"a".repeat(2000));
    assert_eq!(frame.for_peer(agreed).websocket()[0], 0xc1);
    assert_eq!(frame.uncompressed().for_peer(agreed).websocket()[0], 0x81);
}

#[test]
fn what_is_longer_than_a_peer_s_window_is_sent_to_it_as_it_is() {
    let config = DeflateConfig::default();
    for bits in 8..15 {
        let window = 1 << bits;
        for (size, compressed) in [(window, true), (window + 1, false)] {
            let frame = Frame::binary(&vec![7; size]);
            let sent = frame.for_peer(agreed(config.threshold(10), bits));
            assert_eq!(
                sent.websocket()[0] == 0xc2,
                compressed,
                "{size}, {bits} bits"
            );
            if compressed {
                let mut small = flate2::Decompress::new_with_window_bits(false, bits.max(9));
                let mut output = Vec::with_capacity(size + 1);
                let flush = flate2::FlushDecompress::Sync;
                small
                    .decompress_vec(sent.packet(), &mut output, flush)
                    .unwrap();
                assert_eq!(output, frame.packet());
            }
            // Others are not concerned.
            assert_eq!(
                frame.for_peer(agreed(config.threshold(10), 15)).websocket()[0],
                0xc2
            );
        }
    }
}

#[test]
fn options_survive_being_packed() {
    for threshold in [0, 1, 1024, usize::MAX >> 8, usize::MAX] {
        for level in 1..=9 {
            for bits in 8..=15 {
                let agreed = agreed(
                    DeflateConfig::default().threshold(threshold).level(level),
                    bits,
                );
                assert_eq!(agreed.threshold(), (threshold as u64).min(u64::MAX >> 8));
                assert_eq!((agreed.level(), agreed.window()), (level, 1 << bits));
                let agreement = Agreement::default();
                assert_eq!(agreement.get(), None);
                agreement.set(Some(agreed));
                assert_eq!(agreement.get(), Some(agreed));
            }
        }
    }
}
