//! The engine as a service: by itself, or as a layer in front of another one.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode, Uri};
use http_body::{Body, Frame, SizeHint};
use tower_layer::Layer;
use tower_service::Service;

use super::Server;
use super::route::wants_upgrade;

/// Something that answers the requests under a path: the engine, or what is built on it.
pub trait Respond: Clone + Send + Sync + 'static {
    /// Whether a request is for this one; others pass.
    fn matches(&self, uri: &Uri) -> bool;

    /// After which time a connection is closed that wants to be upgraded for another path, where nobody else could take it; see
    /// [`ServerConfig::destroy_upgrade`](crate::ServerConfig::destroy_upgrade). Default `None`: such requests are answered like others.
    fn destroy_upgrade(&self) -> Option<Duration> {
        None
    }

    /// Answers a request. Its parts are the host's, which forgets what they are afterwards.
    fn respond<B>(
        &self,
        parts: &mut Parts,
        body: B,
    ) -> impl Future<Output = Response<Bytes>> + Send
    where
        B: Body + Send + 'static,
        B::Data: Send;
}

impl Respond for Server {
    fn matches(&self, uri: &Uri) -> bool {
        self.inner.config.matches(uri.path())
    }

    fn destroy_upgrade(&self) -> Option<Duration> {
        self.inner.config.destroy_upgrade
    }

    fn respond<B>(&self, parts: &mut Parts, body: B) -> impl Future<Output = Response<Bytes>> + Send
    where
        B: Body + Send + 'static,
        B::Data: Send,
    {
        self.answer(parts, body)
    }
}

/// Puts the engine in front of any tower service: requests under its path are the engine's, others pass.
#[derive(Clone, Debug)]
pub struct EngineLayer<R = Server> {
    responder: R,
}

impl<R> EngineLayer<R> {
    /// Puts `responder` in front.
    pub fn new(responder: R) -> Self {
        Self { responder }
    }
}

impl<S, R: Respond> Layer<S> for EngineLayer<R> {
    type Service = EngineService<S, R>;

    fn layer(&self, inner: S) -> Self::Service {
        EngineService {
            responder: self.responder.clone(),
            inner,
        }
    }
}

/// The engine as a tower service, and (without an inner service) as a hyper service.
#[derive(Clone, Debug)]
pub struct EngineService<S = NoService, R = Server> {
    pub(crate) responder: R,
    inner: S,
}

impl<R> EngineService<NoService, R> {
    /// `responder` alone; other paths are answered with 404.
    pub fn new(responder: R) -> Self {
        Self {
            responder,
            inner: NoService(StatusCode::NOT_FOUND),
        }
    }
}

/// Answers every request with one status: what is behind a server that stands alone.
#[derive(Clone, Copy, Debug)]
pub struct NoService(pub StatusCode);

impl<B> Service<Request<B>> for NoService {
    type Response = Response<ResponseBody<Empty>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        let mut response = Response::new(ResponseBody::from(Bytes::new()));
        *response.status_mut() = self.0;
        ready(Ok(response))
    }
}

impl Server {
    /// The engine in front of another service; `Router::layer` of axum takes it.
    pub fn layer(&self) -> EngineLayer {
        EngineLayer::new(self.clone())
    }

    /// The engine as a service of its own, for hyper and tower alike. Other paths are answered with 404.
    pub fn service(&self) -> EngineService {
        EngineService::new(self.clone())
    }
}

type ResponseFuture<B, E> =
    Pin<Box<dyn Future<Output = Result<Response<ResponseBody<B>>, E>> + Send>>;

impl<S, B, I, R> Service<Request<B>> for EngineService<S, R>
where
    R: Respond,
    S: Service<Request<B>, Response = Response<I>>,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
{
    type Response = Response<ResponseBody<I>>;
    type Error = S::Error;
    type Future = ResponseFuture<I, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if self.responder.matches(request.uri()) {
            let responder = self.responder.clone();
            let (mut parts, body) = request.into_parts();
            let mut response = Box::pin(async move { responder.respond(&mut parts, body).await });
            // A client may hang up right behind its request, and the host then drops the future before it ever polls it. The session is to learn of both.
            let started = response
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            return Box::pin(async move {
                let response = match started {
                    Poll::Ready(response) => response,
                    Poll::Pending => response.await,
                };
                Ok(response.map(ResponseBody::from))
            });
        }
        let response = self.inner.call(request);
        Box::pin(async move { Ok(response.await?.map(ResponseBody::inner)) })
    }
}

impl<B, R> hyper::service::Service<Request<B>> for EngineService<NoService, R>
where
    R: Respond,
    B: Body + Send + 'static,
    B::Data: Send,
{
    type Response = Response<ResponseBody<ResponseBody<Empty>>>;
    type Error = Infallible;
    type Future = ResponseFuture<ResponseBody<Empty>, Infallible>;

    fn call(&self, request: Request<B>) -> Self::Future {
        let foreign = !self.responder.matches(request.uri()) && wants_upgrade(request.headers());
        let destroy = self.responder.destroy_upgrade().filter(|_| foreign);
        let response = Service::call(&mut self.clone(), request);
        match destroy {
            None => response,
            Some(after) => Box::pin(async move {
                let mut response = response.await?;
                response.extensions_mut().insert(Unanswered { after });
                Ok(response)
            }),
        }
    }
}

/// In the extensions of a response: a listener that has nobody else to ask closes the connection after that time instead of sending it.
#[derive(Clone, Copy)]
pub(crate) struct Unanswered {
    pub(crate) after: Duration,
}

/// The body of a response: the engine's, which is complete, or the inner service's.
#[derive(Debug)]
pub struct ResponseBody<B>(Inner<B>);

#[derive(Debug)]
enum Inner<B> {
    Engine(Bytes),
    Service(B),
}

impl<B> ResponseBody<B> {
    /// A body of the inner service, passed on.
    pub fn inner(body: B) -> Self {
        Self(Inner::Service(body))
    }
}

impl<B> From<Bytes> for ResponseBody<B> {
    fn from(body: Bytes) -> Self {
        Self(Inner::Engine(body))
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match &mut self.get_mut().0 {
            Inner::Engine(body) if body.is_empty() => Poll::Ready(None),
            Inner::Engine(body) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(body))))),
            Inner::Service(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Engine(body) => body.is_empty(),
            Inner::Service(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Engine(body) => SizeHint::with_exact(body.len() as u64),
            Inner::Service(body) => body.size_hint(),
        }
    }
}

/// A body that cannot be.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_enums)] // there is none, and there will be none
pub enum Empty {}

impl Body for Empty {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match *self {}
    }
}
