//! Shared UTF-8 text.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

use bytes::{Buf, Bytes};
use bytestring::ByteString;

/// Immutable UTF-8 text whose clones and slices share one buffer.
///
/// The text of a received message is a slice of the buffer it arrived in; cloning costs a reference count.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text(ByteString);

impl Text {
    /// Text that lives as long as the program; never allocates.
    pub const fn from_static(text: &'static str) -> Self {
        Self(ByteString::from_static(text))
    }

    /// The text as a string slice.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part of this text that `part` points at, sharing the buffer.
    ///
    /// # Panics
    ///
    /// If `part` is not a slice of this text.
    pub fn slice_ref(&self, part: &str) -> Self {
        Self(self.0.slice_ref(part))
    }

    /// The text without its first character, which takes one byte.
    #[inline]
    pub(crate) fn skip_first(self) -> Self {
        // To look at so few bytes again costs less than another share of them, and this one's end.
        const FEW: usize = 512;
        if self.0.len() > FEW {
            return self.slice_ref(self.get(1..).unwrap_or_default());
        }
        let mut bytes = self.0.into_bytes();
        bytes.advance(1);
        Self::try_from(bytes).unwrap_or_default()
    }

    /// Bytes as text; those that are no UTF-8 are replaced by U+FFFD, and only then anything is copied.
    pub fn lossy(bytes: &Bytes) -> Self {
        match Self::try_from(bytes.clone()) {
            Ok(text) => text,
            Err(_) => String::from_utf8_lossy(bytes).into_owned().into(),
        }
    }

    /// The bytes behind the text, without copying them.
    pub fn into_bytes(self) -> Bytes {
        self.0.into_bytes()
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

/// Checks that the bytes are UTF-8 and keeps them without copying.
impl TryFrom<Bytes> for Text {
    type Error = std::str::Utf8Error;

    fn try_from(bytes: Bytes) -> Result<Self, Self::Error> {
        ByteString::try_from(bytes).map(Self)
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}
