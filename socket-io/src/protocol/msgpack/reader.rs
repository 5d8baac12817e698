//! Bytes become tokens.
//!
//! | bytes | token |
//! |---|---|
//! | `00`–`7f`, `cc`–`cf` | an unsigned integer |
//! | `e0`–`ff`, `d0`–`d3` | a signed integer |
//! | `ca`, `cb` | a float |
//! | `c0`, `c2`, `c3` | nil, false, true |
//! | `a0`–`bf`, `d9`–`db` | a string |
//! | `c4`–`c6` | binary data, a `Buffer` |
//! | `c7`–`c9` with type 0 | binary data, an `ArrayBuffer` |
//! | `90`–`9f`, `dc`, `dd` | an array |
//! | `80`–`8f`, `de`, `df` | a map |
//! | `d4 00 …` | `undefined` |
//! | `d7 00 …` | a `Date`, in milliseconds |
//! | `c7`–`c9`, `d4`–`d8` else | another extension |
//!
//! Source: the MessagePack specification; extensions: lib/decode.js of notepack.io 2.2.0.

use crate::protocol::json_reader::{MAX_DEPTH, ReadError};

/// A value, or the start of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token<'de> {
    Nil,
    Undefined,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    /// Not yet known to be UTF-8.
    Str(&'de [u8]),
    Bin(&'de [u8]),
    /// So many values follow.
    Array(u32),
    /// So many keys and values follow.
    Map(u32),
    /// Milliseconds since 1970.
    Date(i64),
    Ext(i8, &'de [u8]),
}

/// A position in MessagePack.
#[derive(Debug)]
pub(super) struct Reader<'de> {
    input: &'de [u8],
    at: usize,
    depth: u8,
}

impl<'de> Reader<'de> {
    /// At the start of `input`; `depth` arrays and maps are open already.
    pub(super) fn new(input: &'de [u8], depth: u8) -> Self {
        Self {
            input,
            at: 0,
            depth,
        }
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'de [u8] {
        self.input.get(self.at..).unwrap_or_default()
    }

    /// Reads a value, or the start of an array or map.
    pub(super) fn token(&mut self) -> Result<Token<'de>, ReadError> {
        let [first] = self.array()?;
        Ok(match first {
            0x00..=0x7f => Token::Unsigned(first.into()),
            0x80..=0x8f => self.map((first & 0x0f).into())?,
            0x90..=0x9f => self.items((first & 0x0f).into())?,
            0xa0..=0xbf => Token::Str(self.take((first & 0x1f).into())?),
            0xc0 => Token::Nil,
            0xc1 => return Err(self.malformed("unused byte c1")),
            0xc2 => Token::Bool(false),
            0xc3 => Token::Bool(true),
            0xc4..=0xc6 => {
                let length = self.length(first - 0xc4)?;
                Token::Bin(self.take(length)?)
            }
            0xc7..=0xc9 => {
                let length = self.length(first - 0xc7)?;
                match self.ext(length)? {
                    (0, data) => Token::Bin(data),
                    (kind, data) => Token::Ext(kind, data),
                }
            }
            0xca => Token::Float(f32::from_be_bytes(self.array()?).into()),
            0xcb => Token::Float(f64::from_be_bytes(self.array()?)),
            0xcc => Token::Unsigned(u8::from_be_bytes(self.array()?).into()),
            0xcd => Token::Unsigned(u16::from_be_bytes(self.array()?).into()),
            0xce => Token::Unsigned(u32::from_be_bytes(self.array()?).into()),
            0xcf => Token::Unsigned(u64::from_be_bytes(self.array()?)),
            0xd0 => Token::Signed(i8::from_be_bytes(self.array()?).into()),
            0xd1 => Token::Signed(i16::from_be_bytes(self.array()?).into()),
            0xd2 => Token::Signed(i32::from_be_bytes(self.array()?).into()),
            0xd3 => Token::Signed(i64::from_be_bytes(self.array()?)),
            0xd4..=0xd8 => {
                let (kind, data) = self.ext(1 << (first - 0xd4))?;
                match (kind, first, data.try_into()) {
                    (0, 0xd4, _) => Token::Undefined,
                    (0, _, Ok(date)) => Token::Date(i64::from_be_bytes(date)),
                    _ => Token::Ext(kind, data),
                }
            }
            0xd9..=0xdb => {
                let length = self.length(first - 0xd9)?;
                Token::Str(self.take(length)?)
            }
            0xdc => {
                let count = u16::from_be_bytes(self.array()?);
                self.items(count.into())?
            }
            0xdd => {
                let count = u32::from_be_bytes(self.array()?);
                self.items(count)?
            }
            0xde => {
                let count = u16::from_be_bytes(self.array()?);
                self.map(count.into())?
            }
            0xdf => {
                let count = u32::from_be_bytes(self.array()?);
                self.map(count)?
            }
            0xe0..=0xff => Token::Signed(i8::from_be_bytes([first]).into()),
        })
    }

    /// Steps over a value of any depth and tells whether there is binary data in it.
    pub(super) fn skip(&mut self) -> Result<bool, ReadError> {
        let mut binary = false;
        let mut left = 1_u64;
        while left > 0 {
            left -= 1;
            match self.token()? {
                Token::Array(count) => left += u64::from(count),
                Token::Map(count) => left += 2 * u64::from(count),
                Token::Bin(_) => binary = true,
                _ => {}
            }
        }
        Ok(binary)
    }

    /// Whether the next value is `undefined`.
    pub(super) fn at_undefined(&self) -> bool {
        self.rest().starts_with(&[0xd4, 0])
    }

    /// Goes into an array or map.
    pub(super) fn enter(&mut self) -> Result<(), ReadError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ReadError::TooDeep);
        }
        Ok(())
    }

    /// Comes out of an array or map.
    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    pub(super) fn malformed(&self, what: &'static str) -> ReadError {
        ReadError::Syntax {
            what,
            offset: self.at,
        }
    }

    fn items(&self, count: u32) -> Result<Token<'de>, ReadError> {
        self.check_count(u64::from(count))?;
        Ok(Token::Array(count))
    }

    fn map(&self, count: u32) -> Result<Token<'de>, ReadError> {
        self.check_count(2 * u64::from(count))?;
        Ok(Token::Map(count))
    }

    /// A value has at least one byte, so that no one can announce more of them than there are bytes.
    fn check_count(&self, count: u64) -> Result<(), ReadError> {
        if count > self.rest().len() as u64 {
            return Err(self.malformed("unexpected end"));
        }
        Ok(())
    }

    /// A length of one, two or four bytes.
    fn length(&mut self, width: u8) -> Result<usize, ReadError> {
        Ok(match width {
            0 => u8::from_be_bytes(self.array()?).into(),
            1 => u16::from_be_bytes(self.array()?).into(),
            _ => u32::from_be_bytes(self.array()?) as usize,
        })
    }

    fn ext(&mut self, length: usize) -> Result<(i8, &'de [u8]), ReadError> {
        let kind = i8::from_be_bytes(self.array()?);
        Ok((kind, self.take(length)?))
    }

    fn take(&mut self, length: usize) -> Result<&'de [u8], ReadError> {
        let Some(bytes) = self.rest().get(..length) else {
            return Err(self.malformed("unexpected end"));
        };
        self.at += length;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let bytes = self.take(N)?;
        bytes
            .try_into()
            .map_err(|_| self.malformed("unexpected end"))
    }
}
