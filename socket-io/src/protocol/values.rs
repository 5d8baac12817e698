//! Data becomes values, for those who cannot take it as it is: other people's parsers, and arguments that came through another parser.
//!
//! | data | values |
//! |---|---|
//! | `(1, "a")` | `1`, `"a"` |
//! | `Binary(…)` | the data |
//! | `f64::NAN` | null, as in JSON |

use serde::Serialize;

use super::attachments::{Attachments, frame_data};
use super::encode::EncodeError;
use super::json_writer::{Behind, write_args};
use super::{Args, ArgsError, RawArgs, Value};

/// The arguments that emitting `data` would write, as JSON.
pub(super) fn to_args<T: Serialize + ?Sized>(data: &T) -> Result<RawArgs, EncodeError> {
    let mut attachments = Attachments::new(usize::MAX);
    let mut json = vec![b'['];
    write_args(&mut json, &mut attachments, data, Behind::Bracket)?;
    json.push(b']');
    let json = String::from_utf8(json).map_err(|error| EncodeError::Data(error.to_string()))?;
    let mut args = RawArgs::unchecked(json.into(), 1);
    args.attach(attachments.finish()?.iter().map(frame_data).collect());
    Ok(args)
}

/// The arguments that emitting `data` would write, as values.
pub(super) fn to_values<T: Serialize + ?Sized>(data: &T) -> Result<Vec<Value>, EncodeError> {
    let Args(values) = to_args(data)?.parse()?;
    Ok(values)
}

impl From<ArgsError> for EncodeError {
    fn from(error: ArgsError) -> Self {
        Self::Data(error.to_string())
    }
}
