//! The spool: numbered lines on disk between an output's queue and a collector that may be away for days.
//!
//! # What it promises
//!
//! - *At least once.* A line that [`Spool::append`] took is delivered, by this process or a later one, until it is
//!   acknowledged. After a crash at most what was in flight is delivered again.
//! - *Oldest first.* Lines come out in the order they went in.
//! - *Bounded.* The segments never take more than `max` bytes. When they do, the **newest** lines are refused and what
//!   was there first is kept: the refused ones use up their numbers, and a `log_loss` with `spool_full` names them in
//!   its place in the same stream. (Dropping the oldest would tear a hole where nothing more can be said.)
//! - *kill -9 loses nothing* that was appended: it lies with the kernel. A loss of power loses at most what came since the
//!   last [`Spool::unsynced`] was synced, which the owner has done once a second, on a thread of its own: appending does
//!   not wait for the disk.
//! - *Damage is contained.* A flipped byte costs the record it is in. What was lost is counted in bytes and in records.
//!
//! # On disk
//!
//! ```text
//! lock                       whose the folder is: one process at a time
//! acknowledged               where the first record stands that is not acknowledged (`mark`)
//! 00000000000000000001.seg   frames (`frame`) of records 1 …, only ever appended to
//! 00000000000000016385.seg   the next segment, named by its first record
//! rejected.jsonl             what the collector refused for good (`aside`); bounded, and beside `max`
//! ```
//!
//! Every record has a running number, its *index*, for the life of the folder, so that a hole tells how many are missing.
//! A segment is closed when it has grown to a sixteenth of `max`, and removed once all of it is acknowledged.
//!
//! # Its life
//!
//! *Open*: take the lock; drop segments that are acknowledged; walk the newest one and cut what follows its last whole
//! frame, which is where a crash stopped writing. *Append*: frames of a whole batch in one write; one that fails is cut
//! off again. *Take*: from the cursor on; bytes that are no frame are skipped up to the next that is, and counted. *Acknowledge*: the
//! mark is rewritten in place, without a sync: after a loss of power an older one repeats records and loses none.
//!
//! Lines are numbered (`seq`) before they are appended, so that the collector sees one stream of each process instance;
//! one that is started again goes on with the old instance's lines and then its own.

mod aside;
mod frame;
mod mark;
mod segment;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::disk::Folder;
use crate::pipeline::{Reason, SpoolSettings};

use super::lines::{Limits, Lines};

pub use aside::Aside;
pub use mark::Position;

use frame::{HEADER, Item, MAX_RECORD, Walk};
use mark::Mark;
use segment::Segment;

/// Bytes that are read at once; a longer record grows it.
const READ: usize = 256 * 1024;
/// Memory that is kept for the frames of one batch.
const KEEP: usize = 1 << 20;
/// Segments that `max` is divided into, and the most bytes of one.
const SEGMENTS: u64 = 16;
const MAX_SEGMENT: u64 = 64 << 20;

/// Records on disk, in order.
#[derive(Debug)]
pub struct Spool {
    folder: Folder,
    max: u64,
    /// Oldest first, never empty; the last one is appended to.
    segments: VecDeque<Segment>,
    mark: Mark,
    /// The index of the next record.
    next: u64,
    /// Where the next record is taken.
    cursor: Position,
    damage: Damage,
    unsynced: bool,
    frames: Vec<u8>,
    window: Vec<u8>,
}

/// Why reading stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    /// There is more than was asked for.
    Limit,
    /// There is no more in this piece.
    End,
}

/// What was skipped because it could not be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Damage {
    /// Bytes that are no frames.
    pub bytes: u64,
    /// Records that are missing.
    pub records: u64,
}

/// Why lines were not taken. None of them was.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// They do not fit in: so many bytes with their frames.
    #[error("the spool is full")]
    Full(u64),
    /// A record above 4 MiB.
    #[error("a record is too long for the spool")]
    TooLong,
    /// The file system does not take them.
    #[error("the spool cannot be written: {0}")]
    Disk(#[from] io::Error),
}

impl Refusal {
    /// The reason of the `log_loss`.
    pub fn reason(&self) -> Reason {
        match self {
            Refusal::Full(_) => Reason::SpoolFull,
            Refusal::Disk(error) if error.kind() == io::ErrorKind::StorageFull => Reason::DiskFull,
            Refusal::Disk(_) | Refusal::TooLong => Reason::WriteFailed,
        }
    }
}

/// Files that are to be forced to the disk, by any thread.
#[derive(Debug)]
pub struct Unsynced {
    files: Vec<Arc<File>>,
    folder: File,
}

impl Unsynced {
    /// Waits for the disk.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn sync(&self) -> io::Result<()> {
        self.files.iter().try_for_each(|file| file.sync_data())?;
        self.folder.sync_all()
    }
}

impl Spool {
    /// Opens the spool of an output. Gives beside it what had to be cut off behind the last whole record.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] while another process has it; those of the file system.
    pub fn open(settings: &SpoolSettings) -> io::Result<(Spool, Damage)> {
        let folder = Folder::claim(&settings.path)?;
        let (mark, marked) = Mark::open(folder.open(MARK)?)?;
        let mut segments = segment::list(&folder, marked)?;
        let next = marked.map_or(FIRST, |marked| marked.index).max(FIRST);
        let (next, torn) = match segments.back_mut() {
            Some(newest) => newest.cut_torn_tail(&folder, next)?,
            None => (next, 0),
        };
        if segments.is_empty() {
            segments.push_back(Segment::create(&folder, next)?);
        }
        let mut spool = Spool {
            folder,
            max: settings.max,
            cursor: start(&segments, marked),
            segments,
            mark,
            next,
            damage: Damage::default(),
            unsynced: false,
            frames: Vec::new(),
            window: Vec::new(),
        };
        spool.mark.write(spool.cursor)?;
        Ok((spool, Damage { bytes: torn, records: 0 }))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Records that were not taken yet.
    pub fn waiting(&self) -> u64 {
        self.next.saturating_sub(self.cursor.index)
    }

    /// Bytes of their frames.
    pub fn waiting_bytes(&self) -> u64 {
        let behind = self.segments.iter().take_while(|segment| segment.first < self.cursor.segment);
        let behind: u64 = behind.map(|segment| segment.bytes).sum();
        self.bytes().saturating_sub(behind + self.cursor.offset)
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// What was skipped since the last call.
    pub fn take_damage(&mut self) -> Damage {
        std::mem::take(&mut self.damage)
    }

    /// Whether so many bytes of frames fit in.
    pub fn has_room(&self, bytes: u64) -> bool {
        self.bytes() + bytes <= self.max
    }

    /// Appends lines, all or none of them.
    ///
    /// # Errors
    ///
    /// Why none of them was taken.
    pub fn append(&mut self, lines: &Lines) -> Result<(), Refusal> {
        let bytes = (lines.bytes().len() + lines.len() * HEADER) as u64;
        // Before any checksum is computed: a full spool is asked often.
        if !self.has_room(bytes) {
            return Err(Refusal::Full(bytes));
        }
        let mut frames = std::mem::take(&mut self.frames);
        frames.clear();
        let appended = self.frame(lines, &mut frames).and_then(|next| self.write(&frames, next));
        frames.shrink_to(KEEP);
        self.frames = frames;
        appended
    }

    /// Takes the next records, as many as the limits allow. Gives where the one after them stands, for
    /// [`Spool::acknowledge`].
    ///
    /// A segment that cannot be read is damage as well.
    pub fn take(&mut self, limits: Limits, lines: &mut Lines) -> Position {
        while self.cursor.index < self.next {
            if self.cursor.offset >= self.current().bytes {
                self.leave_segment();
                continue;
            }
            match self.read_some(limits, lines) {
                Ok(Reached::Limit) => break,
                Ok(Reached::End) => {}
                Err(error) => self.pass_unreadable(&error),
            }
        }
        self.cursor
    }

    /// Forgets the records before `position`: what was taken up to there has arrived.
    ///
    /// # Errors
    ///
    /// Those of the file system; the records may then be delivered once more after a restart.
    pub fn acknowledge(&mut self, position: Position) -> io::Result<()> {
        self.mark.write(position)?;
        while self.segments.len() > 1 && self.segments[0].first < position.segment {
            self.folder.remove(&self.segments[0].name())?;
            self.segments.pop_front();
        }
        Ok(())
    }

    /// What was appended since the last call and would not survive a loss of power yet; `None` where nothing was.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn unsynced(&mut self) -> io::Result<Option<Unsynced>> {
        if !std::mem::take(&mut self.unsynced) {
            return Ok(None);
        }
        let folder = self.folder.handle()?;
        let files = self.segments.iter_mut().filter_map(Segment::take_unsynced).collect();
        Ok(Some(Unsynced { files, folder }))
    }

    /// Makes frames of the lines; gives the index after them.
    fn frame(&self, lines: &Lines, frames: &mut Vec<u8>) -> Result<u64, Refusal> {
        let mut index = self.next;
        for record in lines.iter() {
            if record.len() > MAX_RECORD {
                return Err(Refusal::TooLong);
            }
            frame::write(index, record, frames);
            index += 1;
        }
        Ok(index)
    }

    fn write(&mut self, frames: &[u8], next: u64) -> Result<(), Refusal> {
        let bytes = frames.len() as u64;
        if self.newest().is_some_and(|newest| newest.bytes > 0 && newest.bytes + bytes > self.segment_bytes()) {
            self.segments.push_back(Segment::create(&self.folder, self.next)?);
        }
        self.unsynced = true;
        if let Some(newest) = self.segments.back_mut() {
            newest.write(&self.folder, frames)?;
        }
        self.next = next;
        Ok(())
    }

    fn segment_bytes(&self) -> u64 {
        (self.max / SEGMENTS).min(MAX_SEGMENT)
    }

    fn newest(&self) -> Option<&Segment> {
        self.segments.back()
    }

    /// The segment of the cursor; there is always one.
    fn current(&self) -> &Segment {
        let at = self.segments.partition_point(|segment| segment.first <= self.cursor.segment);
        &self.segments[at.saturating_sub(1)]
    }

    /// Reads a piece of the cursor's segment.
    fn read_some(&mut self, limits: Limits, lines: &mut Lines) -> io::Result<Reached> {
        let mut want = READ;
        loop {
            let mut window = std::mem::take(&mut self.window);
            let last = self.current().read(&self.folder, self.cursor.offset, want, &mut window)?;
            let (passed, reached) = self.walk(Walk::new(&window, last), limits, lines);
            window.shrink_to(READ);
            self.window = window;
            self.cursor.offset += passed as u64;
            if reached == Reached::Limit || passed > 0 {
                return Ok(reached);
            }
            // A frame longer than the window.
            want *= 2;
        }
    }

    /// Takes records from a piece of a segment; gives how much of it lies behind.
    fn walk(&mut self, mut walk: Walk<'_>, limits: Limits, lines: &mut Lines) -> (usize, Reached) {
        loop {
            let before = walk.passed();
            match walk.next() {
                None => return (before, Reached::End),
                Some(Item::Damage) => self.damage.bytes += (walk.passed() - before) as u64,
                // A segment that was copied back into the folder: it was delivered before.
                Some(Item::Record { index, .. }) if index < self.cursor.index => {}
                Some(Item::Record { record, .. }) if !lines.has_room(limits, record.len()) => {
                    return (before, Reached::Limit);
                }
                Some(Item::Record { index, record }) => {
                    self.damage.records += index - self.cursor.index;
                    self.cursor.index = index.saturating_add(1);
                    lines.push(record);
                }
            }
        }
    }

    fn pass_unreadable(&mut self, error: &io::Error) {
        let path = self.path().join(self.current().name());
        tracing::error!(target: "gatelog.proxy", error = %error, path = %path.display(), "a segment of the spool cannot be read");
        self.damage.bytes += self.current().bytes.saturating_sub(self.cursor.offset);
        self.leave_segment();
    }

    /// Goes on to the next segment, or, behind the newest one, declares what is missing as lost.
    fn leave_segment(&mut self) {
        let after = self.segments.iter().find(|segment| segment.first > self.cursor.segment);
        let index = match after.map(|segment| segment.first) {
            Some(first) => {
                self.cursor = Position { segment: first, offset: 0, ..self.cursor };
                first
            }
            None => self.next,
        };
        self.damage.records += index.saturating_sub(self.cursor.index);
        self.cursor.index = self.cursor.index.max(index);
    }
}

/// The records that are found in the bytes of a segment, and how many bytes belong to none.
pub fn records(segment: &[u8]) -> (Vec<Vec<u8>>, usize) {
    let mut walk = Walk::new(segment, true);
    let (mut records, mut damage) = (Vec::new(), 0);
    loop {
        let before = walk.passed();
        match walk.next() {
            None => return (records, damage),
            Some(Item::Record { record, .. }) => records.push(record.to_vec()),
            Some(Item::Damage) => damage += walk.passed() - before,
        }
    }
}

/// Any bytes as a segment, and a frame with `last` behind them: what the fuzzer calls.
pub fn fuzz(data: &[u8], last: &[u8]) -> (Vec<Vec<u8>>, usize) {
    let mut bytes = data.to_vec();
    frame::write(u64::MAX, last, &mut bytes);
    records(&bytes)
}

/// The file of [`Mark`].
const MARK: &str = "acknowledged";
/// The first index of a spool: 0 stands in no file.
const FIRST: u64 = 1;

/// Where reading begins: at the mark, or at the oldest record where that is gone.
fn start(segments: &VecDeque<Segment>, marked: Option<Position>) -> Position {
    let oldest = segments.front().map_or(FIRST, |segment| segment.first);
    match marked.filter(|marked| segments.iter().any(|segment| segment.first == marked.segment)) {
        Some(marked) => marked,
        None => Position { index: marked.map_or(oldest, |marked| marked.index), segment: oldest, offset: 0 },
    }
}
