//! The arguments of an event or acknowledgement, unparsed, and how they become types.
//!
//! | bytes | arguments |
//! |---|---|
//! | `["e"]`, `[]` | none |
//! | `["e",1,"a"]`, `[1,"a"]` | `1` and `"a"` |
//! | `["e",{"_placeholder":true,"num":0}]` and 1 binary | the attachment |

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use engine_io::Text;
use serde::de::{Deserialize, Deserializer, IgnoredAny};
use serde::ser::{Serialize, SerializeTuple, Serializer};

use super::binary;
use super::json_reader::{JsonReader, ReadError};

mod any;
mod list;
mod visit;

pub use list::Args;

use any::AnyJson;
use visit::{ArgsVisitor, Wanted, wanted_by};

/// The name under which the writer recognises arguments that are text already.
pub(super) const RAW_ARGS: &str = "$socket_io::private::RawArgs";

/// The arguments of an event or acknowledgement as they came: text, and attachments. Clones share both.
///
/// Emitting them sends them on without parsing. To serde serialisers other than that of the emitting functions they look like a tuple of the text
/// and the attachments.
#[derive(Clone, Debug)]
pub struct RawArgs {
    /// A JSON array, which starts with the name in case of an event; not yet checked beyond its brackets.
    text: Text,
    /// Where the first argument starts, or the closing bracket stands.
    start: usize,
    attachments: Option<Arc<[Bytes]>>,
    /// Set once the text is known to be well-formed and its placeholders to be legal.
    checked: OnceLock<()>,
}

impl RawArgs {
    /// No arguments.
    pub const fn empty() -> Self {
        Self {
            text: Text::from_static("[]"),
            start: 1,
            attachments: None,
            checked: OnceLock::new(),
        }
    }

    /// Arguments from the text of a JSON array, with the attachments that its placeholders stand for.
    ///
    /// # Errors
    ///
    /// [`ArgsError::Syntax`] when the text is no JSON array, [`ArgsError::IllegalAttachment`] when a placeholder names no attachment.
    pub fn new(text: &str, attachments: Vec<Bytes>) -> Result<Self, ArgsError> {
        let text = text.trim_matches([' ', '\n', '\r', '\t']);
        if !(text.len() >= 2 && text.starts_with('[') && text.ends_with(']')) {
            return Err(ArgsError::Syntax("expected an array".into()));
        }
        let mut args = Self::unchecked(text.into(), 1);
        args.attach(attachments);
        args.validate()?;
        Ok(args)
    }

    /// Arguments whose text starts with `[` and ends with `]`; `start` lies in between.
    pub(super) fn unchecked(text: Text, start: usize) -> Self {
        debug_assert!(text.starts_with('[') && text.ends_with(']'));
        debug_assert!(1 <= start && start < text.len());
        Self {
            text,
            start,
            attachments: None,
            checked: OnceLock::new(),
        }
    }

    /// Adds the attachments once they have arrived.
    pub(super) fn attach(&mut self, attachments: Vec<Bytes>) {
        if !attachments.is_empty() {
            self.attachments = Some(attachments.into());
        }
    }

    /// Whether there are no arguments.
    pub fn is_empty(&self) -> bool {
        self.json().is_empty()
    }

    /// The text of the arguments, without the brackets around them: `1,"a"`.
    ///
    /// It is unchecked until [`validate`](Self::validate) or one of the parsing functions has succeeded.
    pub fn json(&self) -> &str {
        self.text
            .get(self.start..self.text.len() - 1)
            .unwrap_or_default()
            .trim_matches([' ', '\n', '\r', '\t'])
    }

    /// The binary data that placeholders in the text stand for.
    pub fn attachments(&self) -> &[Bytes] {
        self.attachments.as_deref().unwrap_or_default()
    }

    /// Reads all arguments as one sequence: a tuple, a `Vec`, or the fields of a struct in their order.
    ///
    /// For tuples and structs, missing arguments read as `null` and further ones are ignored, as in a JavaScript function; `()` ignores all.
    ///
    /// # Errors
    ///
    /// See [`ArgsError`].
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, ArgsError> {
        self.read(Wanted::All)
    }

    /// Reads the first argument, which is `null` when there is none.
    ///
    /// # Errors
    ///
    /// See [`ArgsError`].
    pub fn parse_first<'a, T: Deserialize<'a>>(&'a self) -> Result<T, ArgsError> {
        self.read(Wanted::First)
    }

    /// Reads what emitting a `T` writes: all arguments for tuples, arrays and `()`, the first argument for every other type.
    ///
    /// # Errors
    ///
    /// See [`ArgsError`].
    pub fn parse_data<'a, T: Deserialize<'a>>(&'a self) -> Result<T, ArgsError> {
        self.read(wanted_by::<T>())
    }

    /// Checks the syntax of the text, and its placeholders, without building anything. Cheap when that is known already.
    ///
    /// # Errors
    ///
    /// [`ArgsError::Syntax`] or [`ArgsError::IllegalAttachment`]. The depth is limited only if there are attachments.
    pub fn validate(&self) -> Result<(), ArgsError> {
        if self.checked.get().is_some() {
            return Ok(());
        }
        if self.attachments.is_some() {
            self.read::<AnyJson>(Wanted::All)?;
        } else {
            check_syntax(&self.text)?;
        }
        self.mark_checked();
        Ok(())
    }

    /// Remembers that the text was written by ourselves or has been read to its end.
    pub(super) fn mark_checked(&self) {
        let _ = self.checked.set(());
    }

    fn read<'a, T: Deserialize<'a>>(&'a self, wanted: Wanted) -> Result<T, ArgsError> {
        let visitor = || ArgsVisitor::new(self.start > 1, wanted);
        let text = &*self.text;
        let Some(attachments) = &self.attachments else {
            let mut fast = serde_json::Deserializer::from_str(text);
            let value = fast.deserialize_seq(visitor());
            return match value.and_then(|value| fast.end().map(|()| value)) {
                Ok(value) => {
                    self.mark_checked();
                    Ok(value)
                }
                Err(error) if error.is_data() => {
                    check_syntax(text)?;
                    Err(ArgsError::Mismatch(error.to_string()))
                }
                Err(_) => read_leniently(text, &[], visitor()),
            };
        };
        binary::sharing(attachments, || read_leniently(text, attachments, visitor()))
    }
}

impl Default for RawArgs {
    fn default() -> Self {
        Self::empty()
    }
}

/// Compares texts and attachments, not meanings: `1` and `1.0` differ.
impl PartialEq for RawArgs {
    fn eq(&self, other: &Self) -> bool {
        self.json() == other.json() && self.attachments() == other.attachments()
    }
}

/// Malformed arguments are refused, so that nobody passes them on.
impl Serialize for RawArgs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.validate().map_err(serde::ser::Error::custom)?;
        serializer.serialize_newtype_struct(RAW_ARGS, &Parts(self))
    }
}

struct Parts<'a>(&'a RawArgs);

impl Serialize for Parts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let attachments = self.0.attachments();
        let mut parts = serializer.serialize_tuple(1 + attachments.len())?;
        parts.serialize_element(self.0.json())?;
        for data in attachments {
            parts.serialize_element(&AsBytes(data))?;
        }
        parts.end()
    }
}

struct AsBytes<'a>(&'a [u8]);

impl Serialize for AsBytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// Why arguments could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArgsError {
    /// The peer sent what is no JSON, or JSON nested deeper than [`MAX_DEPTH`](super::MAX_DEPTH): a violation of the protocol.
    Syntax(String),
    /// The peer sent a placeholder that names none of its attachments: a violation of the protocol.
    IllegalAttachment,
    /// The arguments are in order, but of another type than the one asked for.
    Mismatch(String),
}

impl fmt::Display for ArgsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(message) => write!(f, "invalid payload: {message}"),
            Self::IllegalAttachment => f.write_str("illegal attachments"),
            Self::Mismatch(message) => write!(f, "unexpected arguments: {message}"),
        }
    }
}

impl std::error::Error for ArgsError {}

/// Checks a JSON text of any depth, without recursion. Half surrogate pairs and huge numbers are in order.
pub(super) fn check_syntax(text: &str) -> Result<(), ArgsError> {
    match serde_json::from_str(text) {
        Ok(IgnoredAny) => Ok(()),
        Err(error) => Err(ArgsError::Syntax(error.to_string())),
    }
}

/// Reads one value, as leniently as JavaScript would.
pub(super) fn read_lossless<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, ArgsError> {
    match serde_json::from_str(text) {
        Ok(value) => Ok(value),
        Err(error) if error.is_data() => {
            check_syntax(text)?;
            Err(ArgsError::Mismatch(error.to_string()))
        }
        Err(_) => {
            let mut reader = JsonReader::new(text, &[]);
            let value = T::deserialize(&mut reader);
            let value = value.and_then(|value| reader.end().map(|()| value));
            value.map_err(|error| classify(error, text))
        }
    }
}

fn read_leniently<'de, T: Deserialize<'de>>(
    text: &'de str,
    attachments: &'de [Bytes],
    visitor: ArgsVisitor<T>,
) -> Result<T, ArgsError> {
    let mut reader = JsonReader::new(text, attachments);
    let value = (&mut reader).deserialize_seq(visitor);
    let value = value.and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| classify(error, text))
}

/// Whose fault it is: reading stops at the first error, and worse may stand behind a mismatch.
fn classify(error: ReadError, text: &str) -> ArgsError {
    if let Err(syntax) = check_syntax(text) {
        return syntax;
    }
    match error {
        ReadError::TooDeep => ArgsError::Syntax(error.to_string()),
        ReadError::IllegalAttachment => ArgsError::IllegalAttachment,
        ReadError::Mismatch(message) => ArgsError::Mismatch(message),
        // Well-formed after all, but not what an enum or a raw value asked for.
        ReadError::Syntax { .. } => ArgsError::Mismatch(error.to_string()),
    }
}
