//! Who may do what, and until when: a check of requests, a token at the door, a middleware for events, authorization that ends and is renewed.
//!
//! Run it:
//!
//! ```text
//! cargo run --release --example auth
//! ```
//!
//! (another port: `PORT=8080`; other lives of tokens: `TOKEN_SECONDS=10`, 60 by default) and get a token, which is good for a minute:
//!
//! ```text
//! curl -d 'ann:wonderland' http://127.0.0.1:3000/login
//! ```
//!
//! With it, a client from Node.js comes in, and stays for as long as it brings new tokens:
//!
//! ```text
//! > const socket = require("socket.io-client")("http://127.0.0.1:3000", { auth: { token } });
//! > socket.onAny(console.log);
//! > socket.emit("whoami", console.log);
//! ann
//! > socket.emit("announce", "hello", console.log);
//! { message: 'ann may not do this' }
//! > socket.emit("renew", another, console.log);
//! 60
//! expired log in again
//! ```
//!
//! `bob:builder` may announce. `curl -d TOKEN http://127.0.0.1:3000/logout` ends a token before its time, and with it whoever came with it.
//!
//! Tokens are random and lie in a table here, with names and passwords in the source. A program would ask its database, or verify a signature and read the time
//! out of the token; what is below would stay the same.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::post;
use serde::Deserialize;
use socket_io::{
    AllowedOrigins, Auth, Data, EventName, Grant, Refusal, Socket, SocketData, SocketIo, State,
};
use tokio::net::TcpListener;

/// Names and passwords.
const USERS: [(&str, &str); 2] = [("ann", "wonderland"), ("bob", "builder")];
/// Who may announce.
const ADMIN: &str = "bob";

/// The tokens that are good.
struct Tokens {
    life: Duration,
    table: Mutex<HashMap<String, Pass>>,
}

/// What a token stands for.
#[derive(Clone)]
struct Pass {
    user: &'static str,
    expires: SystemTime,
}

impl Tokens {
    fn issue(&self, user: &'static str) -> Result<String, getrandom::Error> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)?;
        let token = format!("{:032x}", u128::from_ne_bytes(random));
        let now = SystemTime::now();
        let expires = now + self.life;
        let mut table = self.table.lock().unwrap();
        table.retain(|_, pass| pass.expires > now);
        table.insert(token.clone(), Pass { user, expires });
        Ok(token)
    }

    fn verify(&self, token: &str) -> Result<Pass, Refusal> {
        let known = self.table.lock().unwrap().get(token).cloned();
        known
            .filter(|pass| pass.expires > SystemTime::now())
            .ok_or_else(|| Refusal::new("not authorized"))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let seconds = std::env::var("TOKEN_SECONDS").map_or(Ok(60), |text| text.parse())?;
    let port = std::env::var("PORT").map_or(Ok(3000), |text| text.parse::<u16>())?;
    let tokens = Arc::new(Tokens {
        life: Duration::from_secs(seconds),
        table: Mutex::default(),
    });
    let io = SocketIo::builder()
        .state(tokens.clone())
        // Browsers let pages of every origin open WebSockets, so the server has to look.
        .allowed_origins(AllowedOrigins::same_host())
        .build();
    io.of("/")
        .middleware(enter)
        .middleware(async |SocketData(pass): SocketData<Pass>| {
            Ok::<_, Refusal>(Grant::until(pass.expires))
        })
        .event_middleware(may)
        .on("whoami", async |SocketData(pass): SocketData<Pass>| {
            pass.user
        })
        .on("announce", announce)
        .on("renew", renew)
        .farewell("expired", |_| "log in again");

    let app = Router::new()
        .route("/login", post(login))
        .route("/logout", post(logout))
        .with_state((io.clone(), tokens))
        .layer(io.layer());
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

type App = (SocketIo, Arc<Tokens>);

/// `name:password` for a token.
async fn login(Shared((_, tokens)): Shared<App>, body: String) -> Result<String, StatusCode> {
    let user = USERS
        .into_iter()
        .find(|(name, password)| body == format!("{name}:{password}"));
    let (name, _) = user.ok_or(StatusCode::UNAUTHORIZED)?;
    tokens
        .issue(name)
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

/// The token is good no more, and its sockets end.
async fn logout(Shared((io, tokens)): Shared<App>, token: String) {
    tokens.table.lock().unwrap().remove(&token);
    for socket in io.to(room(&token)).sockets() {
        // One that ends by itself in this moment needs no help.
        let _ = socket.authorize(Grant::lasting(Duration::ZERO));
    }
}

/// The room of those who came with a token. No client learns the names of rooms.
fn room(token: &str) -> String {
    format!("token {token}")
}

#[derive(Deserialize)]
struct Credentials {
    token: String,
}

async fn enter(
    socket: Socket,
    Auth(credentials): Auth<Credentials>,
    State(tokens): State<Arc<Tokens>>,
) -> Result<Pass, Refusal> {
    let pass = tokens.verify(&credentials.token)?;
    socket.join(room(&credentials.token));
    Ok(pass)
}

/// Asked before each event.
async fn may(
    EventName(event): EventName,
    SocketData(pass): SocketData<Pass>,
) -> Result<(), Refusal> {
    if &*event == "announce" && pass.user != ADMIN {
        return Err(Refusal::new(format!("{} may not do this", pass.user)));
    }
    Ok(())
}

async fn announce(socket: Socket, Data(text): Data<String>) -> Result<usize, Refusal> {
    Ok(socket.namespace().emit("announcement", &text)?.sent)
}

/// The socket goes on with a new token of the same user. The answer is for how many seconds.
async fn renew(
    socket: Socket,
    Data(token): Data<String>,
    SocketData(pass): SocketData<Pass>,
    State(tokens): State<Arc<Tokens>>,
) -> Result<u64, Refusal> {
    let renewed = tokens.verify(&token)?;
    if renewed.user != pass.user {
        return Err(Refusal::new("somebody else's token"));
    }
    let grant = Grant::until(renewed.expires);
    socket.authorize(grant)?;
    // From now on it ends with the new token, and not with the old one.
    for old in socket
        .rooms()
        .iter()
        .filter(|old| old.starts_with("token "))
    {
        socket.leave(old);
    }
    socket.join(room(&token));
    socket.insert_data(renewed);
    Ok(grant.remaining().unwrap_or_default().as_secs_f64().round() as u64)
}
