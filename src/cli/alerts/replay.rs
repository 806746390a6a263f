//! `gatelog alerts replay`: what rules would have done on logs, read and told line by line.

use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::process::ExitCode;

use anyhow::Context;
use serde_json::json;

use super::ReplayArguments;
use crate::alert::lifecycle::Told;
use crate::alert::replay::Replay;
use crate::alert::summary::{plain, summary};
use crate::alert::{Change, Kind, Rule};
use crate::cli::closed_output;
use crate::disk::log_file;
use crate::filter::Line;
use crate::record;
use crate::search::files::{LONGEST_LINE, native};
use crate::search::paint::harmless;

/// What comes of it, on stdout.
///
/// # Errors
/// A log that cannot be read; stdout.
pub(super) fn replay(rules: Vec<Rule>, arguments: &ReplayArguments) -> anyhow::Result<ExitCode> {
    let mut out = BufWriter::new(io::stdout().lock());
    let (mut replay, mut counts) = (Replay::new(rules), Counts::default());
    for file in &arguments.files {
        let cannot = || format!("{} cannot be read", file.display());
        let mut log = BufReader::with_capacity(1 << 20, log_file::open(file).with_context(cannot)?);
        let mut text = Vec::new();
        while read_line(&mut log, &mut text).with_context(cannot)? {
            if let Err(error) = line(&mut replay, &text, arguments.json, &mut counts, &mut out) {
                return closed_output(error);
            }
        }
    }
    let told = if arguments.json { Ok(()) } else { counts.tell(replay.rules().len(), &mut out) };
    told.and_then(|()| out.flush()).map(|()| ExitCode::SUCCESS).or_else(closed_output)
}

/// What there was.
#[derive(Debug, Default)]
struct Counts {
    records: u64,
    /// Lines that are no records.
    others: u64,
    alerts: u64,
    notices: u64,
}

impl Counts {
    fn tell(&self, rules: usize, out: &mut impl Write) -> io::Result<()> {
        let Counts { records, others, alerts, notices } = self;
        writeln!(out, "{records} records, {rules} rules: {alerts} alerts, {notices} notices")?;
        if *others > 0 {
            writeln!(out, "{others} lines are no records")?;
        }
        Ok(())
    }
}

fn line(replay: &mut Replay, text: &[u8], as_json: bool, counts: &mut Counts, out: &mut impl Write) -> io::Result<()> {
    let (mut written, mut said) = (Ok(()), String::new());
    let Counts { alerts, notices, .. } = counts;
    let mut tell = |now: u64, rule: &Rule, change: &Change| {
        *alerts += u64::from(change.step.new && change.step.kind == Kind::Fired);
        *notices += u64::from(change.step.told == Told::Yes);
        said.push_str(&if as_json { in_json(now, rule, change) } else { in_words(now, rule, change) });
    };
    let line = Line::read(text);
    let renamed = line.as_ref().and_then(native);
    let line = renamed.as_deref().map_or(line, |renamed| Line::parse(renamed).ok());
    let is_record = line.is_some_and(|line| replay.record(&line, &mut tell));
    if !said.is_empty() {
        written = out.write_all(said.as_bytes());
    }
    match is_record {
        true => counts.records += 1,
        false => counts.others += 1,
    }
    written
}

fn in_words(now: u64, rule: &Rule, change: &Change) -> String {
    let at = record::timestamp(now * 1_000_000);
    let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "(others)".to_owned());
    let group = change.group.as_ref().map(|group| format!(" {}={}", group.by, name(&group.name)));
    let said = summary(rule, change.step.kind, change.value, change.sample);
    let (kind, told, group) = (word(change), change.step.told.as_str(), harmless(&group.unwrap_or_default()));
    format!("{}Z  {kind:8}  {}{group}: {said}  ({told})\n", &at[..19], rule.name)
}

fn in_json(now: u64, rule: &Rule, change: &Change) -> String {
    let line = json!({
        "timestamp": record::timestamp(now * 1_000_000),
        "kind": word(change),
        "rule": rule.name,
        "severity": rule.severity.as_str(),
        "group": change.group,
        "value": plain(rule, change.value),
        "summary": summary(rule, change.step.kind, change.value, change.sample),
        "notice": change.step.told.as_str(),
    });
    format!("{line}\n")
}

const fn word(change: &Change) -> &'static str {
    match change.step.kind {
        Kind::Fired => "fired",
        Kind::Repeated => "repeated",
        Kind::Resolved => "resolved",
        Kind::Test => "test",
    }
}

/// The next line, without its end; a longer one than may be is cut, and what is left of it skipped.
fn read_line(log: &mut impl BufRead, text: &mut Vec<u8>) -> io::Result<bool> {
    text.clear();
    let mut any = false;
    loop {
        let buffer = log.fill_buf()?;
        if buffer.is_empty() {
            return Ok(any);
        }
        any = true;
        let end = memchr::memchr(b'\n', buffer);
        let taken = end.unwrap_or(buffer.len());
        let room = LONGEST_LINE.saturating_sub(text.len());
        text.extend_from_slice(&buffer[..taken.min(room)]);
        log.consume(end.map_or(taken, |end| end + 1));
        if end.is_some() {
            return Ok(true);
        }
    }
}
