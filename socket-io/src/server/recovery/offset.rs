//! Where an event stands in the log of its namespace.
//!
//! On the wire it is the last argument of the event, `42["news","hello","kZ3_xQ0aBc"]`: eight characters are the name of the log, the rest is the number of the
//! event, both in base64url digits.

use std::fmt;
use std::str::FromStr;

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// How many digits the name of a log has.
const NAME_DIGITS: usize = 8;

/// The position of an event in the log of a namespace. Logs have random names, so an offset of another log is recognised as such. As text it is opaque.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Offset {
    log: u64,
    number: u64,
}

impl Offset {
    /// Of the name, 48 bits count.
    pub(crate) fn new(log: u64, number: u64) -> Self {
        Self {
            log: log & ((1 << (6 * NAME_DIGITS)) - 1),
            number,
        }
    }

    /// Another position in the same log.
    pub(crate) fn at(self, number: u64) -> Self {
        Self { number, ..self }
    }

    /// Events of a log are numbered from 1; 0 is before the first.
    pub(crate) fn number(self) -> u64 {
        self.number
    }

    pub(crate) fn is_of_log_of(self, other: Self) -> bool {
        self.log == other.log
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; NAME_DIGITS + 11];
        let mut start = digits.len();
        let mut number = self.number;
        loop {
            start -= 1;
            digits[start] = DIGITS[(number % 64) as usize];
            number /= 64;
            if number == 0 {
                break;
            }
        }
        let mut log = self.log;
        for _ in 0..NAME_DIGITS {
            start -= 1;
            digits[start] = DIGITS[(log % 64) as usize];
            log /= 64;
        }
        f.write_str(std::str::from_utf8(&digits[start..]).map_err(|_| fmt::Error)?)
    }
}

/// Reads only what [`Display`](fmt::Display) writes.
impl FromStr for Offset {
    type Err = InvalidOffset;

    fn from_str(text: &str) -> Result<Self, InvalidOffset> {
        let (log, number) = text
            .as_bytes()
            .split_at_checked(NAME_DIGITS)
            .ok_or(InvalidOffset)?;
        let is_canonical =
            matches!(number, [_] | [b'B'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_', ..]);
        if !is_canonical {
            return Err(InvalidOffset);
        }
        Ok(Self {
            log: value(log)?,
            number: value(number)?,
        })
    }
}

fn value(digits: &[u8]) -> Result<u64, InvalidOffset> {
    digits.iter().try_fold(0_u64, |value, digit| {
        let digit = DIGITS.iter().position(|known| known == digit);
        let digit = digit.ok_or(InvalidOffset)? as u64;
        let value = value.checked_mul(64).ok_or(InvalidOffset)?;
        Ok(value | digit)
    })
}

/// The text is no [`Offset`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidOffset;

impl fmt::Display for InvalidOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no offset of a log of events")
    }
}

impl std::error::Error for InvalidOffset {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_survive_the_round_trip() {
        for (log, number, text) in [
            (0, 0, "AAAAAAAAA"),
            (1, 63, "AAAAAAAB_"),
            (u64::MAX, 64, "________BA"),
            (0x0012_3456_789a_bcde, u64::MAX, "NFZ4mrzeP__________"),
        ] {
            let offset = Offset::new(log, number);
            assert_eq!(offset.to_string(), text);
            assert_eq!(text.parse(), Ok(offset));
        }
    }

    #[test]
    fn what_is_no_offset_is_refused() {
        for text in [
            "",
            "A",
            "AAAAAAAA",
            "AAAAAAAAAB",
            "AAAAAAAAAA",
            "AAAAAAAA=",
            "AAAAAAA+A",
            "AAAAAAAA A",
            "AAAAAAAA________________",
            "ééééA",
            "AAAAAAAAQ__________",
        ] {
            assert_eq!(text.parse::<Offset>(), Err(InvalidOffset), "{text:?}");
        }
    }
}
