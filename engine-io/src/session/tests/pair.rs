//! A server and a client session with a network between them, in virtual time.
//!
//! HTTP requests and answers take their latency; a link (a WebSocket) carries frames in chunks, in order, each chunk with its own latency. Messages
//! carry numbers, so a lost, doubled or reordered one fails the test on arrival.

use std::collections::BTreeMap;
use std::mem;

use bytes::Bytes;

use super::net::{End, Link, Net, to_packet};
use super::*;

/// Something arrives, at the side that is named or at the only one that it can arrive at.
pub(super) enum Event {
    Get,
    /// `None`: the server refused.
    GetAnswer(Option<Bytes>),
    /// The head of a POST; the body follows.
    Post(Bytes),
    PostBody(Bytes),
    PostAnswer(bool),
    Dial(usize),
    Dialled(usize),
    /// A link can take bytes of this side.
    Write(usize, Side),
    /// A chunk with the last bytes of these packets.
    Chunk(usize, Side, Vec<Packet>),
    Lost(usize, Side),
    /// The connection of the parked GET is gone.
    GetLost,
}

pub(super) struct Pair {
    pub(super) now: u64,
    ends: [End; 2],
    pub(super) links: Vec<Link>,
    pub(super) net: Net,
    queue: BTreeMap<(u64, u64), Event>,
    scheduled: u64,
    /// Whether requests have failed.
    pub(super) polling_lost: bool,
    /// What was sent: time, side and text.
    pub(super) wire: Vec<String>,
}

pub(super) const SERVER: Side = Side::Server;
pub(super) const CLIENT: Side = Side::Client;

fn peer(side: Side) -> Side {
    match side {
        Side::Server => CLIENT,
        Side::Client => SERVER,
    }
}

impl Pair {
    /// A client that has not sent anything yet, over either transport, and its server.
    pub(super) fn new(transport: Transport, config: &SessionConfig, net: Net) -> Self {
        let handshake = Handshake {
            ping_interval: config.ping_interval,
            ping_timeout: config.ping_timeout,
            ..handshake()
        };
        let client = Session::client(config, transport);
        let config = Arc::new(config.clone());
        let server = Session::server(at(0), &config, Wire::default(), transport, &handshake);
        let mut pair = Self {
            now: 0,
            ends: [End::new(server), End::new(client)],
            links: Vec::new(),
            net,
            queue: BTreeMap::new(),
            scheduled: 0,
            polling_lost: false,
            wire: Vec::new(),
        };
        if transport == Transport::WebSocket {
            pair.links.push(Link::default());
            for side in [SERVER, CLIENT] {
                pair.end(side).link = Some(0);
                pair.links[0].ends[side as usize].open = true;
            }
        }
        pair
    }

    pub(super) fn end(&mut self, side: Side) -> &mut End {
        &mut self.ends[side as usize]
    }

    pub(super) fn session(&mut self, side: Side) -> &mut Session {
        &mut self.end(side).session
    }

    // What a user or the network does.

    /// Sends the next numbered message, as text or binary, with so much padding.
    pub(super) fn send(&mut self, side: Side, padding: usize) -> Result<(), SendError> {
        let text = format!("{}:{}", self.end(side).sent, "x".repeat(padding));
        let frame = if padding % 2 == 1 {
            Frame::binary(text.as_bytes())
        } else {
            Frame::message(&text)
        };
        self.session(side).send([frame].iter())?;
        self.end(side).sent += 1;
        self.drain(side);
        Ok(())
    }

    pub(super) fn close(&mut self, side: Side) {
        let now = at(self.now);
        self.session(side).close(now);
        self.drain(side);
    }

    /// The client opens a second connection.
    pub(super) fn dial(&mut self) -> usize {
        let link = self.links.len();
        self.links.push(Link::default());
        self.later(Event::Dial(link));
        link
    }

    /// The connection breaks: what is under way is lost, both ends notice after a while.
    pub(super) fn cut(&mut self, link: usize) {
        self.links[link].faulty = true;
        for side in [SERVER, CLIENT] {
            self.later(Event::Lost(link, side));
        }
    }

    /// The requests of a client on polling fail.
    pub(super) fn cut_polling(&mut self) {
        let client = self.session(CLIENT);
        if client.transport() == Transport::Polling {
            client.handle_transport_closed(CloseReason::TransportError);
            self.polling_lost = true;
            self.later(Event::GetLost);
            self.drain(CLIENT);
        }
    }

    /// Runs everything that happens up to and including this time.
    pub(super) fn run_until(&mut self, end: u64) {
        self.drain_both();
        for _ in 0..200_000 {
            let event = self.queue.keys().next().map(|&(time, _)| time);
            let timers = self
                .ends
                .iter()
                .filter_map(|end| end.session.poll_timeout());
            let timer = timers.min().map(|time| (time - at(0)).as_millis() as u64);
            let next = event.into_iter().chain(timer).min();
            let Some(now) = next.filter(|&now| now <= end) else {
                self.now = end;
                return;
            };
            assert!(now >= self.now, "a timer in the past was not handled");
            self.now = now;
            if timer == Some(now) {
                for end in &mut self.ends {
                    end.session.handle_timeout(at(now));
                }
            } else if let Some((_, event)) = self.queue.pop_first() {
                self.handle(event);
            }
            self.drain_both();
        }
        panic!("the pair spins at {} ms", self.now);
    }

    #[track_caller]
    pub(super) fn check_all_arrived(&self) {
        let [server, client] = &self.ends;
        assert_eq!(server.received, client.sent, "from the client");
        assert_eq!(client.received, server.sent, "from the server");
    }

    // The network.

    fn schedule(&mut self, time: u64, event: Event) {
        self.scheduled += 1;
        self.queue.insert((time, self.scheduled), event);
    }

    pub(super) fn later(&mut self, event: Event) {
        let time = self.now + self.net.latency();
        self.schedule(time, event);
    }

    fn log(&mut self, side: Side, text: &str) {
        let side = format!("{side:?}").to_lowercase();
        let text = text.split('{').next().unwrap_or_default();
        self.wire.push(format!("{} {side} {text}", self.now));
    }

    /// Sends what must arrive behind everything sent before on the same end of a link.
    pub(super) fn in_order(&mut self, link: usize, from: Side, event: Event) {
        let end = &mut self.links[link].ends[from as usize];
        end.arrival = end.arrival.max(self.now + self.net.latency());
        let time = end.arrival;
        self.schedule(time, event);
    }

    pub(super) fn hang_up(&mut self, link: usize, side: Side) {
        let end = &mut self.links[link].ends[side as usize];
        if mem::take(&mut end.open) {
            end.egress.clear();
            self.log(side, "hangs up");
            self.in_order(link, side, Event::Lost(link, peer(side)));
        }
    }

    /// Writes a chunk of what is queued on a link.
    pub(super) fn write(&mut self, link: usize, side: Side) {
        let room = self.net.within(&self.net.chunk.clone());
        let end = &mut self.links[link].ends[side as usize];
        let (written, finished) = end.write(room);
        if written == 0 {
            return;
        }
        if !end.egress.is_empty() {
            self.schedule(self.now + 1, Event::Write(link, side));
        }
        self.session(side).handle_written(written as usize);
        let packets: Vec<_> = finished.iter().map(to_packet).collect();
        for frame in &finished {
            self.log(side, &String::from_utf8_lossy(frame.packet()));
        }
        self.in_order(link, side, Event::Chunk(link, peer(side), packets));
    }

    /// Hands on all that a session wants to send.
    fn drain(&mut self, side: Side) {
        while let Some(packet) = self.session(side).poll_candidate() {
            let link = self.end(side).candidate.expect("a candidate is active");
            let frame = packet.to_frame();
            self.log(side, &String::from_utf8_lossy(frame.packet()));
            self.in_order(link, side, Event::Chunk(link, peer(side), vec![packet]));
            self.end(side).promote();
        }
        if !self.session(side).is_upgrading() {
            if let Some(link) = self.end(side).candidate.take() {
                self.hang_up(link, side);
            }
        }
        while let Some(frame) = self.session(side).poll_frame() {
            let link = self.end(side).link.expect("the session is on a link");
            let egress = &mut self.links[link].ends[side as usize].egress;
            egress.push_back(frame);
            if egress.len() == 1 {
                self.schedule(self.now, Event::Write(link, side));
            }
        }
        if let ReadyState::Closed(_) = self.session(side).state() {
            if let Some(link) = self.end(side).link {
                self.hang_up(link, side);
            }
        }
        if self.session(side).poll_get() {
            self.session(side).handle_get().unwrap();
            self.log(side, "GET");
            self.later(Event::Get);
        }
        let limit = match side {
            Side::Server => MAX,
            Side::Client => self.net.max_payload,
        };
        if let Some(batch) = self.session(side).poll_payload(limit) {
            let more = self.session(side).poll_payload(limit);
            assert_eq!(more, None, "one request at a time");
            let body = encode_payload(&batch);
            assert!(body.len() <= limit || batch.len() == 1, "too long a body");
            let text = String::from_utf8_lossy(&body).replace('\x1e', "|");
            let (verb, event) = match side {
                Side::Server => ("200", Event::GetAnswer(Some(body))),
                Side::Client => ("POST", Event::Post(body)),
            };
            self.log(side, &format!("{verb} {text}"));
            self.later(event);
        }
    }

    fn drain_both(&mut self) {
        self.drain(SERVER);
        self.drain(CLIENT);
    }
}
