//! What handlers take on either side.

use std::sync::Arc;

use engine_io::Text;

/// The arguments of an event, as a type. A tuple (or an array) takes several arguments, `()` takes none, every other type the first. Missing arguments
/// read as `null`, so make them an `Option`; further ones are ignored.
///
/// Types that hold binary data use [`Binary`](crate::protocol::Binary) or [`Value`](crate::protocol::Value).
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs)] // to be taken apart in the argument list
pub struct Data<T>(pub T);

/// The name of an event.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs)] // to be taken apart in the argument list
pub struct EventName(pub Text);

/// State shared by all handlers, given to the builder.
#[derive(Debug)]
#[allow(clippy::exhaustive_structs)] // to be taken apart in the argument list
pub struct State<T>(pub Arc<T>);
