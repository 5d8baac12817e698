//! What happens at the limit of an outbox.

/// What happens to a packet for which a client's outbox has no room, because the client reads too slowly; see
/// [`outbox_limit`](crate::SocketIoBuilder::outbox_limit). Nothing of the packet is queued, whatever the policy; the others get theirs.
///
/// What waits keeps its order under each of them. The difference is in what is missing, and who learns of it:
///
/// | policy | the client | the program |
/// |---|---|---|
/// | `Disconnect` | misses nothing as long as it is connected; it comes back and starts anew | an error, or [`Outcome::Overflowed`](crate::Outcome::Overflowed) |
/// | `Reject` | misses what the program does not send again | an error; in a broadcast [`Outcome::Dropped`](crate::Outcome::Dropped) |
/// | `DropNewest` | misses the newest, and gets what waits | [`Outcome::Dropped`](crate::Outcome::Dropped) |
///
/// Of a value of which only the newest matters there is another way, which does not come to the limit at all: [`Emit::latest`](crate::Emit::latest).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OverflowPolicy {
    /// The client's connection is closed at once, with all its namespaces; what waits is lost. The default of broadcasts: a gap would go unnoticed.
    Disconnect,
    /// The packet is not queued, and the program is told: [`EmitError::Full`](crate::EmitError::Full). The default of events for one client. In a broadcast,
    /// where there is no error for one recipient, it is the same as [`DropNewest`](Self::DropNewest).
    Reject,
    /// The packet is not queued, and that is no error.
    DropNewest,
}
