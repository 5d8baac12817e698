//! What the handles of a manager and its driver share: the state machine under one short lock.

use std::any::TypeId;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use engine_io::{SendError, Sender};
use parking_lot::Mutex;
use socket_io::RawArgs;
use socket_io::protocol::{AckId, Encoded};
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

use crate::config::ManagerConfig;
use crate::core::{Core, Key, NoAnswer};
use crate::driver;
use crate::endpoint::Endpoint;
use crate::error::{ConnectError, EmitError, Failed};
use crate::inbox::Brake;
use crate::observers::Observers;

/// What an acknowledgement completes.
pub(crate) struct Completion {
    pub(crate) id: AckId,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) to: Waiter,
}

/// Who waits for an acknowledgement.
pub(crate) enum Waiter {
    Caller(oneshot::Sender<Result<RawArgs, NoAnswer>>),
    /// The journal, for the packet at this position.
    Journal(u64),
}

impl Completion {
    pub(crate) fn answer(self, answer: Result<RawArgs, NoAnswer>) {
        match (self.to, &self.endpoint.kept) {
            // Nobody may be waiting any more.
            (Waiter::Caller(sender), _) => drop(sender.send(answer)),
            (Waiter::Journal(position), Some(kept)) => kept.answered(position, answer),
            (Waiter::Journal(_), None) => {}
        }
    }
}

pub(crate) struct Shared {
    pub(crate) config: ManagerConfig,
    pub(crate) brake: Arc<Brake>,
    pub(crate) observers: Observers,
    /// Told after each turn of the driver.
    pub(crate) progress: Notify,
    runtime: OnceLock<Handle>,
    locked: Mutex<Locked>,
}

/// User code never runs while this is locked.
pub(crate) struct Locked {
    pub(crate) core: Core<Completion, Failed>,
    pub(crate) endpoints: BTreeMap<Key, Arc<Endpoint>>,
    pub(crate) engine: Option<Sender>,
    /// What did not fit into the engine's outbox.
    unsent: VecDeque<Encoded>,
    /// What the outbox said then.
    full: EmitError,
    /// Outputs that were taken out of the core.
    pub(crate) taken: u64,
    /// Connections that are being closed.
    pub(crate) closing: usize,
    /// Those who wait for the connection to open, and since when.
    pub(crate) openers: Vec<(u64, oneshot::Sender<Result<(), ConnectError>>)>,
    /// Whether the driver is running.
    pub(crate) running: bool,
    seed: u64,
}

impl Locked {
    /// From 0 up to but not including 1. Good enough to spread attempts to reconnect.
    pub(crate) fn random(&mut self) -> f64 {
        // xorshift64
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Outputs before this one are no news to those who begin to wait now.
    pub(crate) fn mark(&self) -> u64 {
        self.taken + self.core.outputs() as u64
    }

    /// Hands over what is to be sent, in order, as far as there is room. Whether anything was.
    pub(crate) fn flush(&mut self) -> bool {
        let mut progress = false;
        while let Some(packet) = self.unsent.pop_front().or_else(|| self.core.poll_send()) {
            let (first, rest) = (packet.header(), packet.attachments());
            let engine = self.engine.as_ref();
            match engine.map(|engine| engine.send_frames(first, rest)) {
                Some(Ok(())) => progress = true,
                Some(Err(full @ SendError::Full { .. })) => {
                    self.full = full.into();
                    self.unsent.push_front(packet);
                    break;
                }
                // What is for a connection that has ended is not for the next one.
                Some(Err(_)) | None => self.unsent.clear(),
            }
        }
        while let Some(packet) = self.core.poll_send() {
            self.unsent.push_back(packet);
        }
        if self.unsent.is_empty() {
            self.unsent = VecDeque::new();
        }
        progress
    }

    /// Sends something now, before anything else is.
    pub(crate) fn send(&self, packet: &Encoded) -> Result<(), EmitError> {
        let Some(engine) = &self.engine else {
            return Ok(());
        };
        if !self.unsent.is_empty() {
            return Err(self.full.clone());
        }
        match engine.send_frames(packet.header(), packet.attachments()) {
            Err(error @ SendError::Full { .. }) => Err(error.into()),
            // A connection that has just ended carries nothing, as one that ends a moment later does.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Whether the driver has done everything that was decided, and every connection that was closed is.
    pub(crate) fn is_settled(&self) -> bool {
        let is_closing = self.engine.is_some() && !self.core.is_open();
        self.closing == 0 && self.core.outputs() == 0 && !is_closing
    }

    pub(crate) fn take_unsent(&mut self) -> VecDeque<Encoded> {
        std::mem::take(&mut self.unsent)
    }

    pub(crate) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Whether a packet would leave at once.
    pub(crate) fn is_writable(&self) -> bool {
        self.unsent.is_empty() && self.engine.as_ref().is_some_and(Sender::is_writable)
    }
}

impl Shared {
    pub(crate) fn new(config: ManagerConfig, core: Core<Completion, Failed>) -> Self {
        Self {
            config,
            brake: Arc::default(),
            observers: Observers::default(),
            progress: Notify::new(),
            runtime: OnceLock::new(),
            locked: Mutex::new(Locked {
                core,
                endpoints: BTreeMap::new(),
                engine: None,
                unsent: VecDeque::new(),
                full: EmitError::Disconnected,
                taken: 0,
                closing: 0,
                openers: Vec::new(),
                running: false,
                // Any number but 0.
                seed: getrandom::u64().unwrap_or(1) | 1,
            }),
        }
    }

    /// Looks at the state, or changes what nobody has to be told.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&mut Locked) -> T) -> T {
        look(&mut self.locked.lock())
    }

    /// Tells the state machine something, sends what it wants to be sent, and sees to it that the driver does the rest.
    pub(crate) fn input<T>(self: &Arc<Self>, input: impl FnOnce(&mut Locked) -> T) -> T {
        let (result, starts) = {
            let mut locked = self.locked.lock();
            let result = input(&mut locked);
            locked.flush();
            let idle = locked.core.is_closed() && locked.core.outputs() == 0;
            let starts = !idle && !locked.running && self.runtime().is_some();
            locked.running |= starts;
            (result, starts)
        };
        if let Some(runtime) = self.runtime().filter(|_| starts) {
            runtime.spawn(driver::Driver::new(self.clone()));
        } else {
            self.brake.wake();
        }
        result
    }

    /// The same for what needs no driver if there is none.
    pub(crate) fn input_at_end<T>(&self, input: impl FnOnce(&mut Locked) -> T) -> T {
        let result = {
            let mut locked = self.locked.lock();
            let result = input(&mut locked);
            locked.flush();
            result
        };
        self.brake.wake();
        result
    }

    /// The runtime in which the manager was used first.
    pub(crate) fn runtime(&self) -> Option<&Handle> {
        if self.runtime.get().is_none() {
            let _ = self.runtime.set(Handle::try_current().ok()?);
        }
        self.runtime.get()
    }

    pub(crate) fn state<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let state = self.config.state.get(&TypeId::of::<T>())?;
        state.clone().downcast().ok()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// The time by tokio's clock, which tests may stop.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
