//! What can be wrong with a log, in words, and how much of it is shown.

use std::collections::HashMap;
use std::io::{self, Write};
use std::mem::{Discriminant, discriminant};
use std::path::Path;

use super::Report;
use super::line::Loss;

/// Problems of one kind that are shown; the others are counted.
const SHOWN: u64 = 20;

/// A line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Which file, in the order of the command line.
    file: usize,
    /// Which line, from 1.
    pub(super) line: u64,
}

/// Something that breaks a promise, or is no record. Words of the log are quoted with their control characters escaped.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Problem {
    #[error("not a record: {0}")]
    NoRecord(String),
    #[error("longer than {} bytes", super::LONGEST_LINE)]
    TooLong,
    #[error("the field {0:?} stands twice")]
    Twice(String),
    #[error("the field `{0}` is missing")]
    Missing(&'static str),
    #[error("the field `{name}` is {found} and must be {expected}")]
    IllTyped { name: &'static str, found: &'static str, expected: &'static str },
    #[error("the field `{name}` must be {expected} and is {found:?}")]
    Unknown { name: &'static str, expected: &'static str, found: String },
    #[error("numbers {from} to {to} of instance {instance:?} are missing before this line, and no log_loss names them")]
    Gap { from: u64, to: u64, instance: String },
    #[error("number {seq} stands here a second time")]
    Reused { seq: u64 },
    #[error("number {seq} comes after a higher one")]
    OutOfOrder { seq: u64 },
    #[error("log_loss names numbers {} to {}, which are not missing", .0.from, .0.to)]
    Unfounded(Loss),
    #[error("log_loss names numbers {} to {} and counts {}", .0.from, .0.to, .0.count)]
    Miscounted(Loss),
    #[error("request {0:?} has no request_completed")]
    Unfinished(String),
    #[error("request {0:?} is completed a second time")]
    CompletedTwice(String),
    #[error("request {0:?} was completed before this line")]
    AfterEnd(String),
    #[error("{0} of request {1:?} stands here a second time")]
    Repeated(String, String),
    #[error(
        "instance {0:?}, started here, has no server_stopping: the log is cut off, or the process runs (--open-ok)"
    )]
    CutOff(String),
    #[error("more than {} requests are open: this one is not followed", super::requests::OPEN)]
    TooManyOpen,
    #[error("more than {} instances: this one is not followed", super::INSTANCES)]
    TooManyInstances,
}

/// Writes problems as they are found, and counts them.
pub(super) struct Problems<'o, W> {
    out: &'o mut W,
    files: Vec<String>,
    counts: HashMap<Discriminant<Problem>, u64>,
}

impl<'o, W: Write> Problems<'o, W> {
    pub(super) fn new(out: &'o mut W) -> Self {
        Problems { out, files: Vec::new(), counts: HashMap::new() }
    }

    /// The place before the first line of the next file.
    pub(super) fn file(&mut self, path: &Path) -> Place {
        self.files.push(path.display().to_string());
        Place { file: self.files.len() - 1, line: 0 }
    }

    /// Counts a problem, and writes it as `FILE:LINE: what` unless there were many like it.
    pub(super) fn found(&mut self, place: Place, problem: Problem) -> io::Result<()> {
        let count = self.counts.entry(discriminant(&problem)).or_default();
        *count += 1;
        match *count {
            ..=SHOWN => writeln!(self.out, "{}:{}: {problem}", self.files[place.file], place.line),
            _ => Ok(()),
        }
    }

    /// Says how many were not shown; returns how many there were.
    pub(super) fn finish(&mut self) -> io::Result<u64> {
        let hidden: u64 = self.counts.values().map(|count| count.saturating_sub(SHOWN)).sum();
        if hidden > 0 {
            writeln!(self.out, "… and {hidden} more of the same kinds")?;
        }
        Ok(self.counts.values().sum())
    }

    /// The last line.
    pub(super) fn summary(&mut self, report: &Report) -> io::Result<()> {
        let Report { records, instances, completed, open, lost, sampled, torn, problems } = report;
        let verdict = if *problems == 0 { "both promises hold".into() } else { format!("{problems} problems") };
        write!(self.out, "{records} records of {instances} instances, {completed} requests completed")?;
        if *open > 0 {
            write!(self.out, ", {open} open")?;
        }
        if *lost > 0 {
            write!(self.out, ", {lost} records lost and told")?;
        }
        if *sampled > 0 {
            write!(self.out, ", {sampled} left out by sampling")?;
        }
        if *torn > 0 {
            write!(self.out, ", {torn} lines torn")?;
        }
        writeln!(self.out, ": {verdict}")
    }
}
