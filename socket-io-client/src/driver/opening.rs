//! A connection is made, and the credentials for it are found out.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use socket_io::protocol::DecoderLimits;

use super::{Connection, Driver};
use crate::config::{Attempt, Auth};
use crate::core::Key;
use crate::endpoint::Endpoint;
use crate::error::Failed;
use crate::shared::now;
use socket_io::panic::{CatchPanic, Panic, caught};

pub(super) type Opened = Result<Result<engine_io::Socket, Failed>, Panic>;

impl Driver {
    pub(super) fn open(&mut self, number: u32) {
        let config = &self.shared.config;
        let attempt = Attempt {
            number,
            url: config.url.clone(),
            engine: config.engine.clone(),
        };
        let prepare = config.prepare.clone();
        self.opening = Some(Box::pin(CatchPanic(Box::pin(async move {
            let attempt = match prepare {
                Some(prepare) => {
                    let prepared = prepare(attempt).await;
                    prepared.map_err(|error| Failed::Attempt(error.to_string()))?
                }
                None => attempt,
            };
            let opened = engine_io::connect(&attempt.url, &attempt.engine).await;
            opened.map_err(Failed::Engine)
        }))));
    }

    pub(super) fn poll_opening(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(opening) = &mut self.opening else {
            return false;
        };
        let Poll::Ready(opened) = opening.as_mut().poll(cx) else {
            return false;
        };
        let opened = opened.unwrap_or_else(|panic| {
            let message = format!("panicked: {}", panic.0);
            Err(Failed::Attempt(message))
        });
        let opened = self.handle_opening(opened);
        self.opening = opened.map(|opened| -> Pin<Box<dyn Future<Output = _> + Send>> {
            Box::pin(std::future::ready(Ok(opened)))
        });
        true
    }

    /// Gives the result back if something was decided meanwhile, which comes first: the connection may not be wanted any more.
    fn handle_opening(
        &mut self,
        opened: Result<engine_io::Socket, Failed>,
    ) -> Option<Result<engine_io::Socket, Failed>> {
        let mut is_early = false;
        self.input(|locked, now| {
            is_early = locked.core.outputs() > 0;
            if is_early {
                return;
            }
            match &opened {
                Ok(engine) => {
                    locked.engine = Some(engine.sender());
                    locked.core.handle_opened();
                }
                Err(error) => {
                    let random = locked.random();
                    locked.core.handle_failed(now, random, error.clone());
                }
            }
        });
        if is_early {
            return Some(opened);
        }
        if let Ok(engine) = opened {
            let config = &self.shared.config;
            let limits = DecoderLimits::new().max_attachments(config.max_attachments);
            self.connection = Some(Connection {
                decoder: config.parser.decoder(limits),
                transport: engine.transport(),
                engine,
            });
        }
        None
    }

    pub(super) fn authorize(&mut self, key: Key, epoch: u64, endpoint: &Arc<Endpoint>) {
        let auth = endpoint.auth.lock().clone();
        let ask = match auth {
            Auth::Value(auth) => {
                return self.input(|locked, now| {
                    let random = locked.random();
                    locked.core.handle_auth(now, random, key, epoch, Ok(auth));
                });
            }
            Auth::Ask(ask) => ask,
        };
        // In a task of its own, so that it cannot hold up what else there is to do.
        let shared = self.shared.clone();
        let task = self.runtime.spawn(async move {
            let answer = match caught(|| ask()) {
                Ok(future) => CatchPanic(future).await,
                Err(panic) => Err(panic),
            };
            let answer = answer.unwrap_or_else(|panic| Err(format!("panicked: {}", panic.0)));
            shared.input(|locked| {
                let random = locked.random();
                locked.core.handle_auth(now(), random, key, epoch, answer);
            });
        });
        let former = endpoint.auth_task.lock().replace(task.abort_handle());
        if let Some(former) = former {
            former.abort();
        }
    }
}
