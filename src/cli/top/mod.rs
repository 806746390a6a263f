//! `gatelog top`: what the proxy does now, drawn again and again until `q` or Ctrl-C; in a pipe one plain frame.
//!
//! Rates are differences of the counters that `/metrics` shows ([`sample`]), so they are exact and cost the proxy next to
//! nothing; what runs, and what was slow or failed, are the pages of the same name ([`view`]). A frame is plain text
//! ([`frame`]) until it meets a terminal ([`terminal`]).

mod columns;
mod frame;
mod sample;
mod terminal;
mod view;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::asking::Interrupts;
use super::misused;
use super::running::{AdminArguments, Running};
use super::shown::screen;
use crate::config::{self, Environment};
use crate::search::paint::Screen;
use crate::search::zone::Zone;
use crate::time::wall_now;
use frame::Size;
use terminal::{Key, Terminal};
use view::View;

/// Columns and rows of what nobody says the size of.
const PLAIN: Size = Size { columns: 120, rows: usize::MAX };

/// What is shown, and how.
#[derive(Debug, Args)]
pub struct TopArguments {
    /// One frame, as it goes into a pipe
    #[arg(long)]
    pub once: bool,
    /// How often it is drawn
    #[arg(long, value_name = "SPAN", default_value = "1s", value_parser = read_span)]
    pub every: Duration,
    /// The configuration of the proxy that runs; gatelog.toml in this directory unless said otherwise
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Which proxy is asked.
    #[command(flatten)]
    pub admin: AdminArguments,
    /// Show times in UTC, not in local time
    #[arg(long)]
    pub utc: bool,
}

fn read_span(text: &str) -> Result<Duration, String> {
    let bounds = Duration::from_millis(100)..=Duration::from_secs(3600);
    config::span(text).filter(|every| bounds.contains(every)).ok_or_else(|| "write 500ms, 1s or 5s".to_owned())
}

/// Draws until somebody has seen enough.
///
/// # Errors
/// When the proxy does not answer at first, or the terminal cannot be drawn to.
pub fn top(arguments: &TopArguments, environment: &Environment) -> anyhow::Result<ExitCode> {
    let running = match Running::of(&arguments.admin, arguments.config.as_deref(), environment) {
        Ok(running) => running,
        Err(none) => return Ok(none.tell()),
    };
    let zone = if arguments.utc { Zone::utc() } else { Zone::local() };
    let interrupts = Interrupts::watch_ends()?;
    let mut view = View::of(running.address());
    view.look(&running)?;
    let is_live = !arguments.once && io::stdout().is_terminal();
    if is_live && !io::stdin().is_terminal() {
        return Ok(misused("gatelog: top needs a terminal to hear `q` on; --once prints one frame"));
    }
    let drawn = if is_live {
        live(&running, &mut view, arguments.every, &interrupts, &zone)
    } else {
        once(&running, &mut view, arguments.every, &interrupts, &zone)
    };
    drawn.map(|()| ExitCode::SUCCESS).or_else(super::closed_output)
}

/// Two looks, so that there are rates.
fn once(running: &Running, view: &mut View, every: Duration, interrupts: &Interrupts, zone: &Zone) -> io::Result<()> {
    if !interrupts.rest(every) {
        view.look(running).map_err(io::Error::other)?;
    }
    let screen = screen();
    let text = frame::draw(view, Screen { width: None, ..screen }, PLAIN, zone, wall_now()).join("\n") + "\n";
    super::write_whole(&text, &mut io::stdout().lock())
}

fn live(running: &Running, view: &mut View, every: Duration, interrupts: &Interrupts, zone: &Zone) -> io::Result<()> {
    let mut terminal = Terminal::take(io::stdout().lock())?;
    loop {
        let (columns, rows) = terminal.size();
        let size = Size { columns, rows };
        let lines = frame::draw(view, Screen { colour: screen().colour, width: Some(columns) }, size, zone, wall_now());
        terminal.show(&lines)?;
        match terminal.wait(every, interrupts)? {
            Key::Leave => return Ok(()),
            Key::Again => view.try_look(running),
        }
    }
}
