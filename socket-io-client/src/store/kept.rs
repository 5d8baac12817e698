//! The journal of a socket that uses it.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use socket_io::protocol::{AckId, RawJson};
use socket_io::{RawArgs, Value};
use tokio::sync::oneshot;

use super::entries::Entries;
use super::progress::Progress;
use super::writer::{Done, Writer};
use super::{Content, Journal, Record, StoreError};
use crate::core::{Incoming, Mark, NoAnswer, Recovery};
use crate::endpoint::{Endpoint, Told};
use crate::error::EmitError;

/// Longer texts say nothing about how far events were read.
const MARK_LIMIT: usize = 1024;

/// Names in the store.
const PID: &str = "pid";
const OFFSET: &str = "offset";
const CATCH_UP: &str = "catch up:";

#[derive(Debug)]
pub(crate) struct Kept {
    writer: Writer,
    packets: Mutex<Entries<Packet>>,
    read: Mutex<Read>,
}

/// A packet, and those who wait for it.
#[derive(Debug)]
struct Packet {
    id: AckId,
    is_written: bool,
    writing: Vec<oneshot::Sender<Result<(), StoreError>>>,
    answers: Vec<oneshot::Sender<RawArgs>>,
}

/// How far the server's events were handled.
#[derive(Debug, Default)]
struct Read {
    pid: Option<String>,
    recovery: Progress<String>,
    marks: BTreeMap<String, Progress<Value>>,
}

/// What an earlier run of the program has left.
pub(crate) struct Past {
    pub(crate) records: Vec<(u64, Record)>,
    pub(crate) recovery: Option<Recovery>,
    pub(crate) marks: BTreeMap<String, Value>,
}

/// A packet that is on its way to the disk.
pub(crate) struct Written {
    pub(crate) written: oneshot::Receiver<Result<(), StoreError>>,
    pub(crate) answer: oneshot::Receiver<RawArgs>,
}

/// A packet that is kept.
pub(crate) struct Undelivered {
    pub(crate) key: String,
    pub(crate) event: String,
    pub(crate) id: AckId,
}

impl Kept {
    /// Takes a journal over. The packets of the past have the first acknowledgement ids of the socket, in their order.
    pub(crate) fn new(journal: Journal) -> Result<(Self, Past), StoreError> {
        let Journal {
            writer,
            content: Content { records, marks },
            limits,
        } = journal;
        let mut packets = Entries::new(limits, 0);
        for (n, (position, record)) in records.iter().enumerate() {
            let packet = Packet {
                id: AckId::new(n as u64),
                is_written: true,
                writing: Vec::new(),
                answers: Vec::new(),
            };
            packets.restore(*position, record, packet);
        }
        let mut read = Read::default();
        let mut past = Past {
            records,
            recovery: None,
            marks: BTreeMap::new(),
        };
        let mut offset = None;
        for (name, text) in marks {
            match (&*name, name.strip_prefix(CATCH_UP)) {
                (PID, _) => read.pid = Some(text),
                (OFFSET, _) => offset = Some(text),
                (_, Some(name)) => {
                    let value = RawJson::new(text.as_str().into()).and_then(|json| json.parse());
                    let damaged = |error| StoreError::Corrupted(format!("mark {name:?}: {error}"));
                    past.marks.insert(name.into(), value.map_err(damaged)?);
                }
                _ => {}
            }
        }
        past.recovery = read.pid.clone().map(|pid| Recovery { pid, offset });
        let kept = Self {
            writer,
            packets: Mutex::new(packets),
            read: Mutex::new(read),
        };
        Ok((kept, past))
    }

    // Packets.

    /// Keeps a packet, unless one of that key is kept already; `done` makes what is told once it is on the disk.
    pub(crate) fn add(
        &self,
        record: Record,
        id: AckId,
        done: impl FnOnce(u64) -> Done,
    ) -> Result<Written, EmitError> {
        let (writing, written) = oneshot::channel();
        let (answering, answer) = oneshot::channel();
        let mut packets = self.packets.lock();
        if let Some((_, packet)) = packets.find(&record.key) {
            packet.answers.push(answering);
            if packet.is_written {
                // The receiver is in this function.
                let _ = writing.send(Ok(()));
            } else {
                packet.writing.push(writing);
            }
            return Ok(Written { written, answer });
        }
        let packet = Packet {
            id,
            is_written: false,
            writing: vec![writing],
            answers: vec![answering],
        };
        let position = packets.add(&record, packet)?;
        // Under the lock, so that the order on the disk is that of the positions.
        self.writer.add(position, Arc::new(record), done(position));
        Ok(Written { written, answer })
    }

    /// A packet is on the disk, or will not be.
    pub(crate) fn settle(&self, position: u64, result: &Result<(), StoreError>) {
        let writing = {
            let mut packets = self.packets.lock();
            match result {
                Ok(()) => packets.value(position).map(|packet| {
                    packet.is_written = true;
                    std::mem::take(&mut packet.writing)
                }),
                Err(_) => {
                    // In case that it got there in spite of what was said.
                    self.writer.remove(position);
                    packets.remove(position).map(|packet| packet.writing)
                }
            }
        };
        for writing in writing.unwrap_or_default() {
            let _ = writing.send(result.clone());
        }
    }

    /// The server has acknowledged a packet. Without an answer there will be none in this run of the program.
    pub(crate) fn answered(&self, position: u64, answer: Result<RawArgs, NoAnswer>) {
        let Ok(args) = answer else {
            let mut packets = self.packets.lock();
            let packet = packets.value(position);
            let answers = packet.map(|packet| std::mem::take(&mut packet.answers));
            drop(packets);
            return drop(answers);
        };
        let packet = self.forget(position);
        for answer in packet.into_iter().flat_map(|packet| packet.answers) {
            let _ = answer.send(args.clone());
        }
    }

    /// A packet is not needed any more.
    fn forget(&self, position: u64) -> Option<Packet> {
        let mut packet = self.packets.lock().remove(position)?;
        self.writer.remove(position);
        for writing in std::mem::take(&mut packet.writing) {
            let _ = writing.send(Ok(()));
        }
        Some(packet)
    }

    /// Takes a packet back that is on the disk. `take` takes it out of the queue of the socket.
    pub(crate) fn withdraw(&self, key: &str, take: impl FnOnce(AckId) -> bool) -> bool {
        let found = {
            let mut packets = self.packets.lock();
            packets.find(key).map(|(at, packet)| (at, packet.id))
        };
        let Some((position, id)) = found else {
            return false;
        };
        take(id) && self.forget(position).is_some()
    }

    /// The packets that are on the disk, in their order.
    pub(crate) fn undelivered(&self) -> Vec<Undelivered> {
        let packets = self.packets.lock();
        let written = packets.iter().filter(|entry| entry.value.is_written);
        let undelivered = written.map(|entry| Undelivered {
            key: entry.key.clone(),
            event: entry.event.clone(),
            id: entry.value.id,
        });
        undelivered.collect()
    }

    /// Whether packets are on their way to the disk.
    pub(crate) fn is_writing(&self) -> bool {
        let packets = self.packets.lock();
        packets.iter().any(|entry| !entry.value.is_written)
    }

    /// Ready when what was handed to the store before is written.
    pub(crate) fn flushed(&self) -> impl Future<Output = ()> + Send + use<> {
        self.writer.flushed()
    }

    /// The socket is gone. Whatever is still to be written is, and then the store is dropped.
    pub(crate) fn close(&self) {
        self.writer.close();
    }

    // Events.

    /// Handlers are about to be called, in the order of the events. What to say once the last one of them has ended.
    pub(crate) fn begin(&self, told: &Told) -> Vec<Ticket> {
        match told {
            Told::Connect { pid, .. } => self.joined(pid.as_deref()),
            Told::Event(incoming) => return self.begin_event(incoming),
            _ => {}
        }
        Vec::new()
    }

    /// The offsets of an earlier connection mean nothing on one that has not recovered it.
    fn joined(&self, pid: Option<&str>) {
        let pid = pid.filter(|pid| pid.len() <= MARK_LIMIT);
        let mut read = self.read.lock();
        if read.pid.as_deref() != pid {
            read.pid = pid.map(str::to_owned);
            read.recovery.forget();
            self.writer.mark(OFFSET, None);
            self.writer.mark(PID, read.pid.clone());
        }
    }

    fn begin_event(&self, incoming: &Incoming) -> Vec<Ticket> {
        let mut tickets = Vec::new();
        let mut read = self.read.lock();
        let offset = incoming.offset.as_ref().filter(|_| read.pid.is_some());
        if let Some(offset) = offset.filter(|offset| offset.len() <= MARK_LIMIT) {
            tickets.push(Ticket::Offset(read.recovery.begin(offset.clone())));
        }
        if let Some(Mark { name, value }) = incoming.mark.as_deref() {
            let progress = read.marks.entry(name.clone()).or_default();
            tickets.push(Ticket::Mark(name.clone(), progress.begin(value.clone())));
        }
        tickets
    }

    fn end(&self, tickets: &[Ticket]) {
        // Under the lock, so that a later text takes the place of an earlier one.
        let mut read = self.read.lock();
        for ticket in tickets {
            match ticket {
                Ticket::Offset(ticket) => {
                    if let Some(offset) = read.recovery.end(*ticket) {
                        self.writer.mark(OFFSET, Some(offset));
                    }
                }
                Ticket::Mark(name, ticket) => {
                    let progress = read.marks.get_mut(name);
                    let value = progress.and_then(|progress| progress.end(*ticket));
                    let json = value.and_then(|value| RawJson::from_data(&value).ok());
                    if let Some(json) = json.filter(|json| json.as_str().len() <= MARK_LIMIT) {
                        let name = format!("{CATCH_UP}{name}");
                        self.writer.mark(&name, Some(json.as_str().into()));
                    }
                }
            }
        }
    }
}

/// One of the counts that an event is part of.
#[derive(Debug)]
pub(crate) enum Ticket {
    Offset(u64),
    Mark(String, u64),
}

/// An event that handlers are dealing with. Dropping it says nothing: handlers are dropped when a runtime ends, too.
#[derive(Debug)]
pub(crate) struct Handling {
    endpoint: Arc<Endpoint>,
    tickets: Vec<Ticket>,
    running: AtomicUsize,
}

impl Handling {
    /// Nothing where nothing is kept, or nobody has to know.
    pub(crate) fn new(endpoint: &Arc<Endpoint>, told: &Told) -> Option<Arc<Self>> {
        let tickets = endpoint.kept.as_ref()?.begin(told);
        (!tickets.is_empty()).then(|| {
            Arc::new(Self {
                endpoint: endpoint.clone(),
                tickets,
                running: AtomicUsize::new(1),
            })
        })
    }

    /// One more handler begins.
    pub(crate) fn begin(self: &Arc<Self>) -> Arc<Self> {
        self.running.fetch_add(1, Ordering::Relaxed);
        self.clone()
    }

    /// A handler has ended, or it is certain that no more begin.
    pub(crate) fn end(&self) {
        if self.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            if let Some(kept) = &self.endpoint.kept {
                kept.end(&self.tickets);
            }
        }
    }
}
