//! Arguments: JSON and attachments, read as types and values.
#![no_main]

use fuzz::{check_args, text_and_attachments};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use socket_io::RawArgs;
use socket_io::protocol::encode_event;

fuzz_target!(|data: &[u8]| {
    let (text, attachments) = text_and_attachments(data);
    let count = attachments.len();
    let args = RawArgs::new(&text, attachments);
    if count == 0 && text.trim_start().starts_with('[') {
        let well_formed = serde_json::from_str::<IgnoredAny>(&text).is_ok();
        assert_eq!(args.is_ok(), well_formed);
    }
    let Ok(args) = args else {
        return;
    };
    assert_eq!(args.validate(), Ok(()));
    check_args(&args);
    let encoded = encode_event("/", "e", None, &args, count);
    assert_eq!(
        encoded.map(|encoded| encoded.attachments().len()),
        Ok(count)
    );
});
