//! Connections that come and go in every way, through nginx or directly: nothing remains of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use socket_io_client::Reconnect;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::nginx::Nginx;
use crate::program::{Program, free_port};
use crate::usage::{Usage, WAYS, at_rest, client};
use crate::{Options, Outcome};

/// Rounds, after each of which everybody leaves and both processes are looked at. The first one fills tables and buffers that stay.
const ROUNDS: u32 = 6;
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Counts {
    connections: AtomicU64,
    answers: AtomicU64,
}

pub(crate) async fn run(mut options: Options) -> Outcome {
    let seconds: u64 = options.take("seconds", 1800)?;
    let workers: usize = options.take("workers", 64)?;
    let through_nginx = options.take("nginx", 1)? == 1;
    options.finish()?;
    let server = Program::server(free_port()?).await?;
    let nginx = match through_nginx {
        true => Some(Nginx::start(server.port).await?),
        false => None,
    };
    let urls: Arc<[String]> = match &nginx {
        Some(nginx) => [nginx.good.clone(), nginx.bad.clone()].into(),
        None => [server.url()].into(),
    };
    let control = client(&server.url(), WAYS[0], Reconnect::off())?;
    control.connect().await?;
    let counts = Arc::new(Counts::default());
    let mut samples: Vec<(Usage, Usage)> = Vec::new();
    for round in 1..=ROUNDS {
        let end = Instant::now() + Duration::from_secs(seconds) / ROUNDS;
        let mut working = JoinSet::new();
        for worker in 0..workers {
            working.spawn(work(worker, urls.clone(), counts.clone(), end));
        }
        while let Some(worked) = working.join_next().await {
            worked??;
        }
        let sample = at_rest(&control).await?;
        let [connections, answers] =
            [&counts.connections, &counts.answers].map(|count| count.load(Ordering::Relaxed));
        println!(
            "round {round} of {ROUNDS}, {connections} connections and {answers} answers so far: server with {}; clients with {}",
            sample.0, sample.1
        );
        samples.push(sample);
    }
    let [first, .., last] = &samples[..] else {
        return Err("no samples".into());
    };
    for (which, last, first) in [("server", last.0, first.0), ("clients", last.1, first.1)] {
        if !last.is_as(&first) {
            return Err(format!("the {which} had {first}, and now {last}").into());
        }
    }
    Ok(())
}

/// Connects, talks and leaves, again and again.
async fn work(worker: usize, urls: Arc<[String]>, counts: Arc<Counts>, end: Instant) -> Outcome {
    for turn in worker.. {
        if Instant::now() >= end {
            break;
        }
        let way = WAYS[turn % WAYS.len()];
        // A WebSocket at once finds nobody where upgrades are not passed on.
        let url = match way.len() {
            1 if turn % WAYS.len() == 0 => &urls[0],
            _ => &urls[turn / WAYS.len() % urls.len()],
        };
        let socket = client(url, way, Reconnect::off())?;
        let sentence = |error: &dyn std::fmt::Display| format!("{url} by {way:?}: {error}");
        socket.connect().await.map_err(|error| sentence(&error))?;
        counts.connections.fetch_add(1, Ordering::Relaxed);
        for number in 0..turn % 7 {
            let text = format!("{number} {}", "x".repeat(1 << (turn % 12)));
            let asked = socket.emit_with_ack::<String>("echo", &text);
            let answer = asked
                .timeout(PATIENCE)
                .await
                .map_err(|error| sentence(&error))?;
            if answer != text {
                return Err(sentence(&"a wrong answer").into());
            }
            counts.answers.fetch_add(1, Ordering::Relaxed);
        }
        match turn % 4 {
            // It says good-bye, and everything has left.
            0 => {
                socket.disconnect();
                socket.flushed().await;
            }
            // The connection is closed.
            1 => socket.manager().close().await,
            // It stays for a moment in which upgrades go on.
            2 => sleep_until(end.min(Instant::now() + Duration::from_millis(50))).await,
            // It is gone in the midst of things.
            _ => drop(socket.emit("echo", &"and gone")),
        }
    }
    Ok(())
}
