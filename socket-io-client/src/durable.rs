//! Events that survive the program.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use serde::Serialize;
use serde::de::DeserializeOwned;
use socket_io::protocol::{AckId, EncodeError, Outgoing, Parser};
use socket_io::{RawArgs, Value};
use tokio::sync::oneshot;

use crate::config::ManagerConfig;
use crate::core::{Core, Emission, Key, Recovery};
use crate::endpoint::Endpoint;
use crate::error::{AckError, EmitError, Failed};
use crate::shared::{Completion, Waiter, now};
use crate::socket::Socket;
use crate::store::{Past, Record, StoreError, Written};

impl Socket {
    /// The next event is kept on disk until the server acknowledges it; see [`SocketBuilder::journal`](crate::SocketBuilder::journal).
    ///
    /// ```no_run
    /// # async fn run(socket: socket_io_client::Socket) -> Result<(), Box<dyn std::error::Error>> {
    /// let delivery = socket.durable().key("order-17").emit("order", &("tea", 2)).await?;
    /// // It is on the disk: from here on it arrives, whatever happens to this program.
    /// let receipt: String = delivery.acknowledged().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn durable(&self) -> Durable {
        Durable {
            socket: self.clone(),
            key: None,
        }
    }

    /// The events that are kept because the server has not acknowledged them yet, in the order in which they are sent. Those that are not on the disk yet are
    /// not among them.
    pub fn undelivered(&self) -> Vec<Undelivered> {
        let Some(kept) = &self.endpoint().kept else {
            return Vec::new();
        };
        let packets = kept.undelivered();
        self.manager().shared().look(|locked| {
            let packets = packets.into_iter().map(|packet| Undelivered {
                tries: locked.core.tries(self.key(), packet.id),
                key: packet.key,
                event: packet.event,
            });
            packets.collect()
        })
    }

    /// Takes an event back that is kept, so that the next one has its turn: one that the server never acknowledges, for example. False if there is none of that
    /// key, or not on the disk yet. The server may have seen it.
    pub fn withdraw(&self, key: &str) -> bool {
        let Some(kept) = &self.endpoint().kept else {
            return false;
        };
        kept.withdraw(key, |id| {
            let shared = self.manager().shared();
            let taken = shared.input(|locked| locked.core.withdraw(now(), self.key(), id));
            taken.is_some()
        })
    }
}

/// An event that is kept; see [`Socket::undelivered`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Undelivered {
    /// What the server knows it by.
    pub key: String,
    /// Its name.
    pub event: String,
    /// How often this run of the program has sent it.
    pub tries: u32,
}

/// How one event is kept; see [`Socket::durable`].
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `emit`"]
pub struct Durable {
    socket: Socket,
    key: Option<String>,
}

impl Durable {
    /// The key by which the server recognizes the event if it comes again. By default 16 random bytes, as 32 hexadecimal digits.
    ///
    /// A key of your own lets a program that was killed before it knew that an event is on the disk emit it again without doubling it: while one of that key is
    /// kept, another is not added, and afterwards the server knows it.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Keeps the event and sends it, in order with all others that are kept, until the server acknowledges it, over reconnects and restarts of the program.
    ///
    /// The server gets the data as [`Socket::emit`] would send it, and behind it one more argument, a string: the key. It has to acknowledge the event, with
    /// whatever it likes, once it has done what the event is about; then the event is forgotten and the next one is sent. It may get an event more than once,
    /// always with the same key: when the acknowledgement is lost, or this program before it has noted it.
    ///
    /// The event is handed over by this call; the future is ready when it is on the disk. It is kept as JSON with binary data apart; dates and whatever else JSON
    /// has no form for become what they are in JSON.
    ///
    /// # Errors
    ///
    /// [`EmitError::Encode`], [`EmitError::NoJournal`], [`EmitError::JournalFull`], and [`EmitError::Journal`] when it cannot be written. The event is neither
    /// kept nor sent then.
    ///
    /// # Cancel safety
    ///
    /// The event is kept and sent when the future is dropped, but nobody knows since when it is safe.
    pub fn emit(self, event: &str, data: &(impl Serialize + ?Sized)) -> Keeping {
        Keeping(Some(self.begin(event, data)))
    }

    fn begin(
        self,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<(String, Written), EmitError> {
        let Self { socket, key } = self;
        let endpoint = socket.endpoint().clone();
        let kept = endpoint.kept.as_ref().ok_or(EmitError::NoJournal)?;
        let shared = socket.manager().shared().clone();
        let key = key.map_or_else(random_key, Ok)?;
        let max = shared.config.max_attachments;
        let args = Outgoing::new_with(&Parser::json(), event, data, max)?
            .event()
            .args;
        let record = Record {
            key: key.clone(),
            event: event.into(),
            args: args.json().unwrap_or_default().into(),
            attachments: args.attachments().to_vec(),
        };
        let socket_key = socket.key();
        let id = shared.look(|locked| locked.core.next_ack_id(socket_key));
        let emission = emission(&endpoint, &shared.config, &record, id)?;
        let written = kept.add(record, id, |position| {
            let endpoint = endpoint.clone();
            Box::new(move |result| {
                if result.is_ok() {
                    // For the clock.
                    let _runtime = shared.runtime().map(|runtime| runtime.enter());
                    let completion = Completion {
                        id,
                        endpoint: endpoint.clone(),
                        to: Waiter::Journal(position),
                    };
                    shared.input(|locked| {
                        let core = &mut locked.core;
                        core.keep(now(), socket_key, emission, id, completion);
                    });
                }
                if let Some(kept) = &endpoint.kept {
                    kept.settle(position, &result);
                }
                shared.progress.notify_waiters();
                // Until here it kept the key from meaning another socket.
                drop(socket);
            })
        })?;
        Ok((key, written))
    }
}

/// The packet of an event that is kept, with its key behind the other arguments.
pub(crate) fn emission(
    endpoint: &Endpoint,
    config: &ManagerConfig,
    record: &Record,
    id: AckId,
) -> Result<Emission, EncodeError> {
    let comma = if record.args.is_empty() { "" } else { "," };
    let key = serde_json::Value::from(&*record.key);
    let text = format!("[{}{comma}{key}]", record.args);
    let args = RawArgs::new(&text, record.attachments.clone());
    let args = args.map_err(|error| EncodeError::Data(error.to_string()))?;
    let max = config.max_attachments;
    let outgoing = Outgoing::new_with(&config.parser, &record.event, &args, max)?;
    let is_watched = endpoint.watched.load(Ordering::Relaxed);
    Ok(Emission {
        packet: outgoing.encode(&endpoint.namespace, Some(id)),
        event: is_watched.then(|| outgoing.event()),
    })
}

impl Past {
    /// Makes packets of what is kept.
    pub(crate) fn prepare(
        self,
        endpoint: &Arc<Endpoint>,
        config: &ManagerConfig,
    ) -> Result<Restored, StoreError> {
        let records = self.records.iter().enumerate();
        let packets = records.map(|(n, (position, record))| {
            let id = AckId::new(n as u64);
            let emission = emission(endpoint, config, record, id).map_err(|error| {
                let Record { key, event, .. } = record;
                StoreError::Corrupted(format!("event {event:?} with the key {key:?}: {error}"))
            })?;
            let completion = Completion {
                id,
                endpoint: endpoint.clone(),
                to: Waiter::Journal(*position),
            };
            Ok((emission, completion))
        });
        Ok(Restored {
            packets: packets.collect::<Result<_, StoreError>>()?,
            recovery: self.recovery,
            marks: self.marks,
        })
    }
}

/// What an earlier run of the program has left, ready to go on with.
pub(crate) struct Restored {
    packets: Vec<(Emission, Completion)>,
    recovery: Option<Recovery>,
    marks: BTreeMap<String, Value>,
}

impl Restored {
    pub(crate) fn restore(self, core: &mut Core<Completion, Failed>, key: Key) {
        core.restore(key, self.recovery, self.marks, self.packets.len() as u64);
        for (emission, completion) in self.packets {
            core.keep(now(), key, emission, completion.id, completion);
        }
    }
}

fn random_key() -> Result<String, StoreError> {
    let no_randomness = |error: getrandom::Error| StoreError::Failed(format!("no key: {error}"));
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(no_randomness)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// Resolves to a [`Delivery`] when an event is on the disk; see [`Durable::emit`].
///
/// # Panics
///
/// May panic when it is polled again after it was ready, as most futures do.
#[must_use = "the event is safe when the future is ready"]
pub struct Keeping(Option<Result<(String, Written), EmitError>>);

impl Future for Keeping {
    type Output = Result<Delivery, EmitError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(Ok((_, begun))) = &mut self.0 {
            match ready!(Pin::new(&mut begun.written).poll(cx)) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Poll::Ready(Err(error.into())),
                Err(_) => {
                    let error = StoreError::Failed("the thread has ended".into());
                    return Poll::Ready(Err(error.into()));
                }
            }
        }
        let begun = self.0.take().expect("it is polled once when it is ready");
        Poll::Ready(begun.map(|(key, begun)| Delivery {
            key,
            answer: begun.answer,
        }))
    }
}

impl fmt::Debug for Keeping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeping").finish_non_exhaustive()
    }
}

/// An event that is on the disk, and will be delivered. It may be dropped.
pub struct Delivery {
    key: String,
    answer: oneshot::Receiver<RawArgs>,
}

impl Delivery {
    /// What the server knows the event by.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Waits for the server's acknowledgement, as long as it takes.
    ///
    /// # Errors
    ///
    /// [`AckError::Args`] when it is of another type; the event is delivered all the same. [`AckError::Disconnected`] when the event was
    /// [withdrawn](Socket::withdraw), or when all handles of the socket are dropped before; then it stays in the journal.
    ///
    /// # Cancel safety
    ///
    /// The event is delivered when the future is dropped.
    pub async fn acknowledged<R: DeserializeOwned>(self) -> Result<R, AckError> {
        let args = self.answer.await.map_err(|_| AckError::Disconnected)?;
        args.parse_data().map_err(AckError::Args)
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
