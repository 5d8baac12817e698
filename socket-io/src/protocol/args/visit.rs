//! From the array of a packet to a type.
//!
//! | type | reads `["e",1,2]` as | reads `["e"]` as |
//! |---|---|---|
//! | `(i32,)` | `(1,)` | an error |
//! | `(i32, Option<i32>)` | `(1, Some(2))` | an error |
//! | `(Option<i32>,)` | `(Some(1),)` | `(None,)` |
//! | `Vec<i32>` | `[1, 2]` | `[]` |
//! | `()` | `()` | `()` |

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::UnitDeserializer;
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

/// Which arguments a type is read from.
#[derive(Clone, Copy)]
pub(in crate::protocol) enum Wanted {
    /// All, as one sequence.
    All,
    /// The first, or null.
    First,
}

/// Walks the array of a packet: steps over the name, reads what is wanted, ignores the rest.
pub(in crate::protocol) struct ArgsVisitor<T> {
    /// Whether the name of an event comes first.
    named: bool,
    wanted: Wanted,
    target: PhantomData<T>,
}

impl<T> ArgsVisitor<T> {
    pub(in crate::protocol) fn new(named: bool, wanted: Wanted) -> Self {
        Self {
            named,
            wanted,
            target: PhantomData,
        }
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for ArgsVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of arguments")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<T, A::Error> {
        if self.named {
            items.next_element::<IgnoredAny>()?;
        }
        let value = match self.wanted {
            Wanted::All => T::deserialize(ArgsDeserializer(&mut items))?,
            Wanted::First => match items.next_element()? {
                Some(value) => value,
                None => T::deserialize(UnitDeserializer::new())?,
            },
        };
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(value)
    }
}

/// Offers the arguments as a sequence.
struct ArgsDeserializer<'a, A>(&'a mut A);

impl<'de, A: SeqAccess<'de>> Deserializer<'de> for ArgsDeserializer<'_, A> {
    type Error = A::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_seq(Padded {
            items: self.0,
            missing: 0,
        })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        visitor.visit_seq(Padded {
            items: self.0,
            missing: length,
        })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf seq map enum identifier ignored_any
    }
}

/// The arguments, followed by as many nulls as are missing.
struct Padded<'a, A> {
    items: &'a mut A,
    missing: usize,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Padded<'_, A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, A::Error> {
        // A seed is used up by asking, so whether an item is there must be known before: see `Keep`.
        let mut seed = Some(seed);
        let found = self.items.next_element_seed(Keep(&mut seed))?;
        let padded = self.missing > 0;
        self.missing = self.missing.saturating_sub(1);
        match (found, seed) {
            (None, Some(seed)) if padded => seed.deserialize(UnitDeserializer::new()).map(Some),
            (found, _) => Ok(found),
        }
    }
}

/// Takes the seed only when there is something to read with it.
struct Keep<'a, T>(&'a mut Option<T>);

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for Keep<'_, T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T::Value, D::Error> {
        match self.0.take() {
            Some(seed) => seed.deserialize(deserializer),
            None => Err(de::Error::custom("an item was read twice")),
        }
    }
}

/// Where a type finds its data: where writing it puts it.
pub(super) fn wanted_by<'de, T: Deserialize<'de>>() -> Wanted {
    match T::deserialize(ShapeProbe) {
        Err(Shape::Sequence) => Wanted::All,
        Err(Shape::Single) | Ok(_) => Wanted::First,
    }
}

/// Finds out what a type asks a deserializer for first; reads nothing.
struct ShapeProbe;

#[derive(Debug)]
enum Shape {
    Sequence,
    Single,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a type was probed")
    }
}

impl std::error::Error for Shape {}

impl de::Error for Shape {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Single
    }
}

impl<'de> Deserializer<'de> for ShapeProbe {
    type Error = Shape;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Shape> {
        Err(Shape::Single)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Shape> {
        Err(Shape::Sequence)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Shape> {
        Err(Shape::Sequence)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit_struct newtype_struct seq tuple_struct map
        struct enum identifier ignored_any
    }
}
