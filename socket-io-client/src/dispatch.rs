//! The task that calls the handlers of a socket, apart from the connection. It runs while there is something for them.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use engine_io::Text;
use socket_io::RawArgs;

use crate::endpoint::{Endpoint, Told, Topic};
use crate::extract::{Context, Question};
use crate::handler::run;
use crate::inbox::Taken;
use crate::socket::Socket;
use crate::store::Handling;

/// Calls the handlers of whatever is in the inbox, until it is empty.
pub(crate) async fn dispatch(endpoint: Arc<Endpoint>) {
    loop {
        let told = {
            let mut dispatching = endpoint.dispatching.lock();
            match endpoint.inbox.pop() {
                Some(Taken::Item(told)) => told,
                // It never drops anything.
                Some(Taken::Lagged(_)) => continue,
                None => {
                    *dispatching = false;
                    return;
                }
            }
        };
        let Some(socket) = endpoint.handle.get().and_then(Weak::upgrade) else {
            // Nobody is interested any more.
            continue;
        };
        let handling = Handling::new(&endpoint, &told);
        let (topics, context) = context_of(Socket(socket), told);
        let lists: Vec<_> = topics
            .iter()
            .filter_map(|topic| endpoint.handlers(topic))
            .collect();
        for listener in lists.iter().flat_map(|list| list.iter()) {
            if listener.once {
                if listener.has_run.swap(true, Ordering::AcqRel) {
                    continue;
                }
                endpoint.off(listener.id);
            }
            // It is never closed.
            let Ok(running) = endpoint.running.clone().acquire_owned().await else {
                return;
            };
            let handling = handling.as_ref().map(Handling::begin);
            run(&listener.handler, context.clone(), running, handling);
        }
        if let Some(handling) = handling {
            handling.end();
        }
        drop(context);
        // A long burst shall not keep others from this thread.
        tokio::task::consume_budget().await;
    }
}

fn context_of(socket: Socket, told: Told) -> (Vec<Topic>, Context) {
    let mut context = Context {
        socket,
        event: Text::default(),
        args: RawArgs::empty(),
        ack: None,
        reason: None,
        error: None,
    };
    let topics = match told {
        Told::Event(incoming) => {
            context.event = incoming.event.name;
            context.args = incoming.event.args;
            context.ack = incoming.ack.map(|id| Question::new(id, incoming.epoch));
            vec![Topic::Any, Topic::Event(context.event.clone())]
        }
        Told::Sent(event) => {
            context.event = event.name;
            context.args = event.args;
            vec![Topic::Outgoing]
        }
        Told::Connect { .. } => {
            context.event = Text::from_static("connect");
            vec![Topic::Connect]
        }
        Told::ConnectError(error) => {
            context.event = Text::from_static("connect_error");
            context.error = Some(error);
            vec![Topic::ConnectError]
        }
        Told::Disconnect(reason) => {
            context.event = Text::from_static("disconnect");
            context.reason = Some(reason);
            vec![Topic::Disconnect]
        }
        Told::Answer(..) | Told::End => Vec::new(),
    };
    (topics, context)
}
