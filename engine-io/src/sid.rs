//! Session ids.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// The id of a session: a credential, since whoever knows it can read and write in the session. Never show it to other users.
///
/// Ids made here are 20 characters of the base64url alphabet, the shape that load balancers and other parts of the ecosystem look for; ids of other
/// servers may be any text.
#[derive(Clone)]
pub struct Sid(Form);

#[derive(Clone)]
enum Form {
    /// As long as ours, which takes no memory elsewhere.
    Usual([u8; LENGTH]),
    Other(Arc<str>),
}

/// Characters of the ids made here.
const LENGTH: usize = 20;

impl Sid {
    /// Makes an id of 12 random bytes and the low 24 bits of a counter, so that ids of one process never repeat.
    pub fn from_parts(random: [u8; 12], counter: u32) -> Self {
        let mut bytes = [0; 15];
        bytes[..12].copy_from_slice(&random);
        bytes[12..].copy_from_slice(&counter.to_be_bytes()[1..]);
        let mut id = [0; LENGTH];
        BASE64_URL_SAFE_NO_PAD
            .encode_slice(bytes, &mut id)
            .expect("15 bytes are 20 characters");
        Self(Form::Usual(id))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("it was made of text")
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Form::Usual(id) => id,
            Form::Other(id) => id.as_bytes(),
        }
    }
}

impl From<&str> for Sid {
    fn from(id: &str) -> Self {
        Self(match id.as_bytes().try_into() {
            Ok(id) => Form::Usual(id),
            Err(_) => Form::Other(id.into()),
        })
    }
}

impl From<String> for Sid {
    fn from(id: String) -> Self {
        id.as_str().into()
    }
}

impl Deref for Sid {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Sid {
    fn borrow(&self) -> &str {
        self
    }
}

impl PartialEq for Sid {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Sid {}

impl PartialOrd for Sid {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sid {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other)
    }
}

impl Hash for Sid {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
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
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn an_id_is_twenty_characters_that_end_with_the_counter() {
        let id = Sid::from_parts([0xff; 12], 0x0100_0001);
        assert_eq!(id.as_str(), "________________AAAB");
    }

    #[test]
    fn ids_of_any_length_are_their_text() {
        let texts = [
            "",
            "1",
            "________________AAAB",
            "é_______________AAA",
            "21 characters are one",
        ];
        let sids: BTreeSet<_> = texts.into_iter().map(Sid::from).collect();
        let sorted: BTreeSet<_> = texts.into_iter().collect();
        assert!(sids.iter().map(Sid::as_str).eq(sorted));
        for text in texts {
            assert_eq!(sids.get(text), Some(&text.to_owned().into()));
        }
        assert_eq!(sids.get("________________AAAC"), None);
    }
}
