//! One socket of a manager: what it waits for, and what waits for it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use engine_io::Text;
use socket_io::protocol::{AckId, Event, PendingAcks};
use socket_io::{RawArgs, Value};

use super::backoff::Backoff;
use super::buffer::SendBuffer;
use super::queue::RetryQueue;
use super::{Mark, SocketConfig};

/// Where a socket stands.
///
/// ```text
/// Inactive -> Waiting -> Authorizing -> Connecting -> Connected
///    ^           ^                                        |
///    |           +----------- the connection is lost -----+
///    +---- disconnect(), the server's DISCONNECT or CONNECT_ERROR
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It does not want to be connected.
    Inactive,
    /// It wants to, and the manager has no connection yet.
    Waiting,
    /// There is a connection; what to send as credentials is being found out.
    Authorizing,
    /// They could not be found out; the next attempt is made then.
    Delayed(Instant),
    /// CONNECT was sent; the answer is due by then.
    Connecting(Option<Instant>),
    /// Joined.
    Connected,
}

/// An event of the server.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Incoming {
    pub(crate) event: Event,
    /// Whether it wants an acknowledgement.
    pub(crate) ack: Option<AckId>,
    /// The connection that it came over; an acknowledgement is worth nothing on another one.
    pub(crate) epoch: u64,
    /// Where the server will go on after an interruption, if it can recover connections.
    pub(crate) offset: Option<String>,
    /// How far the server's history was read with it.
    pub(crate) mark: Option<Box<Mark>>,
}

/// What a connection state can be recovered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recovery {
    pub(crate) pid: String,
    /// Nothing was received before the first event.
    pub(crate) offset: Option<String>,
}

/// How long each try to send a kept packet waits for the acknowledgement, unless the user says something else.
const KEEPING_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct SocketState<C> {
    pub(crate) namespace: Text,
    pub(crate) config: SocketConfig,
    pub(crate) phase: Phase,
    pub(crate) auth_backoff: Backoff,
    /// Counts the attempts to join, so that what belongs to an earlier one is recognized.
    pub(crate) epoch: u64,
    /// The epoch of the wish to connect.
    pub(crate) since: u64,
    pub(crate) id: Option<Text>,
    pub(crate) recovered: bool,
    pub(crate) recovery: Option<Recovery>,
    pub(crate) sends: SendBuffer,
    /// Events that a server sent before it confirmed the connection, because it has recovered it.
    pub(crate) early: VecDeque<Incoming>,
    pub(crate) acks: PendingAcks<C>,
    /// In a box, as few sockets have one.
    pub(crate) queue: Option<Box<RetryQueue<C>>>,
    /// Ids of acknowledgements are never used again, not even over another connection.
    pub(crate) next_ack: u64,
}

impl<C> SocketState<C> {
    pub(crate) fn new(namespace: Text, config: SocketConfig, auth_backoff: Backoff) -> Self {
        let ack_timeout = match config.retries {
            Some(retries) => Some(retries.ack_timeout),
            None => config.keeps.then_some(KEEPING_TIMEOUT),
        };
        let queue = ack_timeout.map(|timeout| RetryQueue::new(timeout, config.send_buffer));
        let queue = queue.map(Box::new);
        Self {
            namespace,
            phase: Phase::Inactive,
            auth_backoff,
            epoch: 0,
            since: 0,
            id: None,
            recovered: false,
            recovery: None,
            sends: SendBuffer::new(config.send_buffer),
            early: VecDeque::new(),
            acks: PendingAcks::new(config.max_acks),
            queue,
            next_ack: 0,
            config,
        }
    }

    pub(crate) fn is_active(&self) -> bool {
        self.phase != Phase::Inactive
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.phase == Phase::Connected
    }

    pub(crate) fn next_ack_id(&mut self) -> AckId {
        let id = AckId::new(self.next_ack);
        self.next_ack += 1;
        id
    }

    /// Remembers how far an event of the server has led.
    pub(crate) fn take_position(&mut self, incoming: &mut Incoming) {
        incoming.offset = self.take_offset(&incoming.event.args);
        let catch_up = self.config.catch_up.as_mut();
        let mark = catch_up.and_then(|catch_up| catch_up.take(&incoming.event));
        incoming.mark = mark.map(Box::new);
    }

    /// Remembers where the server goes on from here, which is the last argument if that is a string. Only a server that has given out a pid numbers its
    /// events; one that ends in a string of the application's own is taken for numbered all the same, as nothing tells the two apart.
    fn take_offset(&mut self, args: &RawArgs) -> Option<String> {
        let recovery = self.recovery.as_mut()?;
        let offset = last_string(args)?;
        recovery.offset = Some(offset.clone());
        Some(offset)
    }
}

/// The last argument, if it is a string. The text of the arguments has been checked.
fn last_string(args: &RawArgs) -> Option<String> {
    let Some(text) = args.json() else {
        return match args.parse::<Vec<Value>>().ok()?.pop()? {
            Value::String(text) => Some(text),
            _ => None,
        };
    };
    let text = text.trim_end();
    let rest = text.strip_suffix('"')?;
    // A quote is the string's first one unless an odd number of backslashes escapes it.
    let (start, _) = rest.rmatch_indices('"').find(|(at, _)| {
        let before = rest[..*at].bytes().rev();
        before.take_while(|&byte| byte == b'\\').count() % 2 == 0
    })?;
    serde_json::from_str(&text[start..]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_a_string_at_the_end() {
        let cases = [
            (r#"["a","b"]"#, Some("b")),
            (r#"[{"x":[1,"y"]},["z"],"b"]"#, Some("b")),
            (r#"["b",1]"#, None),
            (r#"["b",["c"]]"#, None),
            (r#"["b",null]"#, None),
            (r#"["b",true,-1.5,{}]"#, None),
            ("[]", None),
            (r#"["a\\","b\"c\\"]"#, Some("b\"c\\")),
            (r#"[1, "" ]"#, Some("")),
        ];
        for (text, expected) in cases {
            let args = RawArgs::new(text, Vec::new()).expect("it is JSON");
            assert_eq!(last_string(&args).as_deref(), expected, "{text}");
        }
        let binary = RawArgs::new(
            r#"[{"_placeholder":true,"num":0},"o"]"#,
            vec![b"1".as_slice().into()],
        );
        assert_eq!(
            last_string(&binary.expect("it is JSON")).as_deref(),
            Some("o")
        );
    }
}
