//! Session ids.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// The id of a session: a credential, since whoever knows it can read and write in the session. Never show it to other users.
///
/// Ids made here are 20 characters of the base64url alphabet, the shape that load balancers and other parts of the ecosystem look for; ids of other
/// servers may be any text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sid(Arc<str>);

impl Sid {
    /// Makes an id of 12 random bytes and the low 24 bits of a counter, so that ids of one process never repeat.
    pub fn from_parts(random: [u8; 12], counter: u32) -> Self {
        let mut bytes = [0; 15];
        bytes[..12].copy_from_slice(&random);
        bytes[12..].copy_from_slice(&counter.to_be_bytes()[1..]);
        Self(BASE64_URL_SAFE_NO_PAD.encode(bytes).into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Sid {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

impl From<String> for Sid {
    fn from(id: String) -> Self {
        Self(id.into())
    }
}

impl Deref for Sid {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Sid {
    fn borrow(&self) -> &str {
        self
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_twenty_characters_that_end_with_the_counter() {
        let id = Sid::from_parts([0xff; 12], 0x0100_0001);
        assert_eq!(id.as_str(), "________________AAAB");
    }
}
