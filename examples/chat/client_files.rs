//! Where the browser's side of Socket.IO comes from: the npm package of the official client.

use std::error::Error;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tokio::process::Command;

/// The version that the page was written for.
const PACKAGE: &str = "socket.io-client@4.8.4";

/// The folder with the client's files. The first time, npm fetches it.
pub(crate) async fn find_or_fetch() -> Result<PathBuf, Box<dyn Error>> {
    let chat = Path::new(env!("CARGO_MANIFEST_DIR")).join("chat");
    let dist = chat.join("node_modules/socket.io-client/dist");
    if dist.join("socket.io.js").exists() {
        return Ok(dist);
    }
    println!("fetching {PACKAGE} with npm, this once");
    let npm = Command::new("npm")
        .args([
            "install",
            "--no-save",
            "--no-package-lock",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
            "--prefix",
        ])
        .arg(&chat)
        .arg(PACKAGE)
        .status()
        .await;
    match npm {
        Ok(status) if status.success() && dist.exists() => Ok(dist),
        Ok(status) => Err(format!(
            "npm could not install {PACKAGE} ({status}); its messages above say why"
        )
        .into()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let message = format!(
                "the page needs the browser client from the npm package {PACKAGE}, and npm was not found: install Node.js, which brings npm, and run this again"
            );
            Err(message.into())
        }
        Err(error) => Err(format!("npm could not be run: {error}").into()),
    }
}
