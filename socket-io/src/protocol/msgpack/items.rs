//! The inside of arrays and maps: `01 02` of `92 01 02`.
//!
//! A header says how many items follow. What serde announces is corrected in the end if it was not so, or not known.

use serde::ser::{self, Serialize};

use super::primitives::{Kind, correct_header, write_str};
use super::writer::{Form, Writer};
use crate::protocol::encode::EncodeError;
use crate::protocol::items::serialize_items;

/// The inside of an array or map.
pub(super) struct Items<'b, 'a> {
    pub(super) writer: &'b mut Writer<'a>,
    /// What the header announces, where it stands, and how many items it says; `None` when there is no header.
    pub(super) header: Option<(Kind, usize, usize)>,
    pub(super) count: usize,
    /// What the items are.
    pub(super) form: Form,
}

impl Items<'_, '_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.count += 1;
        self.writer.formed(self.form, value)
    }

    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), EncodeError> {
        self.count += 1;
        self.writer.formed(Form::Key, key)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), EncodeError> {
        // Without a header it is no map, but a value under a telling name.
        if self.header.is_some() {
            write_str(self.writer.output, name);
        }
        self.item(value)
    }

    fn end(self) -> Result<(), EncodeError> {
        match self.header {
            Some((kind, at, announced)) if announced != self.count => {
                correct_header(self.writer.output, at, kind, announced, self.count);
            }
            Some(_) => {}
            None if self.form == Form::Value => self.writer.args = Some(self.count),
            None => {}
        }
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
        self.writer.value(value)
    }

    fn end(self) -> Result<(), EncodeError> {
        Items::end(self)
    }
}
