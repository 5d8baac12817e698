//! Which handlers a socket has, and how they are called.

use std::sync::atomic::{Ordering, fence};

use engine_io::Text;

use super::{GONE, Socket};
use crate::server::error::{Failure, HandlerError};
use crate::server::extract::Context;
use crate::server::handler;
use crate::server::handlers::{Callee, On, Registry};
use crate::server::packet::EventPacket;

impl Socket {
    /// Those of this socket alone, if it ever had any.
    pub(crate) fn registry(&self) -> Option<&Registry> {
        self.0.handlers.get().map(|own| &**own)
    }

    pub(crate) fn registry_or_new(&self) -> &Registry {
        self.0.handlers.get_or_init(Box::default)
    }

    /// A handler that has hold of its socket would keep both for ever. Called after the socket is gone, and after a handler is added: of two threads that do
    /// both in the same moment, one sees what the other has done.
    pub(crate) fn clear_handlers_if_gone(&self) {
        fence(Ordering::SeqCst);
        if let (GONE, Some(own)) = (self.0.state.load(Ordering::Acquire), self.registry()) {
            own.clear_all();
        }
    }

    /// Runs the namespace's handlers, and then those of this socket.
    pub(crate) fn run_handlers(&self, on: On<'_>, context: impl Fn() -> Context) {
        let callees = self.callees(on);
        if callees.is_empty() {
            return;
        }
        // Whoever makes a socket leave may be a thread outside the runtime.
        let _runtime = self.0.connection.io.enter_runtime();
        for handler in callees.iter(self).filter_map(Callee::claim) {
            let context = context();
            // The packet that may break a rule is the one the socket joined with, and that is long done with.
            if let Err(failure) = handler::run(handler, &context) {
                self.report(context.event, failure);
            }
        }
    }

    /// Whether there are handlers for outgoing events.
    pub(crate) fn watches_outgoing(&self) -> bool {
        self.0.namespace.registry().watches_outgoing()
            || self.registry().is_some_and(Registry::watches_outgoing)
    }

    /// Runs the handlers for outgoing events.
    pub(crate) fn tell_outgoing(&self, packet: &EventPacket<'_>) {
        let Some(event) = packet.event() else {
            return;
        };
        self.run_handlers(On::AnyOutgoing, || Context {
            socket: self.clone(),
            event: event.name.clone(),
            args: event.args.clone(),
            ack: None,
            reason: None,
            size: event.args.size(),
        });
    }

    pub(crate) fn report(&self, event: Text, failure: Failure) {
        let error = HandlerError {
            namespace: self.0.namespace.name().clone(),
            socket: Some(self.id().clone()),
            event,
            failure,
        };
        self.0.connection.io.report(&self.0.connection, &error);
    }
}
