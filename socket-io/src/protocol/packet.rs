//! What travels between the two sides of a namespace.
//!
//! | packet | bytes behind Engine.IO's `4` |
//! |---|---|
//! | connect | `0`, `0/adm,{"token":"x"}` |
//! | disconnect | `1`, `1/adm,` |
//! | event | `2["e",1]`, `2/adm,12["e"]`, `51-["e",{"_placeholder":true,"num":0}]` |
//! | acknowledgement | `312["ok"]`, `61-12[{"_placeholder":true,"num":0}]` |
//! | connect error | `4{"message":"no"}` |
//!
//! Source: Socket.IO protocol, revision 5, "Packet types".

use std::fmt;

use engine_io::Text;

use super::{RawArgs, RawJson};

/// Ties an acknowledgement to the event that asked for it; unique among the unanswered events of one socket and one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AckId(u64);

impl AckId {
    /// The id with this number.
    pub const fn new(id: u64) -> Self {
        Self(id)
    }

    /// The number on the wire.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for AckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A unit of the Socket.IO protocol, attachments included.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::exhaustive_enums)] // complete by definition of the protocol
pub enum Packet {
    /// A client joins a namespace, or a server confirms it.
    Connect {
        /// Name of the namespace, with its leading `/`.
        namespace: Text,
        /// A client's credentials or a server's `{"sid":…}`: always a JSON object.
        auth: Option<RawJson>,
    },
    /// Either side leaves a namespace.
    Disconnect {
        /// Name of the namespace.
        namespace: Text,
    },
    /// A named message; the binary form is the same packet with attachments in the arguments.
    Event {
        /// Name of the namespace.
        namespace: Text,
        /// Present when the sender wants an acknowledgement.
        ack: Option<AckId>,
        /// Name and arguments.
        event: Event,
    },
    /// The answer to an event.
    Ack {
        /// Name of the namespace.
        namespace: Text,
        /// The id of the event.
        id: AckId,
        /// The arguments of the answer.
        args: RawArgs,
    },
    /// A server refuses a namespace.
    ConnectError {
        /// Name of the namespace.
        namespace: Text,
        /// An object with a `message`, or a string.
        data: RawJson,
    },
    /// An event without a payload (`2`) or an acknowledgement without an id (`3[]`): legal, but nothing comes of it.
    Ignored {
        /// Name of the namespace.
        namespace: Text,
    },
}

impl Packet {
    /// The arguments of an event or acknowledgement.
    pub(super) fn args_mut(&mut self) -> Option<&mut RawArgs> {
        match self {
            Self::Event { event, .. } => Some(&mut event.args),
            Self::Ack { args, .. } => Some(args),
            Self::Connect { .. }
            | Self::Disconnect { .. }
            | Self::ConnectError { .. }
            | Self::Ignored { .. } => None,
        }
    }

    /// Name of the namespace the packet belongs to.
    pub fn namespace(&self) -> &Text {
        match self {
            Self::Connect { namespace, .. }
            | Self::Disconnect { namespace }
            | Self::Event { namespace, .. }
            | Self::Ack { namespace, .. }
            | Self::ConnectError { namespace, .. }
            | Self::Ignored { namespace } => namespace,
        }
    }
}

/// A named message with its unparsed arguments.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::exhaustive_structs)] // complete by definition of the protocol
pub struct Event {
    /// The name; the digits when the sender used a number.
    pub name: Text,
    /// Whether the name is a number on the wire (`[1,"a"]`), which sending the event on keeps.
    pub numeric: bool,
    /// Everything behind the name.
    pub args: RawArgs,
}

/// Whether users may not emit the name, because the library gives it a meaning of its own.
///
/// Source: `RESERVED_EVENTS` of socket.io-parser and socket.io.
pub fn is_reserved_event(name: &str) -> bool {
    matches!(
        name,
        "connect"
            | "connect_error"
            | "disconnect"
            | "disconnecting"
            | "newListener"
            | "removeListener"
    )
}
