//! Writes data as MessagePack, in one pass.
//!
//! | data | bytes |
//! |---|---|
//! | `(1, "a")` as arguments | `01 a1 61` |
//! | `vec![1, 2]` | `92 01 02` |
//! | `None` | `c0` |
//! | a struct | a map of its fields' names |
//! | a map with keys that are no strings | a map of strings, as in JSON |
//! | `Binary(…)` | `c4 …` |

use serde::ser::{Serialize, Serializer};

use super::args::{PACKED_ARGS, values_of_json};
use super::items::Items;
use super::primitives::{
    Kind, write_array_buffer, write_bin, write_bool, write_date, write_f32, write_f64,
    write_header, write_nil, write_signed, write_str, write_undefined, write_unsigned,
};
use crate::protocol::Value;
use crate::protocol::args::{RAW_ARGS, read_lossless};
use crate::protocol::encode::EncodeError;
use crate::protocol::javascript::{ARRAY_BUFFER, DATE, Date, UNDEFINED};
use crate::protocol::json_writer::RAW_NUMBER;
use crate::protocol::raw_json::RAW_VALUE;

/// Appends `data` as arguments and tells how many they are.
pub(super) fn write_args<T: Serialize + ?Sized>(
    output: &mut Vec<u8>,
    data: &T,
) -> Result<usize, EncodeError> {
    let mut writer = Writer {
        output,
        form: Form::Args,
        args: None,
    };
    data.serialize(&mut writer)?;
    Ok(writer.args.unwrap_or(1))
}

/// Appends `data` as one value.
pub(super) fn write_value<T: Serialize + ?Sized>(
    output: &mut Vec<u8>,
    data: &T,
) -> Result<(), EncodeError> {
    data.serialize(&mut Writer {
        output,
        form: Form::Value,
        args: None,
    })
}

/// What the next value is to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The arguments: no header in front of a tuple.
    Args,
    /// A value among others.
    Value,
    /// The key of a map, which is a string.
    Key,
    /// A date, as its text.
    Date,
    /// JSON that is text already.
    Json,
    /// The data of an `ArrayBuffer`.
    ArrayBuffer,
    /// Arguments that are MessagePack already: their number, and their bytes.
    PackedArgs,
    /// The same as one value, an array.
    PackedValue,
}

pub(super) struct Writer<'a> {
    pub(super) output: &'a mut Vec<u8>,
    pub(super) form: Form,
    /// How many arguments there are, if it is not one.
    pub(super) args: Option<usize>,
}

impl<'a> Writer<'a> {
    pub(super) fn formed<T: Serialize + ?Sized>(
        &mut self,
        form: Form,
        value: &T,
    ) -> Result<(), EncodeError> {
        self.form = form;
        value.serialize(&mut *self)?;
        self.form = Form::Value;
        Ok(())
    }

    pub(super) fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.form = Form::Value;
        value.serialize(self)
    }

    fn open<'b>(
        &'b mut self,
        kind: Kind,
        announced: Option<usize>,
    ) -> Result<Items<'b, 'a>, EncodeError> {
        if self.form == Form::Key {
            return Err(key_error());
        }
        self.form = Form::Value;
        let announced = announced.unwrap_or_default();
        let header = Some((kind, self.output.len(), announced));
        write_header(self.output, kind, announced);
        Ok(Items {
            writer: self,
            header,
            count: 0,
            form: Form::Value,
        })
    }

    /// A map of one key, and what stands under it.
    fn open_variant<'b>(
        &'b mut self,
        variant: &str,
        kind: Kind,
        announced: usize,
    ) -> Result<Items<'b, 'a>, EncodeError> {
        if self.form == Form::Key {
            return Err(key_error());
        }
        write_header(self.output, Kind::Map, 1);
        write_str(self.output, variant);
        self.open(kind, Some(announced))
    }

    /// Items without a header: arguments, or what is written in another form.
    fn open_bare<'b>(&'b mut self, form: Form) -> Items<'b, 'a> {
        Items {
            writer: self,
            header: None,
            count: 0,
            form,
        }
    }

    /// A value that is no key.
    fn only_value(&self) -> Result<(), EncodeError> {
        match self.form {
            Form::Key => Err(key_error()),
            _ => Ok(()),
        }
    }
}

fn key_error() -> EncodeError {
    EncodeError::Data("key must be a string".into())
}

macro_rules! integers {
    ($($method:ident: $type:ty => $write:ident,)*) => {$(
        fn $method(self, value: $type) -> Result<(), EncodeError> {
            match self.form {
                Form::Key => write_str(self.output, itoa::Buffer::new().format(value)),
                _ => $write(self.output, value.into()),
            }
            Ok(())
        }
    )*};
}

macro_rules! wide_integers {
    ($($method:ident: $type:ty,)*) => {$(
        fn $method(self, value: $type) -> Result<(), EncodeError> {
            match (u64::try_from(value), i64::try_from(value)) {
                (Ok(value), _) => self.serialize_u64(value),
                (_, Ok(value)) => self.serialize_i64(value),
                _ => self.serialize_f64(value as f64),
            }
        }
    )*};
}

impl<'a, 'b> Serializer for &'b mut Writer<'a> {
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
        serialize_i8: i8 => write_signed,
        serialize_i16: i16 => write_signed,
        serialize_i32: i32 => write_signed,
        serialize_i64: i64 => write_signed,
        serialize_u8: u8 => write_unsigned,
        serialize_u16: u16 => write_unsigned,
        serialize_u64: u64 => write_unsigned,
    }

    fn serialize_u32(self, value: u32) -> Result<(), EncodeError> {
        match self.form {
            Form::PackedArgs => {
                self.args = Some(value as usize);
                Ok(())
            }
            Form::PackedValue => {
                write_header(self.output, Kind::Array, value as usize);
                Ok(())
            }
            _ => self.serialize_u64(value.into()),
        }
    }

    wide_integers! {
        serialize_i128: i128,
        serialize_u128: u128,
    }

    fn serialize_bool(self, value: bool) -> Result<(), EncodeError> {
        match self.form {
            Form::Key => write_str(self.output, if value { "true" } else { "false" }),
            _ => write_bool(self.output, value),
        }
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), EncodeError> {
        match self.form {
            Form::Key => write_str(self.output, &value.to_string()),
            _ => write_f32(self.output, value),
        }
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Result<(), EncodeError> {
        match self.form {
            Form::Key => write_str(self.output, &value.to_string()),
            _ => write_f64(self.output, value),
        }
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), EncodeError> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), EncodeError> {
        match self.form {
            Form::Json => {
                let value: Value =
                    read_lossless(value).map_err(|error| EncodeError::Data(error.to_string()))?;
                return self.value(&value);
            }
            Form::Date => match value.parse::<Date>() {
                Ok(date) => write_date(self.output, date.as_millis()),
                Err(error) => return Err(EncodeError::Data(error.to_string())),
            },
            _ => write_str(self.output, value),
        }
        Ok(())
    }

    fn serialize_bytes(self, data: &[u8]) -> Result<(), EncodeError> {
        self.only_value()?;
        match self.form {
            Form::ArrayBuffer => write_array_buffer(self.output, data),
            Form::PackedArgs | Form::PackedValue => self.output.extend_from_slice(data),
            _ => write_bin(self.output, data),
        }
        Ok(())
    }

    fn serialize_none(self) -> Result<(), EncodeError> {
        self.only_value()?;
        write_nil(self.output);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), EncodeError> {
        match self.form {
            Form::Key => value.serialize(self),
            _ => self.value(value),
        }
    }

    fn serialize_unit(self) -> Result<(), EncodeError> {
        if self.form == Form::Args {
            self.args = Some(0);
            return Ok(());
        }
        self.serialize_none()
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<(), EncodeError> {
        self.only_value()?;
        match name {
            UNDEFINED => write_undefined(self.output),
            _ => write_nil(self.output),
        }
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), EncodeError> {
        write_str(self.output, variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        match name {
            RAW_ARGS => {
                self.only_value()?;
                values_of_json(value)?.serialize(self)
            }
            PACKED_ARGS => {
                self.only_value()?;
                let form = match self.form {
                    Form::Args => Form::PackedArgs,
                    _ => Form::PackedValue,
                };
                self.formed(form, value)
            }
            DATE if self.form != Form::Key => self.formed(Form::Date, value),
            ARRAY_BUFFER => {
                self.only_value()?;
                self.formed(Form::ArrayBuffer, value)
            }
            _ if self.form == Form::Key => value.serialize(self),
            _ => self.value(value),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        self.only_value()?;
        write_header(self.output, Kind::Map, 1);
        write_str(self.output, variant);
        self.value(value)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Items<'b, 'a>, EncodeError> {
        self.open(Kind::Array, length)
    }

    fn serialize_tuple(self, length: usize) -> Result<Items<'b, 'a>, EncodeError> {
        match self.form {
            Form::Args => Ok(self.open_bare(Form::Value)),
            Form::PackedArgs | Form::PackedValue => Ok(self.open_bare(self.form)),
            _ => self.open(Kind::Array, Some(length)),
        }
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        length: usize,
    ) -> Result<Items<'b, 'a>, EncodeError> {
        self.open(Kind::Array, Some(length))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Items<'b, 'a>, EncodeError> {
        self.open_variant(variant, Kind::Array, length)
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Items<'b, 'a>, EncodeError> {
        self.open(Kind::Map, length)
    }

    fn serialize_struct(
        self,
        name: &'static str,
        length: usize,
    ) -> Result<Items<'b, 'a>, EncodeError> {
        if name == RAW_VALUE || name == RAW_NUMBER {
            self.only_value()?;
            return Ok(self.open_bare(Form::Json));
        }
        self.open(Kind::Map, Some(length))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Items<'b, 'a>, EncodeError> {
        self.open_variant(variant, Kind::Map, length)
    }
}
