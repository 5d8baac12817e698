//! What the drivers of a [`Pair`] do when something arrives.

use std::mem;

use bytes::Bytes;

use super::pair::{CLIENT, Event, Pair, SERVER};
use super::*;
use crate::payload::decode_payload;
use crate::text::Text;

impl Pair {
    fn deliver(&mut self, side: Side, transport: Transport, packet: Packet) {
        let now = at(self.now);
        let end = self.end(side);
        if let Some(message) = end.session.handle_packet(now, transport, packet) {
            end.take(&message);
        }
    }

    fn deliver_body(&mut self, side: Side, body: Bytes) {
        for packet in decode_payload(&Text::try_from(body).unwrap(), MAX) {
            self.deliver(side, Transport::Polling, packet.unwrap());
        }
    }

    /// Whether the server would still route a request to the session.
    fn is_polling(&mut self) -> bool {
        let server = self.session(SERVER);
        let closed = matches!(server.state(), ReadyState::Closed(_));
        !closed && server.transport() == Transport::Polling
    }

    pub(super) fn handle(&mut self, event: Event) {
        match event {
            Event::Get => {
                self.hear(SERVER);
                if !self.is_polling() || self.session(SERVER).handle_get().is_err() {
                    self.later(Event::GetAnswer(None));
                }
            }
            Event::GetAnswer(body) => {
                self.hear(CLIENT);
                let refused = body.is_none();
                if let Some(body) = body {
                    self.deliver_body(CLIENT, body);
                }
                self.session(CLIENT).handle_get_done();
                if refused {
                    self.fail_request();
                }
            }
            Event::Post(body) => {
                self.hear(SERVER);
                if !self.is_polling() || self.session(SERVER).handle_post().is_err() {
                    self.later(Event::PostAnswer(false));
                } else {
                    self.later(Event::PostBody(body));
                }
            }
            Event::PostBody(body) => {
                self.hear(SERVER);
                self.deliver_body(SERVER, body);
                self.session(SERVER).handle_post_done();
                self.later(Event::PostAnswer(true));
            }
            Event::PostAnswer(accepted) => {
                self.hear(CLIENT);
                self.session(CLIENT).handle_post_done();
                if !accepted {
                    self.fail_request();
                }
            }
            Event::Dial(link) => {
                self.arrive(link, SERVER);
                self.in_order(link, SERVER, Event::Dialled(link));
            }
            Event::Dialled(link) => self.arrive(link, CLIENT),
            Event::Write(link, side) => self.write(link, side),
            Event::Chunk(link, side, packets) => self.receive(link, side, packets),
            Event::Lost(link, side) => self.lose(link, side),
            Event::GetLost => {
                let server = self.session(SERVER);
                if server.polling.get {
                    server.handle_get_done();
                }
            }
        }
    }

    /// Bytes of the peer arrive, whatever they mean.
    fn hear(&mut self, side: Side) {
        let now = at(self.now);
        self.session(side).handle_traffic(now);
    }

    fn fail_request(&mut self) {
        self.session(CLIENT)
            .handle_transport_closed(CloseReason::TransportError);
    }

    /// A new link has reached this side.
    fn arrive(&mut self, link: usize, side: Side) {
        let now = at(self.now);
        self.links[link].ends[side as usize].open = true;
        if self.session(side).handle_candidate(now) {
            self.end(side).candidate = Some(link);
        } else {
            self.hang_up(link, side);
        }
    }

    fn receive(&mut self, link: usize, side: Side, packets: Vec<Packet>) {
        let now = at(self.now);
        if self.links[link].faulty || !self.links[link].ends[side as usize].open {
            return;
        }
        self.hear(side);
        for packet in packets {
            let end = self.end(side);
            if end.candidate == Some(link) {
                end.session.handle_candidate_packet(now, &packet);
                end.promote();
            } else if end.link == Some(link) {
                self.deliver(side, Transport::WebSocket, packet);
            }
        }
    }

    fn lose(&mut self, link: usize, side: Side) {
        if !mem::take(&mut self.links[link].ends[side as usize].open) {
            return;
        }
        self.links[link].ends[side as usize].egress.clear();
        let end = self.end(side);
        if end.candidate == Some(link) {
            end.candidate = None;
            end.session.handle_candidate_closed();
        } else if end.link == Some(link) {
            end.session
                .handle_transport_closed(CloseReason::TransportClose);
        }
    }
}
