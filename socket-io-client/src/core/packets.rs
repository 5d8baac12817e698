//! What the server sends.

use std::time::Instant;

use socket_io::RawArgs;
use socket_io::protocol::{AckId, DisconnectReason, Event, Packet};

use super::{Core, Incoming, Key, Output, Phase, SocketOutput, State};

impl<C, E: Clone> Core<C, E> {
    /// A packet of the server. The one match over them.
    pub(crate) fn handle_packet(&mut self, now: Instant, random: f64, packet: Packet) {
        if self.state != State::Open {
            return;
        }
        let key = self.find(packet.namespace());
        let Some(key) = key.filter(|key| self.sockets[key.0].is_active()) else {
            return self.handle_stray(&packet);
        };
        match packet {
            Packet::Connect { auth, .. } => self.handle_connect(now, key, auth.as_ref()),
            Packet::Disconnect { .. } => self.handle_disconnect(key),
            Packet::Event { ack, event, .. } => {
                if event.args.validate().is_err() {
                    return self.handle_parse_error(now, random);
                }
                self.handle_event(now, random, key, event, ack);
            }
            Packet::Ack { id, args, .. } => {
                if args.validate().is_err() {
                    return self.handle_parse_error(now, random);
                }
                self.handle_ack(now, key, id, args);
            }
            Packet::ConnectError { data, .. } => self.handle_refusal(key, &data),
            Packet::Ignored { .. } => {}
        }
    }

    /// A packet for nobody. Whoever has left before the answer came has joined by it, and the server has to hear that they are gone.
    fn handle_stray(&mut self, packet: &Packet) {
        if let Packet::Connect {
            namespace,
            auth: Some(_),
        } = packet
        {
            let packet = self.config.parser.encode_disconnect(namespace);
            self.sends.push_back(packet);
        }
    }

    fn handle_disconnect(&mut self, key: Key) {
        self.deactivate(key);
        self.tell_socket(
            key,
            SocketOutput::Disconnect(DisconnectReason::IoServerDisconnect),
        );
        self.fail_acks(key);
    }

    fn handle_event(
        &mut self,
        now: Instant,
        random: f64,
        key: Key,
        event: Event,
        ack: Option<AckId>,
    ) {
        let socket = &mut self.sockets[key.0];
        let mut incoming = Incoming {
            event,
            ack,
            epoch: socket.epoch,
            offset: None,
            mark: None,
        };
        match socket.phase {
            Phase::Connected => {
                socket.take_position(&mut incoming);
                let event = SocketOutput::Event(incoming);
                self.outputs.push_back(Output::Socket(key, event));
            }
            Phase::Connecting(_) if socket.early.len() < socket.config.max_early => {
                socket.early.push_back(incoming);
            }
            Phase::Connecting(_) => {
                // Nobody has that many; losing some in silence would be worse.
                tracing::warn!(
                    limit = socket.config.max_early,
                    "too many events before the confirmation"
                );
                self.handle_parse_error(now, random);
            }
            Phase::Inactive | Phase::Waiting | Phase::Delayed(_) | Phase::Authorizing => {}
        }
    }

    fn handle_ack(&mut self, now: Instant, key: Key, id: AckId, args: RawArgs) {
        let socket = &mut self.sockets[key.0];
        if !socket.is_connected() {
            return;
        }
        if let Some(completion) = socket.acks.complete(id) {
            return self.outputs.push_back(Output::Answer(completion, Ok(args)));
        }
        let queue = socket.queue.as_mut();
        if let Some(completion) = queue.and_then(|queue| queue.handle_ack(id)) {
            if let Some(completion) = completion {
                self.outputs.push_back(Output::Answer(completion, Ok(args)));
            }
            self.send_queued(now, key);
        }
    }
}
