//! The sockets and managers that the commands name.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value as Json, json};
use socket_io_client::{
    AckError, AckId, Args, ConnectError, Incoming, Manager, ManagerEvent, ManagerEvents, Socket,
    SocketEvent, Transport, Value,
};

use crate::json::{from_value, from_values, to_value};
use crate::options;
use crate::output::Output;

type Fallible = Result<(), Box<dyn Error>>;

#[derive(Default)]
pub(crate) struct Client {
    managers: HashMap<String, Managed>,
    sockets: HashMap<String, (Socket, Arc<Mutex<Names>>)>,
    output: Arc<Output>,
}

struct Managed {
    manager: Manager,
    names: Arc<Mutex<Names>>,
}

/// What the namespaces and acknowledgements of a manager are called.
#[derive(Default)]
struct Names {
    sockets: HashMap<String, String>,
    tags: HashMap<(String, AckId), Json>,
}

fn lock(names: &Mutex<Names>) -> std::sync::MutexGuard<'_, Names> {
    names.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Client {
    pub(crate) async fn run(&mut self, command: &Json) -> Fallible {
        let text = |key: &str| command[key].as_str().unwrap_or_default();
        let sock = text("sock");
        let known = self.sockets.get(sock);
        let known = || known.ok_or_else(|| format!("no socket {sock:?}"));
        let socket = || known().map(|(socket, _)| socket);
        let args = || {
            let args = command["args"].as_array().into_iter().flatten();
            Args(args.map(to_value).collect())
        };
        match text("cmd") {
            "open" => self.open(command, sock)?,
            "emit" => socket()?.emit(text("ev"), &args())?,
            "volatile" => drop(socket()?.volatile().emit(text("ev"), &args())?),
            "emit-ack" => {
                let (socket, names) = known()?;
                self.emit_with_ack(command, socket, names, &args());
            }
            "disconnect" => socket()?.disconnect(),
            "connect" => socket()?.connect_lazy(),
            "auth" => socket()?.set_auth(&command["auth"])?,
            "manager" => {
                let name = text("manager");
                let managed = self.managers.get(name).ok_or("no such manager")?;
                let changed = options::reconnect(managed.manager.reconnect(), command);
                managed.manager.set_reconnect(changed);
            }
            "sync" => {
                settle(&self.output).await;
                self.output.line(json!({"e": "sync", "n": command["n"]}));
            }
            _ => return Err("no such command".into()),
        }
        Ok(())
    }

    fn open(&mut self, command: &Json, sock: &str) -> Fallible {
        let opts = &command["opts"];
        let name = command["manager"].as_str().unwrap_or(sock);
        if !self.managers.contains_key(name) {
            let url = command["url"].as_str().unwrap_or_default();
            let manager = options::manager(url, opts)?.build()?;
            let names = Arc::<Mutex<Names>>::default();
            tokio::spawn(tell(
                manager.all_events(),
                name.to_owned(),
                names.clone(),
                self.output.clone(),
            ));
            self.managers
                .insert(name.into(), Managed { manager, names });
        }
        let managed = &self.managers[name];
        let namespace = command["nsp"].as_str().unwrap_or("/");
        let socket = options::socket(managed.manager.socket(namespace), opts).build()?;
        let known = (socket.namespace().to_string(), sock.to_owned());
        lock(&managed.names).sockets.extend([known]);
        socket.connect_lazy();
        let names = managed.names.clone();
        self.sockets.insert(sock.into(), (socket, names));
        Ok(())
    }

    fn emit_with_ack(
        &self,
        command: &Json,
        socket: &Socket,
        names: &Arc<Mutex<Names>>,
        args: &Args<Value>,
    ) {
        let event = command["ev"].as_str().unwrap_or_default();
        let sock = command["sock"].clone();
        let tag = command["tag"].clone();
        let mut answer = socket.emit_with_ack::<Args<Value>>(event, args);
        if let Some(timeout) = options::timeout(command) {
            answer = answer.timeout(timeout);
        }
        let key = (socket.namespace().to_string(), answer.id());
        lock(names).tags.insert(key.clone(), tag.clone());
        let (names, output) = (names.clone(), self.output.clone());
        tokio::spawn(async move {
            // Answers are told in the order of everything else, by a task that has its turn first. This is for those that are not waited for any more.
            match answer.await {
                Ok(_) => return,
                Err(AckError::Timeout(_)) => {}
                Err(_) => settle(&output).await,
            }
            if lock(&names).tags.remove(&key).is_some() {
                output.line(json!({"sock": sock, "e": "ack-error", "tag": tag}));
            }
        });
    }

    pub(crate) async fn close(&self) {
        let managers = self.managers.values();
        // At the same time: each may have to wait for its server.
        let closing: Vec<_> = managers
            .map(|managed| managed.manager.clone())
            .map(|manager| tokio::spawn(async move { manager.close().await }))
            .collect();
        for closed in closing {
            let _ = closed.await;
        }
        settle(&self.output).await;
    }
}

/// Lets everything be told that has happened.
async fn settle(output: &Output) {
    loop {
        let before = output.lines();
        // Everything that is ready runs before this goes on.
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        if output.lines() == before {
            return;
        }
    }
}

/// Tells what happens to a manager and its sockets.
async fn tell(
    mut events: ManagerEvents,
    manager: String,
    names: Arc<Mutex<Names>>,
    output: Arc<Output>,
) {
    let mut transport = Transport::Polling;
    loop {
        let event = events.recv().await;
        match event {
            ManagerEvent::Open(opened) => transport = opened,
            ManagerEvent::Upgrade => transport = Transport::WebSocket,
            _ => {}
        }
        let mut told = match event {
            ManagerEvent::Open(_) => json!({"e": "open"}),
            ManagerEvent::Close { reason, .. } => json!({"e": "close", "reason": reason.as_str()}),
            ManagerEvent::Upgrade => json!({"e": "upgrade"}),
            ManagerEvent::ReconnectAttempt(n) => json!({"e": "reconnect_attempt", "n": n}),
            ManagerEvent::Reconnect(n) => json!({"e": "reconnect", "n": n}),
            ManagerEvent::ReconnectError(_) => json!({"e": "reconnect_error"}),
            ManagerEvent::ReconnectFailed => json!({"e": "reconnect_failed"}),
            ManagerEvent::Socket(socket, event) => {
                let namespace = socket.namespace().to_string();
                let sock = lock(&names).sockets.get(&namespace).cloned();
                if let Some(mut line) = describe(&socket, event, transport, &names) {
                    line["sock"] = json!(sock);
                    output.line(line);
                }
                continue;
            }
            _ => continue,
        };
        told["manager"] = json!(manager);
        output.line(told);
    }
}

fn describe(
    socket: &Socket,
    event: SocketEvent,
    transport: Transport,
    names: &Mutex<Names>,
) -> Option<Json> {
    Some(match event {
        SocketEvent::Connect { id, recovered } => {
            let (id, transport) = (id.as_str(), transport.as_str());
            json!({"e": "connect", "id": id, "recovered": recovered, "transport": transport})
        }
        SocketEvent::ConnectError(error) => {
            let (message, data) = match &error {
                ConnectError::Refused { message, data } => {
                    (message.clone(), data.as_ref().map(from_value))
                }
                other => (other.to_string(), None),
            };
            json!({"e": "connect_error", "message": message, "data": data})
        }
        SocketEvent::Disconnect(reason) => json!({"e": "disconnect", "reason": reason.as_str()}),
        SocketEvent::Event(event) => answer(event),
        SocketEvent::Ack { id, answer } => {
            let key = (socket.namespace().to_string(), id);
            let tag = lock(names).tags.remove(&key)?;
            let args = answer.ok().and_then(|args| args.parse::<Vec<Value>>().ok());
            match args {
                Some(args) => json!({"e": "ack", "tag": tag, "args": from_values(&args)}),
                None => json!({"e": "ack-error", "tag": tag}),
            }
        }
        _ => return None,
    })
}

/// Answers an event as the contract says, if the server wants that.
fn answer(event: Incoming) -> Json {
    let args: Vec<Value> = event.args.parse().unwrap_or_default();
    let told = json!({"e": "event", "ev": event.name.as_str(), "args": from_values(&args)});
    let is_left = args.first().and_then(Value::as_str) == Some("timeout");
    if event.ack.is_wanted() && !is_left {
        let mut answer = args;
        answer.push("seen".into());
        if let Err(error) = event.ack.send(&Args(answer)) {
            eprintln!("not answered: {error}");
        }
    }
    told
}
