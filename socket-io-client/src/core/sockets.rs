//! How sockets come, want to join, leave and go, and how they look from outside.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use engine_io::Text;
use socket_io::Value;
use socket_io::protocol::DisconnectReason;

use super::connection::State;
use super::socket::SocketState;
use super::{
    Core, Key, ManagerOutput, NoAnswer, Output, Phase, Recovery, SocketConfig, SocketOutput,
};

impl<C, E: Clone> Core<C, E> {
    /// The socket of a namespace, if there is one.
    pub(crate) fn find(&self, namespace: &str) -> Option<Key> {
        let mut sockets = self.sockets.iter();
        let found = sockets.find(|(_, socket)| *socket.namespace == *namespace);
        found.map(|(key, _)| Key(key))
    }

    /// Adds the socket of a namespace that has none.
    pub(crate) fn add(&mut self, namespace: Text, config: SocketConfig) -> Key {
        let mut auth_backoff = self.backoff.clone();
        auth_backoff.reset();
        Key(self
            .sockets
            .insert(SocketState::new(namespace, config, auth_backoff)))
    }

    /// Forgets a socket that nobody holds any more.
    pub(crate) fn remove(&mut self, key: Key) {
        self.disconnect(key);
        let mut socket = self.sockets.remove(key.0);
        // The key may be used again.
        self.outputs.retain(|output| match output {
            Output::Authorize { socket, .. } | Output::Socket(socket, _) => *socket != key,
            Output::Open { .. } | Output::Close | Output::Manager(_) | Output::Answer(..) => true,
        });
        let acks = socket.acks.drain().map(|(_, completion)| completion);
        let queued = socket.queue.iter_mut().flat_map(|queue| queue.drain());
        for completion in acks.chain(queued) {
            self.outputs
                .push_back(Output::Answer(completion, Err(NoAnswer::Disconnected)));
        }
    }

    /// Joins the namespace, and opens the manager for that. Nothing happens if it does so already.
    pub(crate) fn connect(&mut self, now: Instant, key: Key) {
        let socket = &mut self.sockets[key.0];
        if socket.is_active() {
            return;
        }
        self.last_epoch += 1;
        (socket.phase, socket.since) = (Phase::Waiting, self.last_epoch);
        self.open(now, true);
        if self.is_open() {
            self.authorize(key);
        }
    }

    /// Leaves the namespace. The connection is closed with its last socket.
    pub(crate) fn disconnect(&mut self, key: Key) {
        let socket = &self.sockets[key.0];
        let was_connected = socket.is_connected();
        if was_connected {
            let packet = self.config.parser.encode_disconnect(&socket.namespace);
            self.sends.push_back(packet);
        }
        self.deactivate(key);
        if was_connected {
            self.tell_socket(
                key,
                SocketOutput::Disconnect(DisconnectReason::IoClientDisconnect),
            );
        }
        self.fail_acks(key);
    }

    /// It wants no connection any more, and if none does, there shall be none.
    pub(super) fn deactivate(&mut self, key: Key) {
        let was_active = self.sockets[key.0].is_active();
        self.leave(key, Phase::Inactive);
        if was_active && !self.sockets.iter().any(|(_, socket)| socket.is_active()) {
            match self.state {
                State::Open => {
                    self.outputs.push_back(Output::Close);
                    self.state = State::Closed;
                    self.backoff.reset();
                    self.tell(ManagerOutput::Close(DisconnectReason::ForcedClose));
                }
                _ => self.give_up(DisconnectReason::ForcedClose),
            }
        }
    }

    /// Whatever belonged to the connection is over. Whether it had begun to join.
    pub(super) fn leave(&mut self, key: Key, next: Phase) -> bool {
        let socket = &mut self.sockets[key.0];
        let was_joining = !matches!(socket.phase, Phase::Inactive | Phase::Waiting);
        socket.phase = next;
        self.last_epoch += 1;
        socket.epoch = self.last_epoch;
        socket.id = None;
        socket.early = VecDeque::new();
        was_joining
    }

    /// Acknowledgements of what was sent will not come any more. Those of what waits to be sent still may.
    pub(super) fn fail_acks(&mut self, key: Key) {
        let socket = &mut self.sockets[key.0];
        let pending: Vec<_> = socket.acks.drain().collect();
        for (id, completion) in pending {
            if socket.sends.contains(id) {
                // It was there before.
                let _ = socket.acks.insert_with_id(id, completion);
            } else {
                let answer = Output::Answer(completion, Err(NoAnswer::Disconnected));
                self.outputs.push_back(answer);
            }
        }
        let queue = socket.queue.as_mut();
        let lost = queue.and_then(|queue| queue.handle_failure());
        if let Some(Some(completion)) = lost {
            let answer = Output::Answer(completion, Err(NoAnswer::Disconnected));
            self.outputs.push_back(answer);
        }
    }

    /// Goes on where an earlier run of the program has stopped. Acknowledgement ids below `next_ack` are given to packets of that time.
    pub(crate) fn restore(
        &mut self,
        key: Key,
        recovery: Option<Recovery>,
        marks: BTreeMap<String, Value>,
        next_ack: u64,
    ) {
        let socket = &mut self.sockets[key.0];
        if let Some(catch_up) = &mut socket.config.catch_up {
            catch_up.restore(marks);
        }
        (socket.recovery, socket.next_ack) = (recovery, next_ack);
    }

    // Looking at a socket.

    pub(crate) fn phase(&self, key: Key) -> Phase {
        self.sockets[key.0].phase
    }

    pub(crate) fn id(&self, key: Key) -> Option<Text> {
        self.sockets[key.0].id.clone()
    }

    /// Whether it does not come back by itself: it wants no connection, or none is being made any more.
    pub(crate) fn is_over(&self, key: Key) -> bool {
        let socket = &self.sockets[key.0];
        !socket.is_active() || (self.is_closed() && socket.phase == Phase::Waiting)
    }

    /// Whether events wait for the socket to join, or for their acknowledgement because they may have to be sent again.
    pub(crate) fn has_unsent(&self, key: Key) -> bool {
        let socket = &self.sockets[key.0];
        let queue = socket.queue.as_ref();
        socket.sends.len() > 0 || queue.is_some_and(|queue| !queue.is_empty())
    }

    pub(crate) fn recovered(&self, key: Key) -> bool {
        self.sockets[key.0].recovered
    }

    /// Whether an acknowledgement of an event of that time still reaches the one who asked.
    pub(crate) fn is_current(&self, key: Key, epoch: u64) -> bool {
        let socket = self.sockets.get(key.0);
        socket.is_some_and(|socket| socket.is_connected() && socket.epoch == epoch)
    }
}
