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
use super::{AckId, EncodeError, Event, RawArgs};

/// An event whose name and arguments are written already, for packets that differ in namespace or id only. Clones share the text.
#[derive(Clone, Debug)]
pub struct Outgoing {
    name: Text,
    numeric: bool,
    /// The array of the packet.
    json: Bytes,
    /// Where the first argument starts.
    start: usize,
    attachments: Option<Arc<[Frame]>>,
}

impl Outgoing {
    /// Writes an event; the data becomes arguments as in [`encode_event`](super::encode_event).
    ///
    /// # Errors
    ///
    /// Those of [`encode_event`](super::encode_event).
    pub fn new<T: Serialize + ?Sized>(
        name: &str,
        data: &T,
        max_attachments: usize,
    ) -> Result<Self, EncodeError> {
        Self::write(name.into(), false, data, max_attachments)
    }

    /// Takes over an event that was received; a name that was a number stays one.
    ///
    /// # Errors
    ///
    /// Those of [`encode_event`](super::encode_event); [`EncodeError::Data`] when the arguments are malformed, which had not been checked before.
    pub fn from_event(event: &Event, max_attachments: usize) -> Result<Self, EncodeError> {
        Self::write(
            event.name.clone(),
            event.numeric,
            &event.args,
            max_attachments,
        )
    }

    fn write<T: Serialize + ?Sized>(
        name: Text,
        numeric: bool,
        data: &T,
        max_attachments: usize,
    ) -> Result<Self, EncodeError> {
        check_name(&name)?;
        let mut attachments = Attachments::new(max_attachments);
        let mut json = Vec::with_capacity(CAPACITY);
        json.push(b'[');
        if numeric && is_number(&name) {
            json.extend_from_slice(name.as_bytes());
        } else {
            write_string(&mut json, &name);
        }
        let named = json.len();
        write_args(&mut json, &mut attachments, data, Behind::Name)?;
        let start = json.len().min(named + 1);
        json.push(b']');
        let attachments = attachments.finish()?;
        Ok(Self {
            name,
            numeric,
            json: json.into(),
            start,
            attachments: (!attachments.is_empty()).then(|| attachments.into()),
        })
    }

    /// The frames for recipients in a namespace, with the id of the acknowledgement they shall send.
    pub fn encode(&self, namespace: &str, ack: Option<AckId>) -> Encoded {
        self.encode_with(namespace, ack, b"")
    }

    /// The frames with one more string argument at the end, which is how connection state recovery numbers events.
    pub fn encode_with_offset(&self, namespace: &str, offset: &str) -> Encoded {
        let mut argument = b",".to_vec();
        write_string(&mut argument, offset);
        self.encode_with(namespace, None, &argument)
    }

    fn encode_with(&self, namespace: &str, ack: Option<AckId>, last: &[u8]) -> Encoded {
        let mut draft = Draft::new(b'2', namespace, ack, self.json.len() + last.len());
        let output = draft.builder.buffer();
        output.extend_from_slice(&self.json[..self.json.len() - 1]);
        output.extend_from_slice(last);
        output.push(b']');
        draft.finish(FrameList(self.attachments.clone()))
    }

    /// The event as its recipients will see it.
    pub fn event(&self) -> Event {
        let text = Text::try_from(self.json.clone()).unwrap_or_default();
        let mut args = if text.is_empty() {
            RawArgs::empty()
        } else {
            RawArgs::unchecked(text, self.start)
        };
        let attachments = self.attachments.iter().flat_map(|frames| frames.iter());
        args.attach(attachments.map(frame_data).collect());
        args.mark_checked();
        Event {
            name: self.name.clone(),
            numeric: self.numeric,
            args,
        }
    }
}

fn is_number(name: &str) -> bool {
    let mut reader = JsonReader::new(name, &[]);
    reader.number().is_ok_and(|number| number == name)
}
