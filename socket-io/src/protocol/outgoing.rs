//! An event that is sent more than once.
//!
//! | recipients | bytes behind Engine.IO's `4` |
//! |---|---|
//! | of a broadcast | `2/adm,["e",1]` |
//! | of a broadcast that wants acknowledgements | `2/adm,12["e",1]` |
//! | with connection state recovery | `2/adm,["e",1,"Q81wcEM"]` |

use std::sync::Arc;

use bytes::Bytes;
use engine_io::{Frame, Text};
use serde::Serialize;

use super::attachments::{Attachments, frame_data};
use super::encode::{CAPACITY, Draft, Encoded, FrameList, check_name};
use super::json_reader::JsonReader;
use super::json_writer::{Behind, write_args, write_string};
use super::parser::Kind;
use super::{AckId, EncodeError, Event, Number, Parser, RawArgs, custom, msgpack};

/// An event whose name and arguments are written already, for packets that differ in namespace or id only. Clones share the text.
#[derive(Clone, Debug)]
pub struct Outgoing {
    name: Text,
    numeric: bool,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Json(Json),
    MessagePack(msgpack::Body),
    Custom(custom::Body),
}

/// The array of a packet.
#[derive(Clone, Debug)]
struct Json {
    text: Bytes,
    /// Where the first argument starts.
    start: usize,
    attachments: Option<Arc<[Frame]>>,
}

impl Outgoing {
    /// Writes an event as JSON; the data becomes arguments as in [`encode_event`](super::encode_event).
    ///
    /// # Errors
    ///
    /// Those of [`encode_event`](super::encode_event).
    pub fn new<T: Serialize + ?Sized>(
        name: &str,
        data: &T,
        max_attachments: usize,
    ) -> Result<Self, EncodeError> {
        Self::new_with(&Parser::json(), name, data, max_attachments)
    }

    /// Writes an event for a parser.
    ///
    /// # Errors
    ///
    /// Those of [`encode_event`](super::encode_event).
    pub fn new_with<T: Serialize + ?Sized>(
        parser: &Parser,
        name: &str,
        data: &T,
        max_attachments: usize,
    ) -> Result<Self, EncodeError> {
        Self::write(parser, name.into(), false, data, max_attachments)
    }

    /// Takes over an event that was received; a name that was a number stays one.
    ///
    /// # Errors
    ///
    /// Those of [`encode_event`](super::encode_event); [`EncodeError::Data`] when the arguments are malformed, which had not been checked before.
    pub fn from_event(event: &Event, max_attachments: usize) -> Result<Self, EncodeError> {
        Self::from_event_with(&Parser::json(), event, max_attachments)
    }

    /// Takes over an event that was received, for a parser.
    ///
    /// # Errors
    ///
    /// As [`from_event`](Self::from_event).
    pub fn from_event_with(
        parser: &Parser,
        event: &Event,
        max_attachments: usize,
    ) -> Result<Self, EncodeError> {
        Self::write(
            parser,
            event.name.clone(),
            event.numeric,
            &event.args,
            max_attachments,
        )
    }

    fn write<T: Serialize + ?Sized>(
        parser: &Parser,
        name: Text,
        numeric: bool,
        data: &T,
        max_attachments: usize,
    ) -> Result<Self, EncodeError> {
        check_name(&name)?;
        let numeric = numeric && is_number(&name);
        let number = || numeric.then(|| Number::from_digits(&name));
        let form = match &parser.0 {
            Kind::Json => Form::Json(Json::new(&name, numeric, data, max_attachments)?),
            Kind::MessagePack(format) => {
                Form::MessagePack(msgpack::Body::new(*format, &name, number(), data)?)
            }
            Kind::Custom(parser) => {
                Form::Custom(custom::Body::new(parser.clone(), &name, number(), data)?)
            }
        };
        Ok(Self {
            name,
            numeric,
            form,
        })
    }

    /// The frames for recipients in a namespace, with the id of the acknowledgement they shall send.
    pub fn encode(&self, namespace: &str, ack: Option<AckId>) -> Encoded {
        match &self.form {
            Form::Json(json) => json.encode(namespace, ack, b""),
            Form::MessagePack(body) => body.encode(namespace, ack, None),
            Form::Custom(body) => body.encode(namespace, ack, None),
        }
    }

    /// The frames with one more string argument at the end, which is how connection state recovery numbers events.
    pub fn encode_with_offset(&self, namespace: &str, offset: &str) -> Encoded {
        match &self.form {
            Form::Json(json) => {
                let mut argument = b",".to_vec();
                write_string(&mut argument, offset);
                json.encode(namespace, None, &argument)
            }
            Form::MessagePack(body) => body.encode(namespace, None, Some(offset)),
            Form::Custom(body) => body.encode(namespace, None, Some(offset)),
        }
    }

    /// Whether the user's parser is asked to encode it.
    #[cfg(feature = "server")]
    pub(crate) fn is_custom(&self) -> bool {
        matches!(self.form, Form::Custom(_))
    }

    /// The event as its recipients will see it.
    pub fn event(&self) -> Event {
        Event {
            name: self.name.clone(),
            numeric: self.numeric,
            args: match &self.form {
                Form::Json(json) => json.args(),
                Form::MessagePack(body) => body.args(),
                Form::Custom(body) => body.args(),
            },
        }
    }
}

impl Json {
    fn new<T: Serialize + ?Sized>(
        name: &str,
        numeric: bool,
        data: &T,
        max_attachments: usize,
    ) -> Result<Self, EncodeError> {
        let mut attachments = Attachments::new(max_attachments);
        let mut text = Vec::with_capacity(CAPACITY);
        text.push(b'[');
        if numeric {
            text.extend_from_slice(name.as_bytes());
        } else {
            write_string(&mut text, name);
        }
        let named = text.len();
        write_args(&mut text, &mut attachments, data, Behind::Name)?;
        let start = text.len().min(named + 1);
        text.push(b']');
        let attachments = attachments.finish()?;
        Ok(Self {
            text: text.into(),
            start,
            attachments: (!attachments.is_empty()).then(|| attachments.into()),
        })
    }

    fn encode(&self, namespace: &str, ack: Option<AckId>, last: &[u8]) -> Encoded {
        let mut draft = Draft::new(b'2', namespace, ack, self.text.len() + last.len());
        let output = draft.builder.buffer();
        output.extend_from_slice(&self.text[..self.text.len() - 1]);
        output.extend_from_slice(last);
        output.push(b']');
        draft.finish(FrameList(self.attachments.clone()))
    }

    fn args(&self) -> RawArgs {
        let text = Text::try_from(self.text.clone()).unwrap_or_default();
        let mut args = if text.is_empty() {
            RawArgs::empty()
        } else {
            RawArgs::unchecked(text, self.start)
        };
        let attachments = self.attachments.iter().flat_map(|frames| frames.iter());
        args.attach(attachments.map(frame_data).collect());
        args.mark_checked();
        args
    }
}

fn is_number(name: &str) -> bool {
    let mut reader = JsonReader::new(name, &[]);
    reader.number().is_ok_and(|number| number == name)
}
