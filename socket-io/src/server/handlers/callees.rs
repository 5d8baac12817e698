//! Who is called when something happens to a socket.

use std::sync::Arc;

use super::list::{Entry, List};
use super::{On, Registry};
use crate::server::handler::{ErasedHandler, ErasedMiddleware};
use crate::server::socket::Socket;

/// Who is called when something happens to a socket: the handlers of its namespace, and then its own.
#[derive(Clone, Default)]
pub(crate) struct Callees {
    namespace: List,
    own: List,
}

/// Who is called for an event, in this order.
pub(crate) struct EventCallees {
    pub(crate) any: Callees,
    pub(crate) middlewares: Option<Arc<[ErasedMiddleware]>>,
    pub(crate) named: Callees,
}

impl Callees {
    pub(crate) fn is_empty(&self) -> bool {
        self.namespace.is_empty() && self.own.is_empty()
    }

    pub(crate) fn iter<'a>(&'a self, socket: &'a Socket) -> impl Iterator<Item = Callee<'a>> {
        let callee = |registry| move |entry| Callee { registry, entry };
        let own = socket.registry().into_iter();
        let own = own.flat_map(move |own| self.own.entries().iter().map(callee(own)));
        let namespace: &Registry = socket.namespace().registry();
        let shared = self.namespace.entries().iter().map(callee(namespace));
        shared.chain(own)
    }
}

pub(crate) struct Callee<'a> {
    pub(super) registry: &'a Registry,
    pub(super) entry: &'a Entry,
}

impl<'a> Callee<'a> {
    /// The handler, if it is its turn. One that is called once is taken away by that.
    pub(crate) fn claim(self) -> Option<&'a ErasedHandler> {
        self.registry
            .claim(self.entry)
            .then_some(&self.entry.handler)
    }
}

impl Socket {
    pub(crate) fn callees(&self, on: On<'_>) -> Callees {
        Callees {
            namespace: self.namespace().registry().list(on),
            own: self.registry().map(|own| own.list(on)).unwrap_or_default(),
        }
    }

    pub(crate) fn event_callees(&self, event: &str) -> EventCallees {
        let (any, middlewares, named) = self.namespace().registry().for_event(event);
        let own = self.registry().map(|own| own.for_event(event));
        let (own_any, _, own_named) = own.unwrap_or_default();
        EventCallees {
            any: Callees {
                namespace: any,
                own: own_any,
            },
            middlewares,
            named: Callees {
                namespace: named,
                own: own_named,
            },
        }
    }
}
