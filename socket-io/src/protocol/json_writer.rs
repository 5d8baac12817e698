//! Writes arguments as JSON and takes binary data out as attachments, in one pass.
//!
//! | data | bytes between the brackets |
//! |---|---|
//! | `()` | nothing |
//! | `(1, "a")` | `1,"a"` |
//! | `vec![1, 2]` | `[1,2]` |
//! | `Some(f64::NAN)` | `null` |
//! | `Binary(…)` | `{"_placeholder":true,"num":0}`, and the data as an attachment |

use serde::ser::{Serialize, Serializer};

use super::args::{RAW_ARGS, RawArgs};
use super::attachments::Attachments;
use super::encode::EncodeError;
use super::msgpack::{PACKED_ARGS, Packed};
use super::raw_json::RAW_VALUE;
use super::value::Value;

mod items;
mod string;

use items::Items;
pub(super) use string::write_string;

/// As serde_json calls a number of any length, which some programs make all its numbers be.
pub(super) const RAW_NUMBER: &str = "$serde_json::private::Number";

/// Appends `data` as arguments, each behind a comma if `behind` is set.
pub(super) fn write_args<T: Serialize + ?Sized>(
    output: &mut Vec<u8>,
    attachments: &mut Attachments,
    data: &T,
    behind: Behind,
) -> Result<(), EncodeError> {
    let start = output.len();
    if behind == Behind::Name {
        output.push(b',');
    }
    let first = output.len();
    data.serialize(&mut JsonWriter {
        output,
        attachments,
        form: Form::Args,
    })?;
    if output.len() == first {
        output.truncate(start);
    }
    Ok(())
}

/// What the arguments stand behind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// The bracket that opens the array.
    Bracket,
    /// The name of an event.
    Name,
}

/// What the next value is to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The arguments: no brackets around a tuple.
    Args,
    /// A value among others.
    Value,
    /// Text that is JSON already, and the attachments that belong to it.
    Raw,
}

struct JsonWriter<'a> {
    output: &'a mut Vec<u8>,
    attachments: &'a mut Attachments,
    form: Form,
}

impl<'a> JsonWriter<'a> {
    /// Everything that serde_json writes as we would.
    fn plain<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        serde_json::to_writer(&mut *self.output, value)
            .map_err(|error| EncodeError::Data(error.to_string()))
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.form = Form::Value;
        value.serialize(self)
    }

    fn raw<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.form = Form::Raw;
        value.serialize(&mut *self)?;
        self.form = Form::Value;
        Ok(())
    }

    fn open<'b>(&'b mut self, bracket: &str, close: &'static str) -> Items<'b, 'a> {
        self.output.extend_from_slice(bracket.as_bytes());
        self.form = Form::Value;
        Items {
            writer: self,
            first: true,
            raw: false,
            close,
        }
    }

    /// A tuple or struct whose parts are text already, or attachments.
    fn open_raw<'b>(&'b mut self) -> Items<'b, 'a> {
        Items {
            writer: self,
            first: true,
            raw: true,
            close: "",
        }
    }

    /// `{"Variant":` and the bracket of its content.
    fn open_variant<'b>(
        &'b mut self,
        variant: &str,
        bracket: &str,
        close: &'static str,
    ) -> Items<'b, 'a> {
        self.output.push(b'{');
        write_string(self.output, variant);
        self.output.push(b':');
        self.open(bracket, close)
    }

    /// Arguments that are text already, as arguments or, in brackets, as one value.
    fn raw_args<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        if self.form == Form::Args {
            return self.raw(value);
        }
        self.output.push(b'[');
        let start = self.output.len();
        let before = self.attachments.count();
        self.raw(value)?;
        if before > 0 && self.attachments.count() > before {
            // Their placeholders count from 0 and have to be written anew.
            let data = self.attachments.take_from(before)?;
            let text = self.output.split_off(start);
            let text = String::from_utf8_lossy(&text);
            let values = RawArgs::new(&format!("[{text}]"), data)
                .and_then(|args| args.parse::<Vec<Value>>())
                .map_err(|error| EncodeError::Data(error.to_string()))?;
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    self.output.push(b',');
                }
                self.value(value)?;
            }
        }
        self.output.push(b']');
        Ok(())
    }
}

macro_rules! integers {
    ($($method:ident: $type:ty,)*) => {$(
        fn $method(self, value: $type) -> Result<(), EncodeError> {
            self.output.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
            Ok(())
        }
    )*};
}

impl<'a, 'b> Serializer for &'b mut JsonWriter<'a> {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = Items<'b, 'a>;
    type SerializeTuple = Items<'b, 'a>;
    type SerializeTupleStruct = Items<'b, 'a>;
    type SerializeTupleVariant = Items<'b, 'a>;
    type SerializeMap = Items<'b, 'a>;
    type SerializeStruct = Items<'b, 'a>;
    type SerializeStructVariant = Items<'b, 'a>;

    integers! {
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_i128: i128,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_u128: u128,
    }

    fn serialize_bool(self, value: bool) -> Result<(), EncodeError> {
        self.plain(&value)
    }

    fn serialize_f32(self, value: f32) -> Result<(), EncodeError> {
        self.plain(&value)
    }

    fn serialize_f64(self, value: f64) -> Result<(), EncodeError> {
        self.plain(&value)
    }

    fn serialize_char(self, value: char) -> Result<(), EncodeError> {
        self.plain(&value)
    }

    fn serialize_str(self, value: &str) -> Result<(), EncodeError> {
        if self.form == Form::Raw {
            // With room for what closes the packet, so that a long text is not moved once more for it.
            self.output.reserve(value.len() + 16);
            self.output.extend_from_slice(value.as_bytes());
        } else {
            write_string(self.output, value);
        }
        Ok(())
    }

    fn serialize_bytes(self, data: &[u8]) -> Result<(), EncodeError> {
        let number = self.attachments.push(data);
        if self.form != Form::Raw {
            self.output
                .extend_from_slice(b"{\"_placeholder\":true,\"num\":");
            let mut digits = itoa::Buffer::new();
            self.output
                .extend_from_slice(digits.format(number).as_bytes());
            self.output.push(b'}');
        }
        Ok(())
    }

    fn serialize_none(self) -> Result<(), EncodeError> {
        self.output.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), EncodeError> {
        self.value(value)
    }

    fn serialize_unit(self) -> Result<(), EncodeError> {
        match self.form {
            Form::Args => Ok(()),
            Form::Value | Form::Raw => self.serialize_none(),
        }
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), EncodeError> {
        self.serialize_none()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), EncodeError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        if name == RAW_ARGS {
            return self.raw_args(value);
        }
        if name == PACKED_ARGS {
            return Packed::values(value)?.serialize(self);
        }
        self.value(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        let items = self.open_variant(variant, "", "}");
        items.writer.value(value)?;
        items.end()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'b, 'a>, EncodeError> {
        Ok(self.open("[", "]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Items<'b, 'a>, EncodeError> {
        match self.form {
            Form::Args => Ok(self.open("", "")),
            Form::Value => Ok(self.open("[", "]")),
            Form::Raw => Ok(self.open_raw()),
        }
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Items<'b, 'a>, EncodeError> {
        Ok(self.open("[", "]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'b, 'a>, EncodeError> {
        Ok(self.open_variant(variant, "[", "]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Items<'b, 'a>, EncodeError> {
        Ok(self.open("{", "}"))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Items<'b, 'a>, EncodeError> {
        if name == RAW_VALUE || name == RAW_NUMBER {
            return Ok(self.open_raw());
        }
        Ok(self.open("{", "}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'b, 'a>, EncodeError> {
        Ok(self.open_variant(variant, "{", "}}"))
    }
}
