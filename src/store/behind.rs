//! Records that statistics do not include yet, found in the segments by their numbers.
//!
//! A record's number ([`serial`]) is that of its segment and its own within it, so that numbers grow across segments and none
//! is given again. The two lines of a request that share a row are counted together, by the number of the row.

use std::path::{Path, PathBuf};

use super::ask::Stop;
use super::error::Error;
use super::file;
use super::opened::Opened;
use super::rollup::Tally;

/// Rows that are counted between two looks at whether to go on.
const STRIDE: usize = 256;
/// Rows that are counted at once.
const STEP: usize = 4096;

/// The number of a record in the whole store.
pub(super) fn serial(segment: u64, number: u64) -> u64 {
    segment << 32 | number
}

/// The segment of a record.
pub(super) fn segment_of(serial: u64) -> u64 {
    serial >> 32
}

/// The numbers within a segment of the rows behind a record, each with where it is found, in the order of their numbers.
fn rows_behind(segment: &Opened, serial: u64) -> Result<Vec<(u32, u32)>, Error> {
    let after = if segment_of(serial) == segment.number { serial as u32 } else { 0 };
    segment.rows_after(after).map_err(|error| segment.error(error))
}

/// Counts a row; one that cannot be read is told.
fn count(segment: &Opened, row: u32, tally: &mut Tally, troubles: &mut Vec<String>) {
    let counted = segment.row(row.into(), |row, file, lexicon| {
        let lines = row.lines(file, lexicon)?;
        lines.iter().filter_map(|line| line.facts().noted().map(|noted| tally.note(&noted))).for_each(drop);
        Some(())
    });
    match counted {
        Ok(Some(())) => {}
        Ok(None) => troubles.push(Error::broken(segment.path(), format!("record {row} makes no sense")).to_string()),
        Err(error) => troubles.push(error.to_string()),
    }
}

/// What a look behind a record found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) tally: Tally,
    /// The number of the last record that was counted; 0: none was.
    pub(super) through: u64,
    /// There are more.
    pub(super) partial: bool,
    pub(super) troubles: Vec<String>,
}

/// Counts all that came after a record; `most` rows of it at most.
pub(super) fn look(segments: &[Opened], after: u64, most: usize, stop: Stop<'_>) -> Found {
    let (mut found, mut seen) = (Found::default(), 0);
    for segment in segments.iter().filter(|segment| segment.number >= segment_of(after)) {
        let rows = match rows_behind(segment, after) {
            Ok(rows) => rows,
            Err(error) => {
                found.troubles.push(error.to_string());
                continue;
            }
        };
        for (number, row) in rows {
            seen += 1;
            if seen > most || seen % STRIDE == 0 && stop() {
                found.partial = true;
                return found;
            }
            count(segment, row, &mut found.tally, &mut found.troubles);
            found.through = serial(segment.number, number.into());
        }
    }
    found
}

/// A segment, and the rows of it that are still to be counted: the number of each, and where it is.
type Current = (Opened, std::vec::IntoIter<(u32, u32)>);

/// Goes through all that came after a record, a piece at a time, while more may come.
#[derive(Debug)]
pub(super) struct Recount {
    folder: PathBuf,
    after: u64,
    current: Option<Current>,
}

impl Recount {
    pub(super) fn new(folder: &Path, after: u64) -> Recount {
        Recount { folder: folder.to_owned(), after, current: None }
    }

    /// Counts some thousand rows, or those of a few minutes; returns the number of the last of them, or `None` when nothing
    /// is left.
    pub(super) fn step(&mut self, tally: &mut Tally, troubles: &mut Vec<String>) -> Result<Option<u64>, Error> {
        if self.current.is_none() {
            self.current = self.next(troubles)?;
        }
        let Some((segment, rows)) = &mut self.current else { return Ok(None) };
        for (number, row) in rows.by_ref().take(STEP) {
            count(segment, row, tally, troubles);
            self.after = serial(segment.number, number.into());
            if tally.is_full() {
                break;
            }
        }
        if rows.len() == 0 {
            self.current = None;
        }
        Ok(Some(self.after))
    }

    /// The next segment with rows to count; those that cannot be read are told and left out.
    fn next(&mut self, troubles: &mut Vec<String>) -> Result<Option<Current>, Error> {
        for (number, form) in file::list(&self.folder)? {
            if number < segment_of(self.after) {
                continue;
            }
            let opened = Opened::open_or_sealed(&self.folder, number, form);
            let rows = opened.and_then(|opened| {
                let rows = opened.as_ref().map(|opened| rows_behind(opened, self.after)).transpose()?;
                Ok(opened.zip(rows))
            });
            match rows {
                Ok(Some((opened, rows))) if !rows.is_empty() => return Ok(Some((opened, rows.into_iter()))),
                Ok(_) => {}
                Err(error) => troubles.push(error.to_string()),
            }
        }
        Ok(None)
    }
}
