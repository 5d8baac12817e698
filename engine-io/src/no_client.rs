//! What stands in for the client role where the feature is off: values that cannot be.

use std::sync::Arc;
use std::task::Context;

use crate::connection::{Cause, End, Shared};

/// Never made.
pub(crate) enum Requests {}

impl Requests {
    pub(crate) fn poll(&mut self, _: &mut Context<'_>, _: &Arc<Shared>, _: bool) -> bool {
        match *self {}
    }

    pub(crate) fn websocket_ended(&mut self, _: End, _: Option<Cause>) {
        match *self {}
    }

    pub(crate) fn end(&mut self, _: &Arc<Shared>) {
        match *self {}
    }
}
