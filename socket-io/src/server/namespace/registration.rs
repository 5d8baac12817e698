//! How handlers, middlewares and hooks are added to a namespace and taken away.

use std::sync::Arc;

use engine_io::Text;
use serde::Serialize;

use super::Namespace;
use crate::adapter::{Flags, RoomEvent};
use crate::protocol::is_reserved_event;
use crate::server::handler::{Handler, Middleware, erase, erase_middleware};
use crate::server::handlers::{On, Place, Times};
use crate::server::{Socket, emit};

impl Namespace {
    /// Adds a middleware: it runs when a client wants to join, after those added before, and refuses the client by returning an error. The value it returns
    /// becomes data of the socket.
    ///
    /// ```
    /// # let io = socket_io::SocketIo::builder().build();
    /// use socket_io::{Auth, Refusal};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Token { token: Option<String> }
    /// struct User { name: String }
    ///
    /// io.of("/admin").middleware(async |Auth(auth): Auth<Token>| match auth.token.as_deref() {
    ///     Some("secret") => Ok(User { name: "admin".into() }),
    ///     _ => Err(Refusal::new("not authorized")),
    /// });
    /// ```
    pub fn middleware<A>(self, middleware: impl Middleware<A>) -> Self {
        let middleware = erase_middleware(middleware);
        self.own_registry().add_middleware(middleware);
        self
    }

    /// Adds a middleware for events: it runs for each event that a client sends, named or not, after those added before, and lets it pass to the handlers of its
    /// name or refuses it by returning an error. It takes what handlers take; of what it returns, see [`Middleware`].
    ///
    /// Of a refused event the client gets the error as the acknowledgement, if it wants one, as when a handler fails, and the error hook is told. The reference,
    /// whose `socket.use` this is, leaves such a client without an answer.
    ///
    /// As there, handlers given to [`on_any`](Self::on_any) come before: they see refused events, too. Events of a socket keep their order while a middleware
    /// waits for something, which those of the reference do not; other sockets, acknowledgements and the heartbeat do not wait. What waits is limited by
    /// [`inbox_limit`](crate::SocketIoBuilder::inbox_limit).
    ///
    /// ```
    /// # struct User { is_admin: bool }
    /// # let io = socket_io::SocketIo::builder().build();
    /// use socket_io::{EventName, Refusal, SocketData};
    ///
    /// io.of("/").event_middleware(async |EventName(name): EventName, SocketData(user): SocketData<User>| {
    ///     if name.starts_with("admin:") && !user.is_admin {
    ///         return Err(Refusal::new("not allowed"));
    ///     }
    ///     Ok(())
    /// });
    /// ```
    pub fn event_middleware<A>(self, middleware: impl Middleware<A>) -> Self {
        let middleware = erase_middleware(middleware);
        self.own_registry().add_event_middleware(middleware);
        self
    }

    /// Sends a last event to a client whose [`Grant`](crate::Grant) has ended, with what `data` returns, since the packet that makes it leave cannot say why.
    /// The last event given counts. `data` is called in the connection's task and should not take long.
    ///
    /// # Panics
    ///
    /// If the name is reserved, as in [`on`](Self::on).
    pub fn farewell<T: Serialize>(
        self,
        event: &str,
        data: impl Fn(&Socket) -> T + Send + Sync + 'static,
    ) -> Self {
        assert!(!is_reserved_event(event), "the event {event:?} is reserved");
        let event = event.to_owned();
        self.own_registry().set_farewell(Arc::new(move |socket| {
            let data = data(socket);
            emit::encode(socket.namespace(), &event, None, &data, Flags::default())
        }));
        self
    }

    /// Called when a client has joined. What it emits follows the confirmation, and its first steps, up to where it first waits, precede all events.
    pub fn on_connect<A>(self, handler: impl Handler<A>) -> Self {
        self.add(On::Connect, Place::Last, Times::Always, handler)
    }

    /// Called for each event of that name.
    ///
    /// # Panics
    ///
    /// If the name is reserved (`connect`, `connect_error`, `disconnect`, `disconnecting`, `newListener`, `removeListener`): no client can send it.
    pub fn on<A>(self, event: &str, handler: impl Handler<A>) -> Self {
        self.add(On::event(event), Place::Last, Times::Always, handler)
    }

    /// Called for the next event of that name, whichever socket it comes from, and then taken away. [`Socket::once`] is for one socket.
    ///
    /// # Panics
    ///
    /// As [`on`](Self::on).
    pub fn once<A>(self, event: &str, handler: impl Handler<A>) -> Self {
        self.add(On::event(event), Place::Last, Times::Once, handler)
    }

    /// Called for each event, before the middlewares for events and the handlers of its name.
    pub fn on_any<A>(self, handler: impl Handler<A>) -> Self {
        self.add(On::Any, Place::Last, Times::Always, handler)
    }

    /// As [`on_any`](Self::on_any), before those that are there.
    pub fn prepend_any<A>(self, handler: impl Handler<A>) -> Self {
        self.add(On::Any, Place::First, Times::Always, handler)
    }

    /// Called for each event that is sent to a client, once for each recipient of a broadcast, before it is queued; also for a volatile event that is then
    /// dropped. Acknowledgements are no events. A handler takes what others take: the [`Socket`] is the recipient, and [`Data`](crate::Data) the data.
    ///
    /// It runs up to its first wait inside the call that sends, so hold no lock there which it takes. What it sends itself is an event, too. With
    /// [connection state recovery](crate::SocketIoBuilder::recovery) it runs when the event is queued, unless that is volatile or wants an acknowledgement.
    ///
    /// ```
    /// # let io = socket_io::SocketIo::builder().build();
    /// use socket_io::{EventName, RawArgs, Socket};
    ///
    /// io.of("/").on_any_outgoing(async |socket: Socket, EventName(name): EventName, args: RawArgs| {
    ///     println!("{} gets {name}: {args:?}", socket.id());
    /// });
    /// ```
    pub fn on_any_outgoing<A>(self, handler: impl Handler<A>) -> Self {
        self.add(On::AnyOutgoing, Place::Last, Times::Always, handler)
    }

    /// As [`on_any_outgoing`](Self::on_any_outgoing), before those that are there.
    pub fn prepend_any_outgoing<A>(self, handler: impl Handler<A>) -> Self {
        self.add(On::AnyOutgoing, Place::First, Times::Always, handler)
    }

    /// Called when a socket is about to leave, while it still is in its rooms.
    pub fn on_disconnecting<A>(self, handler: impl Handler<A>) -> Self {
        self.add(On::Disconnecting, Place::Last, Times::Always, handler)
    }

    /// Called when a socket has left, with the [`DisconnectReason`](crate::DisconnectReason).
    pub fn on_disconnect<A>(self, handler: impl Handler<A>) -> Self {
        self.add(On::Disconnect, Place::Last, Times::Always, handler)
    }

    fn add<A>(self, on: On<'_>, place: Place, times: Times, handler: impl Handler<A>) -> Self {
        self.own_registry().add(on, place, times, erase(handler));
        self
    }

    /// Told of each room of this process that comes or goes, and of each socket that joins or leaves one, in the order in which it happens: `Created` comes
    /// before the first `Joined`, `Deleted` behind the last [`Left`](crate::RoomChange::Left). The rooms named like the ids of sockets are among them, as with
    /// the original; a socket's own room comes first when it enters the namespace and goes first when it leaves.
    ///
    /// The hook is called outside of all locks, by whoever makes the change, or by another thread that is calling it at the moment. It should be quick: what
    /// happens meanwhile waits in memory, up to 65,536 changes, and what comes behind them is [`Missed`](crate::RoomChange::Missed). A panic is caught and logged.
    /// Only changes from now on are told, of an adapter that is or uses a [`MemoryAdapter`](crate::MemoryAdapter).
    ///
    /// ```
    /// # let io = socket_io::SocketIo::builder().build();
    /// use socket_io::{RoomChange, RoomEvent};
    ///
    /// io.of("/").on_room_event(|event: &RoomEvent| match &event.change {
    ///     RoomChange::Created => println!("{} begins", event.room),
    ///     RoomChange::Deleted => println!("{} ends", event.room),
    ///     _ => {}
    /// });
    /// ```
    pub fn on_room_event(self, hook: impl Fn(&RoomEvent) + Send + Sync + 'static) -> Self {
        self.own_registry().add_room_hook(Arc::new(hook));
        self
    }

    /// Takes all handlers for events of that name away. Those of single sockets stay.
    pub fn off(&self, event: &str) {
        self.own_registry().clear(On::Event(event));
    }

    /// Takes all handlers given to [`on_any`](Self::on_any) and [`prepend_any`](Self::prepend_any) away.
    pub fn off_any(&self) {
        self.own_registry().clear(On::Any);
    }

    /// Takes all handlers for outgoing events away.
    pub fn off_any_outgoing(&self) {
        self.own_registry().clear(On::AnyOutgoing);
    }

    /// The events that there are handlers for, in no order.
    pub fn event_names(&self) -> Vec<Text> {
        self.registry().event_names()
    }
}
