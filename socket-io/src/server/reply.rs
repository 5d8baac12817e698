//! What a handler returned becomes the acknowledgement.

use serde::Serialize;

use super::error::Failure;
use super::extract::Question;
use super::socket::Socket;
use crate::protocol::{Answer, answer_with};
use crate::refusal::Refusal;

/// Acknowledges with what a handler returned, if its client wants that. An error is reported, too.
pub(crate) fn reply<T: Serialize>(
    value: &T,
    asked: Option<&(Socket, Question)>,
) -> Result<(), Failure> {
    answer_with(value, Reply(asked))
}

struct Reply<'a>(Option<&'a (Socket, Question)>);

impl Answer for Reply<'_> {
    type Outcome = Result<(), Failure>;

    fn nothing(self) -> Result<(), Failure> {
        Ok(())
    }

    fn value<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Failure> {
        match self.0 {
            Some((socket, question)) => {
                let sent = socket.acknowledge(question, value);
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
