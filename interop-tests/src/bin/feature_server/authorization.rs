//! Who may do what, and for how long: checks of requests, middlewares for events, and grants.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::json;
use socket_io::{
    Auth, Data, DisconnectReason, EventName, Grant, RawArgs, Refusal, Socket, SocketIo, State,
};

/// Middlewares for events: `forbidden` is refused, `slow` waits for so many milliseconds; every event is acknowledged with its arguments, and `errors` with
/// what the error hook was told.
pub(crate) fn event_middleware() -> SocketIo {
    let errors: Arc<Mutex<Vec<String>>> = Arc::default();
    let hook = errors.clone();
    let io = SocketIo::builder()
        .on_error(move |error| hook.lock().unwrap().push(error.to_string()))
        .state(errors)
        .build();
    io.of("/")
        .event_middleware(
            async |EventName(name): EventName, Data(delay): Data<Option<u64>>| match &*name {
                "forbidden" => Err(Refusal::new("forbidden").with_data(&json!({"code": 1}))?),
                "slow" => {
                    tokio::time::sleep(Duration::from_millis(delay.unwrap_or_default())).await;
                    Ok(())
                }
                _ => Ok(()),
            },
        )
        .on("slow", seen)
        .on("fast", seen)
        .on("forbidden", seen)
        .on(
            "errors",
            async |State(errors): State<Arc<Mutex<Vec<String>>>>| errors.lock().unwrap().len(),
        );
    io
}

/// Tells the client that an event has come to its handler.
async fn seen(
    socket: Socket,
    EventName(name): EventName,
    args: RawArgs,
) -> Result<RawArgs, Refusal> {
    socket.emit("seen", &*name)?;
    Ok(args)
}

#[derive(Deserialize)]
struct Token {
    /// The time in milliseconds for which it is good.
    good: Option<u64>,
}

impl Token {
    fn grant(&self) -> Grant {
        let end = |good| Grant::until(SystemTime::now() + Duration::from_millis(good));
        self.good.map_or(Grant::UNLIMITED, end)
    }
}

/// Grants: clients say for how long they are good when they join and with `renew`. Requests with `deny` in their query are refused, and with `stay` those for
/// upgrades.
pub(crate) fn grants() -> SocketIo {
    let left: Arc<Mutex<Vec<String>>> = Arc::default();
    let asks = |uri: &http::Uri, what: &str| {
        let mut query = uri.query().unwrap_or_default().split('&');
        query.any(|pair| pair.split('=').next() == Some(what))
    };
    let io = SocketIo::builder()
        .state(left)
        .allow_request(move |parts| {
            let denied = asks(&parts.uri, "deny");
            async move {
                if denied {
                    Err("denied".to_owned())
                } else {
                    Ok(())
                }
            }
        })
        .engine(|engine| {
            engine.check_upgrade(move |parts| {
                let stays = asks(&parts.uri, "stay");
                async move {
                    if stays {
                        Err("Bad request".to_owned())
                    } else {
                        Ok(())
                    }
                }
            })
        })
        .build();
    for name in ["/", "/other"] {
        io.of(name)
            .middleware(async |Auth(token): Auth<Token>| Ok::<_, Refusal>(token.grant()))
            .on("renew", async |socket: Socket, Data(token): Data<Token>| {
                socket.authorize(token.grant())?;
                Ok::<_, Refusal>("renewed")
            })
            .on("echo", async |args: RawArgs| args)
            .on("join", async |socket: Socket| {
                socket.join("room");
                Ok::<_, Refusal>(())
            })
            .on("tell", async |socket: Socket, args: RawArgs| {
                socket.namespace().to("room").emit("told", &args)?;
                Ok::<_, Refusal>(())
            })
            .on(
                "reasons",
                async |State(left): State<Arc<Mutex<Vec<String>>>>| left.lock().unwrap().clone(),
            )
            .on_disconnect(
                async |socket: Socket,
                       reason: DisconnectReason,
                       State(left): State<Arc<Mutex<Vec<String>>>>| {
                    left.lock()
                        .unwrap()
                        .push(format!("{} {reason}", socket.id()));
                },
            )
            .farewell("expired", |socket| socket.namespace().name().to_string());
    }
    io
}
