//! A client over polling in the server's own process: without a network, so that the clock can be paused.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::Location;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use socket_io::SocketIo;
use tower_service::Service;

use super::soon;

/// Sends a request to the server's service.
pub(crate) async fn respond(io: &SocketIo, request: Request<Full<Bytes>>) -> Response<Bytes> {
    let response = Service::call(&mut io.service(), request).await.unwrap();
    let (parts, body) = response.into_parts();
    let Ok(body) = body.collect().await;
    Response::from_parts(parts, body.to_bytes())
}

pub(crate) struct Polling {
    io: SocketIo,
    pub(crate) sid: String,
    packets: VecDeque<String>,
}

impl Polling {
    pub(crate) async fn open(io: &SocketIo) -> Self {
        let mut polling = Self {
            io: io.clone(),
            sid: String::new(),
            packets: VecDeque::new(),
        };
        let open = polling.poll().await;
        polling.sid = open.split('"').nth(3).unwrap().to_owned();
        polling
    }

    async fn request(&self, method: Method, body: &str) -> Response<Bytes> {
        let mut target = "/socket.io/?EIO=4&transport=polling".to_owned();
        if !self.sid.is_empty() {
            target.push_str("&sid=");
            target.push_str(&self.sid);
        }
        let request = Request::builder()
            .method(method)
            .uri(target)
            .body(Full::from(body.to_owned()))
            .unwrap();
        respond(&self.io, request).await
    }

    /// The answer to one GET.
    pub(crate) async fn poll(&self) -> String {
        let response = self.request(Method::GET, "").await;
        assert_eq!(response.status(), 200);
        String::from_utf8(response.into_body().into()).unwrap()
    }

    pub(crate) async fn send(&self, packets: &str) {
        let response = self.request(Method::POST, packets).await;
        assert_eq!(
            (response.status().as_u16(), &**response.body()),
            (200, &b"ok"[..])
        );
    }

    /// Says goodbye, which counts if the server has not done so before.
    pub(crate) async fn leave(&self) {
        self.request(Method::POST, "1").await;
    }

    /// The next packet, polling until there is one; pings are answered, not shown.
    pub(crate) async fn packet(&mut self) -> String {
        loop {
            match self.packets.pop_front() {
                Some(ping) if ping == "2" => self.send("3").await,
                Some(packet) => return packet,
                None => {
                    let body = self.poll().await;
                    self.packets.extend(body.split('\x1e').map(Into::into));
                }
            }
        }
    }

    #[track_caller]
    pub(crate) fn check(&mut self, expected: &str) -> impl Future<Output = ()> {
        let caller = Location::caller();
        let packet = soon(self.packet());
        async move { assert_eq!(packet.await, expected, "{caller}") }
    }

    /// Joins `/` and returns the socket's id.
    pub(crate) async fn join(&mut self) -> String {
        self.send("40").await;
        let reply = self.packet().await;
        assert!(reply.starts_with("40{\"sid\":"), "{reply}");
        reply.split('"').nth(3).unwrap().to_owned()
    }
}
