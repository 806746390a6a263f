//! What `gatelog top` waits for: keys, a terminal of another size, what the proxy says, and the end. Each comes from a thread
//! of its own, so that a proxy that takes its time keeps nobody from leaving.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use ratatui::crossterm::event::{self, Event as Input, KeyEvent};

use super::list::Opens;
use super::page::{self, Content};
use super::view::Look;
use crate::cli::asking::Interrupts;
use crate::cli::running::{NoAnswer, Running};
use crate::time::monotonic;

/// Events that wait to be seen; whoever has more of them waits.
const WAITING: usize = 64;
/// Questions that wait for the proxy; more are not asked.
const ASKED: usize = 8;
/// How often it is seen whether somebody has sent a signal, at least.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Something to be seen.
#[derive(Debug)]
pub(super) enum Event {
    /// Somebody has pressed a key.
    Key(KeyEvent),
    /// The terminal is another one.
    Resized,
    /// The proxy was looked at.
    Looked(Box<Result<Look, NoAnswer>>),
    /// What was asked for.
    Opened(Opens, Result<Content, NoAnswer>),
    /// Nobody is there any more, or somebody wants it to end.
    End,
}

/// Something to ask the proxy.
#[derive(Debug)]
enum Ask {
    Look,
    Open(Opens),
}

/// All that is waited for.
#[derive(Debug)]
pub(super) struct Watch {
    events: Receiver<Event>,
    asks: SyncSender<Ask>,
}

impl Watch {
    /// Looks at the proxy so often, listens to the terminal, and waits for signals. The threads end with the process.
    ///
    /// # Errors
    /// When there is no terminal to listen to, or the system has no thread left.
    pub(super) fn start(running: Running, every: Duration, interrupts: Interrupts) -> io::Result<Watch> {
        // From here on it is told when the terminal is given another size, also before the first frame.
        event::poll(Duration::ZERO)?;
        let (send, events) = sync_channel(WAITING);
        let (asks, asked) = sync_channel(ASKED);
        let named = |name: &str| thread::Builder::new().name(name.to_owned());
        let (to, keys, end) = (send.clone(), send.clone(), send);
        named("looks").spawn(move || looks(&running, every, &asked, &to))?;
        named("keys").spawn(move || inputs(&keys))?;
        named("end").spawn(move || {
            while !interrupts.rest(DAY) {}
            let _gone = end.send(Event::End);
        })?;
        Ok(Watch { events, asks })
    }

    /// The next event, and those that have come with it.
    pub(super) fn next(&self) -> impl Iterator<Item = Event> {
        let first = self.events.recv().unwrap_or(Event::End);
        std::iter::once(first).chain(self.events.try_iter())
    }

    /// Looks at the proxy at once.
    pub(super) fn look(&self) {
        self.ask(Ask::Look);
    }

    /// Asks the proxy for what this leads to.
    pub(super) fn open(&self, opens: Opens) {
        self.ask(Ask::Open(opens));
    }

    fn ask(&self, ask: Ask) {
        match self.asks.try_send(ask) {
            // Somebody is impatient: what is asked for already is on its way. Gone: the end is near.
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }
}

fn looks(running: &Running, every: Duration, asked: &Receiver<Ask>, to: &SyncSender<Event>) {
    let mut next = monotonic() + every;
    loop {
        let event = match asked.recv_timeout(next.saturating_duration_since(monotonic())) {
            Ok(Ask::Open(opens)) => {
                let found = page::fetch(running, &opens);
                Event::Opened(opens, found)
            }
            Ok(Ask::Look) | Err(RecvTimeoutError::Timeout) => {
                next = monotonic() + every;
                Event::Looked(Box::new(Look::at(running)))
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if to.send(event).is_err() {
            return;
        }
    }
}

fn inputs(to: &SyncSender<Event>) {
    loop {
        let event = match event::read() {
            Ok(Input::Key(key)) => Event::Key(key),
            Ok(Input::Resize(..)) => Event::Resized,
            Ok(_) => continue,
            // It was hung up.
            Err(_) => Event::End,
        };
        let is_end = matches!(event, Event::End);
        if to.send(event).is_err() || is_end {
            return;
        }
    }
}
