//! Binary data among the arguments.
//!
//! In the JSON stands `{"_placeholder":true,"num":0}`; the data follows the packet as a binary message of its own.
//!
//! Serde hands data to a type as a plain slice. So that [`Binary`] and [`Value`](super::Value) can keep the shared buffer instead of copying it,
//! the attachments of the packet being parsed are known to the thread for that time, and a slice that is one of them is exchanged for its buffer.

use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

/// Binary data as an argument, or anywhere inside one.
///
/// Received data shares the buffer of its message. Other types that speak of bytes to serde, such as those of `serde_bytes`, work as well but copy.
/// A `Vec<u8>` is an array of numbers to serde, and a `String` may be made of bytes that are UTF-8: in an untagged enum, a variant with binary data
/// has to stand before one with a string.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_structs)] // a plain wrapper
pub struct Binary(pub Bytes);

impl Deref for Binary {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Binary {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Bytes> for Binary {
    fn from(data: Bytes) -> Self {
        Self(data)
    }
}

impl From<Vec<u8>> for Binary {
    fn from(data: Vec<u8>) -> Self {
        Self(data.into())
    }
}

impl From<&[u8]> for Binary {
    fn from(data: &[u8]) -> Self {
        Self(Bytes::copy_from_slice(data))
    }
}

impl From<Binary> for Bytes {
    fn from(binary: Binary) -> Self {
        binary.0
    }
}

impl fmt::Debug for Binary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            // Asking for bytes, serde_json would pass a string off as such.
            deserializer.deserialize_any(BinaryVisitor)
        } else {
            deserializer.deserialize_byte_buf(BinaryVisitor)
        }
    }
}

struct BinaryVisitor;

impl<'de> Visitor<'de> for BinaryVisitor {
    type Value = Binary;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("binary data")
    }

    fn visit_bytes<E: Error>(self, data: &[u8]) -> Result<Binary, E> {
        Ok(Binary(shared(data)))
    }

    fn visit_byte_buf<E: Error>(self, data: Vec<u8>) -> Result<Binary, E> {
        Ok(Binary(data.into()))
    }

    /// What formats without binary, such as plain JSON, make of bytes.
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Binary, A::Error> {
        let mut data = Vec::new();
        while let Some(byte) = items.next_element::<u8>()? {
            data.push(byte);
        }
        Ok(Binary(data.into()))
    }
}

/// The buffers that a slice may be a part of.
pub(super) enum Buffers {
    None,
    /// The attachments of a packet: a slice is one of them as a whole.
    Attachments(Arc<[Bytes]>),
    /// The message that a packet is made of: a slice lies somewhere in it.
    Message(Bytes),
}

impl From<&Arc<[Bytes]>> for Buffers {
    fn from(attachments: &Arc<[Bytes]>) -> Self {
        Self::Attachments(Arc::clone(attachments))
    }
}

impl From<&Bytes> for Buffers {
    fn from(message: &Bytes) -> Self {
        Self::Message(message.clone())
    }
}

thread_local! {
    static BUFFERS: RefCell<Buffers> = const { RefCell::new(Buffers::None) };
}

/// Runs `parse` while the buffers are known to [`shared`].
pub(super) fn sharing<R>(buffers: impl Into<Buffers>, parse: impl FnOnce() -> R) -> R {
    /// Puts the buffers of an outer call back, also when a user's type panics.
    struct Restore(Buffers);

    impl Drop for Restore {
        fn drop(&mut self) {
            let outer = std::mem::replace(&mut self.0, Buffers::None);
            BUFFERS.with(|current| *current.borrow_mut() = outer);
        }
    }

    let outer = BUFFERS.with(|current| current.replace(buffers.into()));
    let _restore = Restore(outer);
    parse()
}

/// The buffer that `data` is a part of, without copying; a copy when there is none, or when keeping it would keep much more.
pub(super) fn shared(data: &[u8]) -> Bytes {
    BUFFERS.with(|current| {
        let found = match &*current.borrow() {
            Buffers::None => None,
            Buffers::Attachments(attachments) => attachments
                .iter()
                .find(|attachment| {
                    attachment.as_ptr() == data.as_ptr() && attachment.len() == data.len()
                })
                .cloned(),
            Buffers::Message(message) => {
                let large = data.len() >= message.len() / 2 && !data.is_empty();
                let range = message.as_ptr_range();
                let inside = data.as_ptr_range();
                let inside = range.start <= inside.start && inside.end <= range.end;
                (large && inside).then(|| message.slice_ref(data))
            }
        };
        found.unwrap_or_else(|| Bytes::copy_from_slice(data))
    })
}
