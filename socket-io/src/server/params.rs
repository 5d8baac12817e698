//! The parameters in a namespace's name, as a type.

use std::fmt;

use engine_io::Text;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::error::Failure;
use super::extract::{Context, FromContext};

/// The parameters of the socket's namespace, which a [path](crate::SocketIo::of_path) or the named groups of a [regular expression](crate::SocketIo::of_regex)
/// found in its name. A struct or map takes them by name, a tuple by position, every other type the only one. They are text of the client's choice.
///
/// ```
/// # let io = socket_io::SocketIo::builder().build();
/// use socket_io::{Params, Refusal};
///
/// #[derive(serde::Deserialize)]
/// struct Place { project: u32, room: String }
///
/// io.of_path("/project/{project}/room/{room}")
///     .middleware(async |Params(place): Params<Place>| match place.project {
///         0 => Err(Refusal::new("no such project")),
///         _ => Ok(place),
///     })
///     .on("where", async |Params((project, room)): Params<(u32, String)>| format!("{project}, {room}"));
/// ```
///
/// A middleware that takes them refuses the client whose namespace has others: `/project/x/room/1` is `parameter project: not of type u32: "x"`.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs)] // to be taken apart in the argument list
pub struct Params<T>(pub T);

impl<T: DeserializeOwned> FromContext for Params<T> {
    fn from_context(context: &Context) -> Result<Self, Failure> {
        let params = context.socket.namespace().params();
        params.map(Self).map_err(Failure::Params)
    }
}

/// Why the parameters of a namespace are not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParamsError {
    /// A parameter cannot be read as its type: the doing of the client, who chose the name.
    Invalid {
        /// The parameter's name.
        name: Text,
        /// What the client wrote.
        value: Text,
        /// What is wrong with it.
        reason: String,
    },
    /// The type has a field that is no parameter of the namespace.
    Missing(&'static str),
    /// The type takes another number of parameters than the namespace has.
    Count {
        /// How many the type takes.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// What the type itself says.
    Other(String),
}

impl ParamsError {
    /// Whether another name would have done.
    pub(crate) fn is_clients(&self) -> bool {
        matches!(self, Self::Invalid { .. })
    }
}

impl fmt::Display for ParamsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid {
                name,
                value,
                reason,
            } => write!(f, "parameter {name}: {reason}: {value:?}"),
            Self::Missing(name) => write!(f, "the namespace has no parameter {name}"),
            Self::Count { expected, found } => {
                write!(f, "the namespace has {found} parameters, not {expected}")
            }
            Self::Other(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for ParamsError {}

impl de::Error for ParamsError {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self::Other(reason.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }
}

/// All parameters of a namespace.
#[derive(Clone, Copy)]
pub(crate) struct List<'de>(pub(crate) &'de [(Text, Text)]);

impl<'de> List<'de> {
    fn values(self) -> impl Iterator<Item = Value<'de>> {
        self.0.iter().map(|(name, text)| Value { name, text })
    }

    fn check_count(self, expected: usize) -> Result<(), ParamsError> {
        let found = self.0.len();
        if found == expected {
            return Ok(());
        }
        Err(ParamsError::Count { expected, found })
    }

    fn only(self) -> Result<Value<'de>, ParamsError> {
        self.check_count(1)?;
        let [(name, text)] = self.0 else {
            return Err(ParamsError::Missing(""));
        };
        Ok(Value { name, text })
    }
}

macro_rules! of_the_only_one {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParamsError> {
            self.only()?.$method(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for List<'de> {
    type Error = ParamsError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParamsError> {
        let entries = self.values().map(|value| (value.name.as_str(), value));
        visitor.visit_map(MapDeserializer::new(entries))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParamsError> {
        visitor.visit_seq(SeqDeserializer::new(self.values()))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, ParamsError> {
        self.check_count(length)?;
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, ParamsError> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ParamsError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParamsError> {
        if self.0.is_empty() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParamsError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ParamsError> {
        visitor.visit_unit()
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ParamsError> {
        self.only()?.deserialize_enum(name, variants, visitor)
    }

    of_the_only_one! {
        deserialize_bool deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64
    }

    forward_to_deserialize_any! { map struct identifier ignored_any }
}

/// One parameter.
#[derive(Clone, Copy)]
struct Value<'de> {
    name: &'de Text,
    text: &'de Text,
}

impl Value<'_> {
    /// An error that arose from this parameter says so.
    fn located<T>(self, result: Result<T, ParamsError>) -> Result<T, ParamsError> {
        result.map_err(|error| match error {
            ParamsError::Other(reason) => ParamsError::Invalid {
                name: self.name.clone(),
                value: self.text.clone(),
                reason,
            },
            located => located,
        })
    }
}

macro_rules! parsed {
    ($($method:ident $visit:ident $type:ident;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParamsError> {
            let parsed = self.text.parse::<$type>();
            let parsed = parsed.map_err(|_| ParamsError::Other(concat!("not of type ", stringify!($type)).into()));
            self.located(parsed.and_then(|value| visitor.$visit(value)))
        }
    )*};
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = ParamsError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParamsError> {
        self.located(visitor.visit_borrowed_str(self.text))
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParamsError> {
        self.located(visitor.visit_borrowed_bytes(self.text.as_bytes()))
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParamsError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParamsError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ParamsError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ParamsError> {
        self.located(visitor.visit_enum(self.text.as_str().into_deserializer()))
    }

    parsed! {
        deserialize_bool visit_bool bool;
        deserialize_char visit_char char;
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
        deserialize_i128 visit_i128 i128;
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
        deserialize_u128 visit_u128 u128;
        deserialize_f32 visit_f32 f32;
        deserialize_f64 visit_f64 f64;
    }

    forward_to_deserialize_any! {
        str string unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, ParamsError> for Value<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde::Deserialize;

    use super::*;

    fn parse<T: DeserializeOwned>(params: &[(&str, &str)]) -> Result<T, ParamsError> {
        let list = params.iter();
        let list: Vec<(Text, Text)> = list
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect();
        T::deserialize(List(&list))
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Open,
        Closed,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Id(u16);

    #[derive(Debug, PartialEq, Deserialize)]
    struct Place {
        id: Id,
        kind: Kind,
        missing: Option<u8>,
        there: Option<String>,
    }

    const BOTH: [(&str, &str); 2] = [("id", "7"), ("kind", "open")];

    #[test]
    fn structs_take_parameters_by_name_and_tuples_by_position() {
        let place = Place {
            id: Id(7),
            kind: Kind::Open,
            missing: None,
            there: Some("x".into()),
        };
        let all = [("there", "x"), ("kind", "open"), ("id", "7"), ("more", "")];
        assert_eq!(parse(&all), Ok(place));
        assert_eq!(parse(&BOTH), Ok((7, Kind::Open)));
        assert_eq!(parse(&BOTH), Ok(["7".to_owned(), "open".to_owned()]));
        assert_eq!(parse(&BOTH), Ok(vec!["7".to_owned(), "open".to_owned()]));
        let map: HashMap<String, String> = parse(&BOTH).unwrap();
        assert_eq!((map.len(), &*map["kind"]), (2, "open"));
        assert_eq!(parse(&BOTH), Ok(()));
    }

    #[test]
    fn other_types_take_the_only_one() {
        assert_eq!(parse(&[("id", "-7")]), Ok(-7_i64));
        assert_eq!(parse(&[("id", "7")]), Ok(Id(7)));
        assert_eq!(parse(&[("id", "7.5")]), Ok(7.5_f32));
        assert_eq!(parse(&[("id", "true")]), Ok(true));
        assert_eq!(parse(&[("id", "ß")]), Ok('ß'));
        assert_eq!(parse(&[("id", "ß")]), Ok("ß".to_owned()));
        assert_eq!(parse(&[("id", "closed")]), Ok(Kind::Closed));
        assert_eq!(parse(&[("id", "7")]), Ok(Some(7_u8)));
        assert_eq!(parse::<Option<u8>>(&[]), Ok(None));
        assert_eq!(parse(&[("id", "7")]), Ok((7_u128,)));
    }

    #[test]
    fn errors_say_which_parameter_and_why() {
        fn error<T: DeserializeOwned + fmt::Debug>(params: &[(&str, &str)]) -> (String, bool) {
            let error = parse::<T>(params).unwrap_err();
            (error.to_string(), error.is_clients())
        }
        let count = |text: &str| (text.to_owned(), false);
        assert_eq!(
            error::<u8>(&[("id", "256")]),
            (r#"parameter id: not of type u8: "256""#.into(), true)
        );
        assert_eq!(
            error::<Kind>(&[("kind", "half")]),
            (
                r#"parameter kind: unknown variant `half`, expected `open` or `closed`: "half""#
                    .into(),
                true
            )
        );
        assert_eq!(
            error::<(u8, Vec<u8>)>(&BOTH),
            (
                r#"parameter kind: invalid type: string "open", expected a sequence: "open""#
                    .into(),
                true
            )
        );
        assert_eq!(
            error::<u8>(&BOTH),
            count("the namespace has 2 parameters, not 1")
        );
        assert_eq!(
            error::<(u8, u8)>(&[]),
            count("the namespace has 0 parameters, not 2")
        );
        assert_eq!(
            error::<Place>(&[("id", "7")]),
            count("the namespace has no parameter kind")
        );
    }
}
