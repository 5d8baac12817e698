//! What goes to `tracing`. `docs/OBSERVABILITY.md` has the events by name.
//!
//! Names, targets and fields are part of what users build on. Session ids are credentials and never among them; a connection goes by its number.

use std::fmt::{self, Write};

use super::connection::Connection;
use super::error::{Failure, HandlerError};

/// Characters of a peer's text that a line shows.
const SHOWN: usize = 200;

/// A text that a peer had a hand in: shown on one line, and no more of it than helps.
pub(crate) struct Brief<'a>(pub(crate) &'a str);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, rest) = match self.0.char_indices().nth(SHOWN) {
            Some((end, _)) => self.0.split_at(end),
            None => (self.0, ""),
        };
        for character in shown.chars() {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                f.write_char(character)?;
            }
        }
        if rest.is_empty() {
            Ok(())
        } else {
            write!(f, "… ({} bytes more)", rest.len())
        }
    }
}

/// Says what the error hook would be told, where there is none. What is the server's own fault is an error; what a client can cause is not.
pub(crate) fn handler_failed(connection: Option<&Connection>, error: &HandlerError) {
    macro_rules! event {
        ($level:ident) => {
            tracing::$level!(
                name: "handler_failed",
                target: "socket_io",
                connection = connection.map(|connection| connection.sender.number()),
                namespace = %Brief(&error.namespace),
                socket = connection.and_then(|connection| Some(connection.log_id(error.socket.as_deref()?))),
                event = %Brief(&error.event),
                reason = %Brief(&error.failure.to_string()),
            )
        };
    }
    match error.failure {
        Failure::Panicked(_) | Failure::Missing(_) => event!(error),
        Failure::Returned(_)
        | Failure::Args(_)
        | Failure::Params(_)
        | Failure::Reply(_)
        | Failure::Farewell(_) => {
            event!(warn)
        }
        // The event `violation` says it.
        Failure::Protocol(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::Brief;

    #[test]
    fn what_a_peer_says_takes_one_line_of_bounded_length() {
        for (text, shown) in [
            ("", "".to_owned()),
            ("grüße", "grüße".to_owned()),
            ("a\nb\u{1b}[0m", "a\\nb\\u{1b}[0m".to_owned()),
            (&"é".repeat(200), "é".repeat(200)),
            (
                &"é".repeat(203),
                format!("{}… (6 bytes more)", "é".repeat(200)),
            ),
        ] {
            assert_eq!(Brief(text).to_string(), shown);
        }
    }
}
