//! The server as a child process.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::Outcome;

/// How long a program may take to listen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program that listens on a port; it is killed when this is dropped.
pub(crate) struct Program {
    child: Child,
    pub(crate) port: u16,
}

impl Program {
    /// The server, on a port that it is given again when it is restarted.
    pub(crate) async fn server(port: u16) -> Outcome<Self> {
        let mut path: PathBuf = std::env::current_exe()?;
        path.set_file_name("soak_server");
        Self::start(Command::new(path).env("PORT", port.to_string()), port).await
    }

    /// Starts a program, and waits until it listens.
    pub(crate) async fn start(command: &mut Command, port: u16) -> Outcome<Self> {
        let mut program = Self {
            child: command.spawn()?,
            port,
        };
        let listening = timeout(PATIENCE, program.listens());
        listening
            .await
            .map_err(|_| format!("{command:?} does not listen"))??;
        Ok(program)
    }

    async fn listens(&mut self) -> Outcome {
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))
            .await
            .is_err()
        {
            if let Some(status) = self.child.try_wait()? {
                return Err(
                    format!("the program for port {} has ended: {status}", self.port).into(),
                );
            }
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that is free at this moment.
pub(crate) fn free_port() -> Outcome<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
