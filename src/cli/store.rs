//! `gatelog store`: care of a store. Thin: what is done is in [`crate::store::care`].

use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::anyhow;
use clap::{Args, Subcommand, ValueEnum};

use super::arguments::no_option;
use super::asking::{INTERRUPTED, Interrupts, wait};
use super::place::{configuration, folder};
use super::search::span;
use super::shown::{filter, line};
use super::{arguments, closed_output, complain, misused};
use crate::config::{self, Environment};
use crate::disk::log_file;
use crate::search::zone::Zone;
use crate::store::care::{
    self, BadLine, ExportError, Exported, Fault, Findings, Import, ImportError, Imported, Pruned, Pruning,
};
use crate::store::{Error, Settings, Stop};
use crate::time;

/// Lines that are no records and are named; of the others their number is told.
const NAMED: u64 = 20;

/// What can be done with a store.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Look through every file and every row, also while a proxy writes
    Check(FolderArguments),
    /// Write the records as JSON lines, the oldest first
    Export(ExportArguments),
    /// Put logs of ours into a store that nobody writes to; it is made where there is none
    Import(ImportArguments),
    /// Remove the oldest segments; statistics stay
    Prune(PruneArguments),
}

/// Which store.
#[derive(Debug, Args)]
pub struct FolderArguments {
    /// Its folder
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    pub store: Option<PathBuf>,
    /// The configuration whose store is meant; gatelog.toml in this directory unless said otherwise
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What is written.
#[derive(Debug, Args)]
pub struct ExportArguments {
    /// Which records; all without one
    #[arg(default_value = "*", value_name = "FILTER", allow_hyphen_values = true, value_parser = no_option)]
    pub filter: String,
    /// Which store.
    #[command(flatten)]
    pub folder: FolderArguments,
    /// None older, as in search
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true)]
    pub since: Option<String>,
    /// Only older ones
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true)]
    pub until: Option<String>,
    /// How they are written
    #[arg(long, value_enum, default_value = "json")]
    pub format: Written,
}

/// How records are written, one a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Written {
    /// As they came
    Json,
    /// key=value pairs
    Logfmt,
}

/// What is put in.
#[derive(Debug, Args)]
pub struct ImportArguments {
    /// The logs: native JSON, plain, gzip or zstd; `-` is standard input
    #[arg(value_name = "LOG", required = true)]
    pub logs: Vec<PathBuf>,
    /// Which store.
    #[command(flatten)]
    pub folder: FolderArguments,
}

/// What goes.
#[derive(Debug, Args)]
pub struct PruneArguments {
    /// Which store.
    #[command(flatten)]
    pub folder: FolderArguments,
    /// Segments of which every record is older than this: 7d; what `retention.age` says, unless a --store is named
    #[arg(long, value_name = "SPAN", value_parser = read_span)]
    pub age: Option<Duration>,
    /// The oldest segments beyond so many bytes of all: 5GB; what `retention.size` says, unless a --store is named
    #[arg(long, value_name = "BYTES", value_parser = read_bytes)]
    pub size: Option<u64>,
}

fn read_span(text: &str) -> Result<Duration, String> {
    config::span(text).ok_or_else(|| "write 12h or 7d".to_owned())
}

fn read_bytes(text: &str) -> Result<u64, String> {
    config::bytes(text).ok_or_else(|| "write whole bytes, or 512MB, 5GB".to_owned())
}

/// Does it. The exit code is 1 where something was wrong, 2 for wrong usage.
///
/// # Errors
/// When it cannot be done at all.
pub fn store(command: &StoreCommand, environment: &Environment) -> anyhow::Result<ExitCode> {
    let folder = match command.folder().named(environment) {
        Ok(folder) => folder,
        Err(none) => return Ok(none.tell()),
    };
    match command {
        StoreCommand::Check(_) => check(folder),
        StoreCommand::Export(arguments) => export(folder, arguments),
        StoreCommand::Import(arguments) => import(&folder, &arguments.logs),
        StoreCommand::Prune(arguments) => prune(&folder, arguments, environment),
    }
}

impl StoreCommand {
    fn folder(&self) -> &FolderArguments {
        match self {
            StoreCommand::Check(folder) => folder,
            StoreCommand::Export(arguments) => &arguments.folder,
            StoreCommand::Import(arguments) => &arguments.folder,
            StoreCommand::Prune(arguments) => &arguments.folder,
        }
    }
}

impl FolderArguments {
    fn named(&self, environment: &Environment) -> Result<PathBuf, super::place::NoPlace> {
        folder(self.store.as_deref(), self.config.as_deref(), environment)
    }
}

fn check(folder: PathBuf) -> anyhow::Result<ExitCode> {
    let interrupts = Interrupts::watch()?;
    let name = folder.display().to_string();
    let work = move |stop: Stop<'_>| care::check(&folder, stop);
    let Some(findings) = wait(&interrupts, &|| "looking through the store".to_owned(), work)?.transpose()? else {
        return Ok(ExitCode::from(INTERRUPTED));
    };
    say(&checked(&name, &findings))?;
    Ok(match findings.partial {
        true => ExitCode::from(INTERRUPTED),
        false if findings.problems.is_empty() => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// One line for each problem, and one of all.
fn checked(name: &str, findings: &Findings) -> String {
    let told = findings.problems.iter().map(|problem| {
        let fault = match problem.fault {
            Fault::Damaged => "damaged",
            Fault::Newer => "newer",
            Fault::Foreign => "foreign",
            Fault::SetAside => "set aside",
            _ => "unreadable",
        };
        // What the engine says begins with the file already.
        let path = format!("{name}/{}", problem.file);
        let why = problem.why.strip_prefix(&*path).map_or(&*problem.why, |why| why.trim_start_matches([':', ' ']));
        format!("{fault}: {path}: {why}\n")
    });
    let told: String = told.collect();
    let stopped = if findings.partial { "stopped before the end: " } else { "" };
    let rollups = if findings.rollups { "statistics" } else { "no statistics" };
    let Findings { segments, records, bytes, .. } = findings;
    let verdict = match findings.problems.len() {
        0 => "nothing is wrong".to_owned(),
        1 => "1 problem".to_owned(),
        several => format!("{several} problems"),
    };
    format!("{told}{stopped}{segments} segments, {records} records, {rollups}, {bytes} bytes: {verdict}\n")
}

fn export(folder: PathBuf, arguments: &ExportArguments) -> anyhow::Result<ExitCode> {
    let selection = match selection(arguments) {
        Ok(selection) => selection,
        Err(why) => return Ok(misused(&why)),
    };
    let format = match arguments.format {
        Written::Json => arguments::Format::Json,
        Written::Logfmt => arguments::Format::Logfmt,
    };
    let interrupts = Interrupts::watch()?;
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    let work = move |stop: Stop<'_>| {
        let mut out = BufWriter::with_capacity(1 << 18, io::stdout().lock());
        let exported = care::export(&folder, &selection, stop, &mut |record| {
            counted.fetch_add(1, Ordering::Relaxed);
            out.write_all(line(&record.json, format).as_bytes())
        })?;
        out.flush().map(|()| exported).map_err(ExportError::Output)
    };
    let progress = || format!("{} records", count.load(Ordering::Relaxed));
    let Some(exported) = wait(&interrupts, &progress, work)? else { return Ok(ExitCode::from(INTERRUPTED)) };
    let Exported { lines, partial, troubles } = match exported {
        Ok(exported) => exported,
        Err(ExportError::Output(error)) => return closed_output(error),
        Err(error) => return Err(error.into()),
    };
    complain(&troubles.iter().map(|trouble| format!("gatelog: {trouble}")).collect::<Vec<_>>());
    if partial {
        complain(&[format!("gatelog: stopped after {lines} records")]);
        return Ok(ExitCode::from(INTERRUPTED));
    }
    Ok(if troubles.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn selection(arguments: &ExportArguments) -> Result<care::Selection, String> {
    let (since, until) = (arguments.since.as_deref(), arguments.until.as_deref());
    let (since, until) = span(since, until, &Zone::local(), time::wall_now())?;
    Ok(care::Selection { filter: filter(&arguments.filter)?, since, until })
}

fn import(folder: &Path, logs: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let interrupts = Interrupts::watch()?;
    let import = Import::open(Settings::new(folder)).map_err(|error| match error {
        error @ Error::Taken { .. } => anyhow!("{error}; stop it, or name another folder with --store"),
        error => error.into(),
    })?;
    let read = Arc::new(AtomicU64::new(0));
    let work = {
        let (logs, read) = (logs.to_vec(), Arc::clone(&read));
        move |stop: Stop<'_>| read_all(import, &logs, &read, stop)
    };
    let progress = || format!("{} MB read", read.load(Ordering::Relaxed) >> 20);
    let Some(imported) = wait(&interrupts, &progress, work)? else { return Ok(ExitCode::from(INTERRUPTED)) };
    let (Imported { records, bad, partial }, failed) = imported?;
    let more = bad.saturating_sub(NAMED);
    complain(&(more > 0).then(|| format!("and {more} more lines that are no records")).into_iter().collect::<Vec<_>>());
    let stopped = if partial { "stopped; " } else { "" };
    say(&format!("{stopped}{records} records imported into {}, {bad} lines are no records\n", folder.display()))?;
    Ok(match (partial, failed || bad > 0) {
        (true, _) => ExitCode::from(INTERRUPTED),
        (false, true) => ExitCode::FAILURE,
        (false, false) => ExitCode::SUCCESS,
    })
}

/// Log after log; whether one could not be read, which leaves the others.
fn read_all(
    mut import: Import,
    logs: &[PathBuf],
    read: &Arc<AtomicU64>,
    stop: Stop<'_>,
) -> Result<(Imported, bool), ImportError> {
    let (mut named, mut failed) = (0, false);
    let mut bad = |bad: BadLine<'_>| {
        named += 1;
        if named <= NAMED {
            complain(&[format!("{}:{}: {}", bad.source, bad.line, bad.why)]);
        }
    };
    for log in logs {
        let source = if log.as_os_str() == "-" { "standard input".to_owned() } else { log.display().to_string() };
        let told = match log_file::open(log) {
            Ok(log) => {
                let mut log = BufReader::with_capacity(1 << 18, Counted { source: log, read: Arc::clone(read) });
                import.read(&source, &mut log, time::wall_now(), stop, &mut bad)
            }
            Err(error) => Err(ImportError::Input { path: source, line: 0, source: error }),
        };
        match told {
            Ok(Imported { partial: true, .. }) => break,
            Ok(_) => {}
            Err(ImportError::Input { path, source, .. }) => {
                failed = true;
                complain(&[format!("gatelog: {path}: {source}")]);
            }
            Err(error) => return Err(error),
        }
    }
    Ok((import.finish(time::wall_now())?, failed))
}

/// Counts the bytes that pass.
struct Counted<R> {
    source: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

fn prune(folder: &Path, arguments: &PruneArguments, environment: &Environment) -> anyhow::Result<ExitCode> {
    let asked = Pruning { age: arguments.age, size: arguments.size };
    let pruning = match (&arguments.folder.store, asked) {
        (Some(_), Pruning { age: None, size: None }) => {
            return Ok(misused("gatelog: say what is to go: --age 7d, --size 5GB"));
        }
        (None, Pruning { age: None, size: None }) => configured(&arguments.folder, environment),
        _ => asked,
    };
    let Pruned { segments, bytes, beside_writer } = care::prune(folder, pruning, time::wall_now())?;
    let left = if beside_writer { "; a proxy writes to it, and its newest segment was left" } else { "" };
    say(&format!("{segments} segments removed, {bytes} bytes{left}\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// What `retention` says.
fn configured(arguments: &FolderArguments, environment: &Environment) -> Pruning {
    // It was read a moment ago, for the folder.
    let config = configuration(arguments.config.as_deref(), environment).ok().flatten();
    let store = config.and_then(|(_, config)| config.store);
    store.map_or_else(Pruning::default, |store| Pruning { age: store.age, size: store.size })
}

fn say(text: &str) -> io::Result<()> {
    match super::write_whole(text, &mut io::stdout().lock()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
