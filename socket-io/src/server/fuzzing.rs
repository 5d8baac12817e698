//! Doors to private readers, for the targets in `fuzz/`. Ordinary builds have no such module: it takes `--cfg fuzzing`.

use engine_io::Text;

use super::eio3;
use super::path::PathPattern;
use crate::protocol::RawJson;

/// The parameters that a pattern finds in a name; the outer `None` for what is no pattern.
pub fn match_path(pattern: &str, name: &Text) -> Option<Option<Vec<(Text, Text)>>> {
    let pattern = PathPattern::parse(pattern).ok()?;
    Some(pattern.matches(name).map(Vec::from))
}

/// The name of a namespace without its query, and what the query says, for clients of Socket.IO 2.
pub fn read_eio3_namespace(name: &str) -> (&str, Option<RawJson>) {
    (eio3::namespace(name), eio3::auth(name))
}
