//! Ending without a storm: clients are sent away a few at a time, so that they come back elsewhere, and the terminal shows how it goes.
//!
//! Run two of them:
//!
//! ```text
//! PORT=3001 OVER=20 cargo run --release --example drain
//! PORT=3002 OVER=20 cargo run --release --example drain
//! ```
//!
//! Put a load balancer in front of them that keeps the requests of a session together and asks at `/healthz` who takes clients. Then end one of them with
//! Ctrl-C or SIGTERM. Its health turns to 503, it refuses handshakes, and for 20 seconds it closes one connection after the other, after what was queued for
//! the client has left. Clients come back by themselves, to the other one. A second signal ends it at once.
//!
//! ```text
//! $ curl -i http://127.0.0.1:3001/healthz
//! HTTP/1.1 200 OK
//! content-type: application/json
//!
//! {"state":"serving","connections":12,"sockets":12,"unfinished_handlers":0,"uptime":60}
//! ```

use std::error::Error;
use std::pin::pin;
use std::time::Duration;

use socket_io::{Data, Drain, Refusal, Socket, SocketIo, State, Value};
use tokio::signal::unix::{Signal, SignalKind, signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = setting("PORT", "3000")?.parse()?;
    let over = Duration::try_from_secs_f64(setting("OVER", "30")?.parse()?)?;
    let io = SocketIo::builder()
        .health_path("/healthz")
        .state(port)
        .build();
    io.of("/")
        .on_connect(async |socket: Socket, State(port): State<u16>| {
            socket.emit("served by", &*port).map_err(Refusal::from)
        })
        .on("echo", async |Data(value): Data<Value>| value)
        .on("work", async |Data(milliseconds): Data<u64>| {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            println!("work done");
        });

    let mut terminate = signal(SignalKind::terminate())?;
    println!("server on http://127.0.0.1:{port}; Ctrl-C drains it");
    // The listener ends by itself behind the drain, when what it was about to say has been said.
    tokio::try_join!(
        io.listen(("127.0.0.1", port)),
        stop(&io, &mut terminate, over)
    )?;
    Ok(())
}

/// Drains the server at a signal, and closes it at the next.
async fn stop(io: &SocketIo, terminate: &mut Signal, over: Duration) -> std::io::Result<()> {
    interrupted(terminate).await?;
    let drain = Drain::over(over).wait_for_handlers(Duration::from_secs(5));
    let mut drained = pin!(io.drain(drain));
    let mut progress = tokio::time::interval(Duration::from_secs(1));
    let report = loop {
        tokio::select! {
            report = &mut drained => break report,
            _ = progress.tick() => println!("{} connections left", io.connections()),
            stopped = interrupted(terminate) => {
                stopped?;
                io.close();
            }
        }
    };
    println!(
        "closed {}, left {}, cut off {}, unfinished handlers {}, in {:.1} s",
        report.closed,
        report.left,
        report.cut_off,
        report.unfinished_handlers,
        report.elapsed.as_secs_f64()
    );
    Ok(())
}

async fn interrupted(terminate: &mut Signal) -> std::io::Result<()> {
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

/// A setting from the environment.
fn setting(name: &str, default: &str) -> Result<String, std::env::VarError> {
    match std::env::var(name) {
        Err(std::env::VarError::NotPresent) => Ok(default.to_owned()),
        setting => setting,
    }
}
