//! What a socket has when clients can get their sessions back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde::Deserialize;

use super::journal::{Claim, Journal};
use super::offset::Offset;
use super::store::StoredSession;
use crate::adapter::Flags;
use crate::protocol::{DisconnectReason, Outgoing, RawJson, Value};
use crate::server::connection::Connection;
use crate::server::types::TypeMap;
use crate::server::{EmitError, Outcome, Socket};

/// One allocation for each socket, if recovery is on and the client can make use of it.
pub(crate) struct Identity {
    pub(crate) journal: Arc<Journal>,
    pub(super) pid: Arc<str>,
    /// Where the log ended when the client joined for the first time.
    pub(super) joined: Offset,
    /// The number of the last event that was for the client. Written with the log locked.
    pub(super) sent: AtomicU64,
    /// It is one that came back.
    pub(crate) is_recovered: bool,
    /// What it has a right to, until it has joined.
    pub(super) claim: Mutex<Option<Box<Claim>>>,
}

impl Identity {
    /// For a client that is new.
    pub(crate) fn new(journal: Arc<Journal>, pid: Arc<str>) -> Self {
        Self {
            joined: journal.last(),
            journal,
            pid,
            sent: AtomicU64::new(0),
            is_recovered: false,
            claim: Mutex::new(None),
        }
    }

    /// For a client that has come back.
    pub(crate) fn restored(claim: Claim) -> Self {
        let session = &claim.session;
        Self {
            pid: session.pid.clone(),
            joined: session.joined,
            journal: claim.journal.clone(),
            sent: AtomicU64::new(0),
            is_recovered: true,
            claim: Mutex::new(Some(Box::new(claim))),
        }
    }

    /// The private id: only the client may know it.
    pub(crate) fn pid(&self) -> &str {
        &self.pid
    }

    /// Sends an event that can be recovered.
    pub(crate) fn send(
        &self,
        socket: &Socket,
        outgoing: Outgoing,
        flags: Flags,
    ) -> Result<Outcome, EmitError> {
        self.journal.send_to_one(socket, self, outgoing, flags)
    }

    /// The private id is taken from now on. Called before anybody else knows the socket.
    pub(crate) fn register(&self, socket: &Socket) {
        self.journal.register(&self.pid, socket);
    }

    /// The session that is kept for a client which leaves now, if it may come back. Called before the socket leaves its rooms; the data comes later, since
    /// handlers may change it until the end.
    pub(crate) fn session(
        &self,
        socket: &Socket,
        has_joined: bool,
        reason: DisconnectReason,
    ) -> Option<StoredSession> {
        // Waits for a client that is just joining to be in its rooms, and for events that are just being sent.
        let left = self.journal.last();
        let claim = self.claim.lock().take();
        let may_return = match reason {
            DisconnectReason::TransportError
            | DisconnectReason::TransportClose
            | DisconnectReason::ForcedClose
            | DisconnectReason::PingTimeout
            | DisconnectReason::ServerShuttingDown => !socket.has_expired(),
            DisconnectReason::ParseError
            | DisconnectReason::ClientNamespaceDisconnect
            | DisconnectReason::ServerNamespaceDisconnect
            | DisconnectReason::AuthorizationExpired
            | DisconnectReason::RateLimitExceeded
            | DisconnectReason::IoServerDisconnect
            | DisconnectReason::IoClientDisconnect => false,
        };
        if !may_return || !has_joined && claim.is_none() {
            return None;
        }
        // Before the namespace hears that nobody is in it any more.
        self.journal.expect_return();
        if let Some(claim) = claim {
            return Some(claim.session);
        }
        let mut rooms = socket.rooms();
        rooms.retain(|room| **room != **socket.id());
        Some(StoredSession {
            rooms,
            grant: socket.grant(),
            ..StoredSession::new(
                socket.namespace().name(),
                &self.pid,
                socket.id(),
                self.joined,
                left.at(self.sent.load(Ordering::Relaxed)),
                left,
            )
        })
    }

    /// The socket has left, and its client may come back with that session, with other data if there is any.
    pub(crate) fn leave(
        &self,
        connection: &Arc<Connection>,
        session: Option<StoredSession>,
        data: Option<TypeMap>,
    ) {
        let session = session.map(|mut session| {
            session.data = data.unwrap_or(session.data);
            session
        });
        self.journal.leave(connection, &self.pid, session);
    }
}

/// What a client says that wants its session back.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(super) pid: String,
    pub(super) offset: Offset,
}

impl Wanted {
    /// Both have to be strings, as in the reference; a client that has received no event yet has no offset.
    pub(crate) fn read(auth: &RawJson) -> Option<Self> {
        #[derive(Deserialize)]
        struct Payload {
            pid: Option<Value>,
            offset: Option<Value>,
        }
        let payload: Payload = auth.parse().ok()?;
        Some(Self {
            pid: payload.pid?.as_str()?.to_owned(),
            offset: payload.offset?.as_str()?.parse().ok()?,
        })
    }
}
