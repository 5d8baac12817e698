//! What a handler returned becomes the acknowledgement.

use serde::Serialize;

use super::error::Failure;
use super::extract::Context;
use crate::protocol::{Answer, answer_with};
use crate::refusal::Refusal;

/// Acknowledges with what a handler returned, if the client wants that. An error is reported, too.
pub(crate) fn reply<T: Serialize>(value: &T, context: &Context) -> Result<(), Failure> {
    answer_with(value, Reply(context))
}

struct Reply<'a>(&'a Context);

impl Answer for Reply<'_> {
    type Outcome = Result<(), Failure>;

    fn nothing(self) -> Result<(), Failure> {
        Ok(())
    }

    fn value<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Failure> {
        match &self.0.ack {
            Some(question) => {
                let sent = self.0.socket.acknowledge(question, value);
                sent.map_err(Failure::Reply)
            }
            None => Ok(()),
        }
    }

    fn error<T: Serialize + ?Sized>(self, error: &T) -> Result<(), Failure> {
        self.value(error)?;
        Err(Failure::Returned(Refusal::of(error)))
    }
}
