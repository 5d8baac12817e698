//! What stands in for MessagePack when the feature is off: types of which there is no value.

use engine_io::Message;
use serde::de::Deserialize;
use serde::ser::{Serialize, Serializer};

use super::args::visit::Wanted;
use super::{
    AckId, Args, ArgsError, DecodeError, EncodeError, Encoded, Number, Packet, RawArgs, Value,
};

/// A name that nothing has.
pub(super) const PACKED_ARGS: &str = "";

#[derive(Clone, Copy, Debug)]
pub(super) enum Format {}

impl Format {
    pub(super) fn decode(self, _: Message) -> Result<Packet, DecodeError> {
        match self {}
    }

    pub(super) fn encode_event<T: Serialize + ?Sized>(
        self,
        _: &str,
        _: &str,
        _: Option<AckId>,
        _: &T,
    ) -> Result<Encoded, EncodeError> {
        match self {}
    }

    pub(super) fn encode_ack<T: Serialize + ?Sized>(
        self,
        _: &str,
        _: AckId,
        _: &T,
    ) -> Result<Encoded, EncodeError> {
        match self {}
    }

    pub(super) fn encode_connect<T: Serialize + ?Sized>(
        self,
        _: &str,
        _: Option<&T>,
    ) -> Result<Encoded, EncodeError> {
        match self {}
    }

    pub(super) fn encode_disconnect(self, _: &str) -> Encoded {
        match self {}
    }

    pub(super) fn encode_connect_error<T: Serialize + ?Sized>(
        self,
        _: &str,
        _: &T,
    ) -> Result<Encoded, EncodeError> {
        match self {}
    }

    pub(super) fn encode_error_eio3<T: Serialize + ?Sized>(
        self,
        _: &str,
        _: &T,
    ) -> Result<Encoded, EncodeError> {
        match self {}
    }
}

#[derive(Clone, Debug)]
pub(super) enum Body {}

impl Body {
    pub(super) fn new<T: Serialize + ?Sized>(
        format: Format,
        _: &str,
        _: Option<Number>,
        _: &T,
    ) -> Result<Self, EncodeError> {
        match format {}
    }

    pub(super) fn encode(&self, _: &str, _: Option<AckId>, _: Option<&str>) -> Encoded {
        match *self {}
    }

    pub(super) fn args(&self) -> RawArgs {
        match *self {}
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Packed {}

impl Packed {
    pub(super) fn size(&self) -> usize {
        match *self {}
    }

    pub(super) fn is_empty(&self) -> bool {
        match *self {}
    }

    pub(super) fn read<'a, T: Deserialize<'a>>(&'a self, _: Wanted) -> Result<T, ArgsError> {
        match *self {}
    }

    pub(super) fn values<T: Serialize + ?Sized>(_: &T) -> Result<Args<Value>, EncodeError> {
        Ok(Args(Vec::new()))
    }
}

impl Serialize for Packed {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        match *self {}
    }
}
