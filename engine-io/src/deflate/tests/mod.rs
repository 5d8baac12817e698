//! Frames out, frames in, and noise.

mod egress;
mod ingress;
mod noise;

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::connection::{End, Stream, WebSocket};
use crate::packet::Message;
use crate::random::Random;

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CONTINUATION: u8 = 0;
const PING: u8 = 9;
const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;

fn agreed(config: DeflateConfig, window_bits: u8) -> Agreed {
    Agreed::new(config, window_bits).unwrap()
}

/// Data as a client compresses it.
fn compressed(data: &[u8], level: u8) -> Vec<u8> {
    let mut compressor = flate2::Compress::new(flate2::Compression::new(level.into()), false);
    let mut output = Vec::with_capacity(data.len() * 2 + 100);
    let flush = flate2::FlushCompress::Sync;
    compressor.compress_vec(data, &mut output, flush).unwrap();
    assert_eq!(compressor.total_in(), data.len() as u64);
    output.truncate(output.len() - 4);
    output
}

/// A masked frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x11, 0x22, 0x44, 0x88];
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}

/// A server's end that agreed on compression.
struct Server {
    websocket: WebSocket,
    messages: Vec<Message>,
    /// The most bytes of messages that came out at a time.
    peak: usize,
    _peer: tokio::io::DuplexStream,
}

impl Server {
    fn new(max_message: usize) -> Self {
        let (stream, peer) = tokio::io::duplex(1);
        let mut websocket = WebSocket::server(Stream::Other(Box::new(stream)), &[], max_message);
        websocket.agreed = Some(agreed(DeflateConfig::default(), 15));
        Self {
            websocket,
            messages: Vec::new(),
            peak: 0,
            _peer: peer,
        }
    }

    /// Takes bytes that arrive so many at a time.
    fn arrive(&mut self, bytes: &[u8], step: usize) -> Result<(), End> {
        for chunk in bytes.chunks(step) {
            let mut inbox = VecDeque::new();
            let mut result = self.websocket.feed(chunk, &mut inbox);
            loop {
                self.peak = self.peak.max(inbox.iter().map(Message::len).sum());
                self.messages.extend(inbox.drain(..));
                result?;
                let mut cx = Context::from_waker(Waker::noop());
                result = match self.websocket.poll_read(&mut cx, &mut inbox) {
                    Poll::Ready(result) => result,
                    Poll::Pending => break,
                };
            }
        }
        Ok(())
    }
}

impl Random {
    /// ASCII that repeats itself more or less.
    fn ascii(&mut self, limit: u64) -> Vec<u8> {
        let alphabet = 1 + self.below(90);
        let size = self.size(limit);
        (0..size)
            .map(|_| b' ' + self.below(alphabet) as u8)
            .collect()
    }

    fn bytes(&mut self, limit: u64) -> Vec<u8> {
        let size = self.size(limit);
        (0..size).map(|_| self.below(256) as u8).collect()
    }
}
