//! Reaching several sockets at once.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use super::ack::{BroadcastAcks, Completion};
use super::emit;
use super::error::{AckError, EmitError};
use super::namespace::Namespace;
use super::socket::Socket;
use crate::adapter::{Delivery, Flags, IntoRooms, Target};

/// A choice of sockets, and what is to be done with them. Each step returns the changed choice; nothing happens before the last one.
///
/// ```no_run
/// # fn example(io: socket_io::SocketIo) -> Result<(), socket_io::EmitError> {
/// io.to("lobby").except("muted").emit("news", "hello")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `emit` or another last step"]
pub struct Broadcast {
    namespace: Namespace,
    target: Target,
    flags: Flags,
    timeout: Option<Duration>,
}

impl Broadcast {
    pub(crate) fn new(namespace: Namespace) -> Self {
        Self {
            namespace,
            target: Target::default(),
            flags: Flags::default(),
            timeout: None,
        }
    }

    /// Adds the sockets in these rooms. Without any, all sockets of the namespace are meant; a socket in several of them is reached once.
    pub fn to(mut self, rooms: impl IntoRooms) -> Self {
        rooms.add_to(&mut self.target.rooms);
        self
    }

    /// Leaves out the sockets in these rooms.
    pub fn except(mut self, rooms: impl IntoRooms) -> Self {
        rooms.add_to(&mut self.target.except);
        self
    }

    /// Leaves out sockets for which something waits at the moment of sending.
    pub fn volatile(mut self) -> Self {
        self.flags.volatile = true;
        self
    }

    /// Only sockets of this process.
    pub fn local(mut self) -> Self {
        self.flags.local = true;
        self
    }

    /// Whether the packet may be compressed on its way: answers of polls, and WebSocket messages where permessage-deflate was agreed on (feature `deflate`).
    /// Default true.
    pub fn compress(mut self, compress: bool) -> Self {
        self.flags.uncompressed = !compress;
        self
    }

    /// How long [`emit_with_ack`](Self::emit_with_ack) waits. Default: [`ack_timeout`](crate::SocketIoBuilder::ack_timeout).
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = Some(time);
        self
    }

    /// Sends an event to the chosen sockets. The packet is encoded once and its bytes are shared by all recipients; no lock is held meanwhile.
    ///
    /// A recipient whose outbox is full is disconnected, since a gap in what it gets would go unnoticed; [`Delivery`] counts them.
    ///
    /// # Errors
    ///
    /// [`EmitError::Encode`] when the data or the name cannot be sent; nobody got anything then.
    pub fn emit(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<Delivery, EmitError> {
        emit::to_many(&self.namespace, event, data, &self.target, self.flags)
    }

    /// Sends an event to the chosen sockets of this process and collects their acknowledgements: of each its first argument, as `R`.
    /// With [`volatile`](Self::volatile), nothing is expected of those that are left out.
    ///
    /// ```no_run
    /// # async fn example(io: socket_io::SocketIo) -> Result<(), socket_io::EmitError> {
    /// # use std::time::Duration;
    /// let votes = io.to("jury").timeout(Duration::from_secs(5)).emit_with_ack::<bool>("guilty?", &()).await?;
    /// println!("{} voted, {} did not", votes.answers.len(), votes.missing.len());
    /// # Ok(())
    /// # }
    /// ```
    pub fn emit_with_ack<R: DeserializeOwned>(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> BroadcastAcks<R> {
        let id = self.namespace.next_ack_id();
        let mut packet = match emit::encode(&self.namespace, event, Some(id), data, self.flags) {
            Ok(packet) => packet,
            Err(error) => return BroadcastAcks::failed(id, error),
        };
        let mut namespace = self.namespace.clone();
        let (sender, answers) = mpsc::unbounded_channel();
        let mut recipients = self.sockets();
        recipients.retain(|socket| {
            // A parent's are those of its children, one namespace after the other.
            if !socket.namespace().is(&namespace) {
                match emit::encode(socket.namespace(), event, Some(id), data, self.flags) {
                    Ok(other) => packet = other,
                    Err(error) => {
                        let _ = sender.send((socket.id().clone(), Err(AckError::Emit(error))));
                        return true;
                    }
                }
                namespace = socket.namespace().clone();
            }
            if let Err(error) = socket.expect_ack(id, Completion::Many(sender.clone())) {
                let error = match error {
                    EmitError::Disconnected => AckError::Disconnected,
                    error => AckError::Emit(error),
                };
                let _ = sender.send((socket.id().clone(), Err(error)));
                return true;
            }
            let mut delivery = Delivery::default();
            delivery.deliver(socket, &packet, self.flags);
            if delivery.sent == 0 {
                socket.forget_ack(id);
                Completion::Many(sender.clone()).disconnected(socket.id());
            }
            delivery.skipped == 0
        });
        let timeout = self
            .timeout
            .unwrap_or_else(|| self.namespace.config().ack_timeout);
        BroadcastAcks::new(id, recipients, answers, timeout)
    }

    /// The chosen sockets of this process.
    pub fn sockets(&self) -> Vec<Socket> {
        self.namespace.adapter().sockets(&self.target)
    }

    /// Makes the chosen sockets join rooms.
    pub fn join(&self, rooms: impl IntoRooms) {
        let mut list = Vec::new();
        rooms.add_to(&mut list);
        self.namespace.adapter().join_all(&self.target, &list);
    }

    /// Makes the chosen sockets leave rooms.
    pub fn leave(&self, rooms: impl IntoRooms) {
        let mut list = Vec::new();
        rooms.add_to(&mut list);
        self.namespace.adapter().leave_all(&self.target, &list);
    }

    /// Makes the chosen sockets leave the namespace.
    pub fn disconnect(&self) {
        self.namespace.adapter().disconnect(&self.target, false);
    }

    /// Closes the connections of the chosen sockets.
    pub fn disconnect_all(&self) {
        self.namespace.adapter().disconnect(&self.target, true);
    }
}
