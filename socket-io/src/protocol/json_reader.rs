//! A JSON reader that knows attachments and is as lenient as `JSON.parse`.
//!
//! serde_json reads what it can; this one takes over when a packet has attachments, and when serde_json refuses what JavaScript accepts:
//!
//! | text | read as |
//! |---|---|
//! | `{"_placeholder":true,"num":0}` | the attachment with that number, when the packet has any |
//! | `"\ud83d"`, half of a surrogate pair | U+FFFD |
//! | `1e400` | infinity |
//! | `99999999999999999999` | the nearest `f64` |

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::de::{self, IgnoredAny};

use super::args::skip_plain;

pub(super) mod serde_impl;

/// How deep arrays and objects may be nested in arguments that are parsed into types or values, the array of the arguments included.
///
/// The limit keeps a peer from exhausting the stack. What is deeper can still be passed on unparsed.
pub const MAX_DEPTH: u8 = 128;

/// Why a text cannot be read into a type.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The text is no JSON.
    Syntax { what: &'static str, offset: usize },
    /// The text is nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// A placeholder names no attachment of the packet.
    IllegalAttachment,
    /// The type asked for something else.
    Mismatch(String),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { what, offset } => write!(f, "{what} at byte {offset}"),
            Self::TooDeep => write!(f, "nested deeper than {MAX_DEPTH}"),
            Self::IllegalAttachment => f.write_str("illegal attachments"),
            Self::Mismatch(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for ReadError {}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Mismatch(message.to_string())
    }
}

/// A position in a JSON text.
#[derive(Debug)]
pub(super) struct JsonReader<'de> {
    text: &'de str,
    at: usize,
    depth: u8,
    attachments: &'de [Bytes],
}

impl<'de> JsonReader<'de> {
    /// At the start of `text`; without attachments, placeholders are ordinary objects.
    pub(super) fn new(text: &'de str, attachments: &'de [Bytes]) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
            attachments,
        }
    }

    /// Bytes read so far.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// The next byte that is no white space.
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = self.text.as_bytes().get(self.at).copied();
            if !matches!(byte, Some(b' ' | b'\n' | b'\r' | b'\t')) {
                return byte;
            }
            self.at += 1;
        }
    }

    /// Steps over the next byte if it is this one.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Makes sure that nothing but white space is left.
    pub(super) fn end(&mut self) -> Result<(), ReadError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.syntax("trailing characters")),
        }
    }

    /// Reads a string, from its opening quote on.
    pub(super) fn string(&mut self) -> Result<Cow<'de, str>, ReadError> {
        if !self.take(b'"') {
            return Err(self.syntax("expected a string"));
        }
        let mut unescaped = None::<String>;
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let delimiter = skip_plain(rest.as_bytes());
            let (part, _) = rest.split_at(rest.len() - delimiter.len());
            let is_end = match delimiter.first() {
                Some(b'"') => true,
                Some(b'\\') => false,
                Some(_) => return Err(self.syntax("control character in a string")),
                None => return Err(self.syntax("unterminated string")),
            };
            self.at += part.len() + 1;
            if is_end {
                return Ok(match unescaped {
                    None => Cow::Borrowed(part),
                    Some(text) => Cow::Owned(text + part),
                });
            }
            let character = self.escape()?;
            let text = unescaped.get_or_insert_default();
            text.push_str(part);
            text.push(character);
        }
    }

    /// Reads what stands behind a backslash.
    fn escape(&mut self) -> Result<char, ReadError> {
        let character = match self.text.as_bytes().get(self.at) {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(*byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape();
            }
            _ => return Err(self.syntax("invalid escape")),
        };
        self.at += 1;
        Ok(character)
    }

    /// Reads the digits of `\u`, with those of a second escape if both are a surrogate pair.
    fn unicode_escape(&mut self) -> Result<char, ReadError> {
        let first = self.hex()?;
        if !(0xd800..0xdc00).contains(&first) {
            return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let behind = self.at;
        if self
            .text
            .get(behind..)
            .is_some_and(|rest| rest.starts_with("\\u"))
        {
            self.at += 2;
            let second = self.hex()?;
            if (0xdc00..0xe000).contains(&second) {
                let scalar = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = behind;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hex(&mut self) -> Result<u32, ReadError> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let value = digits.and_then(|digits| {
            digits.iter().try_fold(0, |value, digit| {
                Some(value << 4 | char::from(*digit).to_digit(16)?)
            })
        });
        let value = value.ok_or_else(|| self.syntax("invalid escape"))?;
        self.at += 4;
        Ok(value)
    }

    /// Reads a number as its text.
    pub(super) fn number(&mut self) -> Result<&'de str, ReadError> {
        self.peek();
        let start = self.at;
        self.take_one(b"-");
        if !self.take_one(b"0") && self.digits() == 0 {
            return Err(self.syntax("invalid number"));
        }
        if self.take_one(b".") && self.digits() == 0 {
            return Err(self.syntax("invalid number"));
        }
        if self.take_one(b"eE") {
            self.take_one(b"+-");
            if self.digits() == 0 {
                return Err(self.syntax("invalid number"));
            }
        }
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    fn take_one(&mut self, set: &[u8]) -> bool {
        let found = self
            .text
            .as_bytes()
            .get(self.at)
            .is_some_and(|byte| set.contains(byte));
        self.at += usize::from(found);
        found
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self
            .text
            .as_bytes()
            .get(self.at)
            .is_some_and(u8::is_ascii_digit)
        {
            self.at += 1;
        }
        self.at - start
    }

    fn literal(&mut self, word: &str) -> Result<(), ReadError> {
        if !self
            .text
            .get(self.at..)
            .is_some_and(|rest| rest.starts_with(word))
        {
            return Err(self.syntax("expected a value"));
        }
        self.at += word.len();
        Ok(())
    }

    /// Steps over a value of any depth.
    fn skip(&mut self) -> Result<(), ReadError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        // serde_json skips without recursion.
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        match values.next() {
            Some(Ok(IgnoredAny)) => {
                self.at += values.byte_offset();
                Ok(())
            }
            _ => Err(self.syntax("expected a value")),
        }
    }

    /// The attachment that the object at hand stands for; `None`, without a step, when it is an ordinary object.
    ///
    /// One of the first two keys must be `_placeholder`, and the one before it `num`, so that no object is read twice.
    fn placeholder(&mut self) -> Result<Option<&'de Bytes>, ReadError> {
        if self.attachments.is_empty() {
            return Ok(None);
        }
        let start = self.at;
        let mut number = None::<f64>;
        let mut marked = false;
        let mut more = self.take(b'{');
        while more && self.peek() == Some(b'"') {
            let key = self.string()?;
            if !self.take(b':') {
                break;
            }
            let value = self.peek();
            match &*key {
                "_placeholder" if !marked && value == Some(b't') => {
                    self.literal("true")?;
                    marked = true;
                }
                "num" if matches!(value, Some(b'-' | b'0'..=b'9')) => {
                    let again = number.is_some();
                    number = self.number()?.parse().ok();
                    if again && !marked {
                        break;
                    }
                }
                _ if !marked => break,
                _ => self.skip()?,
            }
            more = self.take(b',');
        }
        if !marked {
            self.at = start;
            return Ok(None);
        }
        if more || !self.take(b'}') {
            return Err(self.syntax("expected a key or the end of the object"));
        }
        number
            .filter(|number| *number >= 0.0 && number.fract() == 0.0)
            .and_then(|number| self.attachments.get(number as usize))
            .map(Some)
            .ok_or(ReadError::IllegalAttachment)
    }

    fn enter(&mut self) -> Result<(), ReadError> {
        self.at += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ReadError::TooDeep);
        }
        Ok(())
    }

    /// Steps over the closing bracket, which a visitor that did not want everything leaves behind further items.
    fn leave(&mut self, bracket: u8) -> Result<(), ReadError> {
        self.depth -= 1;
        if self.take(bracket) {
            return Ok(());
        }
        if self.peek() == Some(b',') {
            return Err(ReadError::Mismatch("more items than expected".into()));
        }
        Err(self.syntax("expected a comma or a closing bracket"))
    }

    fn syntax(&self, what: &'static str) -> ReadError {
        ReadError::Syntax {
            what,
            offset: self.at,
        }
    }
}
