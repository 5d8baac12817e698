//! An event that is about to be sent.

use std::fmt;
use std::sync::OnceLock;

use engine_io::{Frame, Message, Text};

use super::log::Brief;
use super::namespace::Namespace;
use super::recovery::Round;
use crate::protocol::{DecoderLimits, Encoded, Event, Packet};

/// An event for clients of a namespace: the finished frames, which all recipients share, and what is in them for those who ask.
pub struct EventPacket<'a> {
    namespace: &'a Namespace,
    encoded: Encoded,
    latest: Option<&'a str>,
    event: OnceLock<Option<Event>>,
    /// What is known of one that is numbered.
    round: Option<Round>,
}

impl<'a> EventPacket<'a> {
    pub(crate) fn new(namespace: &'a Namespace, encoded: Encoded) -> Self {
        Self {
            namespace,
            encoded,
            latest: None,
            event: OnceLock::new(),
            round: None,
        }
    }

    /// One that ends with its offset.
    pub(crate) fn numbered(namespace: &'a Namespace, encoded: Encoded, round: Round) -> Self {
        Self {
            round: Some(round),
            ..Self::new(namespace, encoded)
        }
    }

    pub(crate) fn round(&self) -> Option<&Round> {
        self.round.as_ref()
    }

    /// Marks an event of which only the newest is wanted, if there is a key. Events of different names do not replace each other.
    pub(crate) fn with_latest(mut self, event: &str, key: Option<&'a str>) -> Self {
        if let Some(key) = key {
            // The length keeps event and key apart.
            let key = format!("{} {event}{key}", event.len());
            self.encoded = self.encoded.with_latest(key);
        }
        self.latest = key;
        self
    }

    /// The key given to [`Broadcast::latest`](crate::Broadcast::latest).
    pub fn latest(&self) -> Option<&str> {
        self.latest
    }

    /// The frames as they go to each client.
    pub fn encoded(&self) -> &Encoded {
        &self.encoded
    }

    /// Name and arguments of the event, as a client will see them, without the [`Offset`](crate::Offset). They are read out of the frames when they are asked for, so who does not ask does not pay.
    /// `None` if a parser of your own cannot read what it wrote.
    ///
    /// To send it to other processes: `event.args.parse::<Args<Value>>()` are the arguments with binary data in place, and [`RawArgs::from_data`] of those
    /// is what can be emitted there.
    ///
    /// [`RawArgs::from_data`]: crate::RawArgs::from_data
    pub fn event(&self) -> Option<&Event> {
        let event = self.event.get_or_init(|| {
            if let Some(round) = &self.round {
                return Some(round.event());
            }
            let limits = DecoderLimits::new()
                .max_attachments(usize::MAX)
                .max_attachment_bytes(usize::MAX);
            let mut decoder = self.namespace.config().parser.decoder(limits);
            let mut messages = self.encoded.frames().map(message);
            let packet = messages.find_map(|message| decoder.handle(message).transpose());
            match packet {
                Some(Ok(Packet::Event { event, .. })) => Some(event),
                _ => {
                    tracing::error!(name: "parser_one_way", target: "socket_io", namespace = %Brief(self.namespace.name()));
                    None
                }
            }
        });
        event.as_ref()
    }
}

/// What a client gets by the frame.
pub(crate) fn message(frame: &Frame) -> Message {
    let data = frame.websocket().slice_ref(frame.packet());
    if frame.is_binary() {
        Message::Binary(data)
    } else {
        // In front of the text stands the type of the Engine.IO packet.
        Message::Text(Text::lossy(&data.slice(1..)))
    }
}

impl fmt::Debug for EventPacket<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventPacket")
            .field("namespace", self.namespace.name())
            .field("encoded", &self.encoded)
            .finish_non_exhaustive()
    }
}
