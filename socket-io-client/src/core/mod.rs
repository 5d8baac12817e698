//! What a manager and its sockets do: no I/O, no clock, no randomness.
//!
//! Whatever happens is told with a `handle_*` or one of the verbs of a user (`open`, `emit`, …); afterwards what is to be done is taken out with
//! [`poll_send`](Core::poll_send), [`poll_output`](Core::poll_output) and [`deadline`](Core::deadline). Outputs come in the order in which the reference fires its
//! events.
//!
//! Source: `lib/manager.ts` and `lib/socket.ts` of socket.io-client 4.8.4.

mod backoff;
mod buffer;
mod catch_up;
mod config;
mod connection;
mod emit;
mod joining;
mod output;
mod packets;
mod queue;
mod socket;
mod sockets;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Instant;

use slab::Slab;
use socket_io::protocol::Encoded;

use backoff::Backoff;
pub use backoff::Jitter;
pub(crate) use buffer::{Emission, Full};
pub(crate) use catch_up::{CatchUp, Mark, Rule};
pub(crate) use config::{CoreConfig, ReconnectConfig, Retries, SocketConfig};
use connection::State;
pub(crate) use emit::{EmitRefused, Emitted};
pub(crate) use output::{JoinError, ManagerOutput, NoAnswer, OpenError, Output, SocketOutput};
use socket::SocketState;
pub(crate) use socket::{Incoming, Phase, Recovery};

/// Names a socket of a manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(usize);

#[derive(Debug)]
pub(crate) struct Core<C, E> {
    config: CoreConfig,
    state: State,
    backoff: Backoff,
    sockets: Slab<SocketState<C>>,
    /// Of the last attempt of any socket to join, or wish to. Never used twice, as keys of sockets are.
    last_epoch: u64,
    sends: VecDeque<Encoded>,
    outputs: VecDeque<Output<C, E>>,
}

impl<C, E: Clone> Core<C, E> {
    pub(crate) fn new(config: CoreConfig) -> Self {
        let reconnect = &config.reconnect;
        Self {
            state: State::Closed,
            backoff: Backoff::new(reconnect.delay, reconnect.delay_max, reconnect.jitter),
            // Most managers have one, and room for more is made four at a time.
            sockets: Slab::with_capacity(1),
            last_epoch: 0,
            sends: VecDeque::new(),
            outputs: VecDeque::new(),
            config,
        }
    }

    // What is to be done.

    /// The next packet to send.
    pub(crate) fn poll_send(&mut self) -> Option<Encoded> {
        self.sends.pop_front()
    }

    /// The next thing to do or to tell.
    pub(crate) fn poll_output(&mut self) -> Option<Output<C, E>> {
        let output = self.outputs.pop_front();
        if output.is_none() {
            // Idle managers keep no memory for more.
            self.outputs = VecDeque::new();
        }
        output
    }

    /// How many outputs are to be taken out.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs.len()
    }

    /// When `handle_deadline` wants to be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let manager = match self.state {
            State::Waiting(until) => Some(until),
            State::Opening { deadline, .. } => deadline,
            State::Closed | State::Open => None,
        };
        let sockets = self.sockets.iter().flat_map(|(_, socket)| {
            let joining = match socket.phase {
                Phase::Connecting(deadline) => deadline,
                Phase::Delayed(until) => Some(until),
                Phase::Inactive | Phase::Waiting | Phase::Authorizing | Phase::Connected => None,
            };
            let retrying = socket.queue.as_ref().and_then(|queue| queue.deadline());
            [joining, retrying]
        });
        sockets.chain([manager]).flatten().min()
    }

    /// One of the deadlines has come.
    pub(crate) fn handle_deadline(&mut self, now: Instant, random: f64) {
        match self.state {
            State::Waiting(until) if until <= now => {
                let attempt = self.backoff.attempts();
                self.tell(ManagerOutput::ReconnectAttempt(attempt));
                self.start_opening(now, attempt, true);
            }
            State::Opening {
                deadline: Some(deadline),
                ..
            } if deadline <= now => {
                let timeout = self.config.connect_timeout.unwrap_or_default();
                self.outputs.push_back(Output::Close);
                self.fail(now, random, OpenError::Timeout(timeout));
            }
            _ => {}
        }
        for key in self.keys() {
            let socket = &mut self.sockets[key.0];
            match socket.phase {
                Phase::Delayed(until) if until <= now => self.authorize(key),
                Phase::Connecting(Some(deadline)) if deadline <= now => {
                    return self.abandon(now, random, key);
                }
                _ => {}
            }
            let socket = &mut self.sockets[key.0];
            let queue = socket.queue.as_mut();
            if let Some(queue) = queue.filter(|queue| queue.deadline().is_some_and(|at| at <= now))
            {
                if let Some(Some(completion)) = queue.handle_failure() {
                    let timeout = socket.config.retries.map(|retries| retries.ack_timeout);
                    let no_answer = NoAnswer::Timeout(timeout.unwrap_or_default());
                    self.outputs
                        .push_back(Output::Answer(completion, Err(no_answer)));
                }
                self.send_queued(now, key);
            }
        }
    }

    /// In the order in which they were told to connect.
    fn keys(&self) -> Vec<Key> {
        let mut keys: Vec<_> = self.sockets.iter().map(|(key, _)| Key(key)).collect();
        keys.sort_unstable_by_key(|key| self.sockets[key.0].since);
        keys
    }

    fn tell(&mut self, output: ManagerOutput<E>) {
        self.outputs.push_back(Output::Manager(output));
    }

    fn tell_socket(&mut self, key: Key, output: SocketOutput<E>) {
        self.outputs.push_back(Output::Socket(key, output));
    }
}
