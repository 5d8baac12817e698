//! Arguments: JSON and attachments, read as types and values.
#![no_main]

use fuzz::{check_args, text_and_attachments};
use libfuzzer_sys::fuzz_target;
use socket_io::RawArgs;
use socket_io::protocol::encode_event;

fuzz_target!(|data: &[u8]| {
    let (text, attachments) = text_and_attachments(data);
    let count = attachments.len();
    let Ok(args) = RawArgs::new(&text, attachments) else {
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
