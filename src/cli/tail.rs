//! `gatelog tail`: the last records that a filter means, and then those that come: of the proxy that runs, or of a log file.
//! Where no proxy runs, the newest of its store.

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::arguments::{Format, TailArguments};
use super::asking::{INTERRUPTED, Interrupts};
use super::audience::Audience;
use super::place::{NoPlace, folder};
use super::running::{Events, Next, NoAnswer, Running};
use super::shown::{filter, format, line, screen};
use super::{complain, misused};
use crate::config::Environment;
use crate::filter::{Expression, Line, Span};
use crate::search::files::judge::{Judge, Verdict};
use crate::search::follow::{FileFollower, Follow, last};
use crate::search::table::single;
use crate::search::watch::Watch;
use crate::search::zone::Zone;
use crate::store::{Line as Found, Order, Question, Reader, Records};

/// How often a proxy that has gone is looked for.
const RETURN: Duration = Duration::from_secs(1);

/// Records on a page of the admin listener, at most.
const PAGE: usize = 200;

/// Shows the last records and, where it is asked for, follows until Ctrl-C.
///
/// # Errors
/// When the records cannot be read, or the answer not be written.
pub fn tail(arguments: &TailArguments, environment: &Environment) -> anyhow::Result<ExitCode> {
    let filter = match filter(&arguments.filter) {
        Ok(filter) => filter,
        Err(why) => return Ok(misused(&why)),
    };
    if arguments.store.is_some() && arguments.follow {
        return Ok(misused("gatelog: a store is not followed: leave --store out to ask the proxy that runs"));
    }
    let printer = Printer {
        format: format(arguments.format),
        zone: if arguments.utc { Zone::utc() } else { Zone::local() },
        out: io::stdout().lock(),
    };
    let mut tail = Tail { arguments, filter, interrupts: Interrupts::watch()?, printer };
    let shown = match &arguments.file {
        Some(path) => tail.file(path),
        None => tail.place(environment),
    };
    shown.or_else(|error| match error.downcast::<io::Error>() {
        Ok(error) => super::closed_output(error),
        Err(error) => Err(error),
    })
}

/// What is shown, and how.
struct Tail<'a, W> {
    arguments: &'a TailArguments,
    filter: Expression,
    interrupts: Interrupts,
    printer: Printer<W>,
}

impl<W: Write> Tail<'_, W> {
    fn file(&mut self, path: &Path) -> anyhow::Result<ExitCode> {
        let question = self.newest();
        // Before the first look, so that nothing comes between.
        let watch = self.arguments.follow.then(|| Watch::new(path));
        let (found, mut follower) =
            last(path, &question).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
        self.printer.print(&found)?;
        match watch {
            Some(watch) => self.follow_file(&mut follower, &watch, &Judge::new(&question)),
            None => Ok(ExitCode::SUCCESS),
        }
    }

    fn follow_file(
        &mut self,
        follower: &mut FileFollower,
        watch: &Watch,
        judge: &Judge<'_>,
    ) -> anyhow::Result<ExitCode> {
        while !self.interrupts.is_any() {
            let mut result = Ok(());
            let (printer, interrupts) = (&mut self.printer, &self.interrupts);
            follower.look(&mut |line| {
                if let (Verdict::Meant(record), Ok(()), false) =
                    (judge.judge(line, |_| true), &result, interrupts.is_any())
                {
                    result = printer.print(&[record]);
                }
            })?;
            result?;
            if watch.wait(&self.interrupts, &io::stdout()) {
                return Ok(ExitCode::SUCCESS);
            }
        }
        Ok(ExitCode::from(INTERRUPTED))
    }

    fn place(&mut self, environment: &Environment) -> anyhow::Result<ExitCode> {
        let TailArguments { store, config, admin, .. } = self.arguments;
        if let Some(folder) = store {
            return self.stored(folder);
        }
        let running = match Running::of(admin, config.as_deref(), environment) {
            Ok(running) => running,
            Err(none) => return Ok(none.tell()),
        };
        match self.live(&running) {
            Err(Cut::NoAnswer(none)) if none.is_absent() => self.instead(&none, environment),
            Err(Cut::NoAnswer(none)) => Err(none.into()),
            Err(Cut::Output(error)) => Err(error.into()),
            Ok(code) => Ok(code),
        }
    }

    /// The newest of the store, where no proxy answers.
    fn instead(&mut self, none: &NoAnswer, environment: &Environment) -> anyhow::Result<ExitCode> {
        let folder = match folder(None, self.arguments.config.as_deref(), environment) {
            Ok(folder) => folder,
            Err(NoPlace::Unnamed(_)) => {
                anyhow::bail!("{none}; name a log with --file LOG, or a store with --store DIR")
            }
            Err(unreadable) => return Ok(unreadable.tell()),
        };
        complain(&[format!("gatelog: {none}: these are the newest of the store in {}", folder.display())]);
        let shown = self.stored(&folder)?;
        Ok(if self.arguments.follow { ExitCode::FAILURE } else { shown })
    }

    fn stored(&mut self, folder: &Path) -> anyhow::Result<ExitCode> {
        let interrupts = self.interrupts.clone();
        let mut page = Reader::new(folder).search(&self.newest(), &|| interrupts.is_any())?;
        page.lines.reverse();
        self.printer.print(&page.lines)?;
        complain(&page.troubles.iter().map(|trouble| format!("gatelog: {trouble}")).collect::<Vec<_>>());
        Ok(if page.partial { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS })
    }

    fn newest(&self) -> Question {
        let (order, limit) = (Order::Newest, self.arguments.limit);
        Question { filter: self.filter.clone(), since: None, until: None, order, skip: 0, limit, count_to: 0 }
    }

    /// The newest of the proxy that runs, and those that come.
    fn live(&mut self, running: &Running) -> Result<ExitCode, Cut> {
        let query = utf8_percent_encode(&self.arguments.filter, NON_ALPHANUMERIC).to_string();
        let target = format!("/api/logs/tail?q={query}");
        // It begins before the newest are asked for, so that none is missed between.
        let events = self.arguments.follow.then(|| running.events(&target, None)).transpose()?;
        let newest = newest(running, &query, self.arguments.limit)?;
        self.printer.print(&newest)?;
        let Some(mut events) = events else { return Ok(ExitCode::SUCCESS) };
        let audience = Audience::of(&io::stdout())?;
        let mut shown: HashSet<Box<str>> = newest.into_iter().map(|record| record.json).collect();
        loop {
            match events.next(&self.interrupts, &audience) {
                _ if self.interrupts.is_any() => return Ok(ExitCode::from(INTERRUPTED)),
                Ok(Next::Events(told)) => {
                    for event in told {
                        self.show(&event.kind, &event.data, &mut shown)?;
                    }
                }
                Ok(Next::Unread) => return Ok(ExitCode::SUCCESS),
                Ok(Next::Over) | Err(NoAnswer::Broken { .. }) => {
                    let last = events.last().map(str::to_owned);
                    match self.wait_for(running, &target, last.as_deref())? {
                        Return::Came(again) => events = again,
                        Return::GivenUp(code) => return Ok(code),
                    }
                }
                Err(other) => return Err(other.into()),
            }
        }
    }

    fn show(&mut self, kind: &str, data: &str, shown: &mut HashSet<Box<str>>) -> io::Result<()> {
        match kind {
            "message" if !shown.is_empty() && shown.remove(data) => Ok(()),
            "message" => self.printer.print(&[found(data)]),
            "missed" => {
                let count = serde_json::from_str(data).ok().and_then(|told: Json| told["count"].as_u64());
                let count = count.map_or("some".to_owned(), |count| count.to_string());
                complain(&[format!("gatelog: {count} records went by unseen")]);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Waits for a proxy that is started again, for as long as somebody reads what it would tell.
    fn wait_for<'r>(&self, running: &'r Running, target: &str, last: Option<&str>) -> Result<Return<'r>, NoAnswer> {
        complain(&[format!("gatelog: the proxy at {} has gone; waiting for it", running.address())]);
        loop {
            if self.interrupts.rest_unless_closed(RETURN, &io::stdout()) {
                return Ok(Return::GivenUp(ExitCode::SUCCESS));
            }
            if self.interrupts.is_any() {
                return Ok(Return::GivenUp(ExitCode::from(INTERRUPTED)));
            }
            match running.events(target, last) {
                Ok(events) => return Ok(Return::Came(events)),
                Err(NoAnswer::Absent { .. } | NoAnswer::Broken { .. }) => {}
                Err(refused) => return Err(refused),
            }
        }
    }
}

/// What became of a proxy that had gone.
enum Return<'r> {
    Came(Events<'r>),
    GivenUp(ExitCode),
}

/// Why there is nothing more to show.
#[derive(Debug)]
enum Cut {
    NoAnswer(NoAnswer),
    Output(io::Error),
}

impl From<NoAnswer> for Cut {
    fn from(none: NoAnswer) -> Cut {
        Cut::NoAnswer(none)
    }
}

impl From<io::Error> for Cut {
    fn from(error: io::Error) -> Cut {
        Cut::Output(error)
    }
}

/// So many of the newest, the oldest of them first.
fn newest(running: &Running, query: &str, limit: usize) -> Result<Vec<Found>, NoAnswer> {
    #[derive(Deserialize)]
    struct Page<'a> {
        #[serde(borrow)]
        logs: Vec<&'a RawValue>,
        #[serde(default)]
        has_next: bool,
    }
    let (mut newest, mut page) = (Vec::new(), 1);
    while newest.len() < limit {
        let size = limit.min(PAGE);
        let text = running.text(&format!("/api/logs?q={query}&page={page}&per_page={size}"))?;
        let Ok(Page { logs, has_next }) = serde_json::from_str(&text) else { break };
        newest.extend(logs.iter().map(|json| found(json.get())));
        if !has_next {
            break;
        }
        page += 1;
    }
    newest.truncate(limit);
    newest.reverse();
    Ok(newest)
}

fn found(json: &str) -> Found {
    let moment = |line: Line<'_>| line.text("timestamp").and_then(|text| Span::parse(&text)).map(|span| span.from);
    Found { at: Line::parse(json).ok().and_then(moment).unwrap_or_default(), json: json.into() }
}

/// Shows records as they come.
struct Printer<W> {
    format: Format,
    zone: Zone,
    out: W,
}

impl<W: Write> Printer<W> {
    fn print(&mut self, records: &[Found]) -> io::Result<()> {
        for record in records {
            let text = match self.format {
                Format::Table => single(record, screen(), &self.zone),
                written => line(&record.json, written),
            };
            self.out.write_all(text.as_bytes())?;
        }
        self.out.flush()
    }
}
