//! Random messages in random pieces, and things that are no messages.

use super::*;
use crate::deflate::codec::inflate;

#[test]
fn random_messages_survive_any_cut() {
    let mut compressed_messages = 0;
    for seed in 0..400 {
        let mut random = Random::new(seed);
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        for _ in 0..=random.below(8) {
            let text = random.chance(50);
            let limit = [20, 500, 5000, 60_000][random.size(4)];
            let data = if text {
                random.ascii(limit)
            } else {
                random.bytes(limit)
            };
            expected.push(match String::from_utf8(data.clone()) {
                Ok(valid) if text => Message::from(valid),
                _ => Message::from(data.clone()),
            });
            let (payload, rsv) = if random.chance(70) {
                compressed_messages += 1;
                (compressed(&data, random.below(10) as u8), RSV1)
            } else {
                (data, 0)
            };
            // Fragments, with pings between them.
            let mut first = rsv | if text { TEXT } else { BINARY };
            let mut rest = &payload[..];
            while random.chance(40) {
                let (fragment, behind) = rest.split_at(random.size(rest.len() as u64 + 1));
                bytes.extend(frame(first, fragment));
                (first, rest) = (CONTINUATION, behind);
                if random.chance(30) {
                    bytes.extend(frame(FIN | PING, b"ping"));
                }
            }
            bytes.extend(frame(FIN | first, rest));
        }
        let longest = if random.chance(50) { 20 } else { 20_000 };
        let step = 1 + random.size(longest);
        let mut server = Server::new(60_000);
        assert_eq!(server.arrive(&bytes, step), Ok(()), "seed {seed}");
        assert!(server.messages == expected, "seed {seed}");
    }
    assert!(compressed_messages > 500);
}

#[test]
fn what_we_compress_we_inflate() {
    for seed in 0..450 {
        let mut random = Random::new(seed);
        let limit = [200, 5000, 200_000][random.size(3)];
        let data = if random.chance(80) {
            random.ascii(limit)
        } else {
            random.bytes(limit)
        };
        // Many with the same compressor.
        let config = DeflateConfig::default().threshold(0);
        let config = config.level(1 + (seed / 50) as u8);
        let plain = Frame::binary(&data);
        let sent = plain.for_peer(agreed(config, 15));
        if sent.websocket()[0] == 0xc2 {
            assert!(sent.len() < plain.len());
            let inflated = inflate(sent.packet(), data.len());
            assert!(inflated == Ok(data), "seed {seed}");
        } else {
            assert_eq!(sent, &plain);
        }
    }
}

/// Never a panic, never more than the limit, and the codec is as good as new afterwards.
#[test]
fn garbage_is_inflated_or_refused() {
    const LIMIT: usize = 10_000;
    let sound = compressed(b"sound sound sound", 6);
    let (mut inflated, mut invalid, mut too_long) = (0, 0, 0);
    for seed in 0..10_000 {
        let mut random = Random::new(seed);
        let mut data = if random.chance(50) {
            random.bytes(100)
        } else {
            let limit = [100, 3000, 30_000][random.size(3)];
            let size = if seed % 50 == 0 { limit } else { 100 };
            compressed(&random.ascii(size), 6)
        };
        for _ in 0..random.below(4) {
            mutate(&mut data, &mut random);
        }
        match inflate(&data, LIMIT) {
            Ok(output) => {
                assert!(output.len() <= LIMIT);
                inflated += 1;
            }
            Err(codec::InflateError::Invalid) => invalid += 1,
            Err(codec::InflateError::TooLong) => too_long += 1,
        }
        assert_eq!(
            inflate(&sound, LIMIT),
            Ok(b"sound sound sound".into()),
            "seed {seed}"
        );
    }
    assert!(
        inflated > 500 && invalid > 500 && too_long > 10,
        "{inflated} {invalid} {too_long}"
    );
}

#[test]
fn garbage_frames_end_the_connection_or_do_not() {
    let mut ends = [0; 3];
    for seed in 0..8_000 {
        let mut random = Random::new(seed);
        let mut bytes = Vec::new();
        for _ in 0..=random.below(5) {
            let first = [0xc1, 0xc2, 0x41, 0x42, 0x00, 0x80, 0x81, 0x89, 0x88][random.size(9)];
            let data = random.ascii(200);
            let payload = if first == 0x88 && random.chance(50) {
                1000_u16.to_be_bytes().into()
            } else if random.chance(80) {
                compressed(&data, 6)
            } else {
                data
            };
            bytes.extend(frame(first, &payload));
        }
        for _ in 0..random.below(3) {
            mutate(&mut bytes, &mut random);
        }
        let mut server = Server::new(1000);
        match server.arrive(&bytes, 1 + random.size(300)) {
            Ok(()) => ends[0] += 1,
            Err(End::Violation(_)) => ends[1] += 1,
            Err(_) => ends[2] += 1,
        }
        assert!(server.peak <= 300 * 1100, "seed {seed}");
    }
    assert!(ends.iter().all(|&count| count > 50), "{ends:?}");
}

fn mutate(data: &mut Vec<u8>, random: &mut Random) {
    let position = random.size(data.len() as u64 + 1);
    match random.below(4) {
        0 => data.insert(position, random.below(256) as u8),
        1 => data.truncate(position),
        2 if position < data.len() => data[position] ^= 1 << random.below(8),
        _ if position < data.len() => drop(data.remove(position)),
        _ => {}
    }
}
