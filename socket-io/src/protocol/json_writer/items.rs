//! The inside of arrays and objects: `1,2` of `[1,2]`, `"a":1` of `{"a":1}`.

use serde::ser::{self, Serialize};

use super::{JsonWriter, write_string};
use crate::protocol::encode::EncodeError;
use crate::protocol::items::serialize_items;

/// The inside of an array or object.
pub(super) struct Items<'b, 'a> {
    pub(super) writer: &'b mut JsonWriter<'a>,
    pub(super) first: bool,
    /// Whether the parts are JSON text already, or attachments.
    pub(super) raw: bool,
    pub(super) close: &'static str,
}

impl Items<'_, '_> {
    fn comma(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.writer.output.push(b',');
        }
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        if self.raw {
            return self.writer.raw(value);
        }
        self.comma();
        self.writer.value(value)
    }

    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), EncodeError> {
        self.comma();
        let start = self.writer.output.len();
        self.writer.value(key)?;
        match self.writer.output.get(start) {
            Some(b'"') => {}
            Some(b'-' | b'0'..=b'9' | b't' | b'f') => {
                self.writer.output.insert(start, b'"');
                self.writer.output.push(b'"');
            }
            _ => return Err(EncodeError::Data("key must be a string".into())),
        }
        Ok(())
    }

    #[inline]
    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), EncodeError> {
        if self.raw {
            return self.writer.raw(value);
        }
        self.comma();
        write_string(self.writer.output, name);
        self.writer.output.push(b':');
        self.writer.value(value)
    }

    pub(super) fn end(self) -> Result<(), EncodeError> {
        self.writer.output.extend_from_slice(self.close.as_bytes());
        Ok(())
    }
}

serialize_items!(Items);

impl ser::SerializeMap for Items<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), EncodeError> {
        self.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.writer.output.push(b':');
        self.writer.value(value)
    }

    fn end(self) -> Result<(), EncodeError> {
        Items::end(self)
    }
}
