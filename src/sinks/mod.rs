//! The outputs: each takes batches from its queue on a thread of its own, numbers the lines and writes them.
//!
//! [`Outputs`] are all that run. A new kind of output is an arm in [`Outputs::open`] and one in [`change::is_one_place`]: a
//! [`writer::Target`] where it is a stream of bytes, a [`delivery::Collector`] where batches are sent over a network, else a
//! thread of its own that waits for its word ([`handover::Started`]), takes from its port's queue, numbers with
//! [`sequence::Sequence`], counts in the port's health, tells of failures with [`trouble::Trouble`], and ends with its
//! [`handover::Handover`] when the queue is closed and empty.
//!
//! **Change**: [`Outputs::prepare`] opens what is new and can still fail; [`Outputs::change`] cannot. An output whose
//! settings are the same goes on as it is. One that is left writes what waits and ends by itself, in the background; who
//! is to write to the same place begins when it has ended ([`handover`]).

pub mod change;
pub mod delivery;
pub mod file;
pub mod handover;
pub mod http;
pub mod lines;
pub mod neighbour;
pub mod numbered;
pub mod otlp;
pub mod pause;
pub mod peer;
pub mod sequence;
pub mod spool;
pub mod stdout;
pub mod syslog;
pub mod trouble;
pub mod writer;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::pipeline::{FileSettings, OutputKind, OutputSettings, Port, Queue, Report, Stamp};
use crate::time;

pub use self::change::{Changes, Prepared};
use self::file::{Compressor, Family, LogFile};
use self::handover::{Predecessor, Started};
pub use self::neighbour::Neighbour;
use self::stdout::Stdout;
use self::trouble::Trouble;

/// Why an output cannot be started.
#[derive(Debug, Error)]
#[error("the output `{output}` cannot be started")]
pub struct StartError {
    /// Its name.
    pub output: String,
    /// Why.
    pub source: io::Error,
}

/// All outputs that run.
#[derive(Debug, Default)]
pub struct Outputs {
    running: Vec<Output>,
    /// Those that were left, with what they leave to whoever writes to their places again.
    left: Vec<Left>,
    /// Ends with this value.
    compressor: Option<Compressor>,
    neighbour: Neighbour,
}

/// One output and its thread.
#[derive(Debug)]
struct Output {
    settings: OutputSettings,
    port: Port,
    writer: Predecessor,
    /// Set to have its file opened again.
    reopen: Arc<AtomicBool>,
}

/// An output that is no more, or will soon be.
#[derive(Debug)]
struct Left {
    settings: OutputSettings,
    queue: Arc<Queue>,
    writer: Predecessor,
}

/// Places that are remembered after their outputs have ended, so that a stream that comes back goes on with its numbers.
const PLACES: usize = 1024;

impl Outputs {
    /// Opens every output and starts its thread. Their formats are settled. What a neighbour has is left to it until it
    /// has gone, or lets go of it.
    ///
    /// # Errors
    /// The first output that cannot be opened.
    pub fn start(settings: &[OutputSettings], stamp: &Stamp, neighbour: Neighbour) -> Result<Outputs, StartError> {
        let mut outputs = Outputs { neighbour, ..Outputs::default() };
        let prepared = outputs.prepare(settings, stamp, false)?;
        outputs.change(prepared);
        Ok(outputs)
    }

    /// The way to each of them.
    pub fn ports(&self) -> Vec<Port> {
        self.running.iter().map(|output| output.port.clone()).collect()
    }

    /// Has their files opened again, which others have moved; done within a moment.
    pub fn reopen(&self) {
        for output in &self.running {
            output.reopen.store(true, Ordering::Release);
            output.writer.thread.thread().unpark();
        }
    }

    /// Another process is about to write to the same places, or might: what must not be done beside it is put off.
    pub fn expect_neighbour(&self) {
        self.neighbour.comes();
    }

    /// Another process writes there from now on: it gets what only one can have.
    pub fn cede(&self) {
        let running = self.running.iter().map(|output| &output.port.queue);
        running.chain(self.left.iter().map(|left| &left.queue)).for_each(|queue| queue.cede());
    }

    /// No other process writes there any more, or ever will.
    pub fn be_alone(&self) {
        self.neighbour.goes();
        if let Some(compressor) = &self.compressor {
            compressor.waker().unpark();
        }
    }

    /// How each of them fares.
    pub fn reports(&self) -> Vec<Report> {
        self.running.iter().map(|output| output.port.report()).collect()
    }

    /// The names of those that were left so long ago and still have not ended.
    pub fn hanging(&self, since: Duration) -> Vec<String> {
        let hangs = |left: &&Left| left.queue.is_closed_since(since) && !left.writer.thread.is_finished();
        self.left.iter().filter(hangs).map(|left| left.settings.name.clone()).collect()
    }

    /// Lets all of them write what waits, at the same time and at most until then. One that hangs is left behind.
    pub fn finish(&mut self, until: Instant) {
        self.running.iter().for_each(|output| output.port.queue.end());
        self.left.iter().for_each(|left| left.queue.end());
        let running = self.running.iter().map(|output| &output.writer);
        let writers: Vec<&Predecessor> = running.chain(self.left.iter().map(|left| &left.writer)).collect();
        let have_ended = || writers.iter().all(|writer| writer.thread.is_finished());
        wait(have_ended, until);
        if let Some(compressor) = self.compressor.take() {
            compressor.stop();
            wait(|| compressor.has_stopped(), until);
        }
    }

    /// Opens one output, or makes it ready to be opened by its own thread when the writer before has ended.
    fn open(&self, output: &OutputSettings, port: &Port, stamp: &Stamp, taken: bool) -> io::Result<(Started, Reopen)> {
        let reopen = Reopen::default();
        // What is sent over a network may have a spool, which is one process's at a time.
        let waits = taken || self.neighbour.is_there();
        let started = match &output.kind {
            OutputKind::Stdout => writer::start(Stdout::open(self.neighbour.clone())?, port, stamp),
            OutputKind::File(file) => {
                let waker = self.compressor.as_ref().filter(|_| compresses(file)).map(Compressor::waker);
                let open = if taken { LogFile::unopened } else { LogFile::open };
                let neighbour = self.neighbour.clone();
                writer::start(open(file, port, Arc::clone(&reopen), waker, neighbour)?, port, stamp)
            }
            OutputKind::Syslog(syslog) => syslog::start(port, stamp, syslog, waits).map_err(io::Error::from),
            OutputKind::Http(http) => http::start(port, stamp, http, waits).map_err(io::Error::from),
            OutputKind::Otlp(otlp) => otlp::start(port, stamp, otlp, waits).map_err(io::Error::from),
        };
        Ok((started?, reopen))
    }

    /// There is a thread that compresses if any output is to be.
    fn need_compressor(&mut self, settings: &[OutputSettings]) -> io::Result<()> {
        let needed = settings.iter().filter_map(|output| output.kind.file()).any(compresses);
        if needed && self.compressor.is_none() {
            self.compressor = Some(Compressor::start(self.neighbour.clone())?);
        }
        Ok(())
    }

    /// What the outputs have closed is compressed where they say so.
    fn compress(&self) {
        if let Some(compressor) = &self.compressor {
            compressor.compress(self.running.iter().filter_map(family).collect());
        }
    }
}

/// Set to have a file opened again.
type Reopen = Arc<AtomicBool>;

/// Threads cannot be joined for a time only; this often it is looked whether they have ended.
const POLL: Duration = Duration::from_millis(1);

fn wait(is_so: impl Fn() -> bool, until: Instant) {
    while !is_so() && time::monotonic() < until {
        std::thread::sleep(POLL);
    }
}

fn failed(output: &str) -> impl Fn(io::Error) -> StartError {
    move |source| StartError { output: output.to_owned(), source }
}

fn compresses(file: &FileSettings) -> bool {
    file.rotate.as_ref().is_some_and(|rotate| rotate.compress.is_some())
}

/// The closed files of an output, if they are to be compressed.
fn family(output: &Output) -> Option<Family> {
    let file = output.settings.kind.file()?;
    let compression = file.rotate.as_ref()?.compress?;
    // Without a name it is not opened either, which its writer tells of.
    let base = file::base(&file.path).ok()?.to_owned();
    Some(Family { folder: file::folder(file), base, compression, trouble: Trouble::new(&output.port) })
}
