//! Sockets wherever they are connected: to this process, or to another one of the cluster.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::ack::BroadcastAcks;
use super::broadcast::Broadcast;
use super::error::{AckError, EmitError};
use super::namespace::Namespace;
use super::socket::Socket;
use crate::adapter::{Delivery, IntoRooms, Room, SocketId};
use crate::protocol::{ArgsError, RawArgs, RawJson, Value};

/// A socket that was found by [`Broadcast::fetch_sockets`]. What it tells of one of another process is what was true when it was asked; what is done with it
/// is done by a broadcast to the room that is named like its id, wherever the socket is.
#[derive(Clone, Debug)]
pub struct RemoteSocket {
    namespace: Namespace,
    id: SocketId,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    Here(Socket),
    Elsewhere(Box<SocketDetails>),
}

/// What processes tell each other of a socket. As JSON it is what the official servers send: `{"id":…,"handshake":{…},"rooms":[…],"data":…}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SocketDetails {
    /// Its id.
    pub id: String,
    /// The request that opened the connection, see [`Handshake`](crate::Handshake).
    pub handshake: Value,
    /// The rooms it is in, its own included.
    pub rooms: Vec<String>,
    /// What [`remote_data`](crate::SocketIoBuilder::remote_data) makes of its data; an empty object by default.
    pub data: Value,
}

impl SocketDetails {
    /// Of a socket of this process.
    pub fn of(socket: &Socket) -> Self {
        let handshake = RawJson::from_data(&socket.handshake()).and_then(|json| json.parse());
        let rooms = socket.rooms();
        Self {
            id: socket.id().to_string(),
            // A header whose name or value is no text is no reason to fail.
            handshake: handshake.unwrap_or(Value::Null),
            rooms: rooms.iter().map(|room| room.to_string()).collect(),
            data: socket.namespace().config().remote_data(socket),
        }
    }
}

impl From<Socket> for RemoteSocket {
    fn from(socket: Socket) -> Self {
        Self {
            namespace: socket.namespace().clone(),
            id: socket.id().clone(),
            place: Place::Here(socket),
        }
    }
}

impl RemoteSocket {
    /// For adapters: a socket of another process, as that has told it.
    pub fn elsewhere(namespace: &Namespace, details: SocketDetails) -> Self {
        Self {
            namespace: namespace.clone(),
            id: SocketId::new(&details.id),
            place: Place::Elsewhere(Box::new(details)),
        }
    }

    /// The id.
    pub fn id(&self) -> &SocketId {
        &self.id
    }

    /// The namespace that the socket is in.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The socket itself, if it is one of this process.
    pub fn local(&self) -> Option<&Socket> {
        match &self.place {
            Place::Here(socket) => Some(socket),
            Place::Elsewhere(_) => None,
        }
    }

    /// The rooms that it is in, its own included.
    pub fn rooms(&self) -> Vec<Room> {
        match &self.place {
            Place::Here(socket) => socket.rooms(),
            Place::Elsewhere(details) => {
                details.rooms.iter().map(|room| (&**room).into()).collect()
            }
        }
    }

    /// The request that opened the connection: an object with `headers`, `time`, `address`, `xdomain`, `secure`, `issued`, `url`, `query` and `auth`.
    pub fn handshake(&self) -> Value {
        self.details().handshake
    }

    /// What [`remote_data`](crate::SocketIoBuilder::remote_data) makes of the socket's data, where it is connected. By default that is an empty object: data
    /// of sockets can be of any type, and only the program knows what of it others may see and how it is written.
    ///
    /// # Errors
    ///
    /// When it is of another type.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        let data = self.details().data;
        let args = RawArgs::from_data(&(data,));
        args.map_err(|error| ArgsError::Mismatch(error.to_string()))?
            .parse_first()
    }

    /// All that processes tell each other of a socket.
    pub fn details(&self) -> SocketDetails {
        match &self.place {
            Place::Here(socket) => SocketDetails::of(socket),
            Place::Elsewhere(details) => (**details).clone(),
        }
    }

    fn broadcast(&self) -> Broadcast {
        self.namespace.to(&self.id)
    }

    /// Sends an event to the socket; see [`Broadcast::emit`].
    ///
    /// # Errors
    ///
    /// As [`Broadcast::emit`].
    pub fn emit(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<Delivery, EmitError> {
        self.broadcast().emit(event, data)
    }

    /// Sends an event to the socket and waits for its acknowledgement, of which the first argument counts. Without [`RemoteAck::timeout`] it waits for as long
    /// as [`ack_timeout`](crate::SocketIoBuilder::ack_timeout) says. The event is sent at once, before the future is polled.
    ///
    /// ```no_run
    /// # async fn example(socket: socket_io::RemoteSocket) -> Result<(), socket_io::AckError> {
    /// # use std::time::Duration;
    /// let name: String = socket.emit_with_ack("who?", &()).timeout(Duration::from_secs(2)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn emit_with_ack<R: DeserializeOwned>(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> RemoteAck<R> {
        let asked = self.broadcast().emit_with_ack(event, data);
        RemoteAck(asked, AckError::Disconnected)
    }

    /// Makes the socket join rooms.
    pub fn join(&self, rooms: impl IntoRooms) {
        self.broadcast().join(rooms);
    }

    /// Makes the socket leave rooms.
    pub fn leave(&self, rooms: impl IntoRooms) {
        self.broadcast().leave(rooms);
    }

    /// Makes the socket leave the namespace.
    pub fn disconnect(&self) {
        self.broadcast().disconnect();
    }

    /// Closes the socket's connection.
    pub fn disconnect_all(&self) {
        self.broadcast().disconnect_all();
    }
}

/// Resolves to the acknowledgement of one socket, wherever it is. See [`RemoteSocket::emit_with_ack`].
#[derive(Debug)]
#[must_use = "the acknowledgement arrives in this future"]
pub struct RemoteAck<R>(BroadcastAcks<R>, AckError);

impl<R> RemoteAck<R> {
    /// Waits so long at the most, counted from the first poll.
    pub fn timeout(mut self, time: Duration) -> Self {
        self.0.wait_for(time);
        self
    }
}

impl<R: DeserializeOwned + Unpin> Future for RemoteAck<R> {
    type Output = Result<R, AckError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.check()?;
        while let Some((_, answer)) = ready!(self.0.poll_answer(cx)) {
            // The socket may be with another one.
            if matches!(answer, Err(AckError::NoServer)) {
                self.1 = AckError::NoServer;
            } else {
                return Poll::Ready(answer);
            }
        }
        Poll::Ready(Err(self.1.clone()))
    }
}

/// Not all servers of the cluster have said in time which sockets they have.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FetchError {
    /// The sockets of those that have, and of this one.
    pub found: Vec<RemoteSocket>,
    /// How many have not.
    pub missing: usize,
}

impl FetchError {
    /// What an adapter has found, and how many servers have not answered.
    pub fn new(found: Vec<RemoteSocket>, missing: usize) -> Self {
        Self { found, missing }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { found, missing } = self;
        write!(
            f,
            "{missing} servers did not answer; {} sockets were found",
            found.len()
        )
    }
}

impl Error for FetchError {}
