//! A connection is closed once everything is sent, while the next one may be open already.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context, Poll};

use engine_io::SendError;
use socket_io::protocol::Encoded;

use super::Driver;

impl Driver {
    /// Once everything is sent; gives up what is being opened.
    pub(super) fn close(&mut self) {
        self.opening = None;
        if let Some(connection) = self.connection.take() {
            let unsent = self.shared.look(|locked| {
                locked.engine = None;
                locked.closing += 1;
                locked.take_unsent()
            });
            self.closing
                .push(Box::pin(say_goodbye(connection.engine, unsent)));
        }
    }

    pub(super) fn poll_closing(&mut self, cx: &mut Context<'_>) -> bool {
        let before = self.closing.len();
        self.closing
            .retain_mut(|closing| closing.as_mut().poll(cx).is_pending());
        let ended = before - self.closing.len();
        if ended > 0 {
            self.shared.look(|locked| locked.closing -= ended);
        }
        ended > 0
    }
}

/// Sends what did not fit into the outbox, and closes the session.
async fn say_goodbye(mut engine: engine_io::Socket, mut unsent: VecDeque<Encoded>) {
    let sender = engine.sender();
    poll_fn(|cx| {
        loop {
            // What arrives is too late, but reading makes room as well.
            let received = engine.poll_recv(cx);
            let before = unsent.len();
            while let Some(packet) = unsent.front() {
                match sender.send_frames(packet.header(), packet.attachments()) {
                    Ok(()) => drop(unsent.pop_front()),
                    Err(SendError::Full { .. }) => break,
                    Err(_) => unsent.clear(),
                }
            }
            if unsent.is_empty() || received == Poll::Ready(None) {
                return Poll::Ready(());
            }
            // The engine wakes for what was queued, and for what arrives.
            if received.is_pending() && unsent.len() == before {
                return Poll::Pending;
            }
        }
    })
    .await;
    engine.close().await;
}
