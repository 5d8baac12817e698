//! A value whose type is not known beforehand: JSON, and binary data.

use std::fmt;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use smallvec::SmallVec;

use super::binary;
use super::json_writer::RAW_NUMBER;

mod number;
mod object;

pub use number::Number;
pub use object::Object;

/// Whatever an argument can be.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(clippy::exhaustive_enums)] // complete by definition of the protocol
pub enum Value {
    /// `null`; also what JavaScript's `undefined` and `NaN` become on the wire.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(String),
    /// An attachment.
    Binary(Bytes),
    /// A list.
    Array(Vec<Self>),
    /// Keys and values.
    Object(Object),
}

impl Value {
    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        *self == Self::Null
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The number, if it is an integer that fits.
    pub fn as_i64(&self) -> Option<i64> {
        self.as_number()?.as_i64()
    }

    /// The number, if it is an integer that fits.
    pub fn as_u64(&self) -> Option<u64> {
        self.as_number()?.as_u64()
    }

    /// The number, if it is one; big integers are rounded.
    pub fn as_f64(&self) -> Option<f64> {
        self.as_number().map(|number| number.as_f64())
    }

    /// The number, if it is one.
    pub fn as_number(&self) -> Option<Number> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The binary data, if it is such.
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Binary(data) => Some(data),
            _ => None,
        }
    }

    /// The items, if it is a list.
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The keys and values, if it is an object.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// What an object holds under `key`.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_object()?.get(key)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            // Not a unit, which would be no argument at all.
            Self::Null => serializer.serialize_none(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::String(text) => serializer.serialize_str(text),
            Self::Binary(data) => serializer.serialize_bytes(data),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(object) => serializer.collect_map(object.iter()),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

/// So many items are collected on the stack, so that most arrays and objects are one allocation, of the size that they need. Growing in steps is worse than
/// slow: the system's allocator grows a block where it lies, so that a thread that once got one of another thread's asks for that thread's lock ever after.
const FEW: usize = 8;

fn exact<T>(items: SmallVec<[T; FEW]>) -> Vec<T> {
    if items.spilled() {
        return items.into_vec();
    }
    let mut exact = Vec::with_capacity(items.len());
    exact.extend(items);
    exact
}

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_bytes<E>(self, data: &[u8]) -> Result<Value, E> {
        Ok(Value::Binary(binary::shared(data)))
    }

    fn visit_byte_buf<E>(self, data: Vec<u8>) -> Result<Value, E> {
        Ok(Value::Binary(data.into()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = SmallVec::<[Value; FEW]>::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Value::Array(exact(array)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = SmallVec::<[(String, Value); FEW]>::new();
        while let Some(entry) = entries.next_entry()? {
            object.push(entry);
        }
        if let [(key, Value::String(digits))] = &object[..] {
            // How serde_json hands out numbers if another part of the program wants them in full length.
            if key == RAW_NUMBER {
                return Ok(Number::from_digits(digits).into());
            }
        }
        Ok(Value::Object(exact(object).into_iter().collect()))
    }
}

macro_rules! from {
    ($($source:ty => |$value:ident| $target:expr,)*) => {$(
        impl From<$source> for Value {
            fn from($value: $source) -> Self {
                $target
            }
        }
    )*};
}

from! {
    bool => |value| Self::Bool(value),
    i32 => |value| Self::Number(value.into()),
    i64 => |value| Self::Number(value.into()),
    u32 => |value| Self::Number(value.into()),
    u64 => |value| Self::Number(value.into()),
    f64 => |value| Self::Number(value.into()),
    Number => |value| Self::Number(value),
    &str => |value| Self::String(value.into()),
    String => |value| Self::String(value),
    Bytes => |value| Self::Binary(value),
    binary::Binary => |value| Self::Binary(value.0),
    Object => |value| Self::Object(value),
    () => |_unit| Self::Null,
}

impl<T: Into<Self>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Self::Array(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(value),
            serde_json::Value::Number(number) => Self::Number(number.into()),
            serde_json::Value::String(text) => Self::String(text),
            serde_json::Value::Array(items) => items.into(),
            serde_json::Value::Object(entries) => Self::Object(entries.into_iter().collect()),
        }
    }
}
