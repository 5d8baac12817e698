//! Arguments as MessagePack: how they are read and passed on.

use bytes::Bytes;
use serde::de::{Deserialize, Visitor};
use serde::ser::{Serialize, SerializeTuple, Serializer};

use super::reader::Reader;
use super::serde_impl::Items;
use crate::protocol::args::visit::{ArgsVisitor, Wanted};
use crate::protocol::binary;
use crate::protocol::encode::EncodeError;
use crate::protocol::json_reader::ReadError;
use crate::protocol::values::to_values;
use crate::protocol::{Args, ArgsError, RawArgs, Value};

/// The name under which the writers recognise arguments that are MessagePack already.
pub(in crate::protocol) const PACKED_ARGS: &str = "$socket_io::private::PackedArgs";

/// So many values, one behind the other, known to be well-formed.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::protocol) struct Packed {
    data: Bytes,
    count: u32,
    /// Whether there is binary data, which may share the buffer.
    binary: bool,
}

impl Packed {
    pub(in crate::protocol) fn size(&self) -> usize {
        self.data.len()
    }

    pub(super) fn new(data: Bytes, count: u32, binary: bool) -> Self {
        Self {
            data,
            count,
            binary,
        }
    }

    pub(in crate::protocol) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(in crate::protocol) fn read<'a, T: Deserialize<'a>>(
        &'a self,
        wanted: Wanted,
    ) -> Result<T, ArgsError> {
        let read = || {
            let mut reader = Reader::new(&self.data, 1);
            let mut items = Items {
                reader: &mut reader,
                left: self.count,
            };
            ArgsVisitor::new(false, wanted).visit_seq(&mut items)
        };
        let value = if self.binary {
            binary::sharing(&self.data, read)
        } else {
            read()
        };
        value.map_err(|error| match error {
            ReadError::Mismatch(message) => ArgsError::Mismatch(message),
            ReadError::IllegalAttachment | ReadError::Syntax { .. } | ReadError::TooDeep => {
                ArgsError::Syntax(error.to_string())
            }
        })
    }

    /// The values of arguments that another writer has met as the `parts` which [`Serialize`] makes of them.
    pub(in crate::protocol) fn values<T: Serialize + ?Sized>(
        parts: &T,
    ) -> Result<Args<Value>, EncodeError> {
        let parts = to_values(parts)?;
        let [count, Value::Binary(data)] = &parts[..] else {
            return Err(EncodeError::Data("expected arguments".into()));
        };
        let count = count.as_u64().and_then(|count| count.try_into().ok());
        let packed = Self::new(data.clone(), count.unwrap_or_default(), true);
        Ok(packed.read(Wanted::All)?)
    }
}

/// The values of arguments that the writer has met as the parts of their JSON: the text, and the attachments.
pub(super) fn values_of_json<T: Serialize + ?Sized>(parts: &T) -> Result<Args<Value>, EncodeError> {
    let mut parts = to_values(parts)?.into_iter();
    let text = parts.next().unwrap_or_default();
    let attachments = parts.filter_map(|part| part.as_bytes().cloned()).collect();
    let text = format!("[{}]", text.as_str().unwrap_or_default());
    Ok(RawArgs::new(&text, attachments)?.parse()?)
}

impl Serialize for Packed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(PACKED_ARGS, &Parts(self))
    }
}

struct Parts<'a>(&'a Packed);

impl Serialize for Parts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut parts = serializer.serialize_tuple(2)?;
        parts.serialize_element(&self.0.count)?;
        parts.serialize_element(&Data(&self.0.data))?;
        parts.end()
    }
}

struct Data<'a>(&'a [u8]);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}
