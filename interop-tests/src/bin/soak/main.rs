//! Long runs and storms, with the server `soak_server` of the same folder: `soak <run> [<option>=<value>]…`. It ends with an error if something that was
//! promised is not kept.
//!
//! ```text
//! soak churn  seconds=1800 workers=64 nginx=1   connections that come and go, in every way; heap, tasks and descriptors are flat
//! soak storm  clients=10000 rounds=3            the server is killed and restarted, and all clients come back at once
//! soak chat   idle=10000 chatting=1000 seconds=60   latency of messages while many others are silent
//! ```

mod chat;
mod churn;
mod nginx;
mod program;
mod storm;
mod usage;

use std::alloc::System;
use std::collections::HashMap;
use std::error::Error;
use std::process::ExitCode;
use std::str::FromStr;

use cap::Cap;

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Options of a run, by name.
struct Options(HashMap<String, String>);

impl Options {
    /// Takes an option; what is left over in the end is unknown.
    fn take<T: FromStr>(&mut self, name: &str, default: T) -> Outcome<T> {
        match self.0.remove(name) {
            Some(value) => value
                .parse()
                .map_err(|_| format!("{name}={value}: no number").into()),
            None => Ok(default),
        }
    }

    fn finish(self) -> Outcome {
        match self.0.into_keys().next() {
            Some(name) => Err(format!("there is no option {name}").into()),
            None => Ok(()),
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(std::env::args().skip(1)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(mut args: impl Iterator<Item = String>) -> Outcome {
    let run = args.next().unwrap_or_default();
    let pairs = args.map(|arg| match arg.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(format!("{arg}: no option=value")),
    });
    let options = Options(pairs.collect::<Result<_, _>>()?);
    match run.as_str() {
        "churn" => churn::run(options).await,
        "storm" => storm::run(options).await,
        "chat" => chat::run(options).await,
        _ => Err("soak churn|storm|chat [option=value]".into()),
    }
}
