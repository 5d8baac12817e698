//! The reader as serde's source of types.
//!
//! | MessagePack | types read it as |
//! |---|---|
//! | `undefined` | null; in a map, as if the key were not there, as JSON has it |
//! | a `Date` | the string that JSON makes of it, `null` if it is further away than dates go; or a [`Date`] |
//! | another extension | a pair of its type and its data |
//! | a string that is not UTF-8 | the string with U+FFFD in the place of what is not |

use std::borrow::Cow;

use serde::de::value::CowStrDeserializer;
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::reader::{Reader, Token};
use crate::protocol::Value;
use crate::protocol::javascript::{DATE, Date};
use crate::protocol::json_reader::ReadError;
use crate::protocol::json_reader::serde_impl::Key;
use crate::protocol::raw_json::RAW_VALUE;

impl<'de> Reader<'de> {
    fn visit<V: Visitor<'de>>(
        &mut self,
        token: Token<'de>,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match token {
            Token::Nil | Token::Undefined => visitor.visit_unit(),
            Token::Bool(value) => visitor.visit_bool(value),
            Token::Unsigned(number) => visitor.visit_u64(number),
            Token::Signed(number) => match u64::try_from(number) {
                Ok(number) => visitor.visit_u64(number),
                Err(_) => visitor.visit_i64(number),
            },
            Token::Float(number) => visitor.visit_f64(number),
            Token::Str(bytes) => match String::from_utf8_lossy(bytes) {
                Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            },
            Token::Bin(data) => visitor.visit_borrowed_bytes(data),
            Token::Date(millis) => match Date::from_millis(millis) {
                date if date.as_millis() == millis => visitor.visit_string(date.to_string()),
                // JavaScript has an invalid `Date` there, which is `null` in JSON.
                _ => visitor.visit_unit(),
            },
            Token::Ext(kind, data) => visitor.visit_seq(Extension {
                kind: Some(kind),
                data: Some(data),
            }),
            Token::Array(count) => {
                self.enter()?;
                let mut items = Items {
                    reader: self,
                    left: count,
                };
                let value = visitor.visit_seq(&mut items)?;
                items.end()?;
                Ok(value)
            }
            Token::Map(count) => {
                self.enter()?;
                let mut items = Items {
                    reader: self,
                    left: count,
                };
                let value = visitor.visit_map(&mut items)?;
                items.end()?;
                Ok(value)
            }
        }
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let token = self.token()?;
        self.visit(token, visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        if self.rest().first() == Some(&0xc0) || self.at_undefined() {
            self.token()?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        if name == DATE {
            return match self.token()? {
                Token::Date(millis) => visitor.visit_i64(millis),
                other => self.visit(other, visitor),
            };
        }
        if name == RAW_VALUE {
            let value = Value::deserialize(self)?;
            let text = serde_json::to_vec(&value).map_err(de::Error::custom)?;
            return serde_json::Deserializer::from_reader(&text[..])
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
        match self.token()? {
            Token::Str(name) => {
                visitor.visit_enum(CowStrDeserializer::new(String::from_utf8_lossy(name)))
            }
            Token::Map(1) => {
                self.enter()?;
                let value = visitor.visit_enum(Variant { reader: self })?;
                self.leave();
                Ok(value)
            }
            _ => Err(de::Error::custom(
                "expected a string or an object with one key",
            )),
        }
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

/// The inside of an array or map.
pub(super) struct Items<'a, 'de> {
    pub(super) reader: &'a mut Reader<'de>,
    pub(super) left: u32,
}

impl Items<'_, '_> {
    /// A visitor that did not want everything leaves items behind.
    pub(super) fn end(&mut self) -> Result<(), ReadError> {
        if self.left > 0 {
            return Err(ReadError::Mismatch("more items than expected".into()));
        }
        self.reader.leave();
        Ok(())
    }
}

impl<'de> SeqAccess<'de> for &mut Items<'_, 'de> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ReadError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        // Never more than there are bytes.
        usize::try_from(self.left).ok()
    }
}

impl<'de> MapAccess<'de> for &mut Items<'_, 'de> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ReadError> {
        loop {
            if self.left == 0 {
                return Ok(None);
            }
            self.left -= 1;
            let key = key(self.reader)?;
            if !self.reader.at_undefined() {
                return seed.deserialize(Key(key)).map(Some);
            }
            self.reader.token()?;
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        seed.deserialize(&mut *self.reader)
    }
}

/// A key as a string, which it is in JavaScript whatever it was.
fn key<'de>(reader: &mut Reader<'de>) -> Result<Cow<'de, str>, ReadError> {
    Ok(match reader.token()? {
        Token::Str(bytes) => String::from_utf8_lossy(bytes),
        Token::Nil => "null".into(),
        Token::Undefined => "undefined".into(),
        Token::Bool(value) => value.to_string().into(),
        Token::Unsigned(number) => number.to_string().into(),
        Token::Signed(number) => number.to_string().into(),
        Token::Float(number) => number.to_string().into(),
        Token::Date(_) | Token::Bin(_) | Token::Ext(..) | Token::Array(_) | Token::Map(_) => {
            return Err(reader.malformed("key is no string"));
        }
    })
}

/// `[type, data]`, which notepack makes of an extension that it does not know.
struct Extension<'de> {
    kind: Option<i8>,
    data: Option<&'de [u8]>,
}

impl<'de> SeqAccess<'de> for Extension<'de> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ReadError> {
        if let Some(kind) = self.kind.take() {
            return seed.deserialize(kind.into_deserializer()).map(Some);
        }
        match self.data.take() {
            Some(data) => seed
                .deserialize(de::value::BorrowedBytesDeserializer::new(data))
                .map(Some),
            None => Ok(None),
        }
    }
}

/// An enum written as a map of one key.
struct Variant<'a, 'de> {
    reader: &'a mut Reader<'de>,
}

impl<'a, 'de> EnumAccess<'de> for Variant<'a, 'de> {
    type Error = ReadError;
    type Variant = &'a mut Reader<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self::Variant), ReadError> {
        let name = key(self.reader)?;
        let name = seed.deserialize(CowStrDeserializer::new(name))?;
        Ok((name, self.reader))
    }
}

impl<'de> VariantAccess<'de> for &mut Reader<'de> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        Deserialize::deserialize(self)
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
