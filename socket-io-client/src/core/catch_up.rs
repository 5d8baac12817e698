//! How far a server's own history was read.
//!
//! A server that numbers its events and keeps them can send those that were missed, if it is told which one was the last.

use engine_io::Text;
use socket_io::Value;
use socket_io::protocol::Event;

/// Which argument of which event tells it.
#[derive(Clone, Debug)]
pub(crate) struct CatchUp {
    pub(crate) event: Text,
    /// The first argument is 0.
    pub(crate) argument: usize,
    /// What the credentials call it.
    pub(crate) name: String,
}

/// How far it was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mark {
    pub(crate) name: String,
    pub(crate) value: Value,
}

impl CatchUp {
    /// What an event tells. Only strings and numbers are taken.
    pub(crate) fn mark(&self, event: &Event) -> Option<Mark> {
        if event.name != self.event {
            return None;
        }
        let mut args = event.args.parse::<Vec<Value>>().ok()?.into_iter();
        match args.nth(self.argument)? {
            value @ (Value::String(_) | Value::Number(_)) => Some(Mark {
                name: self.name.clone(),
                value,
            }),
            _ => None,
        }
    }
}
