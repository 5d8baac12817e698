//! What stands in for TLS where the feature is off: a configuration that cannot be.

use std::io;

use bytes::Bytes;
use hyper::upgrade::Upgraded;

use crate::connection::Stream;

/// No configuration.
#[derive(Clone)]
pub(crate) enum TlsConfig {}

impl TlsConfig {
    pub(crate) async fn accept(&self, _: Stream) -> io::Result<(Stream, bool)> {
        match *self {}
    }
}

pub(crate) fn from_upgraded(upgraded: Upgraded) -> Result<(Stream, Bytes), Upgraded> {
    Err(upgraded)
}
