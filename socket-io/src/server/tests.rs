//! What only chance would show from outside: the steps of several threads, one after the other.

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;

use super::*;
use crate::server::connection::Connection;

/// A server of its own, and sockets of one connection that nobody drives.
pub(crate) struct Peer {
    pub(crate) io: SocketIo,
    connection: Arc<Connection>,
    _engine: engine_io::Socket,
}

impl Peer {
    pub(crate) async fn new() -> Self {
        let io = SocketIo::builder().build();
        let request = Request::get("/socket.io/?EIO=4&transport=polling");
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let (response, engine) = tokio::join!(io.0.engine.handle(request), io.0.engine.accept());
        assert_eq!(response.status(), 200);
        let engine = engine.expect("the server is open");
        Self {
            connection: Arc::new(Connection::new(io.clone(), engine.sender())),
            io,
            _engine: engine,
        }
    }

    /// One that has not joined yet.
    pub(crate) fn socket(&self) -> Socket {
        let id = self.io.next_id().unwrap();
        let namespace = self.io.enter("/").unwrap();
        Socket::new(id, namespace, self.connection.clone(), None, 10, None)
    }
}

impl Peer {
    /// A client joins a namespace.
    async fn enter(&self, name: &str) -> Namespace {
        let candidate = Candidate {
            name: name.into(),
            auth: None,
            connection: self.connection.clone(),
        };
        self.io.clone().settle(candidate).await.unwrap()
    }
}

#[tokio::test]
async fn forgetting_a_namespace_late_does_not_take_its_successor() {
    let peer = Peer::new().await;
    let parent = peer.io.of_matching(|_| true);
    let first = peer.enter("/x").await;
    // The first thread is interrupted between leaving and forgetting.
    assert!(first.exit());
    assert!(peer.enter("/x").await.is(&first));
    peer.io.exit(&first);
    assert!(parent.children().is_empty());
    let second = peer.enter("/x").await;
    assert!(!second.is(&first));
    peer.io.forget(&first);
    assert!(peer.enter("/x").await.is(&second));
    assert_eq!(parent.children().len(), 1);
}

#[tokio::test]
async fn a_namespace_that_is_entered_again_is_not_forgotten() {
    let peer = Peer::new().await;
    peer.io.of_matching(|_| true);
    let first = peer.enter("/x").await;
    assert!(first.exit());
    peer.enter("/x").await;
    peer.io.forget(&first);
    assert!(peer.enter("/x").await.is(&first));
}

#[tokio::test]
async fn a_family_leaves_nothing_behind_when_the_server_goes() {
    let peer = Peer::new().await;
    let parent = peer.io.of_matching(|_| true);
    let child = peer.enter("/x").await.downgrade();
    drop(peer);
    assert!(child.upgrade().is_none());
    assert!(parent.children().is_empty());
}

#[tokio::test]
async fn a_socket_that_was_told_to_leave_is_not_admitted() {
    let peer = Peer::new().await;
    let socket = peer.socket();
    socket.leave_namespace(DisconnectReason::ServerNamespaceDisconnect);
    assert!(!peer.connection.admit(&socket));
    assert!(peer.connection.sockets().is_empty());
}

#[tokio::test]
async fn a_socket_that_leaves_before_it_is_in_the_adapter_stays_nowhere() {
    let peer = Peer::new().await;
    let socket = peer.socket();
    assert!(peer.connection.admit(&socket));
    socket.leave_namespace(DisconnectReason::ServerNamespaceDisconnect);
    socket.enter_namespace();
    assert!(peer.connection.sockets().is_empty());
    assert!(peer.io.of("/").is_empty());
}

#[tokio::test]
async fn a_room_that_is_joined_between_connecting_and_entering_counts() {
    let peer = Peer::new().await;
    let socket = peer.socket();
    socket.join("early");
    assert!(peer.connection.admit(&socket));
    socket.join("between");
    socket.enter_namespace();
    socket.join("late");
    assert_eq!(
        socket.rooms()[1..],
        ["early", "between", "late"].map(Into::into)
    );
}
