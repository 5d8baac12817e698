//! Names of namespaces against patterns, their queries of revision 3, and offsets of recovery.
#![no_main]

use fuzz::lossy;
use libfuzzer_sys::fuzz_target;
use socket_io::{Offset, fuzzing};

fuzz_target!(|data: &str| {
    let (pattern, name) = data.split_once('\n').unwrap_or(("/{a}/b-{c}.d", data));
    let name = lossy(name.as_bytes());
    if let Some(Some(params)) = fuzzing::match_path(pattern, &name) {
        for (param, value) in &params {
            assert!(!param.is_empty() && !value.is_empty() && !value.contains('/'));
            assert!(name.contains(value.as_str()));
        }
    }
    let (bare, auth) = fuzzing::read_eio3_namespace(&name);
    assert!(name.starts_with(bare) && !bare.contains('?'));
    if let Some(auth) = auth {
        auth.parse::<std::collections::HashMap<String, String>>()
            .expect("an object of strings");
    }
    if let Ok(offset) = name.parse::<Offset>() {
        assert_eq!(offset.to_string(), *name);
    }
});
