//! What the state machine tells, on its way to those who want to know.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use engine_io::Transport;

use super::Driver;
use crate::core::{ManagerOutput, SocketOutput};
use crate::endpoint::{Endpoint, Told};
use crate::error::{ConnectError, Failed};
use crate::observers::ManagerEvent;

impl Driver {
    /// The sockets that are over since this was asked last.
    pub(super) fn over(&self) -> Vec<Arc<Endpoint>> {
        self.shared.look(|locked| {
            let core = &locked.core;
            let endpoints = locked.endpoints.iter();
            let over = endpoints.filter(|(key, endpoint)| {
                core.is_over(**key) && endpoint.live.swap(false, Ordering::Relaxed)
            });
            over.map(|(_, endpoint)| endpoint.clone()).collect()
        })
    }

    pub(super) fn tell(&self, at: u64, endpoint: &Arc<Endpoint>, told: Told) {
        self.shared.observers.tell_socket(endpoint, || told.clone());
        let waited_for = match &told {
            Told::Event(_) | Told::Sent(_) | Told::Answer(..) => None,
            told => Some(told.clone()),
        };
        endpoint.tell(told, &self.runtime);
        if let Some(told) = waited_for {
            endpoint.resolve(at, &told);
        }
    }

    pub(super) fn tell_manager(&mut self, at: u64, output: ManagerOutput<Failed>) {
        let (event, result) = match output {
            ManagerOutput::Open => {
                // It may be over already.
                let connection = self.connection.as_ref();
                let transport = connection.map_or(Transport::Polling, |it| it.transport);
                (ManagerEvent::Open(transport), Some(Ok(())))
            }
            ManagerOutput::Error(error) => {
                let error = ConnectError::from(error);
                (ManagerEvent::Error(error.clone()), Some(Err(error)))
            }
            ManagerOutput::Close(reason) => {
                let error = self.error.take();
                let event = ManagerEvent::Close { reason, error };
                (event, Some(Err(ConnectError::Disconnected)))
            }
            ManagerOutput::ReconnectAttempt(n) => (ManagerEvent::ReconnectAttempt(n), None),
            ManagerOutput::Reconnect(n) => (ManagerEvent::Reconnect(n), None),
            ManagerOutput::ReconnectError(error) => {
                (ManagerEvent::ReconnectError(error.into()), None)
            }
            ManagerOutput::ReconnectFailed => (ManagerEvent::ReconnectFailed, None),
        };
        tracing::debug!(target: "socket_io_client", ?event, "manager");
        self.shared.observers.tell(&event);
        if let Some(result) = result {
            let openers = self.shared.look(|locked| {
                let (resolved, rest) = std::mem::take(&mut locked.openers)
                    .into_iter()
                    .partition(|(since, _)| *since <= at);
                locked.openers = rest;
                let resolved: Vec<_> = resolved;
                resolved
            });
            for (_, opener) in openers {
                // Nobody may be waiting any more.
                let _ = opener.send(result.clone());
            }
        }
    }
}

pub(super) fn told(output: SocketOutput<Failed>) -> Told {
    match output {
        SocketOutput::Connect { id, recovered, pid } => Told::Connect { id, recovered, pid },
        SocketOutput::ConnectError(error) => Told::ConnectError(error.into()),
        SocketOutput::Disconnect(reason) => Told::Disconnect(reason),
        SocketOutput::Event(incoming) => Told::Event(incoming),
        SocketOutput::Sent(event) => Told::Sent(event),
    }
}
