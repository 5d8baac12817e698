//! Joining a namespace: from the client's wish to the confirmation.
//!
//! ```text
//! CONNECT --> namespace found --> its session wanted --> middlewares --> confirmed
//!                  |                  |         ^            |
//!                  |__________________|_________|            |  not there any more
//!                   it is new                   |____________|
//! ```
//!
//! A namespace that is not there yet is found by asking the families for it, see [`SocketIo::settle`].

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use engine_io::Text;
use serde::Serialize;

use super::SocketIo;
use super::candidate::Candidate;
use super::driver::Driver;
use super::eio3;
use super::error::{EmitError, Failure};
use super::extract::Context;
use super::grant::EXPIRED;
use super::handler::{self, run_middlewares};
use super::handlers::On;
use super::log::Brief;
use super::namespace::Namespace;
use super::recovery::{Claim, Identity, Obstacle, Wanted};
use super::refusal::Refusal;
use super::socket::Socket;
use super::stats::Tally;
use crate::protocol::{DisconnectReason, EncodeError, Encoded, RawArgs, RawJson};

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A client that has to wait before it may join.
pub(super) enum Joining {
    /// The namespace is not there, or not yet.
    Namespace(Candidate, BoxFuture<Result<Namespace, Refusal>>),
    /// It says that it has been here before, and its session is being looked for.
    Returning(Namespace, Option<RawJson>, BoxFuture<Option<Claim>>),
    /// The middlewares run.
    Middlewares(Socket, BoxFuture<Result<(), Failure>>),
}

/// What it was waiting for.
pub(super) enum Progress {
    Found(Candidate, Result<Namespace, Refusal>),
    Claimed(Namespace, Option<RawJson>, Option<Claim>),
    Decided(Socket, Result<(), Failure>),
}

impl Joining {
    pub(super) fn name(&self) -> &Text {
        match self {
            Self::Namespace(candidate, _) => candidate.name(),
            Self::Returning(namespace, ..) => namespace.name(),
            Self::Middlewares(socket, _) => socket.namespace().name(),
        }
    }

    /// Bytes of what the client says about itself.
    fn auth_bytes(&self) -> usize {
        let auth = match self {
            Self::Namespace(candidate, _) => candidate.auth.as_ref(),
            Self::Returning(_, auth, _) => auth.as_ref(),
            Self::Middlewares(socket, _) => return socket.auth_bytes(),
        };
        auth.map_or(0, |auth| auth.as_str().len())
    }

    pub(super) fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<Progress> {
        match self {
            Self::Namespace(candidate, found) => found
                .as_mut()
                .poll(cx)
                .map(|found| Progress::Found(candidate.clone(), found)),
            Self::Returning(namespace, auth, claim) => claim
                .as_mut()
                .poll(cx)
                .map(|claim| Progress::Claimed(namespace.clone(), auth.take(), claim)),
            Self::Middlewares(socket, middlewares) => middlewares
                .as_mut()
                .poll(cx)
                .map(|result| Progress::Decided(socket.clone(), result)),
        }
    }

    /// The connection is over.
    pub(super) fn abandon(self, io: &SocketIo, reason: DisconnectReason) {
        match self {
            Self::Namespace(..) => {}
            Self::Returning(namespace, _, claim) => {
                // A session that was taken out is put back, and so the namespace knows that it is waited for.
                drop(claim);
                io.exit(&namespace);
            }
            Self::Middlewares(socket, _) => socket.leave_namespace(reason),
        }
    }
}

impl Driver {
    pub(super) fn join(&mut self, name: &Text, auth: Option<RawJson>) {
        let pending = self.joining.iter().any(|joining| joining.name() == name);
        if pending || self.connection.socket(name).is_some() {
            return self.violate("namespace joined twice");
        }
        if let Err(refusal) = self.admits_join() {
            return self.refuse(name, &refusal);
        }
        let io = &self.connection.io;
        let config = io.config();
        let joined = self.connection.joined();
        if joined + self.joining.len() >= config.max_namespaces
            || self.joining.len() >= config.max_joining
        {
            return self.refuse(name, &Refusal::new("too many namespaces"));
        }
        if let Some(auth) = &auth {
            let joining = self.joining.iter().map(Joining::auth_bytes);
            let kept = self.connection.auth_bytes() + joining.sum::<usize>();
            if kept > 0 && kept + auth.as_str().len() > config.max_auth_bytes {
                return self.refuse(name, &Refusal::new("too much auth"));
            }
        }
        // Slices of the message would keep all of it in memory.
        let auth = auth.and_then(|auth| RawJson::new(auth.as_str().into()).ok());
        match io.enter(name) {
            Some(namespace) => self.enter(namespace, auth),
            None => {
                let candidate = Candidate {
                    name: Text::from(&**name),
                    auth,
                    connection: self.connection.clone(),
                };
                let found = Box::pin(io.clone().settle(candidate.clone()));
                self.joining.push(Joining::Namespace(candidate, found));
            }
        }
    }

    /// The namespace is there.
    fn enter(&mut self, namespace: Namespace, auth: Option<RawJson>) {
        if let (Some(journal), Some(auth), false) = (namespace.journal(), &auth, self.is_eio3()) {
            if let Some(wanted) = Wanted::read(auth) {
                let connection = self.connection.clone();
                let claim = Box::pin(journal.clone().claim(connection, wanted));
                let auth = Some(auth.clone());
                let returning = Joining::Returning(namespace, auth, claim);
                return self.joining.push(returning);
            }
        }
        self.start(namespace, auth);
    }

    /// What a client that wants to join was waiting for is there.
    pub(super) fn go_on(&mut self, progress: Progress) {
        match progress {
            Progress::Found(candidate, Ok(namespace)) => self.enter(namespace, candidate.auth),
            Progress::Found(candidate, Err(refusal)) => self.refuse(&candidate.name, &refusal),
            Progress::Decided(socket, result) => self.finish_join(&socket, result),
            Progress::Claimed(namespace, auth, None) => self.start(namespace, auth),
            Progress::Claimed(namespace, auth, Some(claim)) => {
                let skip = self.connection.io.skips_middlewares();
                let max_acks = self.connection.io.config().max_acks;
                let connection = self.connection.clone();
                let socket = Socket::restored(namespace, connection, auth, max_acks, claim);
                if skip {
                    self.finish_join(&socket, Ok(()));
                } else {
                    self.ask(socket);
                }
            }
        }
    }

    /// The client is new.
    fn start(&mut self, namespace: Namespace, auth: Option<RawJson>) {
        let io = &self.connection.io;
        let ids = if self.is_eio3() {
            Ok((eio3::socket_id(namespace.name(), self.engine.sid()), None))
        } else {
            let identity = namespace.journal().map(|journal| {
                let pid = io.next_pid()?;
                Ok(Identity::new(journal.clone(), pid))
            });
            let identity = identity.transpose();
            identity.and_then(|identity| Ok((io.next_id()?, identity)))
        };
        match ids {
            Ok((id, identity)) => {
                let max_acks = io.config().max_acks;
                let connection = self.connection.clone();
                let socket = Socket::new(id, namespace, connection, auth, max_acks, identity);
                self.ask(socket);
            }
            Err(refusal) => {
                io.exit(&namespace);
                self.refuse(namespace.name(), &refusal);
            }
        }
    }

    /// The middlewares shall decide.
    fn ask(&mut self, socket: Socket) {
        let middlewares = socket.namespace().registry().middlewares();
        if middlewares.is_empty() {
            return self.finish_join(&socket, Ok(()));
        }
        let middlewares = Box::pin(run_middlewares(middlewares, context(&socket)));
        self.joining.push(Joining::Middlewares(socket, middlewares));
    }

    fn finish_join(&mut self, socket: &Socket, result: Result<(), Failure>) {
        let refusal = match result {
            Ok(()) if socket.has_expired() => Some(Refusal::new(EXPIRED)),
            Ok(()) => None,
            Err(failure) => {
                let refusal = handler::refusal_of(&failure);
                // The client's own fault, or what the program wants, is no news.
                let is_news = match &failure {
                    Failure::Args(_) | Failure::Returned(_) => false,
                    Failure::Params(error) => !error.is_clients(),
                    _ => true,
                };
                if is_news {
                    socket.report(Text::from_static("connection"), failure);
                }
                Some(refusal)
            }
        };
        if let Some(refusal) = refusal {
            // Of those who came back the session is kept, as if they had just lost their connection.
            socket.leave_namespace(DisconnectReason::ForcedClose);
            let name = socket.namespace().name();
            return if self.is_eio3() {
                let parser = &self.connection.io.config().parser;
                let packet = parser.encode_error_eio3(name, &eio3::payload(&refusal));
                self.send_refusal(name, &refusal, packet)
            } else {
                self.refuse(name, &refusal)
            };
        }
        match self.confirm(socket) {
            Ok(()) => {}
            Err(Obstacle::Closed) => {
                return socket.leave_namespace(DisconnectReason::ForcedClose);
            }
            // What told the client may have left before the confirmation.
            Err(Obstacle::Left) => return socket.say_goodbye(),
            Err(Obstacle::Lost) => {
                let namespace = socket.namespace().clone();
                // It is not to be forgotten in between.
                namespace.enter();
                socket.leave_namespace(DisconnectReason::ServerNamespaceDisconnect);
                return self.start(namespace, socket.raw_auth());
            }
        }
        if std::mem::take(&mut self.is_new) {
            self.deadline = None;
            self.looks = true;
            self.limit_attachments();
        }
        tracing::debug!(
            name: "connected",
            target: "socket_io",
            connection = self.engine.number(),
            namespace = %Brief(socket.namespace().name()),
            socket = socket.log_id(),
            recovered = socket.recovered(),
        );
        socket.run_handlers(On::Connect, || context(socket));
    }

    /// Tells the client that it has joined, and lets the socket in.
    fn confirm(&self, socket: &Socket) -> Result<(), Obstacle> {
        #[derive(Serialize)]
        struct Joined<'a> {
            sid: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            pid: Option<&'a str>,
        }
        let identity = socket.identity();
        // Old clients know their ids.
        let joined = (!self.is_eio3()).then(|| Joined {
            sid: socket.id(),
            pid: identity.map(Identity::pid),
        });
        let parser = &self.connection.io.config().parser;
        let packet = parser.encode_connect(socket.namespace().name(), joined.as_ref());
        let packet = packet.map_err(|_| Obstacle::Closed)?;
        if let Some(identity) = identity {
            return identity.journal.admit(socket, identity, &packet);
        }
        if let Err(error) = socket.send(&packet) {
            if let EmitError::Full { .. } = error {
                // Nothing else would tell the client that it has not joined.
                self.connection.sender.abort();
            }
            return Err(Obstacle::Closed);
        }
        if !self.connection.admit(socket) {
            return Err(Obstacle::Left);
        }
        socket.enter_namespace();
        Ok(())
    }

    fn refuse(&mut self, namespace: &str, refusal: &Refusal) {
        let parser = &self.connection.io.config().parser;
        let packet = parser.encode_connect_error(namespace, refusal);
        self.send_refusal(namespace, refusal, packet);
    }

    fn send_refusal(
        &mut self,
        namespace: &str,
        refusal: &Refusal,
        packet: Result<Encoded, EncodeError>,
    ) {
        tracing::debug!(
            name: "namespace_refused",
            target: "socket_io",
            connection = self.engine.number(),
            namespace = %Brief(namespace),
            reason = %Brief(refusal.message()),
        );
        Tally::count(&self.connection.io.tally().joins_refused);
        match packet {
            // A full outbox or a closing connection: the peer has other worries.
            Ok(packet) => drop(
                self.connection
                    .sender
                    .send_frames(packet.header(), packet.attachments()),
            ),
            Err(error) => self.violate(&error.to_string()),
        }
    }
}

/// What middlewares and connect handlers are given.
fn context(socket: &Socket) -> Context {
    Context {
        socket: socket.clone(),
        event: Text::from_static("connection"),
        args: RawArgs::empty(),
        ack: None,
        reason: None,
        size: 0,
    }
}
