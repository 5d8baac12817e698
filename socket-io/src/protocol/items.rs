//! What the writers of both formats have in common: serde's six traits for the insides of arrays and structs, over the two ways of adding to them.

/// Implements serde's traits for sequences and structs with the methods `item`, `field` and `end` of a type with two lifetimes.
macro_rules! serialize_items {
    ($items:ident) => {
        serialize_items! { $items: sequence
            SerializeSeq serialize_element,
            SerializeTuple serialize_element,
            SerializeTupleStruct serialize_field,
            SerializeTupleVariant serialize_field,
        }
        serialize_items! { $items: structure
            SerializeStruct,
            SerializeStructVariant,
        }
    };
    ($items:ident: sequence $($trait:ident $method:ident,)*) => {$(
        impl ser::$trait for $items<'_, '_> {
            type Ok = ();
            type Error = EncodeError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
                self.item(value)
            }

            fn end(self) -> Result<(), EncodeError> {
                $items::end(self)
            }
        }
    )*};
    ($items:ident: structure $($trait:ident,)*) => {$(
        impl ser::$trait for $items<'_, '_> {
            type Ok = ();
            type Error = EncodeError;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), EncodeError> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), EncodeError> {
                $items::end(self)
            }
        }
    )*};
}

pub(super) use serialize_items;
