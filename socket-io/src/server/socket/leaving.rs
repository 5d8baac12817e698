//! The end of a socket, whoever wants it.

use std::sync::atomic::Ordering;

use engine_io::{SendError, Text};

use super::{CONNECTED, GONE, LEFT, Socket};
use crate::protocol::{DisconnectReason, RawArgs};
use crate::server::extract::Context;
use crate::server::handlers::On;
use crate::server::log::Brief;

impl Socket {
    /// Makes the client leave the namespace; its connection stays. It gets what was queued before.
    ///
    /// The socket has left when this returns, however full its outbox is. A client that does not read learns of it when it reads again, or by the end of
    /// its connection.
    ///
    /// Handlers given to `on_disconnecting` and `on_disconnect` run up to where they first wait before this returns, so hold no lock that they take.
    pub fn disconnect(&self) {
        if !self.has_left() {
            self.say_goodbye();
            self.leave_namespace(DisconnectReason::ServerNamespaceDisconnect);
        }
    }

    /// Makes the client leave all namespaces of its connection and closes that. It gets what was queued before, if it takes it within the engine's `close_timeout`.
    pub fn disconnect_all(&self) {
        for socket in self.0.connection.sockets() {
            socket.disconnect();
        }
        self.0.connection.sender.close();
    }

    /// Tells the client that it has left. If even this cannot be queued, only the end of the connection tells it.
    pub(crate) fn say_goodbye(&self) {
        let sender = &self.0.connection.sender;
        let packet = self.parser().encode_disconnect(self.0.namespace.name());
        let sent = sender.send_reserved(packet.header(), packet.attachments());
        if let Err(SendError::Full { .. }) = sent {
            sender.abort();
        }
    }

    /// Waits for nothing and may be called by anybody; the first call counts.
    pub(crate) fn leave_namespace(&self, reason: DisconnectReason) {
        let previous = self.0.state.fetch_max(LEFT, Ordering::AcqRel);
        if previous >= LEFT {
            return;
        }
        let joined = previous == CONNECTED;
        let context = |event| Context {
            socket: self.clone(),
            event: Text::from_static(event),
            args: RawArgs::empty(),
            ack: None,
            reason: Some(reason),
            size: 0,
        };
        if joined {
            self.run_handlers(On::Disconnecting, || context("disconnecting"));
        }
        let session = self
            .identity()
            .and_then(|identity| identity.session(self, joined, reason));
        self.0.namespace.adapter().remove(self.id());
        self.0.connection.remove(self);
        self.0.connection.io.exit(&self.0.namespace);
        let pending: Vec<_> = self.0.acks.lock().drain().collect();
        for (_, completion) in pending {
            completion.disconnected(self.id());
        }
        if joined {
            tracing::debug!(
                name: "disconnected",
                target: "socket_io",
                connection = self.0.connection.sender.number(),
                namespace = %Brief(self.0.namespace.name()),
                socket = self.log_id(),
                %reason,
            );
            self.run_handlers(On::Disconnect, || context("disconnect"));
        }
        if let Some(identity) = self.identity() {
            // Only now the data is what it will be.
            let data = joined.then(|| self.0.data.lock().clone());
            identity.leave(&self.0.connection, session, data);
        }
        self.0.state.store(GONE, Ordering::Release);
        self.clear_handlers_if_gone();
    }
}
