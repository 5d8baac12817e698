//! The value that a handler returns, and what becomes of it.

use serde::ser::{Impossible, Serialize, Serializer};

use super::error::{EmitError, Failure};
use super::extract::Context;
use super::refusal::Refusal;

/// Acknowledges with what a handler returned.
///
/// | returned | sent if the client wants an acknowledgement |
/// |---|---|
/// | `()` | nothing |
/// | a value | the value; a tuple as several arguments; one that serializes as `()` does, as no argument |
/// | `Ok(value)` | the value; `Ok(())` as no argument |
/// | `Err(error)` | the error, serialized |
///
/// An error is reported, too. A `Result` is recognised by how serde writes it, since nothing else tells it from other values here.
pub(crate) fn reply<T: Serialize>(value: &T, context: &Context) -> Result<(), Failure> {
    let is_empty = size_of::<T>() == 0;
    match value.serialize(Returned { context, is_empty }) {
        Ok(outcome) => outcome,
        Err(NotAResult) => acknowledge(value, context).map_err(Failure::Reply),
    }
}

fn acknowledge<T: Serialize + ?Sized>(value: &T, context: &Context) -> Result<(), EmitError> {
    match &context.ack {
        Some(question) => context.socket.acknowledge(question, value),
        None => Ok(()),
    }
}

/// Sees whether a value is `()` or a `Result`, and gives up on everything else.
struct Returned<'a> {
    context: &'a Context,
    /// There is no data, as in `()`. `serde_json::Value::Null` looks the same to serde, but is a value.
    is_empty: bool,
}

#[derive(Debug)]
struct NotAResult;

impl std::fmt::Display for NotAResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("neither () nor a Result")
    }
}

impl std::error::Error for NotAResult {}

impl serde::ser::Error for NotAResult {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self
    }
}

/// The refusal that the hook sees in place of a handler's own error.
fn refusal<T: Serialize + ?Sized>(error: &T) -> Refusal {
    match serde_json::to_value(error) {
        Ok(serde_json::Value::String(message)) => Refusal::new(message),
        Ok(serde_json::Value::Object(object)) => {
            let message = object.get("message").and_then(|message| message.as_str());
            match message {
                Some(message) => Refusal::new(message),
                None => Refusal::new(serde_json::Value::Object(object).to_string()),
            }
        }
        Ok(other) => Refusal::new(other.to_string()),
        Err(error) => Refusal::new(error.to_string()),
    }
}

macro_rules! give_up {
    ($($method:ident($($type:ty),*);)*) => {$(
        fn $method(self, $(_: $type),*) -> Result<Self::Ok, NotAResult> {
            Err(NotAResult)
        }
    )*};
    ($($method:ident($($type:ty),*) -> $compound:ident;)*) => {$(
        fn $method(self, $(_: $type),*) -> Result<Self::$compound, NotAResult> {
            Err(NotAResult)
        }
    )*};
}

impl Serializer for Returned<'_> {
    type Ok = Result<(), Failure>;
    type Error = NotAResult;
    type SerializeSeq = Impossible<Self::Ok, NotAResult>;
    type SerializeTuple = Impossible<Self::Ok, NotAResult>;
    type SerializeTupleStruct = Impossible<Self::Ok, NotAResult>;
    type SerializeTupleVariant = Impossible<Self::Ok, NotAResult>;
    type SerializeMap = Impossible<Self::Ok, NotAResult>;
    type SerializeStruct = Impossible<Self::Ok, NotAResult>;
    type SerializeStructVariant = Impossible<Self::Ok, NotAResult>;

    fn serialize_unit(self) -> Result<Self::Ok, NotAResult> {
        if self.is_empty {
            Ok(Ok(()))
        } else {
            Err(NotAResult)
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Self::Ok, NotAResult> {
        match (name, variant) {
            ("Result", "Ok") => Ok(acknowledge(value, self.context).map_err(Failure::Reply)),
            ("Result", "Err") => Ok(acknowledge(value, self.context)
                .map_err(Failure::Reply)
                .and(Err(Failure::Returned(refusal(value))))),
            _ => Err(NotAResult),
        }
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<Self::Ok, NotAResult> {
        Err(NotAResult)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: &T,
    ) -> Result<Self::Ok, NotAResult> {
        Err(NotAResult)
    }

    give_up! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_u128(u128);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_none();
        serialize_unit_struct(&'static str);
        serialize_unit_variant(&'static str, u32, &'static str);
    }

    give_up! {
        serialize_seq(Option<usize>) -> SerializeSeq;
        serialize_tuple(usize) -> SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> SerializeTupleVariant;
        serialize_map(Option<usize>) -> SerializeMap;
        serialize_struct(&'static str, usize) -> SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> SerializeStructVariant;
    }
}
