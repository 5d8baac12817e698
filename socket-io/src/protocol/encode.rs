//! Packets become frames: one text frame, and a binary frame for each attachment.
//!
//! | packet | first frame, Engine.IO's `4` included |
//! |---|---|
//! | connect | `40`, `40/adm,{"token":"x"}` |
//! | disconnect | `41`, `41/adm,` |
//! | event | `42["e",1]`, `42/adm,12["e"]`, `451-["e",{"_placeholder":true,"num":0}]` |
//! | acknowledgement | `4312["ok"]`, `461-12[{"_placeholder":true,"num":0}]` |
//! | connect error | `44/nope,{"message":"Invalid namespace"}` |
//!
//! A frame is written into one buffer. The number of attachments stands before the arguments but is known after them, so a packet that has any
//! is shifted by two bytes in the end; others are not.
//!
//! Namespaces begin with `/` and contain no comma; making sure of that is up to the caller.

use std::fmt;
use std::sync::Arc;

use engine_io::{Frame, FrameBuilder};
use serde::Serialize;

use super::attachments::Attachments;
use super::json_writer::{Behind, write_args, write_string};
use super::{AckId, Packet, Parser, is_reserved_event};

/// How many attachments JavaScript clients accept; at one more they drop the connection with "parse error".
///
/// Source: `maxAttachments` of socket.io-parser 4.2.6.
pub const MAX_ATTACHMENTS: usize = 10;

/// Room for a short packet, so that most are written without growing the buffer.
pub(super) const CAPACITY: usize = 128;

/// A finished packet: the frames to send, in their order. Clones share the frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    header: Frame,
    attachments: Option<Arc<[Frame]>>,
    latest: Option<Arc<str>>,
}

impl Encoded {
    /// A packet that is one frame.
    pub(super) fn single(header: Frame) -> Self {
        Self {
            header,
            attachments: None,
            latest: None,
        }
    }

    /// A packet of these frames; `None` if there are none.
    pub(crate) fn from_frames(frames: impl IntoIterator<Item = Frame>) -> Option<Self> {
        let mut frames = frames.into_iter();
        let header = frames.next()?;
        let FrameList(attachments) = frames.collect::<Vec<_>>().into();
        Some(Self {
            header,
            attachments,
            latest: None,
        })
    }

    /// The frame of a packet that has no other, and no key.
    #[cfg(feature = "server")]
    pub(crate) fn into_single(self) -> Result<Frame, Self> {
        match self {
            Self {
                header,
                attachments: None,
                latest: None,
            } => Ok(header),
            packet => Err(packet),
        }
    }

    /// The frames in their order: the text, then the attachments.
    pub fn frames(&self) -> impl Iterator<Item = &Frame> + Clone {
        std::iter::once(&self.header).chain(self.attachments())
    }

    /// The first frame: the text, unless a parser writes binary messages only.
    pub fn header(&self) -> &Frame {
        &self.header
    }

    /// The frames behind it.
    pub fn attachments(&self) -> &[Frame] {
        self.attachments.as_deref().unwrap_or_default()
    }

    /// Makes sure that no frame is compressed on its way; see [`Frame::uncompressed`].
    #[must_use]
    pub fn uncompressed(self) -> Self {
        let attachments = self.attachments.map(|frames| {
            let frames = frames.iter().cloned();
            frames.map(Frame::uncompressed).collect()
        });
        Self {
            header: self.header.uncompressed(),
            attachments,
            latest: self.latest,
        }
    }

    /// Makes it a packet of which only the newest is wanted: it takes the place of one of the same key that still waits for the same recipient.
    #[must_use]
    pub fn with_latest(mut self, key: impl Into<Arc<str>>) -> Self {
        self.latest = Some(key.into());
        self
    }

    /// The key of a packet of which only the newest is wanted.
    pub fn latest(&self) -> Option<&Arc<str>> {
        self.latest.as_ref()
    }

    /// Bytes of all frames together: what the packet counts in an outbox.
    pub fn size(&self) -> usize {
        self.frames().map(Frame::len).sum()
    }
}

/// Encodes an event. A tuple or array is several arguments, `()` is none, [`RawArgs`](super::RawArgs) are passed on, everything else is one argument.
///
/// A `Vec` is one argument, an array of JSON. `serde_json::Value::Null` is `()` to serde; [`Value::Null`](super::Value::Null) is an argument.
///
/// # Errors
///
/// [`EncodeError::ReservedEvent`] for a name that the library uses itself, [`EncodeError::TooManyAttachments`] above `max_attachments`,
/// [`EncodeError::Data`] when JSON cannot express the data.
pub fn encode_event<T: Serialize + ?Sized>(
    namespace: &str,
    name: &str,
    ack: Option<AckId>,
    data: &T,
    max_attachments: usize,
) -> Result<Encoded, EncodeError> {
    check_name(name)?;
    let mut draft = Draft::new(b'2', namespace, ack, CAPACITY);
    let mut attachments = Attachments::new(max_attachments);
    let output = draft.builder.buffer();
    output.push(b'[');
    write_string(output, name);
    write_args(output, &mut attachments, data, Behind::Name)?;
    output.push(b']');
    Ok(draft.finish(attachments.finish()?.into()))
}

/// Encodes the answer to an event; the data becomes arguments as in [`encode_event`].
///
/// # Errors
///
/// Those of [`encode_event`] that concern the data.
pub fn encode_ack<T: Serialize + ?Sized>(
    namespace: &str,
    id: AckId,
    data: &T,
    max_attachments: usize,
) -> Result<Encoded, EncodeError> {
    let mut draft = Draft::new(b'3', namespace, Some(id), CAPACITY);
    let mut attachments = Attachments::new(max_attachments);
    let output = draft.builder.buffer();
    output.push(b'[');
    write_args(output, &mut attachments, data, Behind::Bracket)?;
    output.push(b']');
    Ok(draft.finish(attachments.finish()?.into()))
}

/// Encodes the wish to join a namespace, or its confirmation; the payload must be an object.
///
/// # Errors
///
/// [`EncodeError::Data`] when JSON cannot express the payload or it is no object.
pub fn encode_connect<T: Serialize + ?Sized>(
    namespace: &str,
    auth: Option<&T>,
) -> Result<Encoded, EncodeError> {
    match auth {
        None => Ok(Draft::new(b'0', namespace, None, 0).finish(Vec::new().into())),
        Some(auth) => encode_payload(b'0', namespace, auth, b"{"),
    }
}

/// Encodes leaving a namespace.
pub fn encode_disconnect(namespace: &str) -> Encoded {
    Draft::new(b'1', namespace, None, 0).finish(Vec::new().into())
}

/// Encodes the refusal of a namespace; the payload must be an object, with a `message`, or a string.
///
/// # Errors
///
/// [`EncodeError::Data`] when JSON cannot express the payload or it is neither.
pub fn encode_connect_error<T: Serialize + ?Sized>(
    namespace: &str,
    data: &T,
) -> Result<Encoded, EncodeError> {
    encode_payload(b'4', namespace, data, b"{\"")
}

/// Encodes the refusal of a namespace for a client of Socket.IO 2, where the payload may be anything.
///
/// # Errors
///
/// [`EncodeError::Data`] when JSON cannot express the payload.
pub fn encode_error_eio3<T: Serialize + ?Sized>(
    namespace: &str,
    data: &T,
) -> Result<Encoded, EncodeError> {
    encode_payload(b'4', namespace, data, b"{[\"-0123456789tfn")
}

/// Encodes any packet, such as one that is passed on as it came; `None` for [`Packet::Ignored`].
///
/// # Errors
///
/// Those of [`encode_event`].
pub fn encode_packet(
    packet: &Packet,
    max_attachments: usize,
) -> Result<Option<Encoded>, EncodeError> {
    Parser::json().encode_packet(packet, max_attachments)
}

/// Why data cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The name of the event has a meaning of its own.
    ReservedEvent {
        /// The name.
        name: String,
    },
    /// The data has more binary parts than the recipient would accept.
    TooManyAttachments {
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// JSON cannot express the data, or it does not fit the packet.
    Data(String),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservedEvent { name } => write!(f, "{name:?} is a reserved event name"),
            Self::TooManyAttachments { count, limit } => {
                write!(f, "too many attachments: {count} > {limit}")
            }
            Self::Data(message) => write!(f, "unencodable data: {message}"),
        }
    }
}

impl std::error::Error for EncodeError {}

impl serde::ser::Error for EncodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Data(message.to_string())
    }
}

/// A packet whose prefix is written, but for the number of attachments.
pub(super) struct Draft {
    pub(super) builder: FrameBuilder,
    /// Where the digit of the packet type stands.
    kind: usize,
}

/// Attachments on their way from a list that may be empty.
pub(super) struct FrameList(pub(super) Option<Arc<[Frame]>>);

impl From<Vec<Frame>> for FrameList {
    fn from(frames: Vec<Frame>) -> Self {
        Self((!frames.is_empty()).then(|| frames.into()))
    }
}

impl Draft {
    pub(super) fn new(kind: u8, namespace: &str, ack: Option<AckId>, capacity: usize) -> Self {
        let mut builder = Frame::text(b'4', capacity + namespace.len() + 24);
        let output = builder.buffer();
        let position = output.len();
        output.push(kind);
        if namespace != "/" {
            output.extend_from_slice(namespace.as_bytes());
            output.push(b',');
        }
        if let Some(id) = ack {
            output.extend_from_slice(itoa::Buffer::new().format(id.get()).as_bytes());
        }
        Self {
            builder,
            kind: position,
        }
    }

    #[inline]
    pub(super) fn finish(mut self, FrameList(attachments): FrameList) -> Encoded {
        if let Some(frames) = &attachments {
            let output = self.builder.buffer();
            // From EVENT and ACK to BINARY_EVENT and BINARY_ACK.
            output[self.kind] += 3;
            let mut digits = itoa::Buffer::new();
            let count = digits.format(frames.len()).bytes().chain([b'-']);
            output.splice(self.kind + 1..self.kind + 1, count);
        }
        Encoded {
            header: self.builder.finish(),
            attachments,
            latest: None,
        }
    }
}

fn encode_payload<T: Serialize + ?Sized>(
    kind: u8,
    namespace: &str,
    data: &T,
    allowed: &[u8],
) -> Result<Encoded, EncodeError> {
    let mut draft = Draft::new(kind, namespace, None, CAPACITY);
    let output = draft.builder.buffer();
    let start = output.len();
    serde_json::to_writer(&mut *output, data)
        .map_err(|error| EncodeError::Data(error.to_string()))?;
    if !output
        .get(start)
        .is_some_and(|first| allowed.contains(first))
    {
        return Err(EncodeError::Data("payload must be an object".into()));
    }
    Ok(draft.finish(Vec::new().into()))
}

pub(super) fn check_name(name: &str) -> Result<(), EncodeError> {
    if is_reserved_event(name) {
        return Err(EncodeError::ReservedEvent { name: name.into() });
    }
    Ok(())
}
