//! Log files as a place that holds records: JSON lines of ours in any schema, plain, gzip or zstd, told apart by how they
//! begin.
//!
//! Every line of every file is looked at: logs are nearly in the order of time, but no more than that (cores hand over their
//! lines in batches, clocks are set back), and no bound on the disorder can be read off a file. So nothing is cut short by
//! assuming one; instead lines outside the time that is asked for cost no more than finding their ends and reading 27
//! digits. What is remembered are the records of the page ([`best`]) and a block of each thread, whatever is scanned.
//!
//! Records come in the order of their timestamps; of those with the same one, in that of the files as given, then of lines.

pub mod best;
pub mod blocks;
pub mod judge;
mod page;
mod renamed;
mod scan;
mod stamp;
mod summary;
mod troubles;

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::disk::log_file;
use crate::filter::Expression;
use crate::store::rollup::Range;
use crate::store::statistics::{Gather, Statistics};
use crate::store::{AskError, Order, Page, Question, Records, Stop, Summaries};

pub use blocks::LONGEST_LINE;
pub use renamed::to_native as native;

use page::Pages;
use scan::{Ended, Look, Pace, Scan};
use summary::{Gathering, Summary};

/// Threads of a scan, however many cores there are.
const MOST_THREADS: usize = 16;

/// A log as it comes, decompressed.
type Source = Box<dyn Read + Send>;

/// Any number of logs.
#[derive(Debug)]
pub struct LogFiles {
    logs: Vec<Log>,
    pace: Pace,
}

/// How far a scan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that were read, compressed where they are.
    pub read: u64,
    /// Bytes that there are; `None` where nobody knows, as of standard input.
    pub all: Option<u64>,
}

impl LogFiles {
    /// Files by their paths; `-` is standard input.
    ///
    /// # Errors
    /// When one of them cannot be read at all.
    pub fn open(paths: &[PathBuf]) -> Result<LogFiles, AskError> {
        let logs = paths.iter().map(|path| match path.to_str() {
            Some("-") => Ok(Log::stream("standard input".to_owned(), Box::new(io::stdin()))),
            _ => Log::file(path),
        });
        Ok(LogFiles::of(logs.collect::<Result<_, _>>()?))
    }

    /// Streams by their names. Each can be searched once.
    pub fn streams(streams: Vec<(String, Box<dyn Read + Send>)>) -> LogFiles {
        LogFiles::of(streams.into_iter().map(|(name, stream)| Log::stream(name, stream)).collect())
    }

    /// With so many threads, each of which takes so many bytes at a time; both at least 1.
    pub fn paced(mut self, threads: usize, block: usize) -> LogFiles {
        self.pace = Pace { threads, block };
        self
    }

    /// How far the scan is that goes on.
    pub fn progress(&self) -> Progress {
        let all = self.logs.iter().map(|log| log.size).sum();
        Progress { read: self.logs.iter().map(|log| log.read.load(Ordering::Relaxed)).sum(), all }
    }

    fn scan(&self, look: &impl Look, stop: Stop<'_>) -> Ended {
        self.logs.iter().for_each(|log| log.read.store(0, Ordering::Relaxed));
        Scan::new(&self.logs, look, stop, self.pace).run(self.pace.threads)
    }

    fn of(logs: Vec<Log>) -> LogFiles {
        let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
        LogFiles { logs, pace: Pace { threads, block: LONGEST_LINE } }
    }
}

impl Records for LogFiles {
    /// What is broken within a file is told in the page, and the rest is answered.
    fn search(&self, question: &Question, stop: Stop<'_>) -> Result<Page, AskError> {
        let pages = Pages::new(question);
        let ended = self.scan(&pages, stop);
        Ok(pages.page(ended))
    }

    fn request(&self, request_id: &str, limit: usize, stop: Stop<'_>) -> Result<Page, AskError> {
        let Some(filter) = of_request(request_id) else { return Ok(Page::default()) };
        let count_to = u64::try_from(limit).unwrap_or(u64::MAX);
        let question = Question { filter, since: None, until: None, order: Order::Oldest, skip: 0, limit, count_to };
        self.search(&question, stop)
    }
}

impl Summaries for LogFiles {
    /// Nothing is counted beforehand: every line is looked at, and the range is exact.
    fn gather(&self, into: &mut dyn Gather, filter: &Expression, stop: Stop<'_>) -> Result<(), AskError> {
        let gathering = Gathering::new(into, filter);
        let ended = self.scan(&gathering, stop);
        gathering.end(ended);
        Ok(())
    }

    /// The same, each thread by itself.
    fn statistics(&self, range: Range, filter: &Expression, stop: Stop<'_>) -> Result<Statistics, AskError> {
        let summary = Summary::new(range, filter);
        let ended = self.scan(&summary, stop);
        Ok(summary.statistics(ended))
    }
}

/// The filter of one request's records; none for what no request id can be.
fn of_request(id: &str) -> Option<Expression> {
    let quoted = id.replace('\\', "\\\\").replace('"', "\\\"");
    Expression::parse(&format!("request_id=\"{quoted}\"")).ok().filter(|_| !id.is_empty())
}

/// One log.
struct Log {
    origin: Origin,
    /// Bytes when it was opened; unknown of streams.
    size: Option<u64>,
    /// Bytes read so far.
    read: Arc<AtomicU64>,
}

enum Origin {
    File(PathBuf),
    /// Until it is read.
    Stream(String, Mutex<Option<Source>>),
}

impl Log {
    fn file(path: &Path) -> Result<Log, AskError> {
        let failed = |source| AskError::Unreadable { path: path.display().to_string(), source };
        let file = log_file::stored(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        if !metadata.is_file() {
            // Whoever writes to a pipe would find that nobody reads, if it were opened again.
            return Ok(Log::stream(path.display().to_string(), Box::new(file)));
        }
        Ok(Log { origin: Origin::File(path.to_owned()), size: Some(metadata.len()), read: Arc::default() })
    }

    fn stream(name: String, stream: Source) -> Log {
        Log { origin: Origin::Stream(name, Mutex::new(Some(stream))), size: None, read: Arc::default() }
    }

    fn name(&self) -> String {
        match &self.origin {
            Origin::File(path) => path.display().to_string(),
            Origin::Stream(name, _) => name.clone(),
        }
    }

    /// Its text from the beginning. Of a file that is being written, what is in it now: a writer that is faster than the
    /// scan would keep it from ever ending.
    fn open(&self) -> io::Result<Source> {
        let source: Source = match &self.origin {
            Origin::File(path) => match self.size {
                Some(size) => Box::new(log_file::stored(path)?.take(size)),
                None => Box::new(log_file::stored(path)?),
            },
            Origin::Stream(_, stream) => {
                let stream = stream.lock().unwrap_or_else(PoisonError::into_inner).take();
                stream.ok_or_else(|| io::Error::other("it can be read only once"))?
            }
        };
        log_file::plain(Counted { source, read: Arc::clone(&self.read) })
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("name", &self.name()).field("size", &self.size).finish_non_exhaustive()
    }
}

/// Counts the bytes that pass.
struct Counted {
    source: Source,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
