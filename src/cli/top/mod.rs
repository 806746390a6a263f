//! `gatelog top`: what the proxy does now, on a terminal until `q` or Ctrl-C; in a pipe one plain frame.
//!
//! Rates are differences of the counters that `/metrics` shows ([`sample`]), so they are exact and cost the proxy next to
//! nothing; what runs, and what was slow or failed, are the pages of the same name ([`view`]). That makes a few lines
//! ([`head`]) and four lists ([`lists`]), written as text ([`plain`]) or drawn by ratatui ([`draw`]). On a terminal, threads
//! bring keys and news ([`watch`]), keys say what is looked at ([`browse`]), and what is opened lies over the lists ([`page`]).

mod browse;
mod draw;
#[cfg(test)]
mod example;
mod head;
mod list;
mod lists;
mod numbers;
mod page;
mod plain;
mod sample;
mod terminal;
mod view;
mod watch;

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
use browse::{Act, Browse};
use draw::Pens;
use page::Page;
use terminal::Terminal;
use view::{Look, View};
use watch::{Event, Watch};

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
    view.take(Ok(Look::at(&running)?));
    let is_live = !arguments.once && io::stdout().is_terminal();
    if is_live && !io::stdin().is_terminal() {
        return Ok(misused("gatelog: top needs a terminal to hear `q` on; --once prints one frame"));
    }
    let drawn = if is_live {
        live(Watch::start(running, arguments.every, interrupts)?, &mut view, &zone)
    } else {
        once(&running, &mut view, arguments.every, &interrupts, &zone)
    };
    drawn.map(|()| ExitCode::SUCCESS).or_else(super::closed_output)
}

/// Two looks, so that there are rates.
fn once(running: &Running, view: &mut View, every: Duration, interrupts: &Interrupts, zone: &Zone) -> io::Result<()> {
    if !interrupts.rest(every) {
        view.take(Ok(Look::at(running).map_err(io::Error::other)?));
    }
    let text = plain::draw(view, Screen { width: None, ..screen() }, zone, wall_now()).join("\n") + "\n";
    super::write_whole(&text, &mut io::stdout().lock())
}

/// Draws after whatever happens, until somebody leaves.
fn live(watch: Watch, view: &mut View, zone: &Zone) -> io::Result<()> {
    let colour = screen().colour;
    let mut terminal = Terminal::take()?;
    let mut browse = Browse::default();
    loop {
        let pens = Pens { colour, zone, now: wall_now() };
        terminal.show(|frame| draw::draw(frame, view, &mut browse, pens))?;
        for event in watch.next() {
            match event {
                Event::End => return Ok(()),
                Event::Resized => {}
                Event::Looked(_) if browse.is_paused => {}
                Event::Looked(look) => view.take(*look),
                Event::Opened(opens, found) => browse.opened(&opens, || Page::of(opens.clone(), found)),
                Event::Key(key) => match browse.key(key) {
                    Act::Draw => {}
                    Act::Leave => return Ok(()),
                    Act::Look => watch.look(),
                    Act::Open(opens) => watch.open(opens),
                },
            }
        }
    }
}
