//! What is told.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde_json::{Value as Json, json};

/// Lines on standard output.
pub(crate) struct Output {
    start: Instant,
    lines: AtomicU64,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            lines: AtomicU64::new(0),
        }
    }
}

impl Output {
    /// Writes an object, with the time.
    pub(crate) fn line(&self, mut line: Json) {
        line["t"] = json!(self.start.elapsed().as_millis() as u64);
        self.lines.fetch_add(1, Ordering::Relaxed);
        let mut output = std::io::stdout().lock();
        // Nobody may be reading any more.
        let _ = writeln!(output, "{line}").and_then(|()| output.flush());
    }

    /// How many lines there were.
    pub(crate) fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }
}
