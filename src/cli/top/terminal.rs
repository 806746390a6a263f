//! A terminal that is drawn on: its other screen, without a cursor, letter by letter; and given back as it was.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::stdin;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

use crate::cli::asking::Interrupts;
use crate::time::monotonic;

/// The other screen, no cursor; and back (xterm).
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// A terminal, taken. Dropped, it is as it was.
pub(super) struct Terminal<W: Write> {
    out: W,
    before: Termios,
}

/// What somebody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// To leave.
    Leave,
    /// Nothing, or another look at once.
    Again,
}

impl<W: Write> Terminal<W> {
    /// Takes the terminal that standard input is.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn take(mut out: W) -> io::Result<Terminal<W>> {
        let before = tcgetattr(stdin())?;
        let mut raw = before.clone();
        // Ctrl-C stays a signal; Ctrl-Z would leave the shell on the other screen.
        raw.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        raw.special_codes[SpecialCodeIndex::VMIN] = 1;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        raw.special_codes[SpecialCodeIndex::VSUSP] = 0;
        tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        let entered = out.write_all(ENTER.as_bytes()).and_then(|()| out.flush());
        let terminal = Terminal { out, before };
        entered.map(|()| terminal)
    }

    /// Columns and rows.
    pub(super) fn size(&self) -> (usize, usize) {
        let size = terminal_size::terminal_size();
        size.map_or((80, 24), |(columns, rows)| (usize::from(columns.0), usize::from(rows.0)))
    }

    /// Draws over what was there, without a flicker.
    ///
    /// # Errors
    /// Those of writing.
    pub(super) fn show(&mut self, lines: &[String]) -> io::Result<()> {
        let drawn = lines.join("\x1b[K\r\n");
        write!(self.out, "\x1b[H{drawn}\x1b[K\x1b[J")?;
        self.out.flush()
    }

    /// Waits so long, or for a key.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(super) fn wait(&mut self, long: Duration, interrupts: &Interrupts) -> io::Result<Key> {
        let until = monotonic() + long;
        loop {
            let left = until.saturating_duration_since(monotonic());
            let [key, end] = ready(stdin(), interrupts.as_fd(), left);
            if end {
                return Ok(Key::Leave);
            }
            if !key {
                return Ok(Key::Again);
            }
            let mut letters = [0; 64];
            let read = rustix::io::read(stdin(), &mut letters)?;
            // Nothing to read is a terminal that was hung up.
            if read == 0 || letters[..read].iter().any(|letter| b"qQ\x1b\x04".contains(letter)) {
                return Ok(Key::Leave);
            }
            if letters[..read].contains(&b' ') {
                return Ok(Key::Again);
            }
        }
    }
}

impl<W: Write> Drop for Terminal<W> {
    fn drop(&mut self) {
        // Whoever has hung up needs nothing back.
        let _ = self.out.write_all(LEAVE.as_bytes()).and_then(|()| self.out.flush());
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.before);
    }
}

/// Which of two can be read.
fn ready(one: BorrowedFd<'_>, other: BorrowedFd<'_>, long: Duration) -> [bool; 2] {
    let mut fds = [PollFd::from_borrowed_fd(one, PollFlags::IN), PollFd::from_borrowed_fd(other, PollFlags::IN)];
    // A signal ends it early, and nothing else can fail here.
    let _ = poll(&mut fds, Timespec::try_from(long).ok().as_ref());
    let [one, other] = &fds;
    [one, other].map(|fd| !fd.revents().is_empty())
}
