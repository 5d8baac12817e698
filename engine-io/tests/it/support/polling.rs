//! A session over polling, seen from the client.

use std::net::SocketAddr;

use super::{Http, Reply};

pub(crate) struct Polling {
    pub(crate) address: SocketAddr,
    pub(crate) sid: String,
    /// One connection for the GETs and one for the POSTs.
    pub(crate) get: Http,
    pub(crate) post: Http,
}

impl Polling {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let mut get = Http::connect(address).await;
        let reply = get.get("/engine.io/?EIO=4&transport=polling").await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let sid = reply.text().split('"').nth(3).unwrap().to_owned();
        Self {
            address,
            sid,
            get,
            post: Http::connect(address).await,
        }
    }

    pub(crate) fn target(&self) -> String {
        format!("/engine.io/?EIO=4&transport=polling&sid={}", self.sid)
    }

    /// Sends a GET without waiting for the answer.
    pub(crate) async fn park(&mut self) {
        let target = self.target();
        self.get.send("GET", &target, "", b"").await;
    }

    /// The answer to a GET that was sent.
    pub(crate) async fn parked(&mut self) -> Reply {
        self.get.reply(false).await
    }

    pub(crate) async fn poll(&mut self) -> Reply {
        self.park().await;
        self.parked().await
    }

    /// Polls for packets until `count` came.
    pub(crate) async fn packets(&mut self, count: usize) -> Vec<String> {
        let mut packets: Vec<String> = Vec::new();
        while packets.len() < count {
            let reply = self.poll().await;
            assert_eq!(reply.status, 200);
            packets.extend(reply.text().split('\x1e').map(Into::into));
        }
        packets
    }

    pub(crate) async fn post(&mut self, body: impl AsRef<[u8]>) -> Reply {
        self.post_with("", body).await
    }

    pub(crate) async fn post_with(&mut self, headers: &str, body: impl AsRef<[u8]>) -> Reply {
        let target = self.target();
        self.post
            .request("POST", &target, headers, body.as_ref())
            .await
    }

    /// Posts and expects `ok`.
    pub(crate) async fn say(&mut self, body: impl AsRef<[u8]>) {
        self.post(body).await.check(200, "ok");
    }
}
