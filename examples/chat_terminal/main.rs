//! A chat in the terminal, with the people in the browser: a client of the example `chat`.
//!
//! Run the server in one terminal, and this in others:
//!
//! ```text
//! cargo run --release --example chat
//! cargo run --release --example chat_terminal -- Ann
//! ```
//!
//! Behind the name may stand another URL than `http://127.0.0.1:3000`; without a name it asks for one. What is typed is sent with Enter; `/who` tells who is
//! here, Ctrl-C and Ctrl-D end it. The line above says who is typing and how the connection is. Stop the server while you write, and start it again: what
//! was written meanwhile is sent, and what others have said is caught up with from the server's history.
//!
//! It works without a terminal, too, one message a line, and ends when all are sent:
//!
//! ```text
//! uptime | cargo run --release --example chat_terminal -- Robot
//! ```
//!
//! One loop has everything: what is typed, what happens to the connection and the socket, the answers, the time. So nothing is shared and nothing locked.

mod screen;

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use examples::with_causes;
use serde::Deserialize;
use socket_io_client::{AckError, Incoming, ManagerEvent, Socket, SocketEvent};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use screen::{Input, Screen};

/// How long an answer may take, and the messages that remain when the input ends.
const PATIENCE: Duration = Duration::from_secs(10);
/// Messages that may wait for the connection.
const MAX_WAITING: usize = 100;
/// Who has not changed the line for so long is not typing any more.
const TYPING_IDLE: Duration = Duration::from_secs(2);
/// The others are told that often, since what is volatile may be lost.
const TYPING_REPEAT: Duration = Duration::from_millis(2500);
/// What others were last heard typing is forgotten then.
const TYPING_EXPIRY: Duration = Duration::from_secs(6);

#[tokio::main]
async fn main() -> ExitCode {
    match chat().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", with_causes(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn chat() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let url = arguments
        .iter()
        .position(|argument| argument.contains("://"));
    let url = url.map_or_else(|| "http://127.0.0.1:3000".into(), |i| arguments.remove(i));
    if arguments.len() > 1 || arguments.iter().any(|name| name.starts_with('-')) {
        return Err("usage: chat_terminal [NAME] [URL]".into());
    }
    let socket = Socket::builder(&url).build()?;
    let mut chat = Chat {
        socket: socket.clone(),
        screen: Screen::new()?,
        url,
        name: arguments.pop(),
        is_in: false,
        state: "connecting".into(),
        losses: 0,
        is_failing: false,
        users: Vec::new(),
        typists: BTreeMap::new(),
        told_typing: None,
        idle_at: None,
        seen: (0, 0),
        waiting: VecDeque::new(),
        answers: JoinSet::new(),
        leave_at: None,
    };
    let outcome = chat.run().await;
    let unsent = chat.waiting.len();
    // The terminal is as it was before anything else is written.
    drop(chat);
    socket.disconnect();
    // Whoever does not listen is not waited for.
    let _ = timeout(Duration::from_secs(1), socket.flushed()).await;
    outcome?;
    if unsent > 0 {
        return Err(format!("messages that were not sent: {unsent}").into());
    }
    println!("* bye");
    Ok(())
}

struct Chat {
    socket: Socket,
    screen: Screen,
    url: String,
    /// `None` until the user has said it.
    name: Option<String>,
    /// Whether the server knows the name.
    is_in: bool,
    /// Of the connection, while it is not there.
    state: String,
    /// How often the connection was lost.
    losses: u32,
    /// Whether it was said that the server cannot be reached.
    is_failing: bool,
    users: Vec<String>,
    /// Who is typing, and until when that is believed.
    typists: BTreeMap<String, Instant>,
    /// When the others were last told that we are typing, if they believe it.
    told_typing: Option<Instant>,
    idle_at: Option<Instant>,
    /// Time and number of the last message that was shown: numbers begin again when the server does.
    seen: (u64, u64),
    /// To be sent when the server knows us.
    waiting: VecDeque<String>,
    answers: JoinSet<Answer>,
    /// Once there is no more input: when it ends whatever is not sent.
    leave_at: Option<Instant>,
}

enum Answer {
    Join(Result<Reply<Joined>, AckError>),
    Message(String, Result<Reply<Receipt>, AckError>),
}

/// What the server answers.
#[derive(Deserialize)]
#[serde(untagged)]
enum Reply<T> {
    No { error: Rejection },
    Yes(T),
}

#[derive(Deserialize)]
struct Rejection {
    message: String,
}

#[derive(Deserialize)]
struct Joined {
    name: String,
    users: Vec<String>,
}

#[derive(Deserialize)]
struct Receipt {}

#[derive(Deserialize)]
struct Message {
    id: u64,
    from: String,
    text: String,
    at: u64,
}

#[derive(Deserialize)]
struct Typing {
    from: String,
    typing: bool,
}

impl Chat {
    /// Returns when the user wants to leave.
    async fn run(&mut self) -> Result<(), Box<dyn Error>> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut events = self.socket.manager().all_events();
        // Attempts are repeated until the server is there.
        self.socket.connect_lazy();
        if self.name.is_none() {
            self.screen.note("what is your name?")?;
        }
        while !self.is_over() {
            let (prompt, status) = (self.prompt(), self.status());
            self.screen.set_status(&prompt, &status)?;
            let until = self.next_deadline();
            let reads = self.leave_at.is_none() || self.screen.is_terminal();
            tokio::select! {
                input = self.screen.input(), if reads => match input? {
                    Input::Line(line) => self.handle_line(&line)?,
                    Input::Edited => self.handle_edit()?,
                    Input::Closed => self.leave_at = Some(Instant::now() + PATIENCE),
                    Input::Interrupted => return Ok(()),
                },
                event = events.recv() => self.handle_event(event)?,
                Some(answer) = self.answers.join_next() => self.handle_answer(answer?)?,
                () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => self.handle_time()?,
                _ = interrupt.recv() => return Ok(()),
                _ = terminate.recv() => return Ok(()),
            }
        }
        Ok(())
    }

    /// Whether there is no more input and everything is said, or it was waited for long enough.
    fn is_over(&self) -> bool {
        self.leave_at.is_some_and(|until| {
            until <= Instant::now() || self.waiting.is_empty() && self.answers.is_empty()
        })
    }

    fn prompt(&self) -> String {
        let name = self.name.as_deref().unwrap_or("your name");
        format!("{name}> ")
    }

    fn status(&self) -> String {
        let mut parts = Vec::new();
        match self.socket.manager().engine() {
            Some(engine) if self.is_in => {
                parts.push(format!("{} here, {}", self.users.len(), engine.transport()));
            }
            Some(_) => parts.push("connected".into()),
            None => parts.push(self.state.clone()),
        }
        if !self.waiting.is_empty() {
            parts.push(format!("waiting to be sent: {}", self.waiting.len()));
        }
        if !self.typists.is_empty() {
            let typists: Vec<&str> = self.typists.keys().map(String::as_str).collect();
            parts.push(format!("typing: {}", typists.join(", ")));
        }
        parts.join(" | ")
    }

    fn next_deadline(&self) -> Option<Instant> {
        let typists = self.typists.values().copied();
        typists.chain(self.idle_at).chain(self.leave_at).min()
    }

    fn handle_time(&mut self) -> Result<(), Box<dyn Error>> {
        let now = Instant::now();
        self.typists.retain(|_, until| *until > now);
        if self.idle_at.is_some_and(|idle_at| idle_at <= now) {
            self.stop_typing()?;
        }
        Ok(())
    }

    // What is typed.

    fn handle_line(&mut self, line: &str) -> Result<(), Box<dyn Error>> {
        self.stop_typing()?;
        let line = line.trim();
        if line.is_empty() {
            return Ok(());
        }
        if self.name.is_none() {
            self.name = Some(line.to_owned());
            self.join();
        } else if line == "/who" {
            self.show_users()?;
        } else if self.waiting.len() == MAX_WAITING {
            let text = format!("not taken, {MAX_WAITING} messages wait already: {line}");
            self.screen.note(&text)?;
        } else {
            self.waiting.push_back(line.to_owned());
            self.send();
        }
        Ok(())
    }

    fn handle_edit(&mut self) -> Result<(), Box<dyn Error>> {
        if !self.screen.is_writing() {
            return self.stop_typing();
        }
        if !self.is_in {
            return Ok(());
        }
        let now = Instant::now();
        self.idle_at = Some(now + TYPING_IDLE);
        if self
            .told_typing
            .is_none_or(|told| now - told >= TYPING_REPEAT)
        {
            self.told_typing = Some(now);
            self.socket.volatile().emit("typing", &true)?;
        }
        Ok(())
    }

    fn stop_typing(&mut self) -> Result<(), Box<dyn Error>> {
        self.idle_at = None;
        if self.told_typing.take().is_some() {
            self.socket.emit("typing", &false)?;
        }
        Ok(())
    }

    // What is sent.

    fn join(&mut self) {
        let Some(name) = self.name.as_ref().filter(|_| self.socket.is_connected()) else {
            return;
        };
        let answer = self.socket.emit_with_ack("join", name).timeout(PATIENCE);
        self.answers
            .spawn(async move { Answer::Join(answer.await) });
    }

    /// Sends what waits, if the server knows us. The client would keep it for a later connection, too, but there it would come before our name.
    fn send(&mut self) {
        while self.is_in && self.socket.is_connected() {
            let Some(text) = self.waiting.pop_front() else {
                return;
            };
            let answer = self.socket.emit_with_ack("message", &text);
            let answer = answer.timeout(PATIENCE);
            self.answers
                .spawn(async move { Answer::Message(text, answer.await) });
        }
    }

    fn handle_answer(&mut self, answer: Answer) -> Result<(), Box<dyn Error>> {
        match answer {
            Answer::Join(Ok(Reply::Yes(joined))) => {
                self.is_in = true;
                self.name = Some(joined.name);
                self.users = joined.users;
                self.show_users()?;
                self.send();
            }
            Answer::Join(Ok(Reply::No { error })) if self.leave_at.is_some() => {
                return Err(error.message.into());
            }
            Answer::Join(Ok(Reply::No { error })) => {
                self.name = None;
                self.screen.note(&error.message)?;
                self.screen.note("what is your name?")?;
            }
            // It is told when it is there again.
            Answer::Join(Err(AckError::Disconnected)) => {}
            Answer::Join(Err(error)) => {
                self.screen.note(&format!("not let in: {error}"))?;
                self.join();
            }
            Answer::Message(_, Ok(Reply::Yes(Receipt {}))) => {}
            Answer::Message(text, Ok(Reply::No { error })) => {
                let text = format!("not taken, {}: {text}", error.message);
                self.screen.note(&text)?;
            }
            Answer::Message(text, Err(error)) => {
                let text = format!("may have arrived or not, {error}: {text}");
                self.screen.note(&text)?;
            }
        }
        Ok(())
    }

    // What happens.

    fn handle_event(&mut self, event: ManagerEvent) -> Result<(), Box<dyn Error>> {
        match event {
            ManagerEvent::ReconnectAttempt(attempt) => {
                self.state = format!("connecting, attempt {attempt}");
            }
            ManagerEvent::Socket(_, SocketEvent::Connect { .. }) => {
                self.is_failing = false;
                let text = match self.losses {
                    0 => format!("connected to {}", self.url),
                    _ => "connected again".into(),
                };
                self.screen.note(&text)?;
                self.join();
            }
            ManagerEvent::Socket(socket, SocketEvent::ConnectError(error)) => {
                if !socket.is_active() {
                    return Err(error.into());
                }
                if !self.is_failing {
                    self.is_failing = true;
                    let text = format!(
                        "{} cannot be reached ({}), trying again. Is the server there? `cargo run --release --example chat`",
                        self.url,
                        with_causes(&error)
                    );
                    self.screen.note(&text)?;
                }
            }
            ManagerEvent::Socket(socket, SocketEvent::Disconnect(reason)) => {
                if !socket.is_active() {
                    return Err(format!("the server has ended it: {reason}").into());
                }
                self.is_in = false;
                self.losses += 1;
                self.state = "connection lost".into();
                self.typists.clear();
                // The server forgets it by itself.
                (self.told_typing, self.idle_at) = (None, None);
                let text = format!("connection lost ({reason}), connecting again");
                self.screen.note(&text)?;
            }
            ManagerEvent::Socket(_, SocketEvent::Event(event)) => self.handle_incoming(&event)?,
            _ => {}
        }
        Ok(())
    }

    fn handle_incoming(&mut self, event: &Incoming) -> Result<(), Box<dyn Error>> {
        match &*event.name {
            "history" => {
                for message in event.data::<Vec<Message>>()? {
                    self.show(message)?;
                }
            }
            "message" => self.show(event.data()?)?,
            "typing" => {
                let Typing { from, typing } = event.data()?;
                if !typing {
                    self.typists.remove(&from);
                } else {
                    let until = Instant::now() + TYPING_EXPIRY;
                    let is_new = self.typists.insert(from.clone(), until).is_none();
                    if is_new && !self.screen.is_terminal() {
                        self.screen.note(&format!("{from} is typing"))?;
                    }
                }
            }
            "user joined" => {
                let Joined { name, users } = event.data()?;
                self.users = users;
                self.screen.note(&format!("{name} has come"))?;
            }
            "user left" => {
                let Joined { name, users } = event.data()?;
                self.users = users;
                self.typists.remove(&name);
                self.screen.note(&format!("{name} has gone"))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Shows a message, unless it was shown before the connection was lost.
    fn show(&mut self, message: Message) -> Result<(), Box<dyn Error>> {
        let Message { id, from, text, at } = message;
        self.typists.remove(&from);
        if (at, id) > self.seen {
            self.seen = (at, id);
            self.screen.say(&from, &text)?;
        }
        Ok(())
    }

    fn show_users(&mut self) -> Result<(), Box<dyn Error>> {
        let text = format!("here: {}", self.users.join(", "));
        Ok(self.screen.note(&text)?)
    }
}
