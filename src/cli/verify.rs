//! `gatelog verify FILE…`: the two promises of the record, checked on a log, by nothing but what stands in it.
//!
//! 1. Each request that a record speaks of has its `request_completed`, one and no more, and nothing comes after it.
//! 2. The numbers (`seq`) of each instance run from 1 without a gap, but for those that a `log_loss` names.
//!
//! A log may be JSON of any schema, plain or compressed with gzip or zstd; what is found speaks of fields by their native
//! names. And each line must be a record: JSON, with the fields of its event and their types, its tokens known.
//! Only what is certain is reported. A client may send the same request id twice, so that for ids that gatelog did not
//! mint only the counts must agree; a `log_loss` excuses as many missing ends as it names records.
//!
//! Requests that sampling left out have no record at all, so that nothing about them is open; they are summed up from
//! `log_sampled`.
//!
//! What no log can show is that its tail is gone, when that tail is whole requests of which nothing else stands in it; so
//! an instance that has a `server_started` must have its `server_stopping`, or a `config_reloaded` that says that the stream
//! ends here (`"stream":"ends"`): the output was taken out. Requests that were open then have their ends elsewhere, also
//! when the stream begins again later (`"stream":"begins"`).
//!
//! A line that says `"torn":true` was left unfinished by a killed process and ended by the next one: it is counted, and
//! nothing in it is believed.
//!
//! Logs of any length are read in bounded memory: what is kept are the requests that are open, the last
//! 65 536 that ended, and one entry for each instance.

mod fields;
mod line;
mod problem;
mod renamed;
mod requests;
mod sequence;

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use crate::disk::log_file;
use line::Line;
use problem::{Place, Problem, Problems};
use requests::Requests;
use sequence::Sequence;

/// Bytes of the longest line that is read; a longer one is a problem, and skipped.
pub const LONGEST_LINE: usize = 1 << 20;

/// Instances that one log may hold; records of further ones are a problem, and not looked into.
pub const INSTANCES: usize = 10_000;

/// What is asked of the log beside the promises.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::Args)]
pub struct Options {
    /// The log is still being written: requests may be open at its end, and its last line may be unfinished
    #[arg(long)]
    pub open_ok: bool,
    /// The log begins in the middle (earlier files were rotated away): numbers need not begin with 1
    #[arg(long)]
    pub partial: bool,
}

/// The command line of `gatelog verify`.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// The log: the files of one output in the order they were written, gzip and zstd too; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How it is read.
    #[command(flatten)]
    pub options: Options,
}

/// What was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Lines that are records.
    pub records: u64,
    /// Processes that wrote them.
    pub instances: usize,
    /// `request_completed` among the records.
    pub completed: u64,
    /// Requests without an end that are no problem: the log is live, its output was taken out, or records were lost.
    pub open: u64,
    /// Records that `log_loss` names.
    pub lost: u64,
    /// Requests that sampling left out with all their records, as `log_sampled` counts them.
    pub sampled: u64,
    /// Lines that a killed process or a dying disk left unfinished, and that were ended as such (`"torn":true`).
    pub torn: u64,
    /// Everything that breaks a promise, or is no record.
    pub problems: u64,
}

impl Report {
    /// 0 when nothing is wrong, else 1.
    pub fn exit_code(&self) -> u8 {
        u8::from(self.problems > 0)
    }
}

/// Why a log could not be read to its end: nothing is said about it then. Wrong usage, exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// As given.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The findings cannot be written.
    #[error("cannot write the report: {0}")]
    Write(#[from] io::Error),
}

/// Reads the files as one log, in order, and writes to `out` what is wrong with it and then one line of summary.
///
/// # Errors
/// When a file cannot be read, or `out` not be written. Nothing that stands in a file is an error.
pub fn verify(paths: &[PathBuf], options: Options, out: &mut impl Write) -> Result<Report, Error> {
    let mut verifier = Verifier::new(options, out);
    for path in paths {
        let source = log_file::open(path).map_err(|source| Error::Read { path: path.clone(), source })?;
        verifier.read(path, source)?;
    }
    Ok(verifier.finish()?)
}

/// What is known of one process from its records.
#[derive(Debug, Default)]
struct Instance {
    name: String,
    sequence: Sequence,
    /// Records that its `log_loss` records name.
    lost: u64,
    /// Its `server_started` is in the log, so that its `server_stopping` must be too, or the end of the stream.
    began: Option<Place>,
    ended: bool,
    /// A reload has ended the stream, and none has begun it again.
    taken_out: bool,
}

/// Reads a log, line by line.
struct Verifier<'o, W: Write> {
    options: Options,
    problems: Problems<'o, W>,
    report: Report,
    by_name: HashMap<String, usize>,
    instances: Vec<Instance>,
    requests: Requests,
}

impl<'o, W: Write> Verifier<'o, W> {
    fn new(options: Options, out: &'o mut W) -> Self {
        Verifier {
            options,
            problems: Problems::new(out),
            report: Report::default(),
            by_name: HashMap::new(),
            instances: Vec::new(),
            requests: Requests::default(),
        }
    }

    fn read(&mut self, path: &Path, source: impl Read) -> Result<(), Error> {
        let failed = |source| Error::Read { path: path.into(), source };
        let mut place = self.problems.file(path);
        let mut source = BufReader::with_capacity(1 << 16, source);
        let mut bytes = Vec::new();
        while next_line(&mut source, &mut bytes).map_err(failed)? {
            place.line += 1;
            let whole = bytes.pop_if(|last| *last == b'\n').is_some();
            if bytes.len() > LONGEST_LINE {
                self.problems.found(place, Problem::TooLong)?;
            } else if whole || !self.options.open_ok {
                self.line(place, &bytes)?;
            }
        }
        Ok(())
    }

    fn line(&mut self, place: Place, bytes: &[u8]) -> io::Result<()> {
        let line = match Line::parse(bytes) {
            Ok(line) => line,
            Err(why) => return self.problems.found(place, Problem::NoRecord(why)),
        };
        if line.is_torn() {
            self.report.torn += 1;
            return Ok(());
        }
        self.report.records += 1;
        for problem in line.problems() {
            self.problems.found(place, problem)?;
        }
        let Some(instance) = self.instance(&line, place)? else { return Ok(()) };
        self.number(&line, instance, place)?;
        self.life(&line, instance, place)
    }

    /// The process that wrote a line, if it says so and is one of those that are followed.
    fn instance(&mut self, line: &Line<'_>, place: Place) -> io::Result<Option<usize>> {
        let Some(name) = line.instance() else { return Ok(None) };
        if let Some(known) = self.by_name.get(name) {
            return Ok(Some(*known));
        }
        let at = self.instances.len();
        if at == INSTANCES {
            self.problems.found(place, Problem::TooManyInstances)?;
            return Ok(None);
        }
        let first = if self.options.partial { line.whole("seq").unwrap_or(1) } else { 1 };
        let sequence = Sequence::starting_at(first);
        self.instances.push(Instance { name: name.into(), sequence, ..Instance::default() });
        self.by_name.insert(name.into(), at);
        Ok(Some(at))
    }

    /// The second promise.
    fn number(&mut self, line: &Line<'_>, instance: usize, place: Place) -> io::Result<()> {
        let Instance { name, sequence, lost, .. } = &mut self.instances[instance];
        let broken = line.whole("seq").and_then(|seq| sequence.take(seq, place, name));
        let unfounded = line.loss().and_then(|loss| {
            *lost = lost.saturating_add(loss.count);
            sequence.explain(loss)
        });
        for (place, problem) in broken.into_iter().chain(unfounded.map(|problem| (place, problem))) {
            self.problems.found(place, problem)?;
        }
        Ok(())
    }

    /// The first promise, and the life of the process itself.
    fn life(&mut self, line: &Line<'_>, instance: usize, place: Place) -> io::Result<()> {
        match line.text("event").unwrap_or_default() {
            "server_started" => self.instances[instance].began = Some(place),
            "server_stopping" => self.instances[instance].ended = true,
            "config_reloaded" => self.reloaded(line, instance),
            "log_sampled" => {
                self.report.sampled = self.report.sampled.saturating_add(line.whole("count").unwrap_or_default());
            }
            "request_rejected" => {}
            event if event.starts_with("request_") => {
                self.report.completed += u64::from(event == "request_completed");
                if let Some(problem) = self.requests.record(instance, line, event, place) {
                    return self.problems.found(place, problem);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A reload may end the stream, or begin it.
    fn reloaded(&mut self, line: &Line<'_>, instance: usize) {
        let state = &mut self.instances[instance];
        match line.text("stream").or_else(|| line.text("gatelog.stream")) {
            Some("ends") => state.taken_out = true,
            Some("begins") => {
                state.taken_out = false;
                self.report.open += self.requests.forget_open(instance);
            }
            _ => {}
        }
    }

    /// What can only be said once the whole log was read.
    fn finish(mut self) -> io::Result<Report> {
        for at in 0..self.instances.len() {
            self.finish_instance(at)?;
        }
        self.report.instances = self.instances.len();
        self.report.problems = self.problems.finish()?;
        self.problems.summary(&self.report)?;
        Ok(self.report)
    }

    fn finish_instance(&mut self, at: usize) -> io::Result<()> {
        let instance = &self.instances[at];
        for (place, gap) in instance.sequence.gaps(&instance.name) {
            self.problems.found(place, gap)?;
        }
        let open = self.requests.open(at);
        if self.options.open_ok || instance.taken_out || open.len() as u64 <= instance.lost {
            self.report.open += open.len() as u64;
        } else {
            for (place, id) in open {
                self.problems.found(place, Problem::Unfinished(id))?;
            }
        }
        let ended = instance.ended || instance.taken_out;
        if let (Some(place), false, false) = (instance.began, ended, self.options.open_ok) {
            self.problems.found(place, Problem::CutOff(instance.name.clone()))?;
        }
        self.report.lost = self.report.lost.saturating_add(instance.lost);
        Ok(())
    }
}

/// The next line, with its line feed unless it is the last; of a line that is too long only so much that this shows.
fn next_line(source: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    // One byte for the line feed, one to tell a line that is too long.
    source.by_ref().take(LONGEST_LINE as u64 + 2).read_until(b'\n', line)?;
    if line.len() == LONGEST_LINE + 2 && line.last() != Some(&b'\n') {
        source.skip_until(b'\n')?;
    }
    Ok(!line.is_empty())
}

#[cfg(test)]
mod tests;
