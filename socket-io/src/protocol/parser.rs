//! The choice of a format: JSON, MessagePack, or one of your own.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::custom::{self, CustomParser};
use super::decode::Decoder;
use super::{
    AckId, DecoderLimits, EncodeError, Encoded, Outgoing, Packet, encode_ack, encode_connect,
    encode_connect_error, encode_disconnect, encode_error_eio3, encode_event, msgpack,
};

/// How packets are written: both sides of a connection must use the same. The default is that of the protocol, JSON with attachments.
///
/// The feature `msgpack` adds `Parser::message_pack()`; [`custom`](Self::custom) takes any other.
#[derive(Clone, Default)]
pub struct Parser(pub(super) Kind);

#[derive(Clone, Default)]
pub(super) enum Kind {
    #[default]
    Json,
    MessagePack(msgpack::Format),
    Custom(Arc<dyn CustomParser>),
}

impl Parser {
    /// JSON, and binary data in messages of its own: the form that every client speaks.
    pub fn json() -> Self {
        Self::default()
    }

    /// A parser of your own.
    pub fn custom(parser: impl CustomParser) -> Self {
        Self(Kind::Custom(Arc::new(parser)))
    }

    /// Puts the packets of a connection together. The limits concern attachments and therefore JSON only.
    pub fn decoder(&self, limits: DecoderLimits) -> Decoder {
        match &self.0 {
            Kind::Json => Decoder::new(limits),
            Kind::MessagePack(format) => Decoder::message_pack(*format),
            Kind::Custom(parser) => Decoder::custom(parser.decoder()),
        }
    }

    /// Encodes an event; see [`encode_event`]. Only JSON knows a limit on attachments.
    ///
    /// # Errors
    ///
    /// As [`encode_event`].
    #[inline]
    pub fn encode_event<T: Serialize + ?Sized>(
        &self,
        namespace: &str,
        name: &str,
        ack: Option<AckId>,
        data: &T,
        max_attachments: usize,
    ) -> Result<Encoded, EncodeError> {
        match &self.0 {
            Kind::Json => encode_event(namespace, name, ack, data, max_attachments),
            Kind::MessagePack(format) => format.encode_event(namespace, name, ack, data),
            Kind::Custom(parser) => custom::encode_event(&**parser, namespace, name, ack, data),
        }
    }

    /// Encodes the answer to an event; see [`encode_ack`].
    ///
    /// # Errors
    ///
    /// As [`encode_ack`].
    #[inline]
    pub fn encode_ack<T: Serialize + ?Sized>(
        &self,
        namespace: &str,
        id: AckId,
        data: &T,
        max_attachments: usize,
    ) -> Result<Encoded, EncodeError> {
        match &self.0 {
            Kind::Json => encode_ack(namespace, id, data, max_attachments),
            Kind::MessagePack(format) => format.encode_ack(namespace, id, data),
            Kind::Custom(parser) => custom::encode_ack(&**parser, namespace, id, data),
        }
    }

    /// Encodes the wish to join a namespace, or its confirmation; see [`encode_connect`].
    ///
    /// # Errors
    ///
    /// As [`encode_connect`].
    pub fn encode_connect<T: Serialize + ?Sized>(
        &self,
        namespace: &str,
        auth: Option<&T>,
    ) -> Result<Encoded, EncodeError> {
        match &self.0 {
            Kind::Json => encode_connect(namespace, auth),
            Kind::MessagePack(format) => format.encode_connect(namespace, auth),
            Kind::Custom(parser) => custom::encode_connect(&**parser, namespace, auth),
        }
    }

    /// Encodes leaving a namespace.
    pub fn encode_disconnect(&self, namespace: &str) -> Encoded {
        match &self.0 {
            Kind::Json => encode_disconnect(namespace),
            Kind::MessagePack(format) => format.encode_disconnect(namespace),
            Kind::Custom(parser) => custom::encode_disconnect(&**parser, namespace),
        }
    }

    /// Encodes the refusal of a namespace; see [`encode_connect_error`].
    ///
    /// # Errors
    ///
    /// As [`encode_connect_error`].
    pub fn encode_connect_error<T: Serialize + ?Sized>(
        &self,
        namespace: &str,
        data: &T,
    ) -> Result<Encoded, EncodeError> {
        match &self.0 {
            Kind::Json => encode_connect_error(namespace, data),
            Kind::MessagePack(format) => format.encode_connect_error(namespace, data),
            Kind::Custom(parser) => custom::encode_connect_error(&**parser, namespace, data),
        }
    }

    /// Encodes the refusal of a namespace for a client of Socket.IO 2; see [`encode_error_eio3`].
    ///
    /// # Errors
    ///
    /// As [`encode_error_eio3`].
    pub fn encode_error_eio3<T: Serialize + ?Sized>(
        &self,
        namespace: &str,
        data: &T,
    ) -> Result<Encoded, EncodeError> {
        match &self.0 {
            Kind::Json => encode_error_eio3(namespace, data),
            Kind::MessagePack(format) => format.encode_error_eio3(namespace, data),
            Kind::Custom(parser) => custom::encode_error_eio3(&**parser, namespace, data),
        }
    }

    /// Encodes any packet, such as one that is passed on as it came; `None` for [`Packet::Ignored`].
    ///
    /// # Errors
    ///
    /// Those of [`encode_event`].
    pub fn encode_packet(
        &self,
        packet: &Packet,
        max_attachments: usize,
    ) -> Result<Option<Encoded>, EncodeError> {
        match packet {
            Packet::Connect { namespace, auth } => self.encode_connect(namespace, auth.as_ref()),
            Packet::Disconnect { namespace } => Ok(self.encode_disconnect(namespace)),
            Packet::Event {
                namespace,
                ack,
                event,
            } => Outgoing::from_event_with(self, event, max_attachments)
                .map(|outgoing| outgoing.encode(namespace, *ack)),
            Packet::Ack {
                namespace,
                id,
                args,
            } => self.encode_ack(namespace, *id, args, max_attachments),
            Packet::ConnectError { namespace, data } => self.encode_connect_error(namespace, data),
            Packet::Ignored { .. } => return Ok(None),
        }
        .map(Some)
    }
}

impl From<msgpack::Format> for Parser {
    fn from(format: msgpack::Format) -> Self {
        Self(Kind::MessagePack(format))
    }
}

impl fmt::Debug for Parser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Json => "Json",
            Kind::MessagePack(_) => "MessagePack",
            Kind::Custom(_) => "Custom",
        })
    }
}
