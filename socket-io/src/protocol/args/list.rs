//! Arguments whose number is not known beforehand.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeTuple, Serializer};

/// Any number of arguments of one type, for instance [`Value`](super::super::Value): emitted, each item is an argument of its own, where a `Vec` is a single
/// argument; received, it takes all arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // a name for a list
pub struct Args<T>(pub Vec<T>);

impl<T: Serialize> Serialize for Args<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        for item in &self.0 {
            tuple.serialize_element(item)?;
        }
        tuple.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Args<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As a tuple it is read from all arguments, and no number of items means that none is made up.
        deserializer.deserialize_tuple(0, ListVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = Args<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("arguments")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Args<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Args(list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{AckId, RawArgs, Value, encode_ack};

    #[test]
    fn each_item_is_an_argument() {
        for json in ["[]", "[null]", r#"[1,"a",[2]]"#] {
            let args = RawArgs::new(json, Vec::new()).unwrap();
            let list: Args<Value> = args.parse_data().unwrap();
            let packet = encode_ack("/", AckId::new(7), &list, 10).unwrap();
            assert_eq!(packet.header().packet(), format!("437{json}").as_bytes());
        }
    }
}
