//! The two HTTP requests of long-polling: at most one GET and one POST at a time.

/// Which requests are under way. On a server a busy GET is parked, waiting for something to send; on a client it is outstanding.
#[derive(Debug, Default)]
pub(crate) struct Polling {
    pub(crate) get: bool,
    pub(crate) post: bool,
    /// The parked GET came when the session was closing already.
    pub(crate) late: bool,
    /// A client's last POST, the close packet, is under way: its answer ends the session.
    pub(crate) goodbye: bool,
}

impl Polling {
    pub(crate) fn is_idle(&self) -> bool {
        !self.get && !self.post
    }
}
