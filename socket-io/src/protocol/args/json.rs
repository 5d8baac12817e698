//! Arguments as JSON text: how they are read, checked and passed on.
//!
//! | bytes | arguments |
//! |---|---|
//! | `["e"]`, `[]` | none |
//! | `["e",1,"a"]`, `[1,"a"]` | `1` and `"a"` |
//! | `["e",{"_placeholder":true,"num":0}]` and 1 binary | the attachment |

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use engine_io::Text;
use serde::de::{Deserialize, Deserializer, IgnoredAny};
use serde::ser::{Serialize, SerializeTuple, Serializer};

use super::ArgsError;
use super::any::AnyJson;
use super::syntax::{is_json, is_json_behind_first};
use super::visit::{ArgsVisitor, Wanted};
use crate::protocol::binary;
use crate::protocol::decode::{trim_end, trim_start};
use crate::protocol::json_reader::{JsonReader, ReadError};

/// The name under which the writers recognise arguments that are JSON text already.
pub(in crate::protocol) const RAW_ARGS: &str = "$socket_io::private::RawArgs";

/// A JSON array, and the attachments that its placeholders stand for.
#[derive(Clone, Debug)]
pub(super) struct JsonArgs {
    /// Ends with the array; not yet checked beyond its brackets. In front may be what else was in the message.
    text: Text,
    /// Where the array starts, with the name in case of an event.
    open: usize,
    /// How far behind that the first argument starts, or the closing bracket stands.
    start: usize,
    attachments: Option<Arc<[Bytes]>>,
    /// Set once the text is known to be well-formed and its placeholders to be legal.
    checked: Checked,
}

/// Says something about text that does not change, so that no order of memory matters.
#[derive(Debug)]
struct Checked(AtomicBool);

impl Checked {
    const fn new() -> Self {
        Self(AtomicBool::new(false))
    }
}

impl Clone for Checked {
    fn clone(&self) -> Self {
        Self(AtomicBool::new(self.0.load(Ordering::Relaxed)))
    }
}

impl JsonArgs {
    pub(super) const fn empty() -> Self {
        Self {
            text: Text::from_static("[]"),
            open: 0,
            start: 1,
            attachments: None,
            checked: Checked::new(),
        }
    }

    /// The text starts with `[` and ends with `]`; `start` lies in between.
    pub(super) fn unchecked(text: Text, start: usize) -> Self {
        debug_assert!(text.starts_with('[') && text.ends_with(']'));
        debug_assert!(1 <= start && start < text.len());
        Self {
            text,
            start,
            ..Self::empty()
        }
    }

    /// Arguments whose text follows.
    pub(super) fn sought(start: usize) -> Self {
        Self {
            start,
            ..Self::empty()
        }
    }

    /// The array is this part of a text. Arguments that came without one stay as they are.
    pub(super) fn find_in(&mut self, text: Text, open: usize, end: usize) {
        if open == end {
            return;
        }
        self.text = if end == text.len() {
            text
        } else {
            text.slice_ref(text.get(..end).unwrap_or_default())
        };
        self.open = open;
        debug_assert!(self.array().starts_with('[') && self.array().ends_with(']'));
    }

    /// All of the array.
    fn array(&self) -> &str {
        self.text.get(self.open..).unwrap_or_default()
    }

    pub(super) fn attach(&mut self, attachments: Vec<Bytes>) {
        if !attachments.is_empty() {
            self.attachments = Some(attachments.into());
        }
    }

    pub(super) fn json(&self) -> &str {
        let args = self.text.get(self.open + self.start..self.text.len() - 1);
        trim_end(trim_start(args.unwrap_or_default()))
    }

    pub(super) fn attachments(&self) -> &[Bytes] {
        self.attachments.as_deref().unwrap_or_default()
    }

    pub(super) fn validate(&self) -> Result<(), ArgsError> {
        if self.checked.0.load(Ordering::Relaxed) {
            return Ok(());
        }
        if self.attachments.is_some() {
            self.read::<AnyJson>(Wanted::All)?;
        } else if !self.is_well_formed_behind_name() {
            check_syntax(self.array())?;
        }
        self.mark_checked();
        Ok(())
    }

    /// Whether there is an event's name, which has been read, and arguments that are found to be in order at the first look.
    fn is_well_formed_behind_name(&self) -> bool {
        let args = self.text.get(self.open + self.start..);
        self.start > 1 && args.is_some_and(is_json_behind_first)
    }

    /// Remembers that the text was written by ourselves or has been read to its end.
    pub(super) fn mark_checked(&self) {
        self.checked.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn read<'a, T: Deserialize<'a>>(&'a self, wanted: Wanted) -> Result<T, ArgsError> {
        let visitor = || ArgsVisitor::new(self.start > 1, wanted);
        let text = self.array();
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
        let value = binary::sharing(attachments, || read_leniently(text, attachments, visitor()));
        if let Err(ArgsError::Mismatch(_)) = value {
            // Reading stopped there; what is behind it may be worse.
            let ignoring = ArgsVisitor::new(self.start > 1, Wanted::All);
            let () = read_leniently(text, attachments, ignoring)?;
        }
        value
    }
}

/// Compares texts and attachments, not meanings: `1` and `1.0` differ.
impl PartialEq for JsonArgs {
    fn eq(&self, other: &Self) -> bool {
        self.json() == other.json() && self.attachments() == other.attachments()
    }
}

/// Malformed arguments are refused, so that nobody passes them on.
impl Serialize for JsonArgs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.validate().map_err(serde::ser::Error::custom)?;
        serializer.serialize_newtype_struct(RAW_ARGS, &Parts(self))
    }
}

struct Parts<'a>(&'a JsonArgs);

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

/// Checks a JSON text of any depth, without recursion. Half surrogate pairs and huge numbers are in order.
pub(in crate::protocol) fn check_syntax(text: &str) -> Result<(), ArgsError> {
    if is_json(text) {
        return Ok(());
    }
    // It knows what to say about it.
    match serde_json::from_str(text) {
        Ok(IgnoredAny) => Ok(()),
        Err(error) => Err(ArgsError::Syntax(error.to_string())),
    }
}

/// Reads one value, as leniently as JavaScript would.
pub(in crate::protocol) fn read_lossless<'de, T: Deserialize<'de>>(
    text: &'de str,
) -> Result<T, ArgsError> {
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
