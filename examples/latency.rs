//! How long a server takes to answer, as a live chart in the terminal. Where there is none, a line for each answer.
//!
//! Run it against the example `echo`, or any server that acknowledges an event:
//!
//! ```text
//! cargo run --release --example echo
//! cargo run --release --example latency
//! cargo run --release --example latency -- https://example.com --event ping --every 100 --count 500
//! ```
//!
//! | option | default | what it is |
//! |---|---|---|
//! | `URL` | `http://127.0.0.1:3000` | the server; its path is the namespace |
//! | `--event NAME` | `ask` | an event that the server acknowledges; the example `chat` has `latency` |
//! | `--every MS` | 500 | milliseconds between two questions |
//! | `--count N` | without end | how many questions |
//!
//! Each column is a question, and the chart is as wide as the terminal. Red crosses are questions without an answer: stop the server and start it again to see
//! some. The first columns are often higher, over polling, until the connection has become a WebSocket. Ctrl-C or `q` ends it.

use std::collections::VecDeque;
use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use crossterm::cursor::{Hide, MoveToColumn, MoveUp, Show};
use crossterm::event::{self, Event, KeyCode, KeyModifiers};
use crossterm::style::Stylize;
use crossterm::terminal::{self, Clear, ClearType};
use crossterm::{execute, queue};
use examples::with_causes;
use socket_io_client::{AckError, Args, ManagerEvent, Socket, SocketEvent, Value};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Columns that are kept: more than any terminal has.
const KEPT: usize = 1000;
/// Rows of the chart.
const HEIGHT: usize = 10;
/// Columns of the numbers at its side.
const SCALE: usize = 10;
const PATIENCE: Duration = Duration::from_secs(5);

struct Options {
    url: String,
    event: String,
    every: Duration,
    count: Option<u64>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            url: "http://127.0.0.1:3000".into(),
            event: "ask".into(),
            every: Duration::from_millis(500),
            count: None,
        };
        while let Some(argument) = arguments.next() {
            if !argument.starts_with('-') {
                options.url = argument;
                continue;
            }
            let value = arguments.next();
            let value = value.ok_or_else(|| format!("{argument} wants a value"))?;
            match argument.as_str() {
                "--event" => options.event = value,
                "--every" => options.every = Duration::from_millis(value.parse::<u64>()?.max(1)),
                "--count" => options.count = Some(value.parse()?),
                _ => return Err(format!("there is no option {argument}").into()),
            }
        }
        Ok(options)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match measure().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", with_causes(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn measure() -> Result<(), Box<dyn Error>> {
    let options = Options::parse(std::env::args().skip(1))?;
    let socket = Socket::builder(&options.url).build()?;
    let mut events = socket.manager().all_events();
    // Attempts are repeated until the server is there.
    socket.connect_lazy();
    let (quit, mut quitted) = mpsc::channel(1);
    let mut view = View::new(options.url.clone(), &quit)?;
    let mut ticks = interval(options.every);
    // A slow answer is followed by one question, not by all that were due.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stop = async {
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            Some(quitted) = quitted.recv() => quitted,
        }
    };
    tokio::pin!(stop);

    while options.count.is_none_or(|count| view.asked() < count) {
        tokio::select! {
            biased; // what has happened to the connection is told first
            stopped = &mut stop => {
                stopped?;
                break;
            }
            event = events.recv() => {
                if let Some(state) = state(event)? {
                    view.set_state(state)?;
                }
            }
            _ = ticks.tick(), if socket.is_connected() => {
                let asked = Instant::now();
                let answer = socket.emit_with_ack::<Args<Value>>(&options.event, &()).timeout(PATIENCE);
                let answer = tokio::select! {
                    answer = answer => answer,
                    stopped = &mut stop => {
                        stopped?;
                        break;
                    }
                };
                let engine = socket.manager().engine();
                let transport = engine.map_or_else(String::new, |engine| engine.transport().to_string());
                view.add(&transport, &answer.map(|_| asked.elapsed()))?;
            }
        }
    }
    view.finish()?;
    socket.disconnect();
    // Whoever does not listen is not waited for.
    let _ = tokio::time::timeout(Duration::from_secs(1), socket.flushed()).await;
    Ok(())
}

/// What is to be said of the connection.
fn state(event: ManagerEvent) -> Result<Option<String>, Box<dyn Error>> {
    Ok(Some(match event {
        ManagerEvent::ReconnectAttempt(attempt) => format!("connecting, attempt {attempt}"),
        ManagerEvent::Socket(socket, SocketEvent::ConnectError(error)) => {
            if !socket.is_active() {
                return Err(error.into());
            }
            let why = with_causes(&error);
            format!(
                "{why}; trying again. Is the server there? `cargo run --release --example echo`"
            )
        }
        ManagerEvent::Socket(socket, SocketEvent::Disconnect(reason)) => {
            if !socket.is_active() {
                return Err(format!("the server has ended it: {reason}").into());
            }
            format!("connection lost ({reason}), connecting again")
        }
        ManagerEvent::Socket(_, SocketEvent::Connect { .. }) => "connected".into(),
        _ => return Ok(None),
    }))
}

/// What was measured, and how it is shown.
struct View {
    url: String,
    state: String,
    /// The last ones, in milliseconds; `None` without an answer.
    times: VecDeque<Option<f64>>,
    answered: u64,
    lost: u64,
    is_terminal: bool,
    /// Whether keys are read, so that what is typed does not get into the chart.
    is_raw: bool,
    /// Rows that the last drawing has taken.
    drawn: u16,
}

impl View {
    fn new(url: String, quit: &mpsc::Sender<io::Result<()>>) -> io::Result<Self> {
        let is_terminal = io::stdout().is_terminal();
        let is_raw = is_terminal && io::stdin().is_terminal();
        if is_terminal {
            execute!(io::stdout(), Hide)?;
        }
        if is_raw {
            terminal::enable_raw_mode()?;
            let quit = quit.clone();
            // Nobody waits for this thread at the end: reading cannot be interrupted.
            std::thread::spawn(move || {
                let end = loop {
                    match event::read() {
                        Ok(event) if ends(&event) => break Ok(()),
                        Ok(_) => {}
                        Err(error) => break Err(error),
                    }
                };
                // The program may have ended for another reason.
                let _ = quit.blocking_send(end);
            });
        }
        Ok(Self {
            url,
            state: "connecting".into(),
            times: VecDeque::new(),
            answered: 0,
            lost: 0,
            is_terminal,
            is_raw,
            drawn: 0,
        })
    }

    fn asked(&self) -> u64 {
        self.answered + self.lost
    }

    fn set_state(&mut self, state: String) -> io::Result<()> {
        if !self.is_terminal {
            writeln!(io::stdout(), "{}: {state}", self.url)?;
        }
        self.state = state;
        self.draw()
    }

    fn add(&mut self, transport: &str, answer: &Result<Duration, AckError>) -> io::Result<()> {
        if self.times.len() == KEPT {
            self.times.pop_front();
        }
        let time = answer.as_ref().ok().map(|time| time.as_secs_f64() * 1e3);
        self.times.push_back(time);
        match answer {
            Ok(_) => {
                self.answered += 1;
                self.state = transport.into();
            }
            Err(error) => {
                self.lost += 1;
                self.state = error.to_string();
            }
        }
        if self.is_terminal {
            return self.draw();
        }
        match time {
            Some(time) => writeln!(io::stdout(), "{time:.3} ms, {transport}"),
            None => writeln!(io::stdout(), "lost: {}", self.state),
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        if !self.is_terminal {
            return Ok(());
        }
        let (width, height) = terminal::size()?;
        // A line that fills the last column might be two.
        let width = usize::from(width).max(SCALE + 10) - 1;
        let rows = HEIGHT.min(usize::from(height).saturating_sub(3)).max(1);
        let mut lines = vec![format!("{} | {} | {}", self.counts(), self.state, self.url)];
        lines.extend(chart(&self.times, width - SCALE, rows));
        lines.push(format!("{}{}", " ".repeat(SCALE), self.summary()));

        // Written at once, so that nothing flickers.
        let mut out = Vec::new();
        if self.drawn > 0 {
            queue!(out, MoveUp(self.drawn))?;
        }
        queue!(out, MoveToColumn(0), Clear(ClearType::FromCursorDown))?;
        for line in &lines {
            let line: String = line.chars().take(width).collect();
            for (is_cross, part) in parts(&line) {
                if is_cross {
                    write!(out, "{}", part.red())?;
                } else {
                    write!(out, "{part}")?;
                }
            }
            write!(out, "\r\n")?;
        }
        self.drawn = u16::try_from(lines.len()).unwrap_or(u16::MAX);
        let mut stdout = io::stdout().lock();
        stdout.write_all(&out)?;
        stdout.flush()
    }

    fn counts(&self) -> String {
        format!("{} answers, {} lost", self.answered, self.lost)
    }

    fn summary(&self) -> String {
        let mut times: Vec<f64> = self.times.iter().copied().flatten().collect();
        times.sort_by(f64::total_cmp);
        let (Some(min), Some(max)) = (times.first(), times.last()) else {
            return "no answer".into();
        };
        let average = times.iter().sum::<f64>() / times.len() as f64;
        let p95 = percentile(&times, 95);
        format!("min {min:.2}  avg {average:.2}  p95 {p95:.2}  max {max:.2} ms")
    }

    fn finish(&self) -> io::Result<()> {
        if self.is_terminal {
            return Ok(());
        }
        writeln!(io::stdout(), "{}, {}", self.summary(), self.counts())
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if self.is_terminal {
            // The terminal may be gone.
            let _ = execute!(io::stdout(), Show);
        }
        if self.is_raw {
            let _ = terminal::disable_raw_mode();
        }
    }
}

/// Whether a key was pressed that means the end.
fn ends(event: &Event) -> bool {
    let Event::Key(key) = event else {
        return false;
    };
    match key.code {
        KeyCode::Char('c') => key.modifiers.contains(KeyModifiers::CONTROL),
        KeyCode::Char(c) => c == 'q',
        _ => false,
    }
}

/// The least of the sorted times that so many of a hundred do not exceed.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1]
}

/// The next of 1, 2, 5, 10, 20, 50, … that is not less.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(0.001).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    let found = steps.into_iter().find(|&step| step >= value);
    found.unwrap_or(10.0 * power)
}

/// The last times that fit, one a column, with a scale at the left. What has no time is a cross in the lowest row.
fn chart(times: &VecDeque<Option<f64>>, width: usize, rows: usize) -> Vec<String> {
    const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let shown = times.iter().skip(times.len().saturating_sub(width));
    let shown: Vec<Option<f64>> = shown.copied().collect();
    let top = round_up(shown.iter().flatten().copied().fold(0.0, f64::max));
    let line = |row: usize| {
        let scale = match row {
            row if row + 1 == rows => format!("{:>w$} ┤", format_time(top), w = SCALE - 2),
            0 => format!("{:>w$} ┤", "0", w = SCALE - 2),
            _ => format!("{:>w$}", "│", w = SCALE),
        };
        let bars = shown.iter().map(|time| match time {
            None if row == 0 => '×',
            None => ' ',
            Some(time) => {
                // Whatever was answered can be seen.
                let eighths = ((time / top * (rows * 8) as f64).round() as usize).max(1);
                EIGHTHS[eighths.saturating_sub(row * 8).min(8)]
            }
        });
        scale.chars().chain(bars).collect()
    };
    (0..rows).rev().map(line).collect()
}

fn format_time(milliseconds: f64) -> String {
    if milliseconds < 1.0 {
        format!("{:.0} µs", milliseconds * 1e3)
    } else if milliseconds < 1e3 {
        format!("{milliseconds:.0} ms")
    } else {
        format!("{:.0} s", milliseconds / 1e3)
    }
}

/// A line in parts: crosses, and what is between them.
fn parts(line: &str) -> Vec<(bool, &str)> {
    let mut parts = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let is_cross = first == '×';
        let end = rest.find(|c| (c == '×') != is_cross).unwrap_or(rest.len());
        parts.push((is_cross, &rest[..end]));
        rest = &rest[end..];
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_is_as_high_and_as_wide_as_it_may_be() {
        let times: VecDeque<_> = [Some(50.0), Some(100.0), None, Some(1.0), Some(25.0)].into();
        assert_eq!(
            chart(&times, 20, 2),
            ["  100 ms ┤ █   ", "       0 ┤██×▁▄"].map(String::from)
        );
        assert_eq!(
            chart(&times, 3, 2),
            ["   50 ms ┤   ", "       0 ┤×▁█"].map(String::from)
        );
        for width in [1, 7, 200] {
            for rows in 1..=HEIGHT {
                let drawn = chart(&times, width, rows);
                assert_eq!(drawn.len(), rows);
                let columns = SCALE + width.min(times.len());
                assert!(drawn.iter().all(|line| line.chars().count() == columns));
            }
        }
        let nothing = chart(&VecDeque::new(), 5, 3);
        assert_eq!(nothing.len(), 3);
    }

    #[test]
    fn scales_end_at_round_numbers() {
        for (time, top, name) in [
            (0.0, 0.001, "1 µs"),
            (0.3, 0.5, "500 µs"),
            (1.0, 1.0, "1 ms"),
            (1.1, 2.0, "2 ms"),
            (99.0, 100.0, "100 ms"),
            (5000.0, 5000.0, "5 s"),
        ] {
            assert!((round_up(time) / top - 1.0).abs() < 1e-9, "{time}");
            assert_eq!(format_time(round_up(time)), name);
        }
    }

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let times: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(percentile(&times, 95), 95.0);
        assert_eq!(percentile(&times[..10], 95), 10.0);
        assert_eq!(percentile(&times[..1], 95), 1.0);
    }
}
