//! Values of JavaScript for which JSON has no form of their own, but MessagePack has.
//!
//! | value | JSON | MessagePack |
//! |---|---|---|
//! | [`Date`] | `"1970-01-01T00:00:01.000Z"` | `d7 00` and the milliseconds |
//! | [`Undefined`] | `null` | `d4 00 00` |
//! | [`ArrayBuffer`] | an attachment | `c7 02 00 01 02` |
//! | [`Binary`] | an attachment | `c4 02 01 02`, a `Buffer` |
//!
//! Source: lib/encode.js of notepack.io 2.2.0; `Date.prototype.toISOString`.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};

use super::Binary;

/// The name under which MessagePack recognises a date.
pub(super) const DATE: &str = "$socket_io::private::Date";
/// The name under which MessagePack recognises `undefined`.
pub(super) const UNDEFINED: &str = "$socket_io::private::Undefined";
/// The name under which MessagePack recognises an `ArrayBuffer`.
pub(super) const ARRAY_BUFFER: &str = "$socket_io::private::ArrayBuffer";

/// A point in time as JavaScript has it: milliseconds since 1970, 100 million days each way.
///
/// A client that uses MessagePack gets and sends a `Date`; elsewhere it is the string that `JSON.stringify` makes of one. Read into another type, it is
/// that string with MessagePack, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Date(i64);

/// The furthest that a `Date` goes.
const LIMIT: i64 = 8_640_000_000_000_000;
const DAY: i64 = 86_400_000;

impl Date {
    /// The date so many milliseconds after 1970 in UTC, or the first or last one there is.
    pub const fn from_millis(millis: i64) -> Self {
        Self(if millis > LIMIT {
            LIMIT
        } else if millis < -LIMIT {
            -LIMIT
        } else {
            millis
        })
    }

    /// Milliseconds since 1970 in UTC.
    pub const fn as_millis(self) -> i64 {
        self.0
    }
}

impl From<SystemTime> for Date {
    fn from(time: SystemTime) -> Self {
        Self::from_millis(match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(LIMIT),
            Err(before) => {
                i64::try_from(before.duration().as_millis()).map_or(-LIMIT, |millis| -millis)
            }
        })
    }
}

impl From<Date> for SystemTime {
    fn from(Date(millis): Date) -> Self {
        let distance = Duration::from_millis(millis.unsigned_abs());
        let time = if millis < 0 {
            UNIX_EPOCH.checked_sub(distance)
        } else {
            UNIX_EPOCH.checked_add(distance)
        };
        // Not every system's clock goes that far.
        time.unwrap_or(UNIX_EPOCH)
    }
}

/// `1970-01-01T00:00:01.000Z`; years of more than four digits have six, and a sign.
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.0.div_euclid(DAY));
        let time = self.0.rem_euclid(DAY);
        match year {
            0..=9999 => write!(f, "{year:04}")?,
            _ => write!(f, "{year:+07}")?,
        }
        let (seconds, millis) = (time / 1000, time % 1000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(
            f,
            "-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"
        )
    }
}

/// Reads what [`Display`](fmt::Display) writes; the milliseconds may be missing.
impl FromStr for Date {
    type Err = InvalidDate;

    fn from_str(text: &str) -> Result<Self, InvalidDate> {
        parse(text).ok_or(InvalidDate)
    }
}

/// A text is no date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidDate;

impl fmt::Display for InvalidDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a date like 1970-01-01T00:00:00.000Z")
    }
}

impl std::error::Error for InvalidDate {}

fn parse(text: &str) -> Option<Date> {
    let year_digits = if text.starts_with(['+', '-']) { 7 } else { 4 };
    let year: i64 = text.get(..year_digits)?.parse().ok()?;
    let rest = text.get(year_digits..)?.strip_suffix('Z')?;
    let (rest, millis) = match rest.split_once('.') {
        Some((rest, millis)) => (rest, number(millis, 3)?),
        None => (rest, 0),
    };
    let (date, time) = rest.split_once('T')?;
    let (month, day) = date.strip_prefix('-')?.split_once('-')?;
    let (month, day) = (number(month, 2)?, number(day, 2)?);
    let (hour, time) = time.split_once(':')?;
    let (minute, second) = time.split_once(':')?;
    let (hour, minute, second) = (number(hour, 2)?, number(minute, 2)?, number(second, 2)?);
    let in_order = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let days = days(year, month, day);
    if !in_order || civil(days) != (year, month, day) {
        return None;
    }
    let millis = days * DAY + ((hour * 60 + minute) * 60 + second) * 1000 + millis;
    (millis.abs() <= LIMIT).then_some(Date(millis))
}

fn number(digits: &str, count: usize) -> Option<i64> {
    let digits = Some(digits).filter(|digits| digits.len() == count)?;
    digits
        .bytes()
        .all(|digit| digit.is_ascii_digit())
        .then(|| digits.parse().ok())?
}

/// Days from 1970-01-01 to a day of the Gregorian calendar. Years begin in March here, so that leap days come last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month < 3);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + day_of_year - 719_468
}

/// The day of the Gregorian calendar so many days after 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + i64::from(month < 3), month, day)
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Text(Date);

        impl Serialize for Text {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        serializer.serialize_newtype_struct(DATE, &Text(*self))
    }
}

/// Takes a date, its text, or its milliseconds.
impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(DATE, DateVisitor)
    }
}

struct DateVisitor;

impl<'de> Visitor<'de> for DateVisitor {
    type Value = Date;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a date")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Date, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_i64<E>(self, millis: i64) -> Result<Date, E> {
        Ok(Date::from_millis(millis))
    }

    fn visit_u64<E>(self, millis: u64) -> Result<Date, E> {
        Ok(Date::from_millis(i64::try_from(millis).unwrap_or(LIMIT)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Date, E> {
        text.parse()
            .map_err(|_| Error::invalid_value(Unexpected::Str(text), &self))
    }
}

/// `undefined`, where it must not be `null`. Elsewhere `()` and `None` will do, which are read from both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // there is only one
pub struct Undefined;

impl Serialize for Undefined {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit_struct(UNDEFINED)
    }
}

/// Binary data that a client with MessagePack gets as an `ArrayBuffer` instead of a `Buffer`. [`Binary`] reads both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // a plain wrapper
pub struct ArrayBuffer(pub Binary);

impl Serialize for ArrayBuffer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(ARRAY_BUFFER, &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_javascript_does() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1000, "1970-01-01T00:00:01.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_709_164_800_123, "2024-02-29T00:00:00.123Z"),
            (-2_203_891_200_000, "1900-03-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "+010000-01-01T00:00:00.000Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
            (-62_167_219_200_001, "-000001-12-31T23:59:59.999Z"),
            (LIMIT, "+275760-09-13T00:00:00.000Z"),
            (-LIMIT, "-271821-04-20T00:00:00.000Z"),
        ] {
            let date = Date::from_millis(millis);
            assert_eq!(date.to_string(), text);
            assert_eq!(text.parse(), Ok(date), "{text}");
        }
        assert_eq!(Date::from_millis(i64::MAX).as_millis(), LIMIT);
        assert_eq!(Date::from_millis(i64::MIN).as_millis(), -LIMIT);
    }

    #[test]
    fn every_day_survives_the_round_trip() {
        for day in (-100_000_000..=100_000_000).step_by(997) {
            let date = Date::from_millis(day * DAY + day.rem_euclid(DAY));
            assert_eq!(date.to_string().parse(), Ok(date));
            let shown = civil(day);
            assert_eq!(days(shown.0, shown.1, shown.2), day);
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "1970-01-01",
            "1970-13-01T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:00:00.00Z",
            "1970-01-01T00:00:00",
            "1970-01-01T0é:00:00Z",
            "+275760-09-13T00:00:00.001Z",
            "+999999-01-01T00:00:00Z",
            "+0x970-01-01T00:00:00Z",
        ] {
            assert_eq!(text.parse::<Date>(), Err(InvalidDate), "{text}");
        }
    }

    #[test]
    fn the_clock_of_the_system_is_understood() {
        for millis in [0, 1, -1, 951_782_400_123, -951_782_400_123] {
            let date = Date::from_millis(millis);
            assert_eq!(Date::from(SystemTime::from(date)), date);
        }
    }
}
