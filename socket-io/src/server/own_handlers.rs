//! Handlers of a single socket.

use engine_io::Text;

use super::handler::{ErasedHandler, Handler, erase};
use super::handlers::{HandlerId, On, Place, Registry, Times};
use super::socket::Socket;

/// Handlers of this socket alone. They are called after those of the namespace for the same, and go when the socket has left. Memory is taken by the first of them only.
///
/// Most programs register theirs once, on the [`Namespace`](crate::Namespace); these are for what one client is to be listened to for a while.
///
/// ```
/// # let io = socket_io::SocketIo::builder().build();
/// use socket_io::{Data, Socket};
///
/// io.of("/").on_connect(async |socket: Socket| {
///     // Nothing is listened to before the client has said who it is.
///     socket.once("name", async |socket: Socket, Data(name): Data<String>| {
///         socket.insert_data(name);
///         socket.on("say", async |Data(text): Data<String>| println!("{text}"));
///     });
/// });
/// ```
impl Socket {
    /// Called for each event of that name from this client.
    ///
    /// # Panics
    ///
    /// If the name is reserved; see [`Namespace::on`](crate::Namespace::on).
    pub fn on<A>(&self, event: &str, handler: impl Handler<A>) -> HandlerId {
        self.add(On::event(event), Place::Last, Times::Always, handler)
    }

    /// Called for the next event of that name from this client, and then taken away.
    ///
    /// # Panics
    ///
    /// As [`on`](Self::on).
    pub fn once<A>(&self, event: &str, handler: impl Handler<A>) -> HandlerId {
        self.add(On::event(event), Place::Last, Times::Once, handler)
    }

    /// Called for each event from this client, before the middlewares for events and the handlers of its name.
    pub fn on_any<A>(&self, handler: impl Handler<A>) -> HandlerId {
        self.add(On::Any, Place::Last, Times::Always, handler)
    }

    /// As [`on_any`](Self::on_any), before those that are there.
    pub fn prepend_any<A>(&self, handler: impl Handler<A>) -> HandlerId {
        self.add(On::Any, Place::First, Times::Always, handler)
    }

    /// Called for each event to this client; see [`Namespace::on_any_outgoing`](crate::Namespace::on_any_outgoing).
    pub fn on_any_outgoing<A>(&self, handler: impl Handler<A>) -> HandlerId {
        self.add(On::AnyOutgoing, Place::Last, Times::Always, handler)
    }

    /// As [`on_any_outgoing`](Self::on_any_outgoing), before those that are there.
    pub fn prepend_any_outgoing<A>(&self, handler: impl Handler<A>) -> HandlerId {
        self.add(On::AnyOutgoing, Place::First, Times::Always, handler)
    }

    /// Called when this socket is about to leave, while it still is in its rooms.
    pub fn on_disconnecting<A>(&self, handler: impl Handler<A>) -> HandlerId {
        self.add(On::Disconnecting, Place::Last, Times::Always, handler)
    }

    /// Called when this socket has left, with the [`DisconnectReason`](crate::DisconnectReason).
    pub fn on_disconnect<A>(&self, handler: impl Handler<A>) -> HandlerId {
        self.add(On::Disconnect, Place::Last, Times::Always, handler)
    }

    fn add<A>(
        &self,
        on: On<'_>,
        place: Place,
        times: Times,
        handler: impl Handler<A>,
    ) -> HandlerId {
        self.add_erased(on, place, times, erase(handler))
    }

    pub(crate) fn add_erased(
        &self,
        on: On<'_>,
        place: Place,
        times: Times,
        handler: ErasedHandler,
    ) -> HandlerId {
        let id = self.registry_or_new().add(on, place, times, handler);
        // A handler that has hold of its socket would keep both for ever.
        self.clear_handlers_if_gone();
        id
    }

    /// Takes one of this socket's handlers away; false when it is gone already.
    pub fn remove_handler(&self, id: HandlerId) -> bool {
        self.registry().is_some_and(|own| own.remove(id))
    }

    /// Takes all of this socket's handlers for that event away.
    pub fn off(&self, event: &str) {
        self.clear(On::Event(event));
    }

    /// Takes all of this socket's handlers for every event away.
    pub fn off_any(&self) {
        self.clear(On::Any);
    }

    /// Takes all of this socket's handlers for outgoing events away.
    pub fn off_any_outgoing(&self) {
        self.clear(On::AnyOutgoing);
    }

    fn clear(&self, on: On<'_>) {
        if let Some(own) = self.registry() {
            own.clear(on);
        }
    }

    /// The events that this socket has handlers for, in no order.
    pub fn event_names(&self) -> Vec<Text> {
        self.registry()
            .map(Registry::event_names)
            .unwrap_or_default()
    }
}
