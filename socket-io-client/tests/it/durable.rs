//! Events that are kept until they are acknowledged.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket_io::{Ack as PeerAck, Data as PeerData, SocketIo};
use socket_io_client::{
    AckError, Binary, ConfigError, ConnectError, EmitError, Journal, Record, Socket, StoreError,
};

use crate::memory::Memory;
use crate::support::{Host, manager, nowhere, soon, until};

/// What a server has seen of the event `order`, in order: numbers and keys.
#[derive(Clone, Default)]
struct Orders(Arc<Mutex<Vec<(u32, String)>>>);

impl Orders {
    fn seen(&self) -> Vec<(u32, String)> {
        self.0.lock().expect("it is not poisoned").clone()
    }

    fn numbers(&self) -> Vec<u32> {
        self.seen().into_iter().map(|(number, _)| number).collect()
    }

    /// Takes note of each event, and acknowledges it unless it is one of the first so many.
    fn take(&self, io: &SocketIo, silent: usize) {
        let orders = self.clone();
        io.of("/").on(
            "order",
            move |PeerData((number, key)): PeerData<(u32, String)>, ack: PeerAck| {
                let count = {
                    let mut orders = orders.0.lock().expect("it is not poisoned");
                    orders.push((number, key));
                    orders.len()
                };
                async move {
                    if count > silent {
                        ack.send(&format!("receipt {number}")).expect("it is sent");
                    }
                }
            },
        );
    }
}

async fn offline(memory: &Memory) -> Socket {
    let manager = manager(nowhere().await).build().expect("the url is right");
    let socket = manager.socket("/").journal(memory.journal().await);
    socket.connect_lazy().expect("nothing is wrong")
}

async fn keep(socket: &Socket, number: u32) -> String {
    let delivery = soon(socket.durable().emit("order", &number)).await;
    delivery.expect("it is kept").key().to_owned()
}

#[tokio::test]
async fn what_was_emitted_without_a_server_arrives_after_a_restart_in_order() {
    let memory = Memory::default();
    let mut keys = Vec::new();
    for run in 0..3 {
        let socket = offline(&memory).await;
        for number in run * 10..run * 10 + 10 {
            keys.push(keep(&socket, number).await);
        }
        assert_eq!(socket.undelivered().len(), keys.len());
    }
    assert_eq!(memory.keys(), keys);
    let orders = Orders::default();
    let host = Host::start(|io| orders.take(io, 0)).await;
    let socket = host.manager().socket().journal(memory.journal().await);
    let socket = soon(socket.connect()).await.expect("it joins");
    soon(socket.flushed()).await;
    let expected: Vec<_> = (0..30).zip(keys).collect();
    assert_eq!(orders.seen(), expected);
    assert!(memory.keys().is_empty() && socket.undelivered().is_empty());
}

#[tokio::test]
async fn an_event_is_sent_until_it_is_acknowledged_always_with_the_same_key() {
    let memory = Memory::default();
    let orders = Orders::default();
    let host = Host::start(|io| orders.take(io, 3)).await;
    let builder = host
        .manager()
        .socket()
        .retries(0, Duration::from_millis(500));
    let builder = builder.journal(memory.journal().await);
    let socket = soon(builder.connect()).await.expect("it joins");
    let delivery = soon(socket.durable().emit("order", &7))
        .await
        .expect("it is kept");
    let key = delivery.key().to_owned();
    assert_eq!(key.len(), 32);
    let receipt = soon(delivery.acknowledged::<String>()).await;
    assert_eq!(receipt.as_deref(), Ok("receipt 7"));
    assert_eq!(orders.seen(), vec![(7, key); 4]);
    until(|| memory.keys().is_empty()).await;
}

#[tokio::test]
async fn a_key_is_kept_once() {
    let memory = Memory::default();
    let socket = offline(&memory).await;
    // Without waiting for the first one to be written.
    let both = [1, 2].map(|number| socket.durable().key("mine").emit("order", &number));
    for keeping in both {
        assert_eq!(soon(keeping).await.expect("it is kept").key(), "mine");
    }
    drop(socket);
    let orders = Orders::default();
    let host = Host::start(|io| orders.take(io, 0)).await;
    let builder = host.manager().socket().journal(memory.journal().await);
    let socket = builder.build().expect("nothing is wrong");
    let again = soon(socket.durable().key("mine").emit("order", &3)).await;
    soon(socket.connect()).await.expect("it joins");
    let again = again.expect("it is kept");
    assert_eq!(soon(again.acknowledged()).await, Ok("receipt 1".to_owned()));
    assert_eq!(orders.numbers(), [1]);
}

#[tokio::test]
async fn the_key_stands_behind_whatever_the_arguments_are() {
    type Seen = Arc<Mutex<Vec<String>>>;
    let memory = Memory::default();
    let socket = offline(&memory).await;
    let bytes = Binary::from(vec![1, 2, 3]);
    let none = socket.durable().key("k\"ey").emit("none", &());
    soon(none).await.expect("it is kept");
    let several = socket
        .durable()
        .key("k2")
        .emit("several", &(1, "ä", &bytes));
    soon(several).await.expect("it is kept");
    drop(socket);

    let seen = Seen::default();
    let host = Host::start(|io| {
        let (none, several) = (seen.clone(), seen.clone());
        let note = |seen: &Seen, text: String| seen.lock().expect("it is not poisoned").push(text);
        io.of("/")
            .on("none", move |PeerData((key,)): PeerData<(String,)>| {
                note(&none, key);
                async { true }
            })
            .on(
                "several",
                move |PeerData((a, b, c, key)): PeerData<(u8, String, Binary, String)>| {
                    note(&several, format!("{a} {b} {c:?} {key}"));
                    async { true }
                },
            );
    })
    .await;
    let builder = host.manager().socket().journal(memory.journal().await);
    let socket = soon(builder.connect()).await.expect("it joins");
    soon(socket.flushed()).await;
    let bytes = Binary::from(vec![1, 2, 3]);
    let seen = seen.lock().expect("it is not poisoned").clone();
    assert_eq!(seen, ["k\"ey".to_owned(), format!("1 ä {bytes:?} k2")]);
}

#[tokio::test]
async fn there_is_a_limit_in_packets_and_in_bytes() {
    let memory = Memory::default();
    let manager = manager(nowhere().await).build().expect("the url is right");
    let journal = memory.journal().await.max_packets(2).max_bytes(100);
    let socket = manager.socket("/").journal(journal);
    let socket = socket.build().expect("nothing is wrong");
    let emit = |key: &str, text: &str| soon(socket.durable().key(key).emit("order", text));
    assert!(emit("a", "short").await.is_ok());
    let full = EmitError::JournalFull {
        packets: 1,
        bytes: 13,
    };
    assert_eq!(emit("b", &"x".repeat(100)).await.err(), Some(full.clone()));
    assert_eq!(emit("b", &"x".repeat(80)).await.err(), Some(full));
    for most in [78, 79] {
        assert!(emit("b", &"x".repeat(most)).await.is_ok());
        assert!(socket.withdraw("b"));
    }
    assert!(emit("b", "short").await.is_ok());
    let full = EmitError::JournalFull {
        packets: 2,
        bytes: 26,
    };
    assert_eq!(emit("c", "").await.err(), Some(full));
    assert!(socket.withdraw("a"));
    assert!(emit("c", "").await.is_ok());
    soon(socket.flushed()).await;
    assert_eq!(memory.keys(), ["b", "c"]);
}

#[tokio::test]
async fn what_cannot_be_written_is_told_and_neither_kept_nor_sent() {
    let memory = Memory::default();
    let orders = Orders::default();
    let host = Host::start(|io| orders.take(io, 0)).await;
    let builder = host.manager().socket().journal(memory.journal().await);
    let socket = soon(builder.connect()).await.expect("it joins");
    memory.inside().failure = Some(StoreError::NoSpace);
    let refused = soon(socket.durable().emit("order", &1)).await;
    assert_eq!(refused.err(), Some(EmitError::Journal(StoreError::NoSpace)));
    memory.inside().failure = None;
    memory.inside().panics = true;
    let refused = soon(socket.durable().emit("order", &2)).await;
    let told = EmitError::Journal(StoreError::Failed("told to panic".into()));
    assert_eq!(refused.err(), Some(told));
    memory.inside().panics = false;
    keep(&socket, 3).await;
    soon(socket.flushed()).await;
    assert_eq!(orders.numbers(), [3]);
}

#[tokio::test]
async fn what_was_said_not_to_be_kept_is_not_kept_even_if_it_was_written() {
    let memory = Memory::default();
    let socket = offline(&memory).await;
    memory.inside().lies = true;
    assert!(soon(socket.durable().emit("order", &1)).await.is_err());
    memory.inside().lies = false;
    keep(&socket, 2).await;
    until(|| memory.keys().len() == 1).await;
}

#[tokio::test]
async fn one_that_does_not_fit_does_not_take_others_with_it() {
    let memory = Memory::default();
    let socket = offline(&memory).await;
    memory.inside().room = Some(100);
    let sizes = [10, 10, 200, 10];
    // All at once, so that they may be written together.
    let emits = sizes.map(|size| socket.durable().emit("order", &"x".repeat(size)));
    let mut results = Vec::new();
    for emit in emits {
        results.push(soon(emit).await.is_ok());
    }
    assert_eq!(results, [true, true, false, true]);
    assert_eq!(memory.keys().len(), 3);
}

#[tokio::test]
async fn an_acknowledgement_that_could_not_be_noted_is_noted_later() {
    let memory = Memory::default();
    let orders = Orders::default();
    let host = Host::start(|io| orders.take(io, 0)).await;
    let builder = host.manager().socket().journal(memory.journal().await);
    let socket = builder.build().expect("nothing is wrong");
    keep(&socket, 1).await;
    memory.inside().failure = Some(StoreError::NoSpace);
    soon(socket.connect()).await.expect("it joins");
    // It was tried.
    soon(socket.flushed()).await;
    assert_eq!((orders.numbers(), memory.keys().len()), (vec![1], 1));
    memory.inside().failure = None;
    until(|| memory.keys().is_empty()).await;
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_is_an_error() {
    let refused = soon(Journal::with::<Memory>(|| Err(StoreError::InUse))).await;
    assert_eq!(refused.err(), Some(StoreError::InUse));
    let panicked = soon(Journal::with::<Memory>(|| panic!("no"))).await;
    assert_eq!(panicked.err(), Some(StoreError::Failed("no".into())));
}

#[tokio::test]
async fn a_journal_with_what_cannot_be_sent_is_an_error() {
    let memory = Memory::default();
    let record = |args: &str| Record {
        key: "k".into(),
        event: "order".into(),
        args: args.into(),
        attachments: Vec::new(),
    };
    for args in ["1,", "{", "]"] {
        memory.inside().records.insert(0, record(args));
        let manager = manager(nowhere().await).build().expect("the url is right");
        let socket = manager
            .socket("/")
            .journal(memory.journal().await)
            .connect();
        let Err(ConnectError::Config(ConfigError::Journal(StoreError::Corrupted(_)))) =
            soon(socket).await
        else {
            panic!("{args} was taken");
        };
        // It is still there.
        assert_eq!(memory.keys(), ["k"]);
    }
}

#[tokio::test]
async fn without_a_journal_nothing_can_be_kept() {
    let manager = manager(nowhere().await).build().expect("the url is right");
    let socket = manager.socket("/").build().expect("nothing is wrong");
    let refused = soon(socket.durable().emit("order", &1)).await;
    assert_eq!(refused.err(), Some(EmitError::NoJournal));
    assert!(socket.undelivered().is_empty() && !socket.withdraw("a"));
}

#[tokio::test]
async fn an_event_that_is_never_acknowledged_can_be_withdrawn() {
    let memory = Memory::default();
    let orders = Orders::default();
    let host = Host::start(|io| {
        orders.take(io, 0);
        io.of("/").on("poison", async || {});
    })
    .await;
    let builder = host
        .manager()
        .socket()
        .retries(0, Duration::from_millis(500));
    let builder = builder.journal(memory.journal().await);
    let socket = soon(builder.connect()).await.expect("it joins");
    let poison = socket.durable().key("poison").emit("poison", &());
    let poison = soon(poison).await.expect("it is kept");
    keep(&socket, 1).await;
    until(|| socket.undelivered()[0].tries >= 3).await;
    let undelivered = socket.undelivered();
    assert_eq!(
        (&*undelivered[0].key, &*undelivered[0].event),
        ("poison", "poison")
    );
    assert!(socket.withdraw("poison") && !socket.withdraw("poison"));
    soon(socket.flushed()).await;
    assert_eq!(orders.numbers(), [1]);
    assert_eq!(
        soon(poison.acknowledged::<()>()).await,
        Err(AckError::Disconnected)
    );
    assert!(memory.keys().is_empty());
}

#[tokio::test]
async fn events_that_are_kept_at_once_are_written_together() {
    let memory = Memory::default();
    let socket = offline(&memory).await;
    let before = memory.inside().writes;
    {
        // The first write waits here, and the rest behind it.
        let held = memory.inside();
        let emits: Vec<_> = (0..1000)
            .map(|number| socket.durable().emit("order", &number))
            .collect();
        drop(held);
        for emit in emits {
            soon(emit).await.expect("it is kept");
        }
    }
    assert_eq!(memory.keys().len(), 1000);
    // One that was under way, and one for the rest; marks of nobody are none.
    assert!(memory.inside().writes - before <= 3);
}

#[cfg(feature = "store")]
#[tokio::test]
async fn a_file_is_opened_once_and_again_when_the_socket_is_gone() {
    let number = std::process::id();
    let path = std::env::temp_dir().join(format!("socket-io-client-{number}.journal"));
    // Of a run that was interrupted, with the same number.
    let _ = std::fs::remove_file(&path);
    let orders = Orders::default();
    let host = Host::start(|io| orders.take(io, 0)).await;
    let journal = soon(Journal::open(&path)).await.expect("it is new");
    let in_use = soon(Journal::open(&path)).await;
    assert_eq!(in_use.err(), Some(StoreError::InUse));
    let lost = manager(nowhere().await).build().expect("the url is right");
    let socket = lost.socket("/").journal(journal).connect_lazy();
    let socket = socket.expect("nothing is wrong");
    let key = keep(&socket, 1).await;
    drop(socket);
    let journal = soon(async {
        loop {
            match Journal::open(&path).await {
                Err(StoreError::InUse) => tokio::time::sleep(Duration::from_millis(1)).await,
                result => return result,
            }
        }
    });
    let journal = journal.await.expect("it is free");
    let socket = host.manager().socket().journal(journal);
    let socket = soon(socket.connect()).await.expect("it joins");
    soon(socket.flushed()).await;
    assert_eq!(orders.seen(), [(1, key)]);
    drop(lost);
    let _ = std::fs::remove_file(&path);
}
