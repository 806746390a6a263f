//! Logs of ours are put into a store, line by line.
//!
//! Each line becomes a record, in the place that its timestamp has, and is counted in the statistics of its minute. A log that
//! is imported twice is there twice: records have nothing that would tell the one from the other.

use std::io::{self, BufRead};

use crate::store::error::Error;
use crate::store::hot::Tools;
use crate::store::line::MAX_LINE;
use crate::store::settings::Settings;
use crate::store::writer::{Lost, Writer};

use crate::store::ask::Stop;

/// Lines that are handed over at once, and bytes of them.
const CHUNK_LINES: u64 = 256;
const CHUNK_BYTES: usize = 1 << 20;

/// A store that is filled.
#[derive(Debug)]
pub struct Import {
    writer: Writer,
    tools: Tools,
    /// Lines that are not handed over yet.
    chunk: Vec<u8>,
    lines: u64,
    imported: Imported,
}

/// What was read so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Records that are in the store now.
    pub records: u64,
    /// Lines that are none.
    pub bad: u64,
    /// Whether it was told to stop before the end.
    pub partial: bool,
}

/// A line that is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadLine<'a> {
    /// The name of what was read.
    pub source: &'a str,
    /// Its number there, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Why nothing more is imported. What was committed before stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A log cannot be read on.
    #[error("{path}, line {line}: {source}")]
    Input {
        /// Which.
        path: String,
        /// The line that could not be read, from 1.
        line: u64,
        /// What the system says.
        source: io::Error,
    },
    /// The store does not take it.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// The store cannot be put in order.
    #[error(transparent)]
    Store(#[from] Error),
}

impl Import {
    /// Takes a store into possession; makes it where there is none. Nothing in it is removed for its age or size: that is
    /// done when a proxy writes to it the next time.
    ///
    /// # Errors
    /// [`Error::Taken`] while somebody else writes to it; what the file system says.
    pub fn open(settings: Settings) -> Result<Import, Error> {
        let writer = Writer::open(Settings { age: None, size: None, ..settings })?;
        let (tools, chunk) = (Tools::default(), Vec::new());
        Ok(Import { writer, tools, chunk, lines: 0, imported: Imported::default() })
    }

    /// Reads a log to its end. Lines that are no records are passed over, and told to `bad`; empty ones are nothing.
    /// `now` is in microseconds since the Unix epoch.
    ///
    /// # Errors
    /// When it cannot be read, or the store cannot take it.
    pub fn read(
        &mut self,
        source: &str,
        log: &mut dyn BufRead,
        now: u64,
        stop: Stop<'_>,
        bad: &mut dyn FnMut(BadLine<'_>),
    ) -> Result<Imported, ImportError> {
        let (mut text, mut number) = (Vec::new(), 0);
        loop {
            number += 1;
            let read = read_line(log, &mut text);
            let read =
                read.map_err(|error| ImportError::Input { path: source.to_owned(), line: number, source: error });
            if read.is_err() || matches!(read, Ok(false)) {
                self.hand_over(now)?;
                return read.map(|_| self.imported);
            }
            self.line(&text, |why| bad(BadLine { source, line: number, why }));
            if self.lines >= CHUNK_LINES || self.chunk.len() >= CHUNK_BYTES {
                self.hand_over(now)?;
                if stop() {
                    self.imported.partial = true;
                    return Ok(self.imported);
                }
            }
        }
    }

    /// Commits the last lines and seals what there is; from then on the store can be taken by another.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn finish(mut self, now: u64) -> Result<Imported, ImportError> {
        self.hand_over(now)?;
        self.writer.roll(now)?;
        self.writer.take_care(now)?;
        let Imported { bad, partial, .. } = self.imported;
        let written = self.writer.commit()?;
        Ok(Imported { records: written.durable, bad: bad + written.refused, partial })
    }

    fn line(&mut self, text: &[u8], bad: impl FnOnce(&'static str)) {
        let text = text.trim_ascii();
        if text.is_empty() {
            return;
        }
        match self.tools.objection(text) {
            Some(why) => {
                self.imported.bad += 1;
                bad(why);
            }
            None => {
                self.lines += 1;
                self.chunk.extend_from_slice(text);
                self.chunk.push(b'\n');
            }
        }
    }

    fn hand_over(&mut self, now: u64) -> Result<(), Lost> {
        self.lines = 0;
        let written = self.writer.ingest(&self.chunk, now);
        self.chunk.clear();
        self.imported.records = written?.durable;
        Ok(())
    }
}

/// Reads a line without its end; of one that is longer than any record, only so much that it shows. `false`: there is none.
fn read_line(log: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut any = false;
    loop {
        let buffer = match log.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            buffer => buffer?,
        };
        if buffer.is_empty() {
            return Ok(any);
        }
        any = true;
        let end = memchr::memchr(b'\n', buffer);
        let part = &buffer[..end.unwrap_or(buffer.len())];
        line.extend_from_slice(&part[..part.len().min((MAX_LINE + 1).saturating_sub(line.len()))]);
        let used = end.map_or(buffer.len(), |end| end + 1);
        log.consume(used);
        if end.is_some() {
            return Ok(true);
        }
    }
}
