//! Unix sockets, whose files outlive their listeners unless somebody removes them.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// A listener and, if it is ours, its file. The file goes first, so that a server that takes the path over is never mistaken for this one.
pub(crate) struct UnixSocket {
    _file: Option<SocketFile>,
    listener: UnixListener,
}

struct SocketFile {
    path: PathBuf,
    identity: Identity,
}

/// Device and inode: another file at the same path has another one.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity(u64, u64);

impl UnixSocket {
    /// Binds the path, in place of a file that was left behind.
    pub(crate) async fn bind(path: &Path) -> io::Result<Self> {
        let listener = match UnixListener::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                let Some(stale) = stale(path).await else {
                    return Err(error);
                };
                // Dropped, it removes the file.
                drop(SocketFile {
                    path: path.to_owned(),
                    identity: stale,
                });
                UnixListener::bind(path)?
            }
            bound => bound?,
        };
        let file = SocketFile {
            identity: identity(path)?,
            path: path.to_owned(),
        };
        Ok(Self {
            _file: Some(file),
            listener,
        })
    }

    pub(crate) fn listener(&self) -> &UnixListener {
        &self.listener
    }
}

impl From<UnixListener> for UnixSocket {
    fn from(listener: UnixListener) -> Self {
        Self {
            _file: None,
            listener,
        }
    }
}

/// The socket at that path, if nobody listens to it any more. Files of other kinds are none of our business.
async fn stale(path: &Path) -> Option<Identity> {
    let found = identity(path).ok()?;
    let refused = UnixStream::connect(path).await.err()?;
    (refused.kind() == io::ErrorKind::ConnectionRefused).then_some(found)
}

/// Of a socket only.
fn identity(path: &Path) -> io::Result<Identity> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.file_type().is_socket() {
        Ok(Identity(metadata.dev(), metadata.ino()))
    } else {
        Err(io::ErrorKind::AddrInUse.into())
    }
}

/// Removes the file, unless there is another one at its path by now.
impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            if let Err(error) = fs::remove_file(&self.path) {
                tracing::debug!(name: "socket_not_removed", target: "engine_io", path = %self.path.display(), %error);
            }
        }
    }
}
