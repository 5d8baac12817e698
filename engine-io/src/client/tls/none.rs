//! What stands in for TLS where no feature for it is on.

use std::io;

use super::{ClientTlsBuilder, ClientTlsError};
use crate::connection::Stream;

/// Never made.
#[derive(Clone)]
pub(super) enum Connector {}

pub(super) async fn connect(connector: &Connector, _: Stream, _: &str) -> io::Result<Stream> {
    match *connector {}
}

pub(super) fn build(_: &ClientTlsBuilder) -> Result<Connector, ClientTlsError> {
    Err(ClientTlsError(
        "no feature for it is on, such as client-rustls".into(),
    ))
}
