//! What stands in for permessage-deflate where the feature is off: values that cannot be, and functions that do nothing.

use crate::frame::Frame;
use crate::packet::Message;
use crate::session::Side;

/// No option.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DeflateConfig {}

/// Never agreed on.
#[derive(Clone, Copy)]
pub(crate) enum Agreed {}

impl DeflateConfig {
    pub(crate) fn answer<'a>(self, _: impl Iterator<Item = &'a str>) -> Option<(Agreed, String)> {
        match self {}
    }

    pub(crate) fn offer(self) -> &'static str {
        match self {}
    }

    pub(crate) fn accept<'a>(
        self,
        _: impl Iterator<Item = &'a str>,
    ) -> Result<Option<Agreed>, InvalidAnswer> {
        match self {}
    }
}

/// Nothing is answered.
#[derive(Debug)]
pub(crate) struct InvalidAnswer;

/// No compressed form.
#[derive(Clone, Default)]
pub(crate) struct Deflated(());

impl Frame {
    pub(crate) fn for_peer(&self, agreed: Agreed) -> &Self {
        match agreed {}
    }
}

/// Nothing was agreed on.
#[derive(Default)]
pub(crate) struct Agreement(Option<Agreed>);

impl Agreement {
    pub(crate) fn set(&self, _: Option<Agreed>) {}

    pub(crate) fn get(&self) -> Option<Agreed> {
        self.0
    }
}

/// Takes no frames.
#[derive(Default)]
pub(crate) struct Inflater(Option<Agreed>);

impl Inflater {
    pub(crate) fn takes(&self, _: u8) -> bool {
        false
    }

    pub(crate) fn advance(
        &mut self,
        _: &mut &[u8],
        _: usize,
        _: Side,
    ) -> Result<Option<Message>, u16> {
        match self.0.take() {
            None => Ok(None),
            Some(never) => match never {},
        }
    }
}
