//! The reader as serde's source of types.
//!
//! | text | types read it as |
//! |---|---|
//! | `"Name"`, `{"Name":1}` | a variant of an enum |
//! | `{"1":true}` | a map, whose keys may be numbers or truth values |

use std::borrow::Cow;

use serde::de::value::{BorrowedStrDeserializer, CowStrDeserializer};
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IgnoredAny, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::{JsonReader, MAX_DEPTH, ReadError};
use crate::protocol::raw_json::RAW_VALUE;

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
        if name == RAW_VALUE {
            self.peek();
            let start = self.at;
            (&mut *self).deserialize_ignored_any(IgnoredAny)?;
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
        match self.peek() {
            // A placeholder that names no attachment is a violation of the protocol, wanted or not. What is too deep is nobody's business here.
            Some(b'[' | b'{') if !self.attachments.is_empty() && self.depth < MAX_DEPTH => {
                (&mut *self).deserialize_any(IgnoredAny)?;
            }
            _ => self.skip()?,
        }
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
pub(in crate::protocol) struct Key<'de>(pub(in crate::protocol) Cow<'de, str>);

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
