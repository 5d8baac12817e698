//! nginx in front of the server: one port passes upgrades on, the other one does not, as where somebody has forgotten two lines.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::Outcome;
use crate::program::{Program, free_port};

/// nginx, with a folder for its files; both go with it.
pub(crate) struct Nginx {
    _program: Program,
    folder: PathBuf,
    /// Where upgrades succeed.
    pub(crate) good: String,
    /// Where they fail.
    pub(crate) bad: String,
}

impl Nginx {
    pub(crate) async fn start(server: u16) -> Outcome<Self> {
        let folder = std::env::temp_dir().join(format!("soak-nginx-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let (good, bad) = (free_port()?, free_port()?);
        let path = folder.join("nginx.conf");
        fs::write(&path, config(&folder.to_string_lossy(), server, good, bad))?;
        let mut command = Command::new("nginx");
        command.arg("-p").arg(&folder).arg("-c").arg(&path);
        command.args(["-e", "error.log"]);
        Ok(Self {
            _program: Program::start(&mut command, good).await?,
            folder,
            good: format!("http://127.0.0.1:{good}"),
            bad: format!("http://127.0.0.1:{bad}"),
        })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// One process, so that it can be killed.
fn config(folder: &str, server: u16, good: u16, bad: u16) -> String {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("    {what}_temp_path {folder}/{what};\n"))
        .concat();
    format!(
        "daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
{temporary}    access_log off;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
    server {{
        listen 127.0.0.1:{good};
        location / {{
            proxy_pass http://127.0.0.1:{server};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_read_timeout 60s;
        }}
    }}
    server {{
        listen 127.0.0.1:{bad};
        location / {{
            proxy_pass http://127.0.0.1:{server};
            proxy_read_timeout 60s;
        }}
    }}
}}
"
    )
}
