//! What a peer is told when something is refused.

use std::fmt;

use serde::Serialize;

use crate::protocol::{EncodeError, RawJson};

/// The reason of a refusal as the peer sees it: `{"message":"not authorized","data":{"code":401}}`, without `data` when there is none.
///
/// A middleware that returns it refuses the namespace, and the client gets a `connect_error` with message and data. A handler that returns it answers the
/// acknowledgement with it.
///
/// Every error converts into it, so `?` works; mind that its text then goes to the peer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Refusal {
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<RawJson>,
}

impl Refusal {
    /// A refusal with a message.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            data: None,
        }
    }

    /// Adds data that JSON can express; binary cannot be sent here.
    ///
    /// # Errors
    ///
    /// When JSON cannot express the data.
    pub fn with_data(mut self, data: &(impl Serialize + ?Sized)) -> Result<Self, EncodeError> {
        let data =
            RawJson::from_data(data).map_err(|error| EncodeError::Data(error.to_string()))?;
        self.data = Some(data);
        Ok(self)
    }

    /// What becomes of an error of a handler: its text, its `message`, or all of it as JSON.
    #[doc(hidden)]
    pub fn of<T: Serialize + ?Sized>(error: &T) -> Self {
        match serde_json::to_value(error) {
            Ok(serde_json::Value::String(message)) => Self::new(message),
            Ok(serde_json::Value::Object(object)) => {
                let message = object.get("message").and_then(|message| message.as_str());
                match message {
                    Some(message) => Self::new(message),
                    None => Self::new(serde_json::Value::Object(object).to_string()),
                }
            }
            Ok(other) => Self::new(other.to_string()),
            Err(error) => Self::new(error.to_string()),
        }
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The data, as JSON.
    pub fn data(&self) -> Option<&str> {
        self.data.as_ref().map(RawJson::as_str)
    }
}

impl<E: std::error::Error> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::new(error.to_string())
    }
}

/// Not an `Error` itself, since every error converts into it.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
