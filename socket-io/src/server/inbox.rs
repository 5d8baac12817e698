//! Events that arrived and wait: behind an event of their socket that is with a middleware, or until a handler of the connection is done.
//!
//! Acknowledgements and disconnects do not wait, so what a waiting handler waits for can arrive. Events of one socket keep their order, and those of
//! different sockets do not wait for each other's middlewares.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use super::error::Failure;
use super::extract::Context;
use super::handler::{ErasedMiddleware, run_middlewares};
use super::handlers::Callees;
use super::socket::Socket;

/// What an event takes up besides its bytes, more or less.
const OVERHEAD: usize = 256;

/// An event that is with its middlewares.
pub(crate) struct Screening {
    pub(crate) context: Context,
    /// Those that get the event afterwards.
    pub(crate) handlers: Callees,
    middlewares: Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>,
}

impl Screening {
    pub(crate) fn new(
        context: Context,
        middlewares: Arc<[ErasedMiddleware]>,
        handlers: Callees,
    ) -> Self {
        Self {
            middlewares: Box::pin(run_middlewares(middlewares, context.clone())),
            context,
            handlers,
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Failure>> {
        self.middlewares.as_mut().poll(cx)
    }
}

/// What waits, of all sockets of a connection.
#[derive(Default)]
pub(crate) struct Inbox {
    lanes: Vec<Lane>,
    bytes: usize,
}

/// What waits of one socket, in order.
struct Lane {
    socket: Socket,
    screening: Option<Screening>,
    waiting: VecDeque<Context>,
}

impl Lane {
    fn bytes(&self) -> usize {
        let screened = self.screening.iter();
        let screened = screened.map(|screening| screening.context.size);
        let waiting = self.waiting.iter().map(|context| context.size);
        screened.chain(waiting).map(|size| size + OVERHEAD).sum()
    }
}

/// Whose turn it is.
pub(crate) enum Turn {
    /// The middlewares are done with an event.
    Screened(Screening, Result<(), Failure>),
    /// An event has waited for this.
    Next(Context),
}

impl Inbox {
    /// Whether further events of the socket have to wait.
    pub(crate) fn holds(&self, socket: &Socket) -> bool {
        self.lanes.iter().any(|lane| lane.socket.is(socket))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// A single event of any size finds room.
    pub(crate) fn is_full(&self, limit: usize) -> bool {
        self.bytes >= limit.max(1)
    }

    pub(crate) fn push(&mut self, context: Context) {
        self.bytes += context.size + OVERHEAD;
        self.lane(&context.socket).waiting.push_back(context);
    }

    pub(crate) fn screen(&mut self, screening: Screening) {
        self.bytes += screening.context.size + OVERHEAD;
        let lane = self.lane(&screening.context.socket);
        lane.screening = Some(screening);
    }

    fn lane(&mut self, socket: &Socket) -> &mut Lane {
        let known = self.lanes.iter().position(|lane| lane.socket.is(socket));
        let index = known.unwrap_or_else(|| {
            self.lanes.push(Lane {
                socket: socket.clone(),
                screening: None,
                waiting: VecDeque::new(),
            });
            self.lanes.len() - 1
        });
        &mut self.lanes[index]
    }

    /// Lets the middlewares go on, and takes out what need not wait any longer. While the connection is `busy`, events do.
    pub(crate) fn poll(&mut self, cx: &mut TaskContext<'_>, busy: bool) -> Option<Turn> {
        let mut index = 0;
        while index < self.lanes.len() {
            let lane = &mut self.lanes[index];
            let turn = if !lane.socket.is_connected() {
                None
            } else if let Some(screening) = &mut lane.screening {
                let Poll::Ready(result) = screening.poll(cx) else {
                    index += 1;
                    continue;
                };
                let screening = lane.screening.take();
                screening.map(|screening| Turn::Screened(screening, result))
            } else if busy {
                index += 1;
                continue;
            } else {
                lane.waiting.pop_front().map(Turn::Next)
            };
            // The lane goes to the end, so that each has its turn, or away.
            let lane = self.lanes.remove(index);
            if let Some(turn) = turn {
                let size = match &turn {
                    Turn::Screened(screening, _) => screening.context.size,
                    Turn::Next(context) => context.size,
                };
                self.bytes -= size + OVERHEAD;
                if !lane.waiting.is_empty() {
                    self.lanes.push(lane);
                }
                return Some(turn);
            }
            self.bytes -= lane.bytes();
        }
        None
    }
}
