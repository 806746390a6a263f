//! One file of the spool, named by the index of its first record.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use crate::disk::Folder;

use super::frame::{Item, Walk};
use super::mark::{Position, read_at};

/// A segment, and its file while it is in use.
#[derive(Debug)]
pub(super) struct Segment {
    /// The index of its first record.
    pub(super) first: u64,
    /// Its length; what lies behind is not ours.
    pub(super) bytes: u64,
    /// Shared with whoever forces it to the disk.
    file: Option<Arc<File>>,
    unsynced: bool,
}

/// The segments of a folder, oldest first. Those that were acknowledged before a crash kept them from being removed are
/// removed now.
pub(super) fn list(folder: &Folder, marked: Option<Position>) -> io::Result<VecDeque<Segment>> {
    let mut segments = VecDeque::new();
    let mut firsts: Vec<u64> = folder.names()?.iter().filter_map(|name| first(name)).collect();
    firsts.sort_unstable();
    for first in firsts {
        let mut segment = Segment { first, bytes: 0, file: None, unsynced: false };
        if marked.is_some_and(|marked| first < marked.segment) {
            folder.remove(&segment.name())?;
            continue;
        }
        segment.bytes = folder.read(&segment.name())?.metadata()?.len();
        segments.push_back(segment);
    }
    Ok(segments)
}

/// The index that a file's name says, if it is a segment's.
fn first(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    digits.parse().ok().filter(|first| *first > 0 && name == self::name(*first))
}

/// The name of a segment; names sort as their numbers do.
fn name(first: u64) -> String {
    format!("{first:020}{SUFFIX}")
}

const SUFFIX: &str = ".seg";

impl Segment {
    /// A new one that begins with the record `first`.
    pub(super) fn create(folder: &Folder, first: u64) -> io::Result<Segment> {
        let file = folder.append(&name(first))?;
        Ok(Segment { first, bytes: file.metadata()?.len(), file: Some(Arc::new(file)), unsynced: true })
    }

    /// The name of its file.
    pub(super) fn name(&self) -> String {
        name(self.first)
    }

    /// Appends bytes. What a failed write leaves behind is cut off, so that the next one follows a whole frame.
    pub(super) fn write(&mut self, folder: &Folder, bytes: &[u8]) -> io::Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => Arc::new(folder.append(&self.name())?),
        };
        self.unsynced = true;
        let written = file.as_ref().write_all(bytes);
        match written {
            Ok(()) => self.bytes += bytes.len() as u64,
            Err(_) => file.set_len(self.bytes)?,
        }
        self.file = Some(file);
        written
    }

    /// Fills `window` with `want` bytes from `offset` on, or as many as there are; gives whether they are the last.
    pub(super) fn read(&self, folder: &Folder, offset: u64, want: usize, window: &mut Vec<u8>) -> io::Result<bool> {
        let left = usize::try_from(self.bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        window.clear();
        window.resize(want.min(left), 0);
        let read = match &self.file {
            Some(file) => read_at(file, window, offset)?,
            None => read_at(&folder.read(&self.name())?, window, offset)?,
        };
        if read < window.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(want >= left)
    }

    /// Its file, if it was written to since the last call.
    pub(super) fn take_unsynced(&mut self) -> Option<Arc<File>> {
        std::mem::take(&mut self.unsynced).then(|| self.file.clone()).flatten()
    }

    /// Cuts off what follows the last whole frame. Gives the index after that frame, at least `next`, and how many bytes
    /// were cut.
    pub(super) fn cut_torn_tail(&mut self, folder: &Folder, next: u64) -> io::Result<(u64, u64)> {
        let mut bytes = Vec::new();
        let whole = usize::try_from(self.bytes).map_err(io::Error::other)?;
        self.read(folder, 0, whole, &mut bytes)?;
        let (mut end, mut next) = (0, next.max(self.first));
        let mut walk = Walk::new(&bytes, true);
        while let Some(item) = walk.next() {
            if let Item::Record { index, .. } = item {
                (end, next) = (walk.passed() as u64, next.max(index.saturating_add(1)));
            }
        }
        let torn = self.bytes - end;
        if torn > 0 {
            folder.open(&self.name())?.set_len(end)?;
            self.bytes = end;
        }
        Ok((next, torn))
    }
}
