//! Orders that arrive once, whatever happens: to the network, to the server, to this program.
//!
//! Start the program that takes orders, while there is no server, and type some:
//!
//! ```text
//! cargo run --release --example client_offline
//! 0 orders wait
//! tea
//! kept 5b1c0d6b3b2d4a0c9a0f7e3d2c1b0a99
//! a-key-of-mine: biscuits
//! kept a-key-of-mine
//! ```
//!
//! What is kept is on the disk, in `orders.journal`. Kill the program (`kill -9`), start it again, and start the server, `cargo run --release --example
//! client_offline -- server`:
//!
//! ```text
//! 2 orders wait
//! connected
//! delivered 5b1c0d6b3b2d4a0c9a0f7e3d2c1b0a99: order 1
//! delivered a-key-of-mine: order 2
//! news 1: tea
//! news 2: biscuits
//! ```
//!
//! Each order reaches the server at least once, with a key that stays the same, so the server knows one that it has taken already: two maps are all it needs for
//! that, see `Counter`. A real one keeps them in its database, in the transaction that takes the order. A line that was typed and not kept before the program was
//! killed is typed again: with a key of its own in front, it is the same order.
//!
//! In the other direction the server numbers its news and keeps them. The program tells it which ones it has shown, and gets the others, whether it was offline or
//! not running. Another address and another file: `client_offline http://127.0.0.1:8080 other.journal`; another port of the server: `PORT=8080`.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Mutex;
use std::time::Duration;

use examples::with_causes;
use serde::Deserialize;
use socket_io_client::{ConnectError, Data, DisconnectReason, Journal, Reconnect, Socket};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    match args.next() {
        Some(word) if word == "server" => serve().await,
        url => {
            let url = url.unwrap_or_else(|| "http://127.0.0.1:3000".into());
            let path = args.next().unwrap_or_else(|| "orders.journal".into());
            take_orders(&url, &path).await
        }
    }
}

async fn take_orders(url: &str, path: &str) -> Result<(), Box<dyn Error>> {
    let journal = Journal::open(path)
        .await
        .map_err(|error| format!("{path}: {error}"))?;
    let soon = Reconnect::default().delay_max(Duration::from_secs(1));
    let manager = socket_io_client::Manager::builder(url).reconnect(soon);
    let socket = manager
        .socket()
        .journal(journal)
        .catch_up("news", 0, "seen")
        .on("news", async |Data((number, text)): Data<(u64, String)>| {
            println!("news {number}: {text}");
        })
        .on_connect(async |socket: Socket| match socket.recovered() {
            true => println!("connected, as before"),
            false => println!("connected"),
        })
        .on_connect_error(async |error: ConnectError| eprintln!("{}", with_causes(&error)))
        .on_disconnect(async |reason: DisconnectReason| println!("disconnected: {reason}"))
        .build()?;
    println!("{} orders wait", socket.undelivered().len());
    socket.connect_lazy();
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let (key, text) = match line.split_once(": ") {
            Some((key, text)) => (Some(key), text),
            None => (None, &*line),
        };
        let durable = match key {
            Some(key) => socket.durable().key(key),
            None => socket.durable(),
        };
        let keeping = durable.emit("order", text);
        let line = line.clone();
        tokio::spawn(async move {
            let delivery = match keeping.await {
                Ok(delivery) => delivery,
                Err(error) => return eprintln!("not kept: {line}: {error}"),
            };
            let key = delivery.key().to_owned();
            println!("kept {key}");
            match delivery.acknowledged::<String>().await {
                Ok(receipt) => println!("delivered {key}: {receipt}"),
                Err(error) => eprintln!("{key}: {error}"),
            }
        });
    }
    // Whoever has no more orders waits until they are delivered.
    socket.flushed().await;
    println!("{} orders wait", socket.undelivered().len());
    Ok(())
}

/// Takes orders: each key once.
#[derive(Default)]
struct Counter {
    receipts: HashMap<String, String>,
    orders: Vec<String>,
}

impl Counter {
    /// The receipt, and the number of the order if it is a new one.
    fn take(&mut self, key: String, text: String) -> (String, Option<usize>) {
        if let Some(receipt) = self.receipts.get(&key) {
            return (receipt.clone(), None);
        }
        self.orders.push(text);
        let number = self.orders.len();
        let receipt = format!("order {number}");
        self.receipts.insert(key, receipt.clone());
        (receipt, Some(number))
    }
}

/// How far a client has read the news.
#[derive(Deserialize)]
struct Credentials {
    seen: Option<usize>,
}

async fn serve() -> Result<(), Box<dyn Error>> {
    use socket_io::{Auth, Refusal, Socket, SocketIo, State};

    type Orders = Mutex<Counter>;
    let io = SocketIo::builder().state(Orders::default()).build();
    io.of("/")
        .on_connect(
            async |socket: Socket,
                   Auth(credentials): Auth<Option<Credentials>>,
                   State(orders): State<Orders>| {
                // Under the lock, so that no news of now comes between those of then.
                let orders = orders.lock().expect("nothing panics under it");
                socket.join("readers");
                let seen = credentials.and_then(|credentials| credentials.seen);
                let news = orders.orders.iter().enumerate().skip(seen.unwrap_or(0));
                for (index, text) in news {
                    socket.emit("news", &(index + 1, text))?;
                }
                Ok::<_, Refusal>(())
            },
        )
        .on(
            "order",
            async |socket: Socket,
                   Data((text, key)): Data<(String, String)>,
                   State(orders): State<Orders>| {
                let mut orders = orders.lock().expect("nothing panics under it");
                let (receipt, number) = orders.take(key, text.clone());
                match number {
                    Some(number) => {
                        println!("{receipt}: {text}");
                        socket.io().to("readers").emit("news", &(number, text))?;
                    }
                    None => println!("{receipt} again"),
                }
                Ok::<_, Refusal>(receipt)
            },
        );
    let port: u16 = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    println!("listening on http://127.0.0.1:{port}");
    tokio::select! {
        served = io.listen(("127.0.0.1", port)) => served?,
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    io.close();
    io.finished().await;
    Ok(())
}
