//! What the user sends.

use std::time::Instant;

use socket_io::protocol::AckId;

use super::{Core, Emission, Full, Key, SocketOutput};

/// Why an event cannot be emitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EmitRefused {
    Full(Full),
    TooManyAcks(usize),
}

/// What became of an event that was to be emitted.
#[derive(Debug)]
pub(crate) enum Emitted {
    /// Send it now, before anything else is.
    Now(Emission),
    /// It waits for the socket to join, or for its turn.
    Later,
}

impl<C, E: Clone> Core<C, E> {
    /// An id for an event that wants an acknowledgement.
    pub(crate) fn next_ack_id(&mut self, key: Key) -> AckId {
        self.sockets[key.0].next_ack_id()
    }

    /// Emits an event. `ready` says that the connection is not known to be dead.
    ///
    /// # Errors
    ///
    /// When too much waits already.
    pub(crate) fn emit(
        &mut self,
        key: Key,
        ready: bool,
        emission: Emission,
        ack: Option<(AckId, C)>,
    ) -> Result<Emitted, EmitRefused> {
        let socket = &mut self.sockets[key.0];
        let now = socket.is_connected() && ready && socket.sends.len() == 0;
        let id = ack.as_ref().map(|(id, _)| *id);
        if let Some((id, completion)) = ack {
            let full = |_| EmitRefused::TooManyAcks(socket.config.max_acks);
            socket.acks.insert_with_id(id, completion).map_err(full)?;
        }
        if now {
            self.watch(key, &emission);
            return Ok(Emitted::Now(emission));
        }
        if let Err(full) = socket.sends.push(id, emission) {
            let forgotten = id.and_then(|id| socket.acks.remove(id));
            drop(forgotten);
            return Err(EmitRefused::Full(full));
        }
        Ok(Emitted::Later)
    }

    /// Emits an event that is sent until it is acknowledged.
    ///
    /// # Errors
    ///
    /// When too much waits already.
    pub(crate) fn emit_repeatedly(
        &mut self,
        now: Instant,
        key: Key,
        emission: Emission,
        id: AckId,
        completion: Option<C>,
    ) -> Result<(), EmitRefused> {
        let socket = &mut self.sockets[key.0];
        let retries = socket.config.retries.map_or(0, |retries| retries.retries);
        if let Some(queue) = &mut socket.queue {
            queue
                .push(id, emission, completion, retries)
                .map_err(EmitRefused::Full)?;
        }
        self.send_queued(now, key);
        Ok(())
    }

    /// Emits an event that is sent until it is acknowledged, for ever if need be. The caller sees to it that there are not too many.
    pub(crate) fn keep(
        &mut self,
        now: Instant,
        key: Key,
        emission: Emission,
        id: AckId,
        completion: C,
    ) {
        if let Some(queue) = &mut self.sockets[key.0].queue {
            queue.keep(id, emission, completion);
        }
        self.send_queued(now, key);
    }

    /// Takes back an event that is sent until it is acknowledged. It may have been sent already.
    pub(crate) fn withdraw(&mut self, now: Instant, key: Key, id: AckId) -> Option<C> {
        let queue = self.sockets[key.0].queue.as_mut();
        let completion = queue.and_then(|queue| queue.remove(id));
        self.send_queued(now, key);
        completion
    }

    /// How often such an event was sent.
    pub(crate) fn tries(&self, key: Key, id: AckId) -> u32 {
        let queue = self.sockets[key.0].queue.as_ref();
        queue.map_or(0, |queue| queue.tries(id))
    }

    /// Nobody waits for this acknowledgement any more; an event that was not sent yet is not sent.
    pub(crate) fn forget(&mut self, key: Key, id: AckId) -> Option<C> {
        let socket = self.sockets.get_mut(key.0)?;
        let queue = socket.queue.as_mut();
        if let Some(completion) = queue.and_then(|queue| queue.forget(id)) {
            return Some(completion);
        }
        let completion = socket.acks.remove(id)?;
        socket.sends.remove(id);
        Some(completion)
    }

    /// Bytes that wait for the socket to join.
    pub(crate) fn buffered(&self, key: Key) -> usize {
        self.sockets[key.0].sends.bytes()
    }

    pub(super) fn send_queued(&mut self, now: Instant, key: Key) {
        let socket = &mut self.sockets[key.0];
        if socket.is_connected() {
            let queue = socket.queue.as_mut();
            if let Some(emission) = queue.and_then(|queue| queue.poll_send(now)) {
                self.send(key, emission);
            }
        }
    }

    pub(super) fn send(&mut self, key: Key, emission: Emission) {
        self.watch(key, &emission);
        self.sends.push_back(emission.packet);
    }

    fn watch(&mut self, key: Key, emission: &Emission) {
        if let Some(event) = &emission.event {
            self.tell_socket(key, SocketOutput::Sent(event.clone()));
        }
    }
}
