//! The server is killed and restarted, and all of its clients come back at once.

use std::time::Duration;

use socket_io_client::{Reconnect, SocketEvent};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::program::{Program, free_port};
use crate::usage::{Usage, WAYS, client, percentiles};
use crate::{Options, Outcome};

/// Of the first connections at a time.
const AT_ONCE: usize = 200;

enum Told {
    Connected(Instant),
    Lost,
}

pub(crate) async fn run(mut options: Options) -> Outcome {
    let clients: usize = options.take("clients", 10_000)?;
    let rounds: usize = options.take("rounds", 3)?;
    let within: u64 = options.take("within", 60)?;
    options.finish()?;
    let mut server = Program::server(free_port()?).await?;
    let (sender, mut told) = mpsc::unbounded_channel();
    let mut sockets = Vec::new();
    while sockets.len() < clients {
        let mut connecting = JoinSet::new();
        for index in sockets.len()..clients.min(sockets.len() + AT_ONCE) {
            // As programs have it by default: after 0.5 to 1.5 s at first, then later and later, up to 5 s.
            let socket = client(
                &server.url(),
                WAYS[index % WAYS.len()],
                Reconnect::default(),
            )?;
            let mut events = socket.events();
            let sender = sender.clone();
            tokio::spawn(async move {
                while let Some(event) = events.recv().await {
                    let _ = match event {
                        SocketEvent::Connect { .. } => sender.send(Told::Connected(Instant::now())),
                        SocketEvent::Disconnect(_) => sender.send(Told::Lost),
                        _ => continue,
                    };
                }
            });
            connecting.spawn(async move { socket.connect().await.map(|()| socket) });
        }
        while let Some(connected) = connecting.join_next().await {
            sockets.push(connected??);
        }
    }
    let control = client(&server.url(), WAYS[0], Reconnect::default())?;
    control.connect().await?;
    println!(
        "{clients} clients, a third of them over each of WebSocket, polling and upgrade: server with {}",
        Usage::of(&control).await?
    );

    for round in 1..=rounds {
        while told.try_recv().is_ok() {}
        let port = server.port;
        drop(server);
        let killed = Instant::now();
        server = Program::server(port).await?;
        let restarted = Instant::now();
        let deadline = restarted + Duration::from_secs(within);
        let mut missing = clients;
        let mut times = Vec::with_capacity(clients);
        while missing > 0 {
            match timeout_at(deadline, told.recv()).await {
                Ok(Some(Told::Connected(at))) => {
                    missing -= 1;
                    times.push(at - restarted.min(at));
                }
                // Some may be lost again, when a connection was under way.
                Ok(Some(Told::Lost)) => {}
                Ok(None) | Err(_) => {
                    return Err(format!(
                        "{missing} of {clients} clients are not back within {within} s"
                    )
                    .into());
                }
            }
        }
        println!(
            "round {round}: the server listens {:.1?} after it was killed, and all clients are back: {}",
            restarted - killed,
            percentiles(&mut times)
        );
    }
    // Each of them is served.
    let mut asking = JoinSet::new();
    for (number, socket) in sockets.iter().enumerate() {
        let asked = socket
            .emit_with_ack::<usize>("echo", &number)
            .timeout(Duration::from_secs(within));
        asking.spawn(async move { asked.await.map(|answer| answer == number) });
    }
    while let Some(answer) = asking.join_next().await {
        if !answer?? {
            return Err("a wrong answer".into());
        }
    }
    println!(
        "each was answered: server with {}, clients with {}",
        Usage::of(&control).await?,
        Usage::of_this_process()?
    );
    Ok(())
}
