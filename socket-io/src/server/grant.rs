//! Authorization that ends: until when a socket may talk, and what happens then.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::error::{EmitError, Failure};
use super::packet::EventPacket;
use super::socket::Socket;
use crate::panic::caught;
use crate::protocol::DisconnectReason;

/// Until when a socket is authorized. When the time has come, nothing more is taken from it nor sent to it, and it leaves its namespace with
/// [`DisconnectReason::AuthorizationExpired`]; the connection and its other namespaces stay.
///
/// A socket gets one with [`Socket::authorize`], or from a middleware that returns it; the latest counts, so a client renews its authorization without
/// connecting anew. Without one, a socket is authorized for ever.
///
/// The end is a point of the monotonic clock from the moment on in which the grant is made: changes of the system's clock move it no more. A machine that
/// sleeps may stop the monotonic clock.
///
/// ```
/// # #[derive(serde::Deserialize)] struct Token { token: String }
/// # struct Claims { user: String, expires: std::time::SystemTime }
/// # fn verify(_: &str) -> Result<Claims, socket_io::Refusal> { Err(socket_io::Refusal::new("")) }
/// # let io = socket_io::SocketIo::builder().build();
/// use socket_io::{Auth, Data, Grant, Refusal, Socket, SocketData};
///
/// io.of("/")
///     .middleware(async |Auth(auth): Auth<Token>| verify(&auth.token))
///     .middleware(async |SocketData(claims): SocketData<Claims>| Ok::<_, Refusal>(Grant::until(claims.expires)))
///     .on("renew", async |socket: Socket, Data(token): Data<String>| {
///         let grant = Grant::until(verify(&token)?.expires);
///         socket.authorize(grant)?;
///         Ok::<_, Refusal>(grant.remaining().map(|time| time.as_secs()))
///     })
///     .farewell("expired", |_| "log in again");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grant(Option<Instant>);

impl Grant {
    /// Authorized for ever: what a socket is without a grant.
    pub const UNLIMITED: Self = Self(None);

    /// Authorized for so long from now on. With zero, the socket ends at once.
    pub fn lasting(time: Duration) -> Self {
        // What the clock cannot count to is never.
        Self(Instant::now().checked_add(time))
    }

    /// Authorized until a time of the system's clock, such as the `exp` of a JSON web token: `UNIX_EPOCH + Duration::from_secs(exp)`. How far away it is, is
    /// found out now.
    pub fn until(time: SystemTime) -> Self {
        Self::lasting(time.duration_since(SystemTime::now()).unwrap_or_default())
    }

    /// How much time is left; `None` when it is unlimited.
    pub fn remaining(&self) -> Option<Duration> {
        self.0
            .map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// When it ends by the system's clock as it is now; `None` when it is unlimited. Made into a grant again with [`until`](Self::until), it can be kept where
    /// another process finds it.
    pub fn expires_at(&self) -> Option<SystemTime> {
        SystemTime::now().checked_add(self.remaining()?)
    }
}

/// Why a socket could not be authorized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthorizeError {
    /// The socket has left.
    Disconnected,
    /// Its authorization has expired, which ends it for good.
    Expired,
}

impl fmt::Display for AuthorizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disconnected => "socket is disconnected",
            Self::Expired => EXPIRED,
        })
    }
}

impl std::error::Error for AuthorizeError {}

/// What a client is told whose authorization ends while it joins.
pub(crate) const EXPIRED: &str = "authorization expired";

/// Makes the last event of a socket whose authorization has expired.
pub(crate) type Farewell =
    Arc<dyn for<'a> Fn(&'a Socket) -> Result<EventPacket<'a>, EmitError> + Send + Sync>;

/// The end of a socket's authorization, in nanoseconds since the server was made. That is a load and a comparison where there is none.
pub(crate) struct Deadline(AtomicU64);

const NEVER: u64 = u64::MAX;

impl Default for Deadline {
    fn default() -> Self {
        Self(AtomicU64::new(NEVER))
    }
}

impl Socket {
    /// Sets until when the socket is authorized, in place of what was said before. See [`Grant`].
    ///
    /// May be called at any time, and by anybody. A grant that is over already ends the socket at once; this is how to revoke one.
    ///
    /// # Errors
    ///
    /// [`AuthorizeError::Expired`] when the previous grant is over, so that a renewal that comes too late changes nothing;
    /// [`AuthorizeError::Disconnected`] when the socket has left.
    pub fn authorize(&self, grant: Grant) -> Result<(), AuthorizeError> {
        if self.has_left() {
            return Err(AuthorizeError::Disconnected);
        }
        let epoch = self.connection().io.epoch();
        let now = since(epoch, Instant::now());
        let deadline = grant.0.map_or(NEVER, |end| since(epoch, end));
        let in_time = |previous| (previous > now).then_some(deadline);
        self.deadline()
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, in_time)
            .map_err(|_| AuthorizeError::Expired)?;
        if let Some(end) = grant.0 {
            self.connection().expect_expiry(end);
        }
        Ok(())
    }

    /// Until when the socket is authorized.
    pub fn grant(&self) -> Grant {
        Grant(self.expiry())
    }

    pub(crate) fn expiry(&self) -> Option<Instant> {
        match self.deadline().0.load(Ordering::Acquire) {
            NEVER => None,
            nanoseconds => Some(self.connection().io.epoch() + Duration::from_nanos(nanoseconds)),
        }
    }

    pub(crate) fn has_expired(&self) -> bool {
        match self.deadline().0.load(Ordering::Acquire) {
            NEVER => false,
            deadline => since(self.connection().io.epoch(), Instant::now()) >= deadline,
        }
    }

    /// Says the last words and leaves. Called in the connection's task.
    pub(crate) fn expire(&self) {
        if !self.is_connected() {
            return;
        }
        if let Some(farewell) = self.namespace().registry().farewell() {
            let sent = match caught(|| farewell(self)) {
                Ok(packet) => packet
                    .and_then(|packet| {
                        if self.watches_outgoing() {
                            self.tell_outgoing(&packet);
                        }
                        let packet = packet.encoded();
                        let sender = &self.connection().sender;
                        Ok(sender.send_frames(packet.header(), packet.attachments())?)
                    })
                    .map_err(Failure::Farewell),
                Err(panic) => Err(panic.into()),
            };
            match sent {
                // A connection that is closing needs no farewell.
                Ok(()) | Err(Failure::Farewell(EmitError::Disconnected)) => {}
                Err(failure) => self.report(engine_io::Text::from_static("disconnect"), failure),
            }
        }
        self.say_goodbye();
        self.leave_namespace(DisconnectReason::AuthorizationExpired);
    }
}

fn since(epoch: Instant, time: Instant) -> u64 {
    let time = time.saturating_duration_since(epoch).as_nanos();
    // After 584 years the end does not come.
    u64::try_from(time).unwrap_or(NEVER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::tests::Peer;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_time_of_the_system_s_clock_is_a_time_from_now() {
        let grant = Grant::until(SystemTime::now() + MINUTE);
        let remaining = grant.remaining().unwrap();
        assert!(
            remaining <= MINUTE && remaining > MINUTE / 2,
            "{remaining:?}"
        );
        let again = Grant::until(grant.expires_at().unwrap());
        assert!(again.remaining().unwrap() <= remaining);
        tokio::time::advance(2 * MINUTE).await;
        assert_eq!(grant.remaining(), Some(Duration::ZERO));
        let past = Grant::until(SystemTime::UNIX_EPOCH);
        assert_eq!(past.remaining(), Some(Duration::ZERO));
    }

    #[tokio::test]
    async fn times_beyond_the_clock_are_never() {
        assert_eq!(Grant::lasting(Duration::MAX), Grant::UNLIMITED);
        assert_eq!(Grant::UNLIMITED.remaining(), None);
        assert_eq!(Grant::UNLIMITED.expires_at(), None);
        let socket = Peer::new().await.socket();
        socket
            .authorize(Grant::lasting(Duration::from_secs(u64::MAX / 4)))
            .unwrap();
        assert!(!socket.has_expired());
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_expired_cannot_be_renewed() {
        let socket = Peer::new().await.socket();
        assert_eq!(socket.grant(), Grant::UNLIMITED);
        let grant = Grant::lasting(MINUTE);
        socket.authorize(grant).unwrap();
        assert_eq!(socket.grant(), grant);
        tokio::time::advance(MINUTE - Duration::from_nanos(1)).await;
        assert!(!socket.has_expired());
        tokio::time::advance(Duration::from_nanos(1)).await;
        assert!(socket.has_expired());
        assert_eq!(
            socket.authorize(Grant::lasting(MINUTE)),
            Err(AuthorizeError::Expired)
        );
        assert_eq!(
            socket.authorize(Grant::UNLIMITED),
            Err(AuthorizeError::Expired)
        );
        assert_eq!(socket.emit("x", &()), Err(EmitError::Expired));
        socket.leave_namespace(DisconnectReason::TransportClose);
        assert_eq!(socket.authorize(grant), Err(AuthorizeError::Disconnected));
    }

    #[tokio::test(start_paused = true)]
    async fn a_grant_may_be_shortened_and_taken_back() {
        let socket = Peer::new().await.socket();
        socket.authorize(Grant::lasting(MINUTE)).unwrap();
        socket.authorize(Grant::lasting(MINUTE / 2)).unwrap();
        tokio::time::advance(MINUTE / 4).await;
        socket.authorize(Grant::UNLIMITED).unwrap();
        tokio::time::advance(MINUTE).await;
        assert!(!socket.has_expired());
        socket.authorize(Grant::lasting(Duration::ZERO)).unwrap();
        assert!(socket.has_expired());
    }
}
