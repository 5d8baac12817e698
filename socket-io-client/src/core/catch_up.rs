//! How far a server's own history was read.
//!
//! A server that numbers its events and keeps them can send those that were missed, if it is told which one was the last.

use std::collections::BTreeMap;

use engine_io::Text;
use socket_io::Value;
use socket_io::protocol::Event;

/// What tells it, and how far that is.
#[derive(Clone, Debug, Default)]
pub(crate) struct CatchUp {
    pub(crate) rules: Vec<Rule>,
    /// By the names that the credentials have for it.
    pub(crate) marks: BTreeMap<String, Value>,
}

/// Which argument of which event tells it.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
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
    /// Remembers what an event tells, if it does. Only strings and numbers are taken.
    pub(crate) fn take(&mut self, event: &Event) -> Option<Mark> {
        let rule = self.rules.iter().find(|rule| rule.event == event.name)?;
        let mut args = event.args.parse::<Vec<Value>>().ok()?.into_iter();
        let value = args.nth(rule.argument)?;
        if !matches!(value, Value::String(_) | Value::Number(_)) {
            return None;
        }
        let name = rule.name.clone();
        self.marks.insert(name.clone(), value.clone());
        Some(Mark { name, value })
    }

    /// Takes over how far it was read before. Names that no rule has any more are forgotten.
    pub(crate) fn restore(&mut self, mut marks: BTreeMap<String, Value>) {
        marks.retain(|name, _| self.rules.iter().any(|rule| rule.name == *name));
        self.marks = marks;
    }
}
