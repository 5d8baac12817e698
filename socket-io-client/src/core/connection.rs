//! The manager's connection: it is made, lost, made again after a while, and closed.

use std::time::Instant;

use engine_io::later;
use socket_io::protocol::DisconnectReason;

use super::output::{JoinError, ManagerOutput, OpenError, Output, SocketOutput};
use super::{Core, Phase, ReconnectConfig};

/// Whether there is a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Closed,
    /// The next attempt begins then.
    Waiting(Instant),
    Opening {
        deadline: Option<Instant>,
        /// The how manieth attempt to reconnect this is; 0 if it was asked for.
        attempt: u32,
        /// Whether a failure begins to reconnect.
        retries: bool,
    },
    Open,
}

impl<C, E: Clone> Core<C, E> {
    pub(crate) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    pub(crate) fn is_opening(&self) -> bool {
        matches!(self.state, State::Opening { .. })
    }

    /// Whether somebody wants a connection, be there one or not.
    pub(crate) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    pub(crate) fn reconnect_config(&self) -> &ReconnectConfig {
        &self.config.reconnect
    }

    /// Changes how lost connections are made again, from the next wait on. Switched off during a wait, it ends that wait.
    pub(crate) fn set_reconnect(&mut self, config: ReconnectConfig) {
        self.backoff.delay = config.delay;
        self.backoff.delay_max = config.delay_max;
        self.backoff.jitter = config.jitter;
        if !config.enabled && matches!(self.state, State::Waiting(_)) {
            self.state = State::Closed;
        }
        self.config.reconnect = config;
    }

    /// Makes a connection if there is none and none is being made. With `retries`, a failure begins to reconnect.
    pub(crate) fn open(&mut self, now: Instant, retries: bool) {
        match self.state {
            State::Closed => self.start_opening(now, 0, retries),
            State::Waiting(_) | State::Opening { .. } | State::Open => {}
        }
    }

    pub(super) fn start_opening(&mut self, now: Instant, attempt: u32, retries: bool) {
        self.state = State::Opening {
            deadline: self
                .config
                .connect_timeout
                .map(|timeout| later(now, timeout)),
            attempt,
            retries,
        };
        self.outputs.push_back(Output::Open { attempt });
    }

    /// The connection is there.
    pub(crate) fn handle_opened(&mut self) {
        let State::Opening { attempt, .. } = self.state else {
            return;
        };
        self.state = State::Open;
        self.tell(ManagerOutput::Open);
        for key in self.keys() {
            if self.sockets[key.0].phase == Phase::Waiting {
                self.authorize(key);
            }
        }
        self.backoff.reset();
        if attempt > 0 {
            self.tell(ManagerOutput::Reconnect(attempt));
        }
    }

    /// The connection could not be made.
    pub(crate) fn handle_failed(&mut self, now: Instant, random: f64, error: E) {
        self.fail(now, random, OpenError::Engine(error));
    }

    pub(super) fn fail(&mut self, now: Instant, random: f64, error: OpenError<E>) {
        let State::Opening {
            attempt, retries, ..
        } = self.state
        else {
            return;
        };
        self.state = State::Closed;
        self.tell_unjoined(&error);
        self.tell(ManagerOutput::Error(error.clone()));
        if attempt > 0 {
            // The reference says that it has failed for good before it says that this attempt has.
            self.reconnect(now, random);
            self.tell(ManagerOutput::ReconnectError(error));
        } else if retries {
            self.reconnect(now, random);
        }
    }

    /// Sockets that want to join, and cannot for now.
    fn tell_unjoined(&mut self, error: &OpenError<E>) {
        for key in self.keys() {
            let socket = &self.sockets[key.0];
            if socket.is_active() && !socket.is_connected() {
                let error = JoinError::Open(error.clone());
                self.tell_socket(key, SocketOutput::ConnectError(error));
            }
        }
    }

    fn reconnect(&mut self, now: Instant, random: f64) {
        let config = &self.config.reconnect;
        if !config.enabled {
            return self.backoff.reset();
        }
        if config
            .attempts
            .is_some_and(|most| self.backoff.attempts() >= most)
        {
            self.backoff.reset();
            return self.tell(ManagerOutput::ReconnectFailed);
        }
        self.state = State::Waiting(later(now, self.backoff.next_wait(random)));
    }

    /// The connection has ended, with an `error` if it failed.
    pub(crate) fn handle_closed(
        &mut self,
        now: Instant,
        random: f64,
        reason: DisconnectReason,
        error: Option<E>,
    ) {
        if self.state != State::Open {
            return;
        }
        if let Some(error) = error {
            // A server that knows a session from one request to the next no more is found out by this.
            self.tell_unjoined(&OpenError::Engine(error));
        }
        self.end_connection(reason);
        self.reconnect(now, random);
    }

    /// The server has sent what is no Socket.IO.
    pub(crate) fn handle_parse_error(&mut self, now: Instant, random: f64) {
        if self.state == State::Open {
            self.outputs.push_back(Output::Close);
            self.handle_closed(now, random, DisconnectReason::ParseError, None);
        }
    }

    fn end_connection(&mut self, reason: DisconnectReason) {
        self.state = State::Closed;
        self.backoff.reset();
        self.sends.clear();
        for key in self.keys() {
            if self.sockets[key.0].is_active() {
                let was_joining = self.leave(key, Phase::Waiting);
                if was_joining {
                    self.tell_socket(key, SocketOutput::Disconnect(reason));
                    self.fail_acks(key);
                }
            }
        }
        self.tell(ManagerOutput::Close(reason));
    }

    /// Ends everything; no socket comes back by itself.
    pub(crate) fn close(&mut self) {
        let reason = DisconnectReason::ForcedClose;
        match self.state {
            State::Open => {
                self.outputs.push_back(Output::Close);
                self.end_connection(reason);
            }
            _ => self.give_up(reason),
        }
        for (_, socket) in &mut self.sockets {
            socket.phase = Phase::Inactive;
        }
    }

    /// Without a connection: makes none any more.
    pub(super) fn give_up(&mut self, reason: DisconnectReason) {
        if matches!(self.state, State::Opening { .. }) {
            self.outputs.push_back(Output::Close);
        }
        self.state = State::Closed;
        self.backoff.reset();
        self.tell(ManagerOutput::Close(reason));
    }
}
