//! The compressed messages among the frames that a peer sends.

use bytes::Bytes;

use super::codec::{InflateError, inflate};
use crate::connection::boundary::payload_len;
use crate::packet::Message;
use crate::session::Side;
use crate::text::Text;

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
/// All reserved bits.
const RSV: u8 = 0x70;
const OPCODE: u8 = 0x0f;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
/// In an opcode: a control frame.
const CONTROL: u8 = 8;
/// In the second byte: a mask comes before the payload.
const MASKED: u8 = 0x80;

/// Two bytes, a length of eight and a mask of four.
const MAX_HEADER: usize = 14;

const PROTOCOL_ERROR: u16 = 1002;
const INVALID_DATA: u16 = 1007;
const TOO_LONG: u16 = 1009;

/// Collects compressed messages and inflates them once they are complete. Between messages it holds nothing.
#[derive(Default)]
pub(crate) struct Inflater(Option<Box<Incomplete>>);

/// A compressed message that has begun.
#[derive(Default)]
struct Incomplete {
    /// The header of the current frame, as far as it arrived.
    header: [u8; MAX_HEADER],
    header_len: usize,
    /// The header is complete; so much of the payload is still to come.
    rest: Option<u64>,
    /// Turned so that the payload goes on with its first byte.
    mask: [u8; 4],
    /// The opcode of the message, once its first header is complete.
    opcode: u8,
    /// The compressed data so far, no longer masked.
    data: Vec<u8>,
}

impl Inflater {
    /// Whether the frame with this first byte is to be given to [`advance`](Self::advance); in the middle of a frame, whether the next byte is. To be
    /// asked when no other message is incomplete.
    pub(crate) fn takes(&self, byte: u8) -> bool {
        match &self.0 {
            Some(message) => message.header_len > 0 || byte & CONTROL == 0,
            None => byte & RSV1 != 0 && matches!(byte & OPCODE, TEXT | BINARY),
        }
    }

    /// Takes bytes up to the end of the frame. A message that is complete with it is returned; what breaks the rules is a close
    /// code. `side` is ours.
    pub(crate) fn advance(
        &mut self,
        input: &mut &[u8],
        max_message: usize,
        side: Side,
    ) -> Result<Option<Message>, u16> {
        if let Some(message) = &mut self.0 {
            let complete = message.advance(input, max_message, side)?;
            let message = if complete { self.0.take() } else { None };
            return message
                .map(|message| message.finish(max_message))
                .transpose();
        }
        let mut message = Incomplete::default();
        if message.advance(input, max_message, side)? {
            return message.finish(max_message).map(Some);
        }
        self.0 = Some(Box::new(message));
        Ok(None)
    }
}

impl Incomplete {
    /// True when the message is complete.
    fn advance(&mut self, input: &mut &[u8], max_message: usize, side: Side) -> Result<bool, u16> {
        let rest = loop {
            if let Some(rest) = self.rest {
                break rest;
            }
            let Some((&byte, behind)) = input.split_first() else {
                return Ok(false);
            };
            *input = behind;
            self.header[self.header_len] = byte;
            self.header_len += 1;
            self.check_header(max_message, side)?;
        };
        let taken = usize::try_from(rest).map_or(input.len(), |rest| rest.min(input.len()));
        let (payload, behind) = input.split_at(taken);
        *input = behind;
        self.unmask(payload);
        self.rest = Some(rest - taken as u64);
        if self.rest != Some(0) {
            return Ok(false);
        }
        let complete = self.header[0] & FIN != 0;
        self.header_len = 0;
        self.rest = None;
        Ok(complete)
    }

    /// Once the header is complete, checks it and finds the size of the payload.
    fn check_header(&mut self, max_message: usize, side: Side) -> Result<(), u16> {
        let header = &self.header[..self.header_len];
        let Some(length) = payload_len(header) else {
            return Ok(());
        };
        let (first, second) = (header[0], header[1]);
        let expected = match self.opcode {
            0 => first & RSV == RSV1,
            _ => first & (RSV | OPCODE) == CONTINUATION,
        };
        // Clients mask, servers do not.
        let masked = side == Side::Server;
        if !expected || (second & MASKED != 0) != masked {
            return Err(PROTOCOL_ERROR);
        }
        // What cannot be compressed grows a little, with some compressors by an eighth.
        let max = max_message as u64;
        let limit = max + max / 8 + max / 64 + 64;
        if length.saturating_add(self.data.len() as u64) > limit {
            return Err(TOO_LONG);
        }
        let behind = match second & !MASKED {
            126 => &header[4..],
            127 => &header[10..],
            _ => &header[2..],
        };
        let mask = if masked { behind } else { &[0; 4] };
        if let Ok(mask) = mask.try_into() {
            self.mask = mask;
            self.rest = Some(length);
            if self.opcode == 0 {
                self.opcode = first & OPCODE;
            }
        }
        Ok(())
    }

    fn unmask(&mut self, payload: &[u8]) {
        let start = self.data.len();
        self.data.extend_from_slice(payload);
        for chunk in self.data[start..].chunks_mut(4) {
            for (byte, mask) in chunk.iter_mut().zip(self.mask) {
                *byte ^= mask;
            }
        }
        self.mask.rotate_left(payload.len() % 4);
    }

    fn finish(self, max_message: usize) -> Result<Message, u16> {
        let data = inflate(&self.data, max_message).map_err(|error| match error {
            InflateError::TooLong => TOO_LONG,
            InflateError::Invalid => INVALID_DATA,
        })?;
        if self.opcode == BINARY {
            return Ok(Message::Binary(data.into()));
        }
        match Text::try_from(Bytes::from(data)) {
            Ok(text) => Ok(Message::Text(text)),
            Err(_) => Err(INVALID_DATA),
        }
    }
}
