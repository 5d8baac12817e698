//! Numbers as JSON writes them: `1`, `-1`, `1.5`.

use std::fmt;

use serde::ser::{Serialize, Serializer};

/// An integer of 64 bits, signed or not, or a float, which may be infinite when a peer sends `1e400`.
#[derive(Clone, Copy, PartialEq)]
pub struct Number(Repr);

#[derive(Clone, Copy, PartialEq)]
enum Repr {
    /// Every integer that is not negative.
    Unsigned(u64),
    /// Negative integers only.
    Negative(i64),
    Float(f64),
}

impl Number {
    /// Reads what JSON calls a number; what is none becomes NaN.
    pub(in crate::protocol) fn from_digits(digits: &str) -> Self {
        if let Ok(number) = digits.parse::<u64>() {
            return number.into();
        }
        match digits.parse::<i64>() {
            Ok(number) if number != 0 => number.into(),
            _ => digits.parse().unwrap_or(f64::NAN).into(),
        }
    }

    /// The number, if it is an integer that fits.
    pub fn as_i64(self) -> Option<i64> {
        match self.0 {
            Repr::Unsigned(number) => number.try_into().ok(),
            Repr::Negative(number) => Some(number),
            Repr::Float(_) => None,
        }
    }

    /// The number, if it is an integer that fits.
    pub fn as_u64(self) -> Option<u64> {
        match self.0 {
            Repr::Unsigned(number) => Some(number),
            Repr::Negative(_) | Repr::Float(_) => None,
        }
    }

    /// The number; big integers are rounded.
    pub fn as_f64(self) -> f64 {
        match self.0 {
            Repr::Unsigned(number) => number as f64,
            Repr::Negative(number) => number as f64,
            Repr::Float(number) => number,
        }
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self(Repr::Unsigned(number))
    }
}

impl From<i64> for Number {
    fn from(number: i64) -> Self {
        match u64::try_from(number) {
            Ok(number) => Self(Repr::Unsigned(number)),
            Err(_) => Self(Repr::Negative(number)),
        }
    }
}

impl From<u32> for Number {
    fn from(number: u32) -> Self {
        u64::from(number).into()
    }
}

impl From<i32> for Number {
    fn from(number: i32) -> Self {
        i64::from(number).into()
    }
}

impl From<f64> for Number {
    fn from(number: f64) -> Self {
        Self(Repr::Float(number))
    }
}

impl From<serde_json::Number> for Number {
    fn from(number: serde_json::Number) -> Self {
        match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => number.into(),
            (None, Some(number)) => number.into(),
            (None, None) => number.as_f64().unwrap_or(f64::NAN).into(),
        }
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Repr::Unsigned(number) => serializer.serialize_u64(number),
            Repr::Negative(number) => serializer.serialize_i64(number),
            Repr::Float(number) => serializer.serialize_f64(number),
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Repr::Unsigned(number) => fmt::Debug::fmt(&number, f),
            Repr::Negative(number) => fmt::Debug::fmt(&number, f),
            Repr::Float(number) => fmt::Debug::fmt(&number, f),
        }
    }
}
