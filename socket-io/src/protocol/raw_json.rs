//! One JSON value, kept as text: the payload of CONNECT (`{"token":"x"}`) and CONNECT_ERROR (`{"message":"no"}`).

use engine_io::Text;
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::value::RawValue;

use super::args::{ArgsError, check_syntax, read_lossless};

/// The name under which serde_json recognises a value that is text already.
pub(super) const RAW_VALUE: &str = "$serde_json::private::RawValue";

/// JSON text that is known to be well-formed. Clones share the text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RawJson(Text);

impl RawJson {
    /// Checks that the text is one JSON value.
    ///
    /// # Errors
    ///
    /// [`ArgsError::Syntax`] when it is not.
    pub fn new(text: Text) -> Result<Self, ArgsError> {
        check_syntax(&text)?;
        Ok(Self(text))
    }

    /// Writes a value as JSON.
    ///
    /// # Errors
    ///
    /// [`ArgsError::Mismatch`] when JSON cannot express the value.
    pub fn from_data<T: Serialize + ?Sized>(data: &T) -> Result<Self, ArgsError> {
        match serde_json::to_string(data) {
            Ok(text) => Ok(Self(text.into())),
            Err(error) => Err(ArgsError::Mismatch(error.to_string())),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads the value as a type, as leniently as JavaScript would.
    ///
    /// # Errors
    ///
    /// [`ArgsError::Mismatch`] when it is of another type, [`ArgsError::Syntax`] when it is nested deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, ArgsError> {
        read_lossless(&self.0)
    }
}

impl Serialize for RawJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut raw = serializer.serialize_struct(RAW_VALUE, 1)?;
        raw.serialize_field(RAW_VALUE, self.as_str())?;
        raw.end()
    }
}

impl<'de> Deserialize<'de> for RawJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(Text::from(String::from(Box::<str>::from(raw)))))
    }
}
