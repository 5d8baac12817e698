//! What stands in for a server's registry of sessions where the feature is off: a value that cannot be.

use std::sync::Arc;

use crate::connection::Shared;

/// Never made.
#[derive(Clone)]
pub(crate) enum Alive {}

impl Alive {
    pub(crate) fn remove(&self, _: &Arc<Shared>) -> bool {
        match *self {}
    }
}
