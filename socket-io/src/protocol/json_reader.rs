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
use memchr::memchr2;
use serde::de::value::{BorrowedStrDeserializer, CowStrDeserializer};
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IgnoredAny, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

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
            let Some(found) = memchr2(b'"', b'\\', rest.as_bytes()) else {
                return Err(self.syntax("unterminated string"));
            };
            let (part, delimiter) = rest.split_at(found);
            if part.bytes().any(|byte| byte < b' ') {
                return Err(self.syntax("control character in a string"));
            }
            self.at += found + 1;
            if delimiter.starts_with('"') {
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

impl<'de> Deserializer<'de> for &mut JsonReader<'de> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.peek() {
            Some(b'"') => match self.string()? {
                Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            },
            Some(b'-' | b'0'..=b'9') => {
                let text = self.number()?;
                if let Ok(number) = text.parse() {
                    return visitor.visit_u64(number);
                }
                match text.parse() {
                    Ok(number) if number != 0 => visitor.visit_i64(number),
                    _ => visitor.visit_f64(text.parse().unwrap_or(f64::NAN)),
                }
            }
            Some(b'[') => {
                self.enter()?;
                let value = visitor.visit_seq(Items {
                    reader: self,
                    first: true,
                })?;
                self.leave(b']')?;
                Ok(value)
            }
            Some(b'{') => {
                if let Some(data) = self.placeholder()? {
                    return visitor.visit_borrowed_bytes(data);
                }
                self.enter()?;
                let value = visitor.visit_map(Items {
                    reader: self,
                    first: true,
                })?;
                self.leave(b'}')?;
                Ok(value)
            }
            Some(b't') => {
                self.literal("true")?;
                visitor.visit_bool(true)
            }
            Some(b'f') => {
                self.literal("false")?;
                visitor.visit_bool(false)
            }
            _ => {
                self.literal("null")?;
                visitor.visit_unit()
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        if self.peek() == Some(b'n') {
            self.literal("null")?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        if name == super::raw_json::RAW_VALUE {
            self.peek();
            let start = self.at;
            self.skip()?;
            let text = self.text.get(start..self.at).unwrap_or_default();
            return serde_json::Deserializer::from_str(text)
                .deserialize_newtype_struct(name, visitor)
                .map_err(de::Error::custom);
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.peek() {
            Some(b'{') => {}
            Some(b'"') => return visitor.visit_enum(CowStrDeserializer::new(self.string()?)),
            _ => return Err(ReadError::Mismatch("expected a string or an object".into())),
        }
        self.enter()?;
        let name = self.string()?;
        if !self.take(b':') {
            return Err(self.syntax("expected a colon"));
        }
        let value = visitor.visit_enum(Variant { reader: self, name })?;
        self.leave(b'}')?;
        Ok(value)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.skip()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier
    }
}

/// The inside of an array or object.
struct Items<'a, 'de> {
    reader: &'a mut JsonReader<'de>,
    first: bool,
}

impl Items<'_, '_> {
    /// Whether another item follows; steps over the comma in front of it.
    fn advance(&mut self, bracket: u8) -> Result<bool, ReadError> {
        if self.reader.peek() == Some(bracket) {
            return Ok(false);
        }
        if !std::mem::take(&mut self.first) && !self.reader.take(b',') {
            return Err(self.reader.syntax("expected a comma or a closing bracket"));
        }
        Ok(true)
    }
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ReadError> {
        if !self.advance(b']')? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

impl<'de> MapAccess<'de> for Items<'_, 'de> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ReadError> {
        if !self.advance(b'}')? {
            return Ok(None);
        }
        let key = self.reader.string()?;
        seed.deserialize(Key(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        if !self.reader.take(b':') {
            return Err(self.reader.syntax("expected a colon"));
        }
        seed.deserialize(&mut *self.reader)
    }
}

/// An enum written as `{"Name":content}`.
struct Variant<'a, 'de> {
    reader: &'a mut JsonReader<'de>,
    name: Cow<'de, str>,
}

impl<'a, 'de> EnumAccess<'de> for Variant<'a, 'de> {
    type Error = ReadError;
    type Variant = &'a mut JsonReader<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self::Variant), ReadError> {
        let name = seed.deserialize(CowStrDeserializer::new(self.name))?;
        Ok((name, self.reader))
    }
}

impl<'de> VariantAccess<'de> for &mut JsonReader<'de> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        de::Deserialize::deserialize(self)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ReadError> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.deserialize_any(visitor)
    }
}

/// The key of an object, which maps with other keys than strings read as what its text says.
struct Key<'de>(Cow<'de, str>);

macro_rules! parsed_key {
    ($($method:ident => $visit:ident,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
            match self.0.parse() {
                Ok(key) => visitor.$visit(key),
                Err(_) => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0 {
            Cow::Borrowed(key) => BorrowedStrDeserializer::new(key).deserialize_any(visitor),
            Cow::Owned(key) => key.into_deserializer().deserialize_any(visitor),
        }
    }

    parsed_key! {
        deserialize_bool => visit_bool,
        deserialize_i8 => visit_i8,
        deserialize_i16 => visit_i16,
        deserialize_i32 => visit_i32,
        deserialize_i64 => visit_i64,
        deserialize_i128 => visit_i128,
        deserialize_u8 => visit_u8,
        deserialize_u16 => visit_u16,
        deserialize_u32 => visit_u32,
        deserialize_u64 => visit_u64,
        deserialize_u128 => visit_u128,
        deserialize_f32 => visit_f32,
        deserialize_f64 => visit_f64,
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_enum(CowStrDeserializer::new(self.0))
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
