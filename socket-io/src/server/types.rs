//! Values by their type: shared state, and the data of a socket.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::sync::Arc;

/// At most one value of each type. Few are expected, so they stand in a list, which has no room for more: every socket has one.
#[derive(Clone, Default)]
pub(crate) struct TypeMap(Box<[(TypeId, Arc<dyn Any + Send + Sync>)]>);

impl TypeMap {
    /// Hands back the value that was there, so that the caller can drop it where no lock is held.
    #[must_use]
    pub(crate) fn insert<T: Send + Sync + 'static>(
        &mut self,
        value: T,
    ) -> Option<Arc<dyn Any + Send + Sync>> {
        let id = TypeId::of::<T>();
        let value = Arc::new(value);
        if let Some((_, known)) = self.0.iter_mut().find(|(known, _)| *known == id) {
            return Some(std::mem::replace(known, value));
        }
        let mut values = std::mem::take(&mut self.0).into_vec();
        values.reserve_exact(1);
        values.push((id, value));
        self.0 = values.into_boxed_slice();
        None
    }

    pub(crate) fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let (_, value) = self.0.iter().find(|(id, _)| *id == TypeId::of::<T>())?;
        value.clone().downcast().ok()
    }
}

impl fmt::Debug for TypeMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", type_name::<Self>(), self.0.len())
    }
}
