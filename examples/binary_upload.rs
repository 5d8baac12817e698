//! Uploading a file in chunks of binary data: each chunk is acknowledged when it is on the disk, which is how the server tells the client to slow down, and
//! at the end both compare checksums.
//!
//! | event | arguments | acknowledged with |
//! |---|---|---|
//! | `start` | `{ name, size }` | `{ chunk, window }`: bytes in a chunk, and how many of them may be under way |
//! | `chunk` | binary data | how many bytes are there now |
//! | `finish` | the SHA-256 of the file, in hexadecimal | the path of the file |
//! | `progress` (to the client) | `{ received, size }`, for each tenth of the file | |
//!
//! Memory is bounded whatever the client does: no more chunks than the window has are with handlers (`max_handlers`), as many may wait behind them
//! (`inbox_limit`), and beyond that the client is not read from; a chunk that is too large is refused. A file that is not finished is deleted when its client
//! goes.
//!
//! Run it:
//!
//! ```text
//! cargo run --release --example binary_upload
//! ```
//!
//! and send a file from Node.js, in the folder `interop-tests/node`, where `npm ci` was run; the sender's side is `lib/upload.js`:
//!
//! ```text
//! > const { io } = await import("socket.io-client");
//! > const { upload } = await import("./lib/upload.js");
//! > const socket = io("http://127.0.0.1:3000");
//! > socket.on("progress", ({ received, size }) => console.log(Math.round(100 * received / size) + " %"));
//! > await upload(socket, "package-lock.json", await (await import("fs/promises")).readFile("package-lock.json"))
//! '/tmp/uploads/3f2…-package-lock.json'
//! ```
//!
//! The server shows a line for each file and how far it is.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use socket_io::{Binary, Data, Refusal, Socket, SocketData, SocketIo, State};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

/// Bytes in a chunk.
const CHUNK: usize = 64 * 1024;
/// Chunks that may be under way.
const WINDOW: usize = 4;
/// Bytes in a file.
const MAX_SIZE: u64 = 1 << 30;

struct Folder(PathBuf);

/// The file that a client is sending. Handlers of one socket start in the order of its packets, and whoever waits for this lock waits in that order, too: so
/// the chunks are written one after the other.
#[derive(Default)]
struct Slot(Mutex<Option<Upload>>);

struct Upload {
    path: PathBuf,
    file: File,
    sum: Sha256,
    size: u64,
    received: u64,
}

#[derive(Deserialize)]
struct Start {
    name: String,
    size: u64,
}

#[derive(Serialize)]
struct Terms {
    chunk: usize,
    window: usize,
}

#[derive(Serialize)]
struct Progress {
    received: u64,
    size: u64,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let folder = std::env::var_os("UPLOADS");
    let folder = folder.map_or_else(|| std::env::temp_dir().join("uploads"), PathBuf::from);
    fs::create_dir_all(&folder)?;
    println!("files go to {}", folder.display());
    let io = SocketIo::builder()
        .max_handlers(WINDOW)
        .inbox_limit(WINDOW * CHUNK)
        .max_payload(2 * CHUNK)
        .state(Folder(folder))
        .build();
    io.of("/")
        .middleware(async || Ok::<_, Refusal>(Slot::default()))
        .on("start", start)
        .on("chunk", chunk)
        .on("finish", finish);

    let port = std::env::var("PORT")
        .ok()
        .and_then(|port| port.parse().ok());
    let port: u16 = port.unwrap_or(3000);
    println!("uploads on http://127.0.0.1:{port}");
    io.listen(("127.0.0.1", port)).await
}

async fn start(
    socket: Socket,
    Data(start): Data<Start>,
    State(folder): State<Folder>,
    SocketData(slot): SocketData<Slot>,
) -> Result<Terms, Refusal> {
    if start.size > MAX_SIZE {
        return Err(Refusal::new(format!(
            "too large: {} > {MAX_SIZE} bytes",
            start.size
        )));
    }
    // The name is the client's, so little of it gets into a path.
    let name = start
        .name
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    let name: String = name.take(100).collect();
    let path = folder.0.join(format!("{}-{name}", socket.id()));
    let mut slot = slot.0.lock().await;
    // An unfinished one is gone with this.
    *slot = None;
    let file = blocking({
        let path = path.clone();
        move || File::create(path)
    });
    *slot = Some(Upload {
        file: file.await?,
        path,
        sum: Sha256::new(),
        size: start.size,
        received: 0,
    });
    println!("{}: {name}, {} bytes", socket.id(), start.size);
    Ok(Terms {
        chunk: CHUNK,
        window: WINDOW,
    })
}

async fn chunk(
    socket: Socket,
    Data(data): Data<Binary>,
    SocketData(slot): SocketData<Slot>,
) -> Result<u64, Refusal> {
    let mut slot = slot.0.lock().await;
    let mut upload = slot
        .take()
        .ok_or_else(|| Refusal::new("no file was begun"))?;
    let before = upload.received;
    if data.len() > CHUNK || before + data.len() as u64 > upload.size {
        // Dropping it deletes what there is of the file.
        return Err(Refusal::new("more than was announced"));
    }
    let upload = blocking(move || {
        upload.file.write_all(&data)?;
        upload.sum.update(&data);
        upload.received += data.len() as u64;
        Ok(upload)
    });
    let upload = slot.insert(upload.await?);
    let Upload { received, size, .. } = *upload;
    let tenth = |bytes: u64| bytes * 10 / size.max(1);
    if tenth(received) > tenth(before) {
        println!("{}: {} %", socket.id(), received * 100 / size);
        socket.emit("progress", &Progress { received, size })?;
    }
    Ok(received)
}

async fn finish(
    socket: Socket,
    Data(expected): Data<String>,
    SocketData(slot): SocketData<Slot>,
) -> Result<String, Refusal> {
    let upload = slot.0.lock().await.take();
    let mut upload = upload.ok_or_else(|| Refusal::new("no file was begun"))?;
    if upload.received < upload.size {
        let Upload { received, size, .. } = upload;
        return Err(Refusal::new(format!(
            "incomplete: {received} < {size} bytes"
        )));
    }
    let sum = std::mem::take(&mut upload.sum).finalize();
    let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    if sum != expected {
        return Err(Refusal::new("the checksum is another one"));
    }
    blocking({
        let file = upload.file.try_clone()?;
        move || file.sync_all()
    })
    .await?;
    let path = std::mem::take(&mut upload.path);
    println!("{}: complete, {}", socket.id(), path.display());
    Ok(path.display().to_string())
}

/// Files are slow, and a connection's task is no place to wait for them.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(work).await?
}

/// A file that was not finished goes with its client.
impl Drop for Upload {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            println!("deleted: {}", self.path.display());
            let _ = fs::remove_file(&self.path);
        }
    }
}
