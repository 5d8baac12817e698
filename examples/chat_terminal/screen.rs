//! The terminal: what is said above, and below it a line for the state of things and the line that is being written. Where there is no terminal, plain lines
//! in and out.

use std::io::{self, BufRead, IsTerminal, Write};

use crossterm::cursor::{MoveToColumn, MoveUp};
use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::queue;
use crossterm::style::{Attribute, Color, ResetColor, SetAttribute, SetForegroundColor};
use crossterm::terminal::{self, Clear, ClearType};
use tokio::sync::mpsc;
use unicode_width::UnicodeWidthChar;

/// What the one at the keyboard, or the program at the other end of the pipe, does.
#[derive(Debug, PartialEq)]
pub(crate) enum Input {
    /// The line that is being written has changed.
    Edited,
    Line(String),
    /// There will be no more lines: Ctrl-D, or the end of the pipe.
    Closed,
    /// Ctrl-C.
    Interrupted,
}

/// What the thread that reads has read.
enum Typed {
    Line(String),
    Event(Event),
}

pub(crate) struct Screen {
    typed: mpsc::Receiver<io::Result<Typed>>,
    editor: Option<Editor>,
}

impl Screen {
    /// Reads from standard input, and takes the terminal over if there is one.
    pub(crate) fn new() -> io::Result<Self> {
        let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
        // A pipe is read no faster than the chat goes.
        let (sender, typed) = mpsc::channel(1);
        // A thread of our own, which nobody waits for at the end: reading cannot be interrupted.
        let mut screen = Self {
            typed,
            editor: None,
        };
        if is_terminal {
            terminal::enable_raw_mode()?;
            screen.editor = Some(Editor::default());
            std::thread::spawn(move || {
                while sender
                    .blocking_send(event::read().map(Typed::Event))
                    .is_ok()
                {}
            });
        } else {
            std::thread::spawn(move || {
                let lines = io::stdin().lock().lines();
                for line in lines {
                    if sender.blocking_send(line.map(Typed::Line)).is_err() {
                        return;
                    }
                }
            });
        }
        Ok(screen)
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.editor.is_some()
    }

    /// Waits for the next thing that is done. Nothing is lost when the future is dropped.
    pub(crate) async fn input(&mut self) -> io::Result<Input> {
        loop {
            let event = match self.typed.recv().await {
                None => return Ok(Input::Closed),
                Some(Err(error)) => return Err(error),
                Some(Ok(Typed::Line(line))) => return Ok(Input::Line(line)),
                Some(Ok(Typed::Event(event))) => event,
            };
            let Some(editor) = &mut self.editor else {
                continue;
            };
            let input = editor.handle(event);
            editor.redraw(Vec::new())?;
            if let Some(input) = input {
                return Ok(input);
            }
        }
    }

    /// Whether something is written that was not sent yet.
    pub(crate) fn is_writing(&self) -> bool {
        self.editor
            .as_ref()
            .is_some_and(|editor| !editor.line.is_empty())
    }

    /// Shows what somebody says.
    pub(crate) fn say(&mut self, from: &str, text: &str) -> io::Result<()> {
        let from = clean(from);
        // Everybody has a color, the same one each time.
        const COLORS: [Color; 5] = [
            Color::Green,
            Color::Yellow,
            Color::Blue,
            Color::Magenta,
            Color::Cyan,
        ];
        let sum: usize = from.bytes().map(usize::from).sum();
        self.print(&format!("{from}: "), COLORS[sum % COLORS.len()], text)
    }

    /// Shows what has happened.
    pub(crate) fn note(&mut self, text: &str) -> io::Result<()> {
        self.print("* ", Color::DarkGrey, text)
    }

    fn print(&mut self, begin: &str, color: Color, text: &str) -> io::Result<()> {
        let text = clean(text);
        let Some(editor) = &mut self.editor else {
            return writeln!(io::stdout(), "{begin}{text}");
        };
        let mut out = editor.erase(Vec::new())?;
        queue!(out, SetForegroundColor(color))?;
        write!(out, "{begin}")?;
        queue!(out, ResetColor)?;
        write!(out, "{text}\r\n")?;
        editor.redraw(out)
    }

    /// What stands below what was said, on a terminal.
    pub(crate) fn set_status(&mut self, prompt: &str, status: &str) -> io::Result<()> {
        let Some(editor) = &mut self.editor else {
            return Ok(());
        };
        let (prompt, status) = (clean(prompt), clean(status));
        if (&editor.prompt, &editor.status) == (&prompt, &status) {
            return Ok(());
        }
        (editor.prompt, editor.status) = (prompt, status);
        editor.redraw(Vec::new())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Some(editor) = &mut self.editor {
            // The terminal may be gone.
            let _ = editor.erase(Vec::new()).and_then(|out| show(&out));
            let _ = terminal::disable_raw_mode();
        }
    }
}

/// Others decide what names and messages are, but not what the terminal does: it obeys control characters.
fn clean(text: &str) -> String {
    let turns = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let replaced = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().filter(|&c| !turns(c)).map(replaced).collect()
}

/// The two lines at the bottom.
#[derive(Default)]
struct Editor {
    prompt: String,
    status: String,
    line: Vec<char>,
    /// How many characters stand before the cursor.
    cursor: usize,
    is_drawn: bool,
}

impl Editor {
    /// `None` for what does not matter.
    fn handle(&mut self, event: Event) -> Option<Input> {
        let Event::Key(KeyEvent {
            code,
            modifiers,
            kind: KeyEventKind::Press | KeyEventKind::Repeat,
            ..
        }) = event
        else {
            return None;
        };
        let before = self.line.len();
        match (code, modifiers.contains(KeyModifiers::CONTROL)) {
            (KeyCode::Char('c'), true) => return Some(Input::Interrupted),
            (KeyCode::Char('d'), true) if self.line.is_empty() => return Some(Input::Closed),
            (KeyCode::Enter, _) => {
                self.cursor = 0;
                return Some(Input::Line(self.line.drain(..).collect()));
            }
            (KeyCode::Left, _) => self.cursor = self.cursor.saturating_sub(1),
            (KeyCode::Right, _) => self.cursor = before.min(self.cursor + 1),
            (KeyCode::Home, _) | (KeyCode::Char('a'), true) => self.cursor = 0,
            (KeyCode::End, _) | (KeyCode::Char('e'), true) => self.cursor = before,
            (KeyCode::Backspace, _) if self.cursor > 0 => {
                self.cursor -= 1;
                self.line.remove(self.cursor);
            }
            (KeyCode::Delete, _) | (KeyCode::Char('d'), true) if self.cursor < before => {
                self.line.remove(self.cursor);
            }
            (KeyCode::Char('k'), true) => self.line.truncate(self.cursor),
            (KeyCode::Char('u'), true) => {
                self.line.drain(..self.cursor);
                self.cursor = 0;
            }
            (KeyCode::Char('w'), true) => {
                let mut start = self.cursor;
                while start > 0 && self.line[start - 1].is_whitespace() {
                    start -= 1;
                }
                while start > 0 && !self.line[start - 1].is_whitespace() {
                    start -= 1;
                }
                self.line.drain(start..self.cursor);
                self.cursor = start;
            }
            (KeyCode::Char(c), false) => {
                self.line.insert(self.cursor, c);
                self.cursor += 1;
            }
            _ => {}
        }
        (self.line.len() != before).then_some(Input::Edited)
    }

    /// Adds what takes the two lines away.
    fn erase(&mut self, mut out: Vec<u8>) -> io::Result<Vec<u8>> {
        if std::mem::take(&mut self.is_drawn) {
            queue!(
                out,
                MoveUp(1),
                MoveToColumn(0),
                Clear(ClearType::FromCursorDown)
            )?;
        }
        Ok(out)
    }

    /// Adds what draws them, and writes it all at once, so that nothing flickers.
    fn redraw(&mut self, out: Vec<u8>) -> io::Result<()> {
        let mut out = self.erase(out)?;
        let (width, _) = terminal::size()?;
        // A line that fills the last column might be two.
        let width = usize::from(width).max(20) - 1;
        let prompt = cut(self.prompt.chars(), width / 2);
        let room = width - width_of(prompt.chars());
        let (shown, column) = self.visible(room);
        queue!(out, SetAttribute(Attribute::Dim))?;
        write!(out, "{}", cut(self.status.chars(), width))?;
        queue!(out, SetAttribute(Attribute::Reset))?;
        write!(out, "\r\n{prompt}{shown}")?;
        let column = width_of(prompt.chars()) + column;
        queue!(out, MoveToColumn(u16::try_from(column).unwrap_or(u16::MAX)))?;
        self.is_drawn = true;
        show(&out)
    }

    /// The part of the line around the cursor that fits, and the column of the cursor in it.
    fn visible(&self, room: usize) -> (String, usize) {
        let mut start = self.cursor;
        let mut column = 0;
        while start > 0 && column + width(self.line[start - 1]) < room {
            start -= 1;
            column += width(self.line[start]);
        }
        (cut(self.line[start..].iter().copied(), room), column)
    }
}

fn show(output: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(output)?;
    stdout.flush()
}

/// As many characters as fit.
fn cut(text: impl Iterator<Item = char>, room: usize) -> String {
    let mut used = 0;
    let fits = |c: &char| {
        used += width(*c);
        used <= room
    };
    text.take_while(fits).collect()
}

fn width_of(text: impl Iterator<Item = char>) -> usize {
    text.map(width).sum()
}

fn width(c: char) -> usize {
    c.width().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(editor: &mut Editor, keys: &str) -> Vec<Input> {
        let keys = keys.chars().map(|key| match key {
            '\n' => (KeyCode::Enter, KeyModifiers::NONE),
            '<' => (KeyCode::Left, KeyModifiers::NONE),
            '>' => (KeyCode::Right, KeyModifiers::NONE),
            '#' => (KeyCode::Backspace, KeyModifiers::NONE),
            // A control key is written as its control character.
            c if c.is_control() => {
                let letter = char::from(b'a' - 1 + c as u8);
                (KeyCode::Char(letter), KeyModifiers::CONTROL)
            }
            c => (KeyCode::Char(c), KeyModifiers::NONE),
        });
        let events = keys.map(|(code, modifiers)| Event::Key(KeyEvent::new(code, modifiers)));
        events.filter_map(|event| editor.handle(event)).collect()
    }

    #[track_caller]
    fn check(keys: &str, line: &str) {
        let mut editor = Editor::default();
        let inputs = press(&mut editor, &format!("{keys}\n"));
        assert_eq!(inputs.last(), Some(&Input::Line(line.into())));
        assert_eq!((editor.line.len(), editor.cursor), (0, 0));
    }

    #[test]
    fn lines_are_edited_as_in_a_shell() {
        check("hello", "hello");
        check("helo<l", "hello");
        check("<<>>x<>y", "xy");
        check("###a#b", "b");
        check("world\u{1}hello \u{5}!", "hello world!");
        check("one two  \u{17}three", "one three");
        check("\u{17}one\u{15}two", "two");
        check("abc<<\u{b}d", "ad");
        check("abc\u{1}\u{4}", "bc");
        check("日本#国", "日国");
    }

    #[test]
    fn ctrl_c_and_ctrl_d_end() {
        assert_eq!(
            press(&mut Editor::default(), "a\u{3}"),
            [Input::Edited, Input::Interrupted]
        );
        assert_eq!(press(&mut Editor::default(), "\u{4}"), [Input::Closed]);
    }

    #[test]
    fn a_long_line_is_shown_around_its_cursor() {
        let mut editor = Editor::default();
        press(&mut editor, "0123456789");
        assert_eq!(editor.visible(20), ("0123456789".into(), 10));
        assert_eq!(editor.visible(5), ("6789".into(), 4));
        press(&mut editor, "\u{1}>");
        assert_eq!(editor.visible(5), ("01234".into(), 1));
        let mut editor = Editor::default();
        press(&mut editor, "日本国日本国");
        assert_eq!(editor.visible(6), ("本国".into(), 4));
        assert_eq!(editor.visible(0), (String::new(), 0));
    }

    #[test]
    fn what_others_write_does_not_steer_the_terminal() {
        assert_eq!(clean("a\u{1b}[2J\r\nb\u{202e}c\u{9b}"), "a [2J  bc ");
    }
}
