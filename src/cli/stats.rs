//! `gatelog stats`: what a stretch of time was like, from a store or from log files.

use std::io;
use std::process::ExitCode;

use serde_json::{Map, Value as Json};

use super::arguments::{Format, StatsArguments, StatsFormat};
use super::asking::{INTERRUPTED, Interrupts, wait};
use super::misused;
use super::place::Place;
use super::search::span;
use super::shown::{filter, format, screen, write_lines};
use crate::config::Environment;
use crate::filter::Expression;
use crate::search::zone::Zone;
use crate::store::rollup::{HOUR, Range};
use crate::store::statistics::Statistics;
use crate::store::statistics::text::Shape;
use crate::time;

/// Of a store the last day, unless said otherwise; log files are counted whole.
const DAY: u64 = 24 * HOUR;

/// Letters of a line where nobody says how wide the terminal is.
const WIDTH: usize = 100;

/// Counts, and shows what was counted.
///
/// # Errors
/// When nothing can be counted at all, or the answer not be written.
pub fn stats(arguments: &StatsArguments, environment: &Environment) -> anyhow::Result<ExitCode> {
    let (expression, range) = match asked(arguments) {
        Ok(asked) => asked,
        Err(why) => return Ok(misused(&why)),
    };
    let interrupts = Interrupts::watch()?;
    let place = match Place::open(&arguments.place, environment) {
        Ok(place) => place,
        Err(none) => return Ok(none.tell()),
    };
    let archive = place.archive();
    let work = move |stop: crate::store::Stop<'_>| archive.statistics(range, &expression, stop);
    let answer = wait(&interrupts, &|| place.progress(), work)?;
    let Some(statistics) = answer.transpose()? else { return Ok(ExitCode::from(INTERRUPTED)) };
    if interrupts.is_any() {
        super::complain(&["gatelog: stopped; not all was counted"]);
        return Ok(ExitCode::from(INTERRUPTED));
    }
    let statistics = if arguments.is_unbounded() { narrowed(statistics) } else { statistics };
    let is_table = format(arguments.format.map(StatsFormat::as_records)) == Format::Table;
    let text = if is_table { table(&statistics) } else { json(&statistics)? + "\n" };
    if let Err(error) = write_lines(&text, &interrupts, &mut io::stdout().lock()) {
        return super::closed_output(error);
    }
    // Tables tell them themselves.
    let troubles = statistics.troubles().iter().filter(|_| !is_table);
    super::complain(&troubles.map(|trouble| format!("gatelog: {trouble}")).collect::<Vec<_>>());
    Ok(if statistics.is_partial() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn asked(arguments: &StatsArguments) -> Result<(Expression, Range), String> {
    let zone = if arguments.utc { Zone::utc() } else { Zone::local() };
    let now = time::wall_now();
    let (since, until) = span(arguments.since.as_deref(), arguments.until.as_deref(), &zone, now)?;
    let filter = filter(&arguments.filter)?;
    if arguments.is_unbounded() {
        return Ok((filter, Range { since: 0, until: u64::MAX }));
    }
    let until = until.unwrap_or(now);
    Ok((filter, Range { since: since.unwrap_or(until.saturating_sub(DAY)), until }))
}

impl StatsArguments {
    /// Whether all of some logs is meant.
    fn is_unbounded(&self) -> bool {
        !self.place.file.is_empty() && self.since.is_none() && self.until.is_none()
    }
}

/// The hours that there are, of all of time.
fn narrowed(statistics: Statistics) -> Statistics {
    let hours = statistics.hours();
    let since = hours.keys().next().copied().unwrap_or_default();
    let until = hours.keys().next_back().map_or(since, |last| last + HOUR);
    statistics.told_of(Range { since, until })
}

fn table(statistics: &Statistics) -> String {
    let screen = screen();
    statistics.show(Shape { width: screen.width.unwrap_or(WIDTH), colour: screen.colour, ..Shape::default() })
}

/// What `/api/stats`, `/api/errors` and `/api/performance` tell, as one object on one line.
fn json(statistics: &Statistics) -> serde_json::Result<String> {
    let mut all = Map::new();
    let parts = [
        serde_json::to_value(statistics.stats())?,
        serde_json::to_value(statistics.errors())?,
        serde_json::to_value(statistics.performance())?,
    ];
    for part in parts {
        let Json::Object(members) = part else { continue };
        for (name, value) in members {
            // What they have in common is the same in each.
            all.entry(name).or_insert(value);
        }
    }
    serde_json::to_string(&all)
}
