//! The outputs: each takes batches from its queue on a thread of its own, numbers the lines and writes them.
//!
//! [`Outputs`] are all that run. A new kind of output is an arm in [`Outputs::start`]: a [`writer::Target`] where it is a
//! stream of bytes, a [`delivery::Collector`] where batches are sent over a network, else a thread of its own that takes from its port's queue, numbers with [`sequence::Sequence`],
//! counts in the port's health, tells of failures with [`trouble::Trouble`], and ends when the queue is closed and empty.

pub mod delivery;
pub mod file;
pub mod http;
pub mod lines;
pub mod members;
pub mod numbered;
pub mod otlp;
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
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::pipeline::{FileSettings, OutputKind, OutputSettings, Port, Report, Stamp};
use crate::time;

use self::file::{Compressor, Family, LogFile};
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
#[derive(Debug)]
pub struct Outputs {
    running: Vec<Output>,
    /// Ends with this value.
    _compressor: Option<Compressor>,
}

/// One output and its thread.
#[derive(Debug)]
struct Output {
    port: Port,
    writer: JoinHandle<()>,
    /// Set to have its file opened again.
    reopen: Arc<AtomicBool>,
}

impl Outputs {
    /// Opens every output and starts its thread; `ports` are theirs, in the same order.
    ///
    /// # Errors
    /// The first output that cannot be opened.
    pub fn start(settings: &[OutputSettings], ports: &[Port], stamp: &Stamp) -> Result<Outputs, StartError> {
        let compressor = compressor(settings, ports).map_err(failed("log-compress"))?;
        let start = |(settings, port): (&OutputSettings, &Port)| {
            let reopen = Arc::default();
            let writer = match &settings.kind {
                OutputKind::Stdout => Stdout::open().and_then(|stdout| writer::start(stdout, port, stamp)),
                OutputKind::File(file) => {
                    let waker = compressor.as_ref().filter(|_| compresses(file)).map(Compressor::waker);
                    LogFile::open(file, port, Arc::clone(&reopen), waker)
                        .and_then(|file| writer::start(file, port, stamp))
                }
                OutputKind::Syslog(syslog) => syslog::start(port, stamp, syslog).map_err(io::Error::from),
                OutputKind::Http(http) => http::start(port, stamp, http).map_err(io::Error::from),
                OutputKind::Otlp(otlp) => otlp::start(port, stamp, otlp).map_err(io::Error::from),
            };
            Ok(Output { port: port.clone(), writer: writer.map_err(failed(&settings.name))?, reopen })
        };
        let running = settings.iter().zip(ports).map(start).collect::<Result<_, _>>()?;
        Ok(Outputs { running, _compressor: compressor })
    }

    /// What has their files opened again.
    pub fn reopener(&self) -> Reopener {
        let each = |output: &Output| (Arc::clone(&output.reopen), output.writer.thread().clone());
        Reopener(self.running.iter().map(each).collect())
    }

    /// How each of them fares.
    pub fn reports(&self) -> Vec<Report> {
        self.running.iter().map(|output| output.port.report()).collect()
    }

    /// Lets all of them write what waits, at the same time and at most until then. One that hangs is left behind.
    pub fn finish(self, until: Instant) {
        self.running.iter().for_each(|output| output.port.queue.close());
        let writes = |output: &Output| !output.writer.is_finished();
        while self.running.iter().any(writes) && time::monotonic() < until {
            std::thread::sleep(POLL);
        }
    }
}

/// Has files opened again that others have moved.
#[derive(Debug, Clone)]
pub struct Reopener(Vec<(Arc<AtomicBool>, Thread)>);

impl Reopener {
    /// Asks for it; done within a moment.
    pub fn reopen(&self) {
        for (wanted, thread) in &self.0 {
            wanted.store(true, Ordering::Release);
            thread.unpark();
        }
    }
}

/// Threads cannot be joined for a time only; this often it is looked whether they have ended.
const POLL: Duration = Duration::from_millis(1);

fn failed(output: &str) -> impl Fn(io::Error) -> StartError {
    move |source| StartError { output: output.to_owned(), source }
}

fn compresses(file: &FileSettings) -> bool {
    file.rotate.as_ref().is_some_and(|rotate| rotate.compress.is_some())
}

/// The thread that compresses what any of the outputs has closed, if any is to be.
fn compressor(settings: &[OutputSettings], ports: &[Port]) -> io::Result<Option<Compressor>> {
    let files = settings.iter().zip(ports).filter_map(|(settings, port)| Some((settings.kind.file()?, port)));
    let families = files.filter_map(|(file, port)| family(file, port).transpose());
    let families = families.collect::<io::Result<Vec<Family>>>()?;
    if families.is_empty() { Ok(None) } else { Compressor::start(families).map(Some) }
}

fn family(file: &FileSettings, port: &Port) -> io::Result<Option<Family>> {
    let Some(compression) = file.rotate.as_ref().and_then(|rotate| rotate.compress) else { return Ok(None) };
    let base = file::base(&file.path)?.to_owned();
    Ok(Some(Family { folder: file::folder(file), base, compression, trouble: Trouble::new(port) }))
}
