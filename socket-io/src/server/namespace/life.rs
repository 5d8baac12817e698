//! How a namespace begins and ends: who is in it, whether clients come in, and whether it may be forgotten.

use std::sync::atomic::Ordering;

use super::{Kind, Namespace};
use crate::panic::{Panic, caught};
use crate::server::log::Brief;

impl Namespace {
    /// Somebody is about to join. Called with the list of namespaces locked.
    pub(crate) fn enter(&self) {
        self.0.members.fetch_add(1, Ordering::AcqRel);
    }

    /// Somebody has left; true when it may be forgotten now.
    pub(crate) fn exit(&self) -> bool {
        self.0.members.fetch_sub(1, Ordering::AcqRel) == 1 && self.is_unused()
    }

    /// It stays from now on; true when it would not have. Called with the list of namespaces locked, or before it is in there.
    pub(crate) fn keep(&self) -> bool {
        // Nearly always there is nothing to write, which would slow down those who read.
        self.is_fleeting() && self.0.is_fleeting.swap(false, Ordering::AcqRel)
    }

    fn is_fleeting(&self) -> bool {
        self.0.is_fleeting.load(Ordering::Acquire)
    }

    /// Whether it may go: nobody is in it or about to be.
    pub(crate) fn is_unused(&self) -> bool {
        self.is_fleeting()
            && self.0.config.cleanup_empty_child_namespaces
            && self.0.members.load(Ordering::Acquire) == 0
    }

    /// Whether a client may come back that has left.
    pub(crate) fn is_awaited(&self) -> bool {
        self.journal().is_some_and(|journal| journal.is_awaiting())
    }

    /// Lets clients in.
    pub(crate) fn open(&self) {
        self.0.is_open.store(true, Ordering::Release);
        self.0.opened.notify_waiters();
    }

    pub(crate) fn is_open(&self) -> bool {
        self.0.is_open.load(Ordering::Acquire)
    }

    pub(crate) async fn opened(&self) {
        // Who asks for notice before looking misses nothing.
        let opened = self.0.opened.notified();
        if !self.is_open() {
            opened.await;
        }
    }

    /// It is in the list of namespaces now.
    pub(crate) fn join_family(&self) {
        if let Kind::Child(_) = self.0.kind {
            self.0.shared.add_child(self);
        }
    }

    /// It is in the list no more.
    pub(crate) fn leave_family(&self) {
        if let Kind::Child(_) = self.0.kind {
            self.0.shared.remove_child(self.name());
        }
    }

    /// Nobody joins any more: the server is closed, or has forgotten the namespace, or both, or another one of that name was faster.
    pub(crate) fn close(&self) {
        if self.0.is_closed.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Err(Panic(message)) = caught(|| self.0.adapter.close()) {
            tracing::error!(name: "hook_panicked", target: "socket_io", hook = "adapter", reason = %Brief(&message));
        }
    }
}
