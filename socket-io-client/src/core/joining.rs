//! From the wish to join a namespace to the server's answer.

use std::time::Instant;

use engine_io::later;
use serde::Deserialize;
use socket_io::Value;
use socket_io::protocol::{DisconnectReason, Object, RawJson};

use super::socket::{Recovery, SocketState};
use super::{Core, JoinError, Key, Output, Phase, SocketOutput};

impl<C, E: Clone> Core<C, E> {
    pub(super) fn authorize(&mut self, key: Key) {
        let socket = &mut self.sockets[key.0];
        self.last_epoch += 1;
        let epoch = self.last_epoch;
        (socket.phase, socket.epoch) = (Phase::Authorizing, epoch);
        self.outputs
            .push_back(Output::Authorize { socket: key, epoch });
    }

    /// The credentials for an attempt to join: an object, or nothing. What is late is not used.
    pub(crate) fn handle_auth(
        &mut self,
        now: Instant,
        random: f64,
        key: Key,
        epoch: u64,
        auth: Result<Option<RawJson>, String>,
    ) {
        let Some(socket) = self.sockets.get_mut(key.0) else {
            return;
        };
        if socket.phase != Phase::Authorizing || socket.epoch != epoch {
            return;
        }
        let packet = auth.and_then(|auth| {
            let payload = connect_payload(socket, auth.as_ref())?;
            let parser = &self.config.parser;
            let packet = parser.encode_connect(&socket.namespace, payload.as_ref());
            packet.map_err(|error| error.to_string())
        });
        match packet {
            Ok(packet) => {
                let deadline = socket
                    .config
                    .join_timeout
                    .map(|timeout| later(now, timeout));
                socket.phase = Phase::Connecting(deadline);
                self.sends.push_back(packet);
            }
            Err(message) => {
                let reconnect = &self.config.reconnect;
                if reconnect.enabled {
                    let wait = socket.auth_backoff.next_wait(random);
                    socket.phase = Phase::Delayed(later(now, wait));
                } else {
                    self.deactivate(key);
                }
                let error = JoinError::Auth(message);
                self.tell_socket(key, SocketOutput::ConnectError(error));
            }
        }
    }

    pub(super) fn handle_connect(&mut self, now: Instant, key: Key, auth: Option<&RawJson>) {
        #[derive(Deserialize)]
        struct Joined {
            sid: String,
            pid: Option<String>,
        }
        let socket = &mut self.sockets[key.0];
        if socket.is_connected() {
            return;
        }
        let joined = auth.and_then(|auth| auth.parse::<Joined>().ok());
        let joined = joined.filter(|joined| !joined.sid.is_empty());
        let Some(Joined { sid: id, pid }) = joined else {
            // Servers of Socket.IO 2 confirm before they are asked.
            self.deactivate(key);
            return self.tell_socket(key, SocketOutput::ConnectError(JoinError::NoId));
        };
        if !matches!(socket.phase, Phase::Connecting(_)) {
            return;
        }
        socket.phase = Phase::Connected;
        socket.id = Some(id.as_str().into());
        let known = socket.recovery.take();
        socket.recovered = pid.is_some() && known.as_ref().map(|known| &known.pid) == pid.as_ref();
        socket.recovery = if socket.recovered {
            known
        } else {
            pid.clone().map(|pid| Recovery { pid, offset: None })
        };
        let recovered = socket.recovered;
        socket.auth_backoff.reset();
        // What was missed comes before what was to be said, and that before what is said from now on.
        for mut incoming in std::mem::take(&mut socket.early) {
            socket.take_position(&mut incoming);
            let event = SocketOutput::Event(incoming);
            self.outputs.push_back(Output::Socket(key, event));
        }
        while let Some(emission) = self.sockets[key.0].sends.pop() {
            self.send(key, emission);
        }
        self.send_queued(now, key);
        let id = id.as_str().into();
        self.tell_socket(key, SocketOutput::Connect { id, recovered, pid });
    }

    pub(super) fn handle_refusal(&mut self, key: Key, data: &RawJson) {
        if !matches!(self.sockets[key.0].phase, Phase::Connecting(_)) {
            return;
        }
        self.deactivate(key);
        let (message, data) = match data.parse() {
            Ok(Value::String(message)) => (message, None),
            Ok(Value::Object(object)) => {
                let message = object.get("message").and_then(Value::as_str);
                let message = message.unwrap_or_default().to_owned();
                (message, object.get("data").cloned())
            }
            _ => (String::new(), None),
        };
        let error = JoinError::Refused { message, data };
        self.tell_socket(key, SocketOutput::ConnectError(error));
    }

    /// The server owes the answer to CONNECT. A second CONNECT would be against the protocol, so there has to be another connection.
    pub(super) fn abandon(&mut self, now: Instant, random: f64, key: Key) {
        let timeout = self.sockets[key.0].config.join_timeout.unwrap_or_default();
        // It is not told that it has left what it had not joined.
        self.leave(key, Phase::Waiting);
        let error = JoinError::Timeout(timeout);
        self.tell_socket(key, SocketOutput::ConnectError(error));
        self.outputs.push_back(Output::Close);
        self.handle_closed(now, random, DisconnectReason::TransportError, None);
    }
}

/// What CONNECT carries: the credentials, and behind them what recovers the connection and how far the server's history was read, unless the credentials have
/// keys of those names.
fn connect_payload<C>(
    socket: &SocketState<C>,
    auth: Option<&RawJson>,
) -> Result<Option<RawJson>, String> {
    let no_object = || "credentials have to be an object, such as {\"token\":\"x\"}".to_owned();
    if auth.is_some_and(|auth| !auth.as_str().starts_with('{')) {
        return Err(no_object());
    }
    let catch_up = socket.config.catch_up.iter();
    let mut marks = catch_up.flat_map(|catch_up| &catch_up.marks).peekable();
    if socket.recovery.is_none() && marks.peek().is_none() {
        return Ok(auth.cloned());
    }
    let mut payload = match auth.map(RawJson::parse) {
        Some(Ok(Value::Object(object))) => object,
        Some(_) => return Err(no_object()),
        None => Object::new(),
    };
    let mut add = |key: &str, value: Value| {
        if payload.get(key).is_none() {
            payload.insert(key, value);
        }
    };
    if let Some(recovery) = &socket.recovery {
        add("pid", recovery.pid.as_str().into());
        if let Some(offset) = &recovery.offset {
            add("offset", offset.as_str().into());
        }
    }
    for (name, value) in marks {
        add(name, value.clone());
    }
    let payload = RawJson::from_data(&Value::Object(payload));
    let payload = payload.map_err(|error| error.to_string())?;
    Ok(Some(payload))
}
