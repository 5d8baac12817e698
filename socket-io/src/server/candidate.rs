//! Functions that decide whether there is a namespace, and what they may ask for.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use engine_io::Text;
use serde::de::DeserializeOwned;

use super::SocketIo;
use super::connection::Connection;
use super::error::Failure;
use super::extract::Auth;
use super::handshake::{self, Handshake};
use super::refusal::Refusal;
use crate::common::State;
use crate::protocol::{ArgsError, RawJson};

/// A client that wants to join a namespace which is not there, or not yet.
#[derive(Clone)]
pub struct Candidate {
    pub(crate) name: Text,
    pub(crate) auth: Option<RawJson>,
    pub(crate) connection: Arc<Connection>,
}

impl Candidate {
    /// The name of the namespace, as the client wrote it.
    pub fn name(&self) -> &Text {
        &self.name
    }

    /// What the client sent along, `{}` when it sent nothing.
    ///
    /// # Errors
    ///
    /// When it is of another type.
    pub fn auth<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        handshake::auth(self.auth.as_ref())
    }

    /// The request that opened the connection.
    pub fn handshake(&self) -> Handshake {
        Handshake::new(self.connection.clone(), self.auth.clone())
    }

    /// The server.
    pub fn io(&self) -> SocketIo {
        self.connection.io.clone()
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidate")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A type that the function given to [`SocketIo::of_async`] can take as an argument.
///
/// | argument | what it is |
/// |---|---|
/// | [`NamespaceName`] | the name of the namespace |
/// | [`Auth<T>`] | what the client sent along; one who sent something else is not accepted |
/// | [`Handshake`] | the request that opened the connection |
/// | [`State<T>`] | state shared by all handlers |
/// | [`SocketIo`] | the server |
/// | [`Candidate`] | all of it |
///
/// Each can be wrapped in an `Option`, which is `None` where it would be refused.
pub trait FromCandidate: Sized {
    /// Takes the value out of what is known.
    ///
    /// # Errors
    ///
    /// When it is not there, or of another type; the function is not called then, and the namespace not accepted.
    fn from_candidate(candidate: &Candidate) -> Result<Self, Failure>;
}

/// The name of a namespace that a client wants to join.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs)] // to be taken apart in the argument list
pub struct NamespaceName(pub Text);

impl FromCandidate for NamespaceName {
    fn from_candidate(candidate: &Candidate) -> Result<Self, Failure> {
        Ok(Self(candidate.name.clone()))
    }
}

impl FromCandidate for Candidate {
    fn from_candidate(candidate: &Candidate) -> Result<Self, Failure> {
        Ok(candidate.clone())
    }
}

impl FromCandidate for Handshake {
    fn from_candidate(candidate: &Candidate) -> Result<Self, Failure> {
        Ok(candidate.handshake())
    }
}

impl FromCandidate for SocketIo {
    fn from_candidate(candidate: &Candidate) -> Result<Self, Failure> {
        Ok(candidate.io())
    }
}

impl<T: DeserializeOwned> FromCandidate for Auth<T> {
    fn from_candidate(candidate: &Candidate) -> Result<Self, Failure> {
        candidate.auth().map(Self).map_err(Failure::Args)
    }
}

impl<T: Send + Sync + 'static> FromCandidate for State<T> {
    fn from_candidate(candidate: &Candidate) -> Result<Self, Failure> {
        Self::of(&candidate.connection.io)
    }
}

impl<T: FromCandidate> FromCandidate for Option<T> {
    fn from_candidate(candidate: &Candidate) -> Result<Self, Failure> {
        Ok(T::from_candidate(candidate).ok())
    }
}

/// What a function given to [`SocketIo::of_async`] returns: a `bool`, or a `Result` of one.
pub trait Decision {
    /// Whether there is such a namespace.
    ///
    /// # Errors
    ///
    /// When it cannot be told, which is reported and counts as no.
    fn into_result(self) -> Result<bool, Refusal>;
}

impl Decision for bool {
    fn into_result(self) -> Result<bool, Refusal> {
        Ok(self)
    }
}

impl<E: Into<Refusal>> Decision for Result<bool, E> {
    fn into_result(self) -> Result<bool, Refusal> {
        self.map_err(Into::into)
    }
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// An asynchronous function that decides whether there is a namespace. Its arguments are up to five types that implement [`FromCandidate`], it returns a
/// [`Decision`].
pub trait Decide<Arguments>: Send + Sync + 'static {
    /// Takes the arguments and starts.
    ///
    /// # Errors
    ///
    /// When an argument cannot be had.
    fn call(&self, candidate: &Candidate) -> Result<BoxFuture<Result<bool, Refusal>>, Failure>;
}

macro_rules! deciding {
    ($($argument:ident),*) => {
        impl<F, Fut, $($argument,)*> Decide<($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> Fut + Send + Sync + 'static,
            Fut: Future + Send + 'static,
            Fut::Output: Decision,
            $($argument: FromCandidate,)*
        {
            #[allow(unused_variables)] // with no arguments at all
            fn call(&self, candidate: &Candidate) -> Result<BoxFuture<Result<bool, Refusal>>, Failure> {
                let future = self($($argument::from_candidate(candidate)?),*);
                Ok(Box::pin(async move { future.await.into_result() }))
            }
        }
    };
}

deciding!();
deciding!(A);
deciding!(A, B);
deciding!(A, B, C);
deciding!(A, B, C, D);
deciding!(A, B, C, D, E);

/// One whose types are forgotten.
pub(crate) type ErasedDecide =
    Box<dyn Fn(&Candidate) -> Result<BoxFuture<Result<bool, Refusal>>, Failure> + Send + Sync>;

pub(crate) fn erase<A>(decide: impl Decide<A>) -> ErasedDecide {
    Box::new(move |candidate| decide.call(candidate))
}
