//! What a client's handles offer beside those of the server role.

use super::error::TransportError;
use crate::connection::now;
use crate::handshake::Handshake;
use crate::sender::Sender;
use crate::session::{CloseReason, ReadyState};
use crate::socket::Socket;

impl Socket {
    /// What the server told when the session opened; `None` on a server.
    pub fn handshake(&self) -> Option<Handshake> {
        self.shared.lock().session.handshake().cloned()
    }

    /// What happened to the transport, once the session has ended because of it: the close code of a WebSocket, the status of a request. `None` while
    /// it is open, when this side closed it or the server said goodbye, and on a server.
    pub fn close_error(&self) -> Option<&TransportError> {
        self.extra.as_ref()?.requests.as_ref()?.error()
    }

    /// The sub-protocol that the server has chosen for the WebSocket; see [`ClientConfig::protocols`](crate::ClientConfig::protocols).
    pub fn protocol(&self) -> Option<&str> {
        self.websocket.as_ref()?.protocol()
    }
}

impl Sender {
    /// Whether the server's ping is overdue, by a clock that goes on while the machine sleeps; the session is closed with `ping timeout` then. False on
    /// a server.
    ///
    /// The owner's timer does not know of sleep, so after it a session may seem open that the server has given up long ago. Whoever would rather keep a
    /// message than send it into such a session asks before. As in the reference, a clock that was set forward by more than the rest of the wait counts
    /// as sleep.
    pub fn heartbeat_expired(&self) -> bool {
        let Some(clock) = &self.shared.clock else {
            return false;
        };
        let awake = clock.now(now());
        self.shared.update(|state| {
            let session = &mut state.session;
            if session
                .heartbeat_deadline()
                .is_some_and(|deadline| awake >= deadline)
            {
                session.handle_transport_closed(CloseReason::PingTimeout);
            }
            session.state() == ReadyState::Closed(CloseReason::PingTimeout)
        })
    }
}
