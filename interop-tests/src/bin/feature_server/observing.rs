//! What a server tells of itself: refused requests, and its numbers.

use std::sync::{Arc, Mutex};

use serde::Serialize;
use socket_io::{SocketIo, Value};

type Refused = Arc<Mutex<Vec<(u8, String, Option<&'static str>)>>>;

/// What the reference can tell, too.
#[derive(Serialize)]
struct Numbers {
    polling: u64,
    websocket: u64,
    opened: u64,
    upgraded: u64,
    packets_in: u64,
}

pub(crate) fn server() -> SocketIo {
    let refused = Refused::default();
    let told = refused.clone();
    let io = SocketIo::builder()
        .allow_request(|parts| {
            let stranger = parts.headers.contains_key("x-stranger");
            std::future::ready(if stranger {
                Err("no strangers".to_owned())
            } else {
                Ok(())
            })
        })
        .on_refusal(move |refusal, _| {
            let line = (refusal.code(), refusal.message().to_owned(), refusal.name());
            told.lock()
                .unwrap_or_else(|error| error.into_inner())
                .push(line);
        })
        .build();
    io.of("/")
        .on("echo", async |value: socket_io::Data<Value>| value.0)
        .on("refused", move || {
            let mut refused = refused.lock().unwrap_or_else(|error| error.into_inner());
            std::future::ready(std::mem::take(&mut *refused))
        })
        .on("numbers", async |io: SocketIo| {
            let engine = io.stats().engine;
            Numbers {
                polling: engine.polling,
                websocket: engine.websocket,
                opened: engine.opened(),
                upgraded: engine.upgraded,
                packets_in: engine.packets_in,
            }
        });
    io
}
