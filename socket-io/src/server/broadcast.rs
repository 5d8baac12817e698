//! Reaching several sockets at once.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use super::ack::{BroadcastAcks, RemoteAnswers};
use super::emit::{self, Outcome};
use super::error::{AckError, EmitError};
use super::namespace::Namespace;
use super::packet::EventPacket;
use super::remote::{FetchError, RemoteSocket};
use super::socket::Socket;
use crate::adapter::{Delivery, Flags, IntoRooms, OverflowPolicy, SocketId, Target};
use crate::protocol::AckId;

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
    latest: Option<String>,
}

impl Broadcast {
    pub(crate) fn new(namespace: Namespace) -> Self {
        Self {
            namespace,
            target: Target::default(),
            flags: Flags::default(),
            timeout: None,
            latest: None,
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

    /// Makes it an event of which only the newest is wanted: for each recipient it replaces an older one of the same name and key that still waits;
    /// see [`Emit::latest`](crate::Emit::latest).
    ///
    /// ```no_run
    /// # fn example(io: socket_io::SocketIo) -> Result<(), socket_io::EmitError> {
    /// io.to("arena").latest("player 7").emit("position", &(12.5, 7.0))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn latest(mut self, key: &str) -> Self {
        self.latest = Some(key.to_owned());
        self
    }

    /// What happens for recipients whose outbox is full. Default: [`broadcast_overflow`](crate::SocketIoBuilder::broadcast_overflow).
    pub fn overflow(mut self, policy: OverflowPolicy) -> Self {
        self.flags.overflow = Some(policy);
        self
    }

    /// How long [`emit_with_ack`](Self::emit_with_ack) and [`fetch_sockets`](Self::fetch_sockets) wait. Default:
    /// [`ack_timeout`](crate::SocketIoBuilder::ack_timeout) and [`server_timeout`](crate::SocketIoBuilder::server_timeout).
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = Some(time);
        self
    }

    /// Sends an event to the chosen sockets. The packet is encoded once and its bytes are shared by all recipients; no lock is held meanwhile, unless
    /// [connection state recovery](crate::SocketIoBuilder::recovery) is on.
    ///
    /// A recipient whose outbox is full is disconnected, since a gap in what it gets would go unnoticed, or what [`overflow`](Self::overflow) says happens;
    /// [`Delivery`] counts them.
    ///
    /// # Errors
    ///
    /// [`EmitError::Encode`] when the data or the name cannot be sent; nobody got anything then.
    pub fn emit(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<Delivery, EmitError> {
        let mut delivery = Delivery::default();
        self.send(event, data, &mut |_, outcome| delivery.count(outcome))?;
        Ok(delivery)
    }

    /// The same, and tells of each chosen socket of this process what became of the event.
    ///
    /// ```no_run
    /// # fn example(io: socket_io::SocketIo) -> Result<(), socket_io::EmitError> {
    /// use socket_io::{Outcome, OverflowPolicy};
    /// let outcomes = io.to("lobby").overflow(OverflowPolicy::DropNewest).emit_each("news", "hello")?;
    /// for (id, outcome) in outcomes {
    ///     if outcome == Outcome::Dropped {
    ///         println!("{id} reads too slowly and will have to ask for the news");
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit).
    pub fn emit_each(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<Vec<(SocketId, Outcome)>, EmitError> {
        let mut outcomes = Vec::new();
        self.send(event, data, &mut |id, outcome| {
            outcomes.push((id.clone(), outcome));
        })?;
        Ok(outcomes)
    }

    fn send(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
        told: &mut dyn FnMut(&SocketId, Outcome),
    ) -> Result<(), EmitError> {
        let (latest, target) = (self.latest.as_deref(), &self.target);
        emit::to_many(
            &self.namespace,
            event,
            data,
            latest,
            target,
            self.flags,
            told,
        )
    }

    /// Sends an event to the chosen sockets and collects their acknowledgements: of each its first argument, as `R`. Who leaves before it has answered is
    /// counted out. With [`volatile`](Self::volatile), nothing is expected of those that are left out; who is left out because its outbox is full is among the
    /// missing.
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
        let time = self
            .timeout
            .unwrap_or_else(|| self.namespace.config().ack_timeout);
        let (sender, answers) = mpsc::unbounded_channel();
        let remote = RemoteAnswers::new(sender, time);
        let recipients = match self.ask(id, event, data, &remote) {
            Ok(recipients) => recipients,
            Err(error) => return BroadcastAcks::failed(error),
        };
        // Only adapters may keep a handle, since answers are waited for until all are dropped.
        drop(remote);
        BroadcastAcks::new(Some(id), recipients, answers, time)
    }

    /// Sends a question, and returns those of this process of whom an answer is expected, or said to be missing.
    fn ask(
        &self,
        id: AckId,
        event: &str,
        data: &(impl Serialize + ?Sized),
        answers: &RemoteAnswers,
    ) -> Result<Vec<Socket>, EmitError> {
        let mut recipients = Vec::new();
        let Some(children) = self.namespace.family() else {
            let packet = emit::encode(&self.namespace, event, Some(id), data, self.flags)?;
            self.ask_namespace(&self.namespace, id, &packet, answers, &mut recipients);
            return Ok(recipients);
        };
        let outgoing = emit::outgoing(&self.namespace, event, data)?;
        for child in &children {
            let packet = emit::address(child, &outgoing, Some(id), self.flags);
            self.ask_namespace(child, id, &packet, answers, &mut recipients);
        }
        Ok(recipients)
    }

    fn ask_namespace(
        &self,
        namespace: &Namespace,
        id: AckId,
        packet: &EventPacket<'_>,
        answers: &RemoteAnswers,
        recipients: &mut Vec<Socket>,
    ) {
        let adapter = namespace.adapter();
        let mut sockets = adapter.sockets(&self.target);
        sockets.retain(|socket| {
            if let Err(error) = socket.expect_ack(id, answers.completion()) {
                let error = match error {
                    EmitError::Disconnected => AckError::Disconnected,
                    error => AckError::Emit(error),
                };
                answers.local(socket.id(), error);
                return true;
            }
            let outcome = socket.deliver(packet, self.flags);
            let error = match outcome {
                Outcome::Queued | Outcome::Replaced => return true,
                Outcome::Skipped | Outcome::Dropped => AckError::Skipped,
                Outcome::Overflowed | Outcome::Disconnected => AckError::Disconnected,
            };
            socket.forget_ack(id);
            answers.local(socket.id(), error);
            outcome != Outcome::Skipped
        });
        recipients.append(&mut sockets);
        if !self.flags.local {
            adapter.broadcast_with_ack(packet, &self.target, self.flags, answers.clone());
        }
    }

    /// The chosen sockets of this process.
    pub fn sockets(&self) -> Vec<Socket> {
        self.namespace.adapter().sockets(&self.target)
    }

    /// The chosen sockets of all processes of a cluster, those of this one first. With the adapter in memory this waits for nothing.
    ///
    /// ```no_run
    /// # async fn example(io: socket_io::SocketIo) -> Result<(), Box<dyn std::error::Error>> {
    /// for socket in io.to("lobby").fetch_sockets().await? {
    ///     println!("{} is in {:?}", socket.id(), socket.rooms());
    ///     socket.emit("found", &())?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When a server has not answered in time, see [`timeout`](Self::timeout). The error has the sockets of those that have.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up waiting; nothing has changed anywhere.
    pub async fn fetch_sockets(&self) -> Result<Vec<RemoteSocket>, FetchError> {
        let time = self
            .timeout
            .unwrap_or_else(|| self.namespace.config().server_timeout);
        let adapter = self.namespace.adapter();
        adapter.fetch_sockets(&self.target, self.flags, time).await
    }

    /// Makes the chosen sockets join rooms.
    pub fn join(&self, rooms: impl IntoRooms) {
        let mut list = Vec::new();
        rooms.add_to(&mut list);
        let adapter = self.namespace.adapter();
        adapter.join_all(&self.target, &list, self.flags);
    }

    /// Makes the chosen sockets leave rooms.
    pub fn leave(&self, rooms: impl IntoRooms) {
        let mut list = Vec::new();
        rooms.add_to(&mut list);
        let adapter = self.namespace.adapter();
        adapter.leave_all(&self.target, &list, self.flags);
    }

    /// Makes the chosen sockets leave the namespace.
    pub fn disconnect(&self) {
        let adapter = self.namespace.adapter();
        adapter.disconnect(&self.target, false, self.flags);
    }

    /// Closes the connections of the chosen sockets.
    pub fn disconnect_all(&self) {
        let adapter = self.namespace.adapter();
        adapter.disconnect(&self.target, true, self.flags);
    }
}
