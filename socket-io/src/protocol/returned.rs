//! The value that a handler returned, and what is to be sent of it.

use serde::ser::{Impossible, Serialize, Serializer};

/// What becomes of a value that a handler returned, if the other side wants an acknowledgement; see [`answer_with`].
pub trait Answer {
    /// What comes of it.
    type Outcome;

    /// It was `()`, which is no answer.
    fn nothing(self) -> Self::Outcome;

    /// It was a value, or an `Ok`: to be sent as what is emitted is.
    fn value<T: Serialize + ?Sized>(self, value: &T) -> Self::Outcome;

    /// It was an `Err`: to be sent, and to be reported.
    fn error<T: Serialize + ?Sized>(self, error: &T) -> Self::Outcome;
}

/// Looks at what a handler returned.
///
/// | returned | sent if an acknowledgement is wanted |
/// |---|---|
/// | `()` | nothing |
/// | a value | the value; a tuple as several arguments; one that serializes as `()` does, as no argument |
/// | `Ok(value)` | the value; `Ok(())` as no argument |
/// | `Err(error)` | the error, serialized |
///
/// A `Result` is recognised by how serde writes it, since nothing else tells it from other values here.
pub fn answer_with<T: Serialize, A: Answer>(value: &T, answer: A) -> A::Outcome {
    let is_empty = size_of::<T>() == 0;
    let mut answer = Some(answer);
    let returned = Returned {
        answer: &mut answer,
        is_empty,
    };
    match (value.serialize(returned), answer) {
        (Ok(outcome), _) => outcome,
        (Err(NotAResult), Some(answer)) => answer.value(value),
        // Whoever takes the answer makes an outcome of it.
        (Err(NotAResult), None) => unreachable!("an answer that was taken has an outcome"),
    }
}

/// Sees whether a value is `()` or a `Result`, and gives up on everything else.
struct Returned<'a, A> {
    answer: &'a mut Option<A>,
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

impl<A: Answer> Serializer for Returned<'_, A> {
    type Ok = A::Outcome;
    type Error = NotAResult;
    type SerializeSeq = Impossible<Self::Ok, NotAResult>;
    type SerializeTuple = Impossible<Self::Ok, NotAResult>;
    type SerializeTupleStruct = Impossible<Self::Ok, NotAResult>;
    type SerializeTupleVariant = Impossible<Self::Ok, NotAResult>;
    type SerializeMap = Impossible<Self::Ok, NotAResult>;
    type SerializeStruct = Impossible<Self::Ok, NotAResult>;
    type SerializeStructVariant = Impossible<Self::Ok, NotAResult>;

    fn serialize_unit(self) -> Result<Self::Ok, NotAResult> {
        match self.answer.take_if(|_| self.is_empty) {
            Some(answer) => Ok(answer.nothing()),
            None => Err(NotAResult),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Self::Ok, NotAResult> {
        let is_error = match (name, variant) {
            ("Result", "Ok") => false,
            ("Result", "Err") => true,
            _ => return Err(NotAResult),
        };
        match self.answer.take() {
            Some(answer) if is_error => Ok(answer.error(value)),
            Some(answer) => Ok(answer.value(value)),
            None => Err(NotAResult),
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
