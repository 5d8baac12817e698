//! The one task of a manager: opens the connection, reads it, keeps time, and tells what happened.
//!
//! It runs while somebody wants a connection, and no longer. No handler runs in it, so that nothing a handler does delays heartbeats, acknowledgements or
//! the other sockets.

mod closing;
mod opening;
mod telling;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use engine_io::{CloseReason, Message, Transport, TransportError};
use socket_io::DisconnectReason;
use socket_io::protocol::Decoder;
use tokio::runtime::Handle;
use tokio::time::Sleep;

use crate::config::BoxFuture;
use crate::core::{ManagerOutput, Output};
use crate::endpoint::{Endpoint, Told};
use crate::error::Failed;
use crate::observers::ManagerEvent;
use crate::shared::{Completion, Locked, Shared, now};
use opening::Opened;
use telling::told;

/// Messages that are handled before other tasks have their turn.
const BATCH: usize = 64;

pub(crate) struct Driver {
    shared: Arc<Shared>,
    runtime: Handle,
    outputs: VecDeque<Taken>,
    opening: Option<Pin<Box<dyn Future<Output = Opened> + Send>>>,
    connection: Option<Connection>,
    /// What ended the last connection.
    error: Option<TransportError>,
    closing: Vec<BoxFuture<()>>,
    sleep: Option<Pin<Box<Sleep>>>,
    is_done: bool,
}

struct Connection {
    engine: engine_io::Socket,
    decoder: Decoder,
    transport: Transport,
}

/// An output, and the socket that it belongs to: its key may mean another one by the time it is dealt with.
struct Taken {
    at: u64,
    endpoint: Option<Arc<Endpoint>>,
    output: Output<Completion, Failed>,
}

impl Driver {
    /// Spawned in the runtime of the manager.
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let runtime = shared.runtime().cloned();
        Self {
            runtime: runtime.unwrap_or_else(Handle::current),
            shared,
            outputs: VecDeque::new(),
            opening: None,
            connection: None,
            error: None,
            closing: Vec::new(),
            sleep: None,
            is_done: false,
        }
    }

    /// Tells the state machine something, and takes out what it says.
    fn input(&mut self, input: impl FnOnce(&mut Locked, Instant)) {
        let Self {
            shared, outputs, ..
        } = self;
        shared.look(|locked| {
            input(locked, now());
            locked.flush();
            while let Some(output) = locked.core.poll_output() {
                let key = match &output {
                    Output::Authorize { socket, .. } | Output::Socket(socket, _) => Some(*socket),
                    Output::Open { .. } | Output::Close => None,
                    Output::Manager(_) | Output::Answer(..) => None,
                };
                outputs.push_back(Taken {
                    at: locked.taken,
                    endpoint: key.and_then(|key| locked.endpoints.get(&key).cloned()),
                    output,
                });
                locked.taken += 1;
            }
        });
    }

    /// Does what the state machine wants to be done, and tells what it has to tell.
    fn run_outputs(&mut self) {
        let mut may_be_over = false;
        let mut at = 0;
        while let Some(taken) = self.outputs.pop_front() {
            at = taken.at;
            match (taken.output, taken.endpoint) {
                (Output::Open { attempt }, _) => self.open(attempt),
                (Output::Close, _) => self.close(),
                (Output::Authorize { socket, epoch }, Some(endpoint)) => {
                    self.authorize(socket, epoch, &endpoint);
                }
                (Output::Manager(output), _) => {
                    may_be_over |= !matches!(output, ManagerOutput::Open);
                    self.tell_manager(at, output);
                }
                (Output::Socket(_, output), Some(endpoint)) => {
                    let told = told(output);
                    may_be_over |= matches!(told, Told::Disconnect(_) | Told::ConnectError(_));
                    self.tell(at, &endpoint, told);
                }
                (Output::Answer(completion, answer), _) => {
                    let observers = &self.shared.observers;
                    let told = || Told::Answer(completion.id, answer.clone());
                    observers.tell_socket(&completion.endpoint, told);
                    completion.answer(answer);
                }
                // The socket is gone.
                (Output::Authorize { .. } | Output::Socket(..), None) => {}
            }
        }
        if may_be_over {
            for endpoint in self.over() {
                self.tell(at, &endpoint, Told::End);
            }
        }
    }

    // Each of the following is true when something has happened, as are those of the modules beside.

    fn poll_connection(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(connection) = &mut self.connection else {
            return false;
        };
        let engine = &mut connection.engine;
        let read = if self.shared.brake.is_on() {
            engine.poll_drive(cx).map(|_| None)
        } else {
            engine.poll_recv(cx)
        };
        if connection.transport == Transport::Polling {
            connection.transport = engine.transport();
            if connection.transport == Transport::WebSocket {
                self.shared.observers.tell(&ManagerEvent::Upgrade);
            }
        }
        match read {
            Poll::Pending => return false,
            Poll::Ready(Some(message)) => self.handle_message(message),
            Poll::Ready(None) => self.handle_closed(),
        }
        true
    }

    fn handle_message(&mut self, message: Message) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        match connection.decoder.handle(message) {
            Ok(None) => {}
            Ok(Some(packet)) => self.input(|locked, now| {
                let random = locked.random();
                locked.core.handle_packet(now, random, packet);
            }),
            Err(error) => {
                tracing::debug!(target: "socket_io_client", %error, "not socket.io");
                self.input(|locked, now| {
                    let random = locked.random();
                    locked.core.handle_parse_error(now, random);
                });
            }
        }
    }

    fn handle_closed(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        self.error = connection.engine.close_error().cloned();
        let reason = match connection.engine.close_reason() {
            Some(CloseReason::ForcedClose) => DisconnectReason::ForcedClose,
            Some(CloseReason::ParseError) => DisconnectReason::ParseError,
            Some(CloseReason::PingTimeout) => DisconnectReason::PingTimeout,
            Some(CloseReason::TransportError) => DisconnectReason::TransportError,
            Some(_) | None => DisconnectReason::TransportClose,
        };
        let failed = self.error.clone().map(|error| {
            let error = engine_io::ConnectError::Transport(connection.transport, error);
            Failed::Engine(error)
        });
        let failed = failed.filter(|_| reason == DisconnectReason::TransportError);
        self.input(|locked, now| {
            locked.engine = None;
            let random = locked.random();
            locked.core.handle_closed(now, random, reason, failed);
        });
    }

    fn poll_clock(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(deadline) = self.shared.look(|locked| locked.core.deadline()) else {
            self.sleep = None;
            return false;
        };
        let deadline = deadline.into();
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        if sleep.as_mut().poll(cx).is_pending() {
            return false;
        }
        self.sleep = None;
        self.input(|locked, now| {
            let random = locked.random();
            locked.core.handle_deadline(now, random);
        });
        true
    }

    /// Whether nobody wants anything any more. Whoever does so later starts another driver.
    fn finish(&mut self) -> bool {
        let nothing = self.opening.is_none() && self.connection.is_none();
        let nothing = nothing && self.closing.is_empty();
        self.is_done = nothing
            && self.shared.look(|locked| {
                let done = locked.core.is_closed() && locked.core.outputs() == 0;
                locked.running &= !done;
                done
            });
        self.is_done
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.shared.brake.register(cx.waker());
        for _ in 0..BATCH {
            this.input(|_, _| {});
            this.run_outputs();
            let progress = this.poll_opening(cx)
                | this.poll_connection(cx)
                | this.poll_closing(cx)
                | this.poll_clock(cx)
                | this.shared.look(Locked::flush);
            if progress || !this.outputs.is_empty() {
                continue;
            }
            this.shared.progress.notify_waiters();
            if this.finish() {
                return Poll::Ready(());
            }
            return Poll::Pending;
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        // The runtime ends. Those who wait elsewhere shall not wait for ever.
        let closing = self.closing.len();
        self.input(|locked, _| {
            locked.core.close();
            locked.engine = None;
            locked.closing -= closing;
            locked.running = false;
        });
        for taken in std::mem::take(&mut self.outputs) {
            if let Output::Answer(completion, answer) = taken.output {
                completion.answer(answer);
            }
        }
        for endpoint in self.over() {
            endpoint.resolve(u64::MAX, &Told::End);
        }
        let openers = self
            .shared
            .look(|locked| std::mem::take(&mut locked.openers));
        drop(openers);
        self.shared.progress.notify_waiters();
    }
}
