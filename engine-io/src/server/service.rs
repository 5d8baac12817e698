//! The engine as a service: by itself, or as a layer in front of another one.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tower_layer::Layer;
use tower_service::Service;

use super::Server;

/// Puts the engine in front of any tower service: requests under its path are the engine's, others pass.
#[derive(Clone, Debug)]
pub struct EngineLayer {
    server: Server,
}

impl<S> Layer<S> for EngineLayer {
    type Service = EngineService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        EngineService {
            server: self.server.clone(),
            inner,
        }
    }
}

/// The engine as a tower service, and (without an inner service) as a hyper service.
#[derive(Clone, Debug)]
pub struct EngineService<S = NoService> {
    server: Server,
    inner: S,
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
        EngineLayer {
            server: self.clone(),
        }
    }

    /// The engine as a service of its own, for hyper and tower alike. Other paths are answered with 404.
    pub fn service(&self) -> EngineService {
        EngineService {
            server: self.clone(),
            inner: NoService(StatusCode::NOT_FOUND),
        }
    }
}

type ResponseFuture<B, E> =
    Pin<Box<dyn Future<Output = Result<Response<ResponseBody<B>>, E>> + Send>>;

impl<S, B, R> Service<Request<B>> for EngineService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<R, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if self.server.matches(request.uri()) {
            let server = self.server.clone();
            return Box::pin(
                async move { Ok(server.handle(request).await.map(ResponseBody::from)) },
            );
        }
        let response = self.inner.call(request);
        Box::pin(async move { Ok(response.await?.map(ResponseBody::inner)) })
    }
}

impl<B> hyper::service::Service<Request<B>> for EngineService
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    type Response = Response<ResponseBody<ResponseBody<Empty>>>;
    type Error = Infallible;
    type Future = ResponseFuture<ResponseBody<Empty>, Infallible>;

    fn call(&self, request: Request<B>) -> Self::Future {
        Service::call(&mut self.clone(), request)
    }
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
#[allow(clippy::exhaustive_enums)]
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
