//! The arguments of an event or acknowledgement, unparsed, and how they become types.
//!
//! Where they come from JSON they are text, from MessagePack they are its bytes; either way nothing is read before a type is known.

use std::fmt;

use bytes::Bytes;
use engine_io::Text;
use serde::de::Deserialize;
use serde::ser::{Serialize, Serializer};

use super::EncodeError;
use super::decode::{trim_end, trim_start};
use super::msgpack::Packed;
use super::values::to_args;

mod any;
mod json;
mod list;
mod syntax;
pub(super) mod visit;

pub(super) use json::{RAW_ARGS, check_syntax, read_lossless};
pub use list::Args;
pub(super) use syntax::skip_plain;

use json::JsonArgs;
use visit::{Wanted, wanted_by};

/// The arguments of an event or acknowledgement as they came: JSON text and attachments, or MessagePack. Clones share both.
///
/// Emitting them sends them on without parsing, unless the other side uses another parser: then they are translated. To serde serialisers other than
/// that of the emitting functions they look like a tuple of the text and the attachments, or of the number of arguments and their bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct RawArgs(Repr);

#[derive(Clone, Debug, PartialEq)]
enum Repr {
    Json(JsonArgs),
    MessagePack(Packed),
}

impl RawArgs {
    /// No arguments.
    pub const fn empty() -> Self {
        Self(Repr::Json(JsonArgs::empty()))
    }

    /// Arguments from the text of a JSON array, with the attachments that its placeholders stand for.
    ///
    /// # Errors
    ///
    /// [`ArgsError::Syntax`] when the text is no JSON array, [`ArgsError::IllegalAttachment`] when a placeholder names no attachment.
    pub fn new(text: &str, attachments: Vec<Bytes>) -> Result<Self, ArgsError> {
        let text = trim_end(trim_start(text));
        if !(text.len() >= 2 && text.starts_with('[') && text.ends_with(']')) {
            return Err(ArgsError::Syntax("expected an array".into()));
        }
        let mut args = Self::unchecked(text.into(), 1);
        args.attach(attachments);
        args.validate()?;
        Ok(args)
    }

    /// The arguments that emitting `data` would send: those of a tuple or an array, none for `()`, one for everything else.
    ///
    /// # Errors
    ///
    /// [`EncodeError::Data`] when JSON cannot express the data.
    pub fn from_data<T: Serialize + ?Sized>(data: &T) -> Result<Self, EncodeError> {
        to_args(data)
    }

    /// Arguments whose text starts with `[` and ends with `]`; `start` lies in between.
    pub(super) fn unchecked(text: Text, start: usize) -> Self {
        Self(Repr::Json(JsonArgs::unchecked(text, start)))
    }

    /// Arguments that start so far behind the `[` of their array, in a text that follows.
    pub(super) fn sought(start: usize) -> Self {
        Self(Repr::Json(JsonArgs::sought(start)))
    }

    /// The array of arguments that were [`sought`](Self::sought) is this part of a text.
    pub(super) fn find_in(&mut self, text: Text, open: usize, end: usize) {
        match &mut self.0 {
            Repr::Json(args) => args.find_in(text, open, end),
            Repr::MessagePack(_) => {}
        }
    }

    /// Adds the attachments once they have arrived.
    pub(super) fn attach(&mut self, attachments: Vec<Bytes>) {
        match &mut self.0 {
            Repr::Json(args) => args.attach(attachments),
            Repr::MessagePack(_) => {}
        }
    }

    /// Whether there are no arguments.
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Repr::Json(args) => args.json().is_empty(),
            Repr::MessagePack(args) => args.is_empty(),
        }
    }

    /// The text of the arguments, without the brackets around them: `1,"a"`. `None` when they came as MessagePack.
    ///
    /// It is unchecked until [`validate`](Self::validate) or one of the parsing functions has succeeded.
    pub fn json(&self) -> Option<&str> {
        match &self.0 {
            Repr::Json(args) => Some(args.json()),
            Repr::MessagePack(_) => None,
        }
    }

    /// The binary data that placeholders in the text stand for.
    pub fn attachments(&self) -> &[Bytes] {
        match &self.0 {
            Repr::Json(args) => args.attachments(),
            Repr::MessagePack(_) => &[],
        }
    }

    /// Bytes that they take: of the text, or of MessagePack, and of the attachments.
    pub fn size(&self) -> usize {
        match &self.0 {
            Repr::Json(args) => {
                let attachments = args.attachments().iter().map(Bytes::len);
                args.json().len() + attachments.sum::<usize>()
            }
            Repr::MessagePack(args) => args.size(),
        }
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
        match &self.0 {
            Repr::Json(args) => args.validate(),
            // The end of a packet cannot be found without looking at all of it.
            Repr::MessagePack(_) => Ok(()),
        }
    }

    /// Remembers that the text was written by ourselves or has been read to its end.
    pub(super) fn mark_checked(&self) {
        match &self.0 {
            Repr::Json(args) => args.mark_checked(),
            Repr::MessagePack(_) => {}
        }
    }

    fn read<'a, T: Deserialize<'a>>(&'a self, wanted: Wanted) -> Result<T, ArgsError> {
        match &self.0 {
            Repr::Json(args) => args.read(wanted),
            Repr::MessagePack(args) => args.read(wanted),
        }
    }
}

impl Default for RawArgs {
    fn default() -> Self {
        Self::empty()
    }
}

impl From<Packed> for RawArgs {
    fn from(args: Packed) -> Self {
        Self(Repr::MessagePack(args))
    }
}

impl Serialize for RawArgs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Repr::Json(args) => args.serialize(serializer),
            Repr::MessagePack(args) => args.serialize(serializer),
        }
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
