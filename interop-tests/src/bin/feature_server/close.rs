//! A server that closes itself.

use std::time::Duration;

use socket_io::{DisconnectReason, Namespace, SocketIo};

/// `close` closes the server, a moment later, when clients over polling have sent their next GETs; why sockets leave is printed.
pub(crate) fn closing() -> SocketIo {
    let io = SocketIo::builder().build();
    let serve = |namespace: Namespace| {
        namespace
            .on("close", async |io: SocketIo| {
                tokio::time::sleep(Duration::from_millis(300)).await;
                io.close();
            })
            .on_disconnect(async |reason: DisconnectReason| println!("{reason}"));
    };
    serve(io.of("/"));
    serve(io.of("/other"));
    io
}
