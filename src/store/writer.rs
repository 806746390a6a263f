//! Writes to a store: lines come in, batches of them are committed, full segments are handed over to be sealed.

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::behind::{segment_of, serial};
use super::counting::Counting;
use super::error::Error;
use super::file::{self, Form};
use super::hot::{Hot, Tools};
use super::opened::Opened;
use super::pending::Pending;
use super::rollup;
use super::settings::Settings;
use super::upkeep::{Care, Upkeep};
use crate::disk::{Folder, paths};
use crate::time::micros;

/// Microseconds between two looks for what is too old, where no segment comes to its end meanwhile.
const LOOK_AFTER: u64 = 600_000_000;
/// Lines that are looked at before it is asked whether the batch is full.
const STRIDE: usize = 256;

/// The one who writes to a store. Dropped, it leaves what is not committed.
#[derive(Debug)]
pub struct Writer {
    settings: Settings,
    /// Given up where a transaction failed, and opened again with the next lines.
    hot: Option<(u64, Hot)>,
    /// The segment that was found damaged while it was written to, and the one that was begun in its place.
    damaged: Option<u64>,
    instead: Option<u64>,
    batch: Batch,
    tools: Tools,
    pending: Pending,
    counting: Counting,
    written: Written,
    upkeep: Option<Upkeep>,
    /// When it was last sent to look, in microseconds since the Unix epoch.
    looked: u64,
    troubles: Vec<String>,
    /// The time as it was told last, in microseconds since the Unix epoch.
    now: u64,
    /// Nobody else writes as long as this lives: to the last, it is given back when all else is.
    folder: Folder,
}

/// What is not committed yet.
#[derive(Debug, Default)]
struct Batch {
    lines: u64,
    /// When its first line came.
    since: u64,
}

/// What a writer has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Lines that are on the disk, whatever happens now.
    pub durable: u64,
    /// Lines that are no records: no JSON object, or without a moment.
    pub refused: u64,
    /// Lines that were given up with the errors that told of them.
    pub lost: u64,
}

/// Lines were lost: those of the batch that could not be written. The writer goes on with the next ones.
#[derive(Debug, thiserror::Error)]
#[error("{lines} records are not stored: {source}")]
pub struct Lost {
    /// So many.
    pub lines: u64,
    /// Why.
    pub source: Error,
}

impl Writer {
    /// Takes a store into possession, makes it where there is none, and puts right what a crash has left.
    ///
    /// A hot segment that cannot be gone on with is set aside: renamed, `.broken` behind its name.
    ///
    /// # Errors
    /// [`Error::Taken`] while another one writes to it; what the file system says.
    pub fn open(settings: Settings) -> Result<Writer, Error> {
        let folder = Folder::claim(&settings.path).map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock => Error::Taken { path: settings.path.display().to_string() },
            _ => Error::disk(&settings.path)(error),
        })?;
        tidy(&settings.path)?;
        let counting = Counting::open(&settings.path, settings.statistics)?;
        let mut writer = Writer {
            folder,
            hot: None,
            damaged: None,
            instead: None,
            batch: Batch::default(),
            tools: Tools::default(),
            pending: Pending::default(),
            counting,
            written: Written::default(),
            upkeep: None,
            looked: 0,
            troubles: look_over(&settings.path)?,
            now: 0,
            settings,
        };
        writer.hot()?;
        Ok(writer)
    }

    /// Seals and removes segments from now on, on a thread of its own.
    ///
    /// # Errors
    /// Where there is no thread to be had.
    pub fn start_upkeep(&mut self) -> Result<(), Error> {
        let upkeep = Upkeep::start(Care::new(&self.settings)).map_err(Error::disk(&self.settings.path))?;
        self.upkeep = Some(upkeep);
        Ok(())
    }

    /// Takes lines; commits them with those before when the batch is full or old. `now` is in microseconds since the Unix
    /// epoch.
    ///
    /// # Errors
    /// What was taken since the last commit is lost.
    pub fn ingest(&mut self, lines: &[u8], now: u64) -> Result<Written, Lost> {
        self.now = now;
        let mut lines = split(lines).filter(|line| !line.is_empty()).peekable();
        while lines.peek().is_some() {
            if self.batch.lines == 0 {
                self.batch.since = now;
            }
            let stride: Vec<&[u8]> = lines.by_ref().take(STRIDE).collect();
            let before = self.batch.lines + self.written.refused;
            let stored = self.take(&stride);
            let committed = stored.and_then(|()| self.tick_batch(now));
            if let Err(source) = committed {
                let taken = (self.batch.lines + self.written.refused).saturating_sub(before);
                let rest = (stride.len() as u64).saturating_sub(taken) + lines.count() as u64;
                return Err(self.give_up(source, rest));
            }
        }
        self.tick(now)
    }

    /// Commits a batch that has waited long enough; to be called now and then while no lines come.
    ///
    /// # Errors
    /// As for [`Writer::ingest`].
    pub fn tick(&mut self, now: u64) -> Result<Written, Lost> {
        self.now = now;
        let ticked = self.tick_batch(now).and_then(|()| self.tick_segment(now));
        if now.abs_diff(self.looked) >= LOOK_AFTER {
            self.look_after(now);
        }
        self.counting.tick(now);
        ticked.map(|()| self.written).map_err(|source| self.give_up(source, 0))
    }

    /// Commits what there is.
    ///
    /// # Errors
    /// As for [`Writer::ingest`].
    pub fn commit(&mut self) -> Result<Written, Lost> {
        let committed = self.commit_batch(self.now);
        committed.map(|()| self.written).map_err(|source| self.give_up(source, 0))
    }

    /// Commits, and begins a new segment; the one before is sealed by whoever takes care.
    ///
    /// # Errors
    /// As for [`Writer::ingest`].
    pub fn roll(&mut self, now: u64) -> Result<Written, Lost> {
        let rolled = self.commit_batch(now).and_then(|()| self.next_segment(now));
        rolled.map(|()| self.written).map_err(|source| self.give_up(source, 0))
    }

    /// Does at once what the thread of [`Writer::start_upkeep`] does by the way.
    ///
    /// # Errors
    /// The first thing that went wrong; it is tried again the next time.
    pub fn take_care(&mut self, now: u64) -> Result<(), Error> {
        let below = self.hot.as_ref().map_or(0, |(number, _)| *number);
        Care::new(&self.settings).all(below, now, &|| false)
    }

    /// What has gone wrong since this was asked last, beside the records that were lost: each with the name of the file.
    pub fn troubles(&mut self) -> Vec<String> {
        let mut troubles = std::mem::take(&mut self.troubles);
        troubles.extend(self.counting.take_troubles());
        troubles.extend(self.upkeep.iter().flat_map(Upkeep::troubles));
        troubles
    }

    /// What is counted and not saved.
    pub(super) fn pending(&self) -> Arc<Mutex<rollup::Pending>> {
        self.counting.pending()
    }

    /// What was done so far.
    pub fn written(&self) -> Written {
        self.written
    }

    /// Where the store is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn take(&mut self, lines: &[&[u8]]) -> Result<(), Error> {
        self.hot()?;
        let Writer { hot: Some((_, hot)), tools, pending, counting, batch, written, .. } = self else { return Ok(()) };
        hot.take(lines, tools, pending, |taken| match taken {
            Some(facts) => {
                batch.lines += 1;
                counting.note(&facts);
            }
            None => written.refused += 1,
        })
    }

    fn tick_batch(&mut self, now: u64) -> Result<(), Error> {
        let Batch { lines, since } = self.batch;
        let is_full = lines >= self.settings.batch_lines;
        // A clock that was set back does not make it wait.
        let is_old = now < since || now - since >= micros(self.settings.batch_after);
        if lines > 0 && (is_full || is_old || self.counting.is_full()) { self.commit_batch(now) } else { Ok(()) }
    }

    fn commit_batch(&mut self, now: u64) -> Result<(), Error> {
        let Some((number, hot)) = &mut self.hot else { return Ok(()) };
        hot.commit(&mut self.tools, &mut self.pending)?;
        self.written.durable += std::mem::take(&mut self.batch.lines);
        self.counting.committed(serial(*number, hot.lines), now);
        Ok(())
    }

    fn tick_segment(&mut self, now: u64) -> Result<(), Error> {
        let Some((_, hot)) = &self.hot else { return Ok(()) };
        let is_full = hot.lines >= self.settings.seal_lines;
        let is_old = hot.since.is_some_and(|since| now.saturating_sub(since) >= micros(self.settings.seal_after));
        if !is_full && !is_old {
            return Ok(());
        }
        self.commit_batch(now)?;
        self.next_segment(now)
    }

    fn next_segment(&mut self, now: u64) -> Result<(), Error> {
        let Some((number, hot)) = &self.hot else { return Ok(()) };
        if hot.lines == 0 {
            return Ok(());
        }
        let next = number + 1;
        // What is sealed is not looked through for what is not counted, but after a crash.
        self.counting.save(now);
        self.hot = Some((next, Hot::open(&self.settings.path, next)?));
        self.look_after(now);
        Ok(())
    }

    /// Has full segments sealed, and old ones removed.
    fn look_after(&mut self, now: u64) {
        if let (Some(upkeep), Some((number, _))) = (&self.upkeep, &self.hot) {
            upkeep.look_after(*number, now);
            self.looked = now;
        }
    }

    /// Opens the segment to write to, if it is not open.
    fn hot(&mut self) -> Result<(), Error> {
        if self.hot.is_some() {
            return Ok(());
        }
        let folder = &self.settings.path;
        let number = match file::last(folder)? {
            Some((number, Form::Hot)) => number,
            Some((number, _)) => number + 1,
            None => 1,
        };
        // A disk that fails to read looks like a broken file: only what is so at a second look is set aside.
        let opened = Hot::open(folder, number).or_else(|_| Hot::open(folder, number));
        let (number, hot) = match opened {
            // It is left to those who read it; not one after the other without a record in it.
            Ok(hot) if self.damaged == Some(number) && (hot.lines > 0 || self.instead != Some(number)) => {
                self.instead = Some(number + 1);
                (number + 1, Hot::open(folder, number + 1)?)
            }
            Ok(hot) => (number, hot),
            Err(error) if error.is_damage() => {
                let aside = file::set_aside(folder, number, Form::Hot)?;
                self.troubles.push(format!("{error}; it is now {aside}"));
                (number + 1, Hot::open(folder, number + 1)?)
            }
            Err(error) => return Err(error),
        };
        let through = self.counting.through();
        let (number, hot) = match serial(number, hot.lines) {
            // Somebody has removed records that are counted: their numbers are not given again.
            last if last < through => {
                let next = number.max(segment_of(through)) + 1;
                (next, Hot::open(folder, next)?)
            }
            _ => (number, hot),
        };
        self.counting.found(folder, serial(number, hot.lines));
        self.hot = Some((number, hot));
        Ok(())
    }

    /// What is in memory of the file may be wrong now: it is read again before anything else is written.
    fn give_up(&mut self, source: Error, rest: u64) -> Lost {
        let hot = self.hot.take();
        if source.is_damage() {
            self.damaged = hot.map(|(number, _)| number);
        }
        self.pending.clear();
        self.counting.lost();
        let lines = std::mem::take(&mut self.batch.lines) + rest;
        self.written.lost += lines;
        Lost { lines, source }
    }
}

/// What stands before, between and behind the ends of lines.
fn split(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    let ends = memchr::memchr_iter(b'\n', text).chain([text.len()]);
    ends.map(move |end| &text[std::mem::replace(&mut start, end + 1)..end])
}

/// Sets aside the segments that cannot be read at all, and tells of them; those of a newer version stay for it.
fn look_over(folder: &Path) -> Result<Vec<String>, Error> {
    let mut segments = file::list(folder)?;
    // The last one, if it is hot, is about to be opened to write to it.
    segments.pop_if(|(_, form)| *form == Form::Hot);
    let mut troubles = Vec::new();
    for (number, form) in segments {
        // As above: what fails once may be the disk.
        match Opened::open(folder, number, form).or_else(|_| Opened::open(folder, number, form)) {
            Err(error @ (Error::Foreign { .. } | Error::Broken { .. })) => {
                let aside = file::set_aside(folder, number, form)?;
                troubles.push(format!("{error}; it is now {aside}"));
            }
            Err(error) => troubles.push(error.to_string()),
            Ok(_) => {}
        }
    }
    Ok(troubles)
}

/// What is counted is saved as long as nobody else has the store.
impl Drop for Writer {
    fn drop(&mut self) {
        self.counting.save(self.now);
    }
}

/// Removes what is left over: parts that were never finished, and hot segments that were sealed.
fn tidy(folder: &Path) -> Result<(), Error> {
    let names = paths::names(folder).map_err(Error::disk(folder))?;
    let found: Vec<_> = names.iter().filter_map(|name| file::parse(name)).collect();
    for (number, form) in &found {
        let is_sealed = *form == Form::Hot && found.contains(&(*number, Form::Sealed));
        if *form == Form::Part || is_sealed {
            file::remove(folder, *number, *form)?;
        }
    }
    Ok(())
}
