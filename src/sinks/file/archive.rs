//! Closed files: their names, and how many of them stay.
//!
//! `error.log` is closed as `error.log-20260801T120000.123456Z`: its name and the moment of its closing in UTC, as
//! logrotate names files with `dateext`. Such a name never changes, as a number would with each rotation, so that
//! whoever follows or compresses a closed file is not disturbed, and names in the order of the alphabet are in the order
//! of time. A compressed one ends with `.gz` or `.zst`.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};

use crate::disk::paths;
use crate::record;

/// Endings of compressed files.
pub(super) const GZIP: &str = ".gz";
pub(super) const ZSTD: &str = ".zst";

/// The shape of a moment in a name; `0` is any digit.
const SHAPE: &[u8] = b"00000000T000000.000000Z";

/// The closed files of one log.
#[derive(Debug)]
pub(super) struct Archive {
    folder: PathBuf,
    base: String,
    keep: usize,
    /// Names without the ending of a compressed file, the oldest first.
    closed: VecDeque<String>,
}

impl Archive {
    /// The closed files that are there, of which so many are to stay.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(super) fn open(folder: &Path, base: &str, keep: usize) -> io::Result<Archive> {
        let names = paths::names(folder)?;
        let closed: BTreeSet<String> = names.iter().filter_map(|name| uncompressed(base, name)).collect();
        Ok(Archive { folder: folder.to_owned(), base: base.to_owned(), keep, closed: closed.into_iter().collect() })
    }

    /// The name under which a file is closed now: later than all others, even where the clock was set back.
    pub(super) fn next(&self, now: u64) -> String {
        // Steps that double are past any name of this age in as many steps as its moment has bits.
        let steps = (0..63).scan(now, |moment, step| {
            let this = *moment;
            *moment = moment.saturating_add(1 << step);
            Some(this)
        });
        let later = |name: &String| self.closed.back().is_none_or(|last| name > last);
        steps.map(|moment| self.name(moment)).find(later).unwrap_or_else(|| self.name(now))
    }

    /// Adds a file that was closed, and removes those that are too many.
    ///
    /// # Errors
    /// When one cannot be removed; it is tried again next time.
    pub(super) fn add(&mut self, name: String) -> io::Result<()> {
        self.closed.push_back(name);
        self.prune()
    }

    /// Removes closed files that are too many.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub(super) fn prune(&mut self) -> io::Result<()> {
        while self.closed.len() > self.keep
            && let Some(oldest) = self.closed.front()
        {
            for ending in ["", GZIP, ZSTD] {
                paths::remove(&self.folder.join(format!("{oldest}{ending}")))?;
            }
            self.closed.pop_front();
        }
        Ok(())
    }

    fn name(&self, moment: u64) -> String {
        let moment: String = record::timestamp(moment).chars().filter(|c| !matches!(c, '-' | ':')).collect();
        format!("{}-{moment}", self.base)
    }
}

/// The name that a closed file of this log has or had before it was compressed; `None` for any other file.
pub(super) fn uncompressed(base: &str, name: &str) -> Option<String> {
    let name = [GZIP, ZSTD].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
    let moment = name.strip_prefix(base)?.strip_prefix('-')?.as_bytes();
    let fits = |(byte, shape): (&u8, &u8)| if *shape == b'0' { byte.is_ascii_digit() } else { byte == shape };
    (moment.len() == SHAPE.len() && moment.iter().zip(SHAPE).all(fits)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 1_785_585_600_000_000;

    fn archive(names: &[&str], keep: usize) -> (tempfile::TempDir, Archive) {
        let folder = tempfile::tempdir().unwrap();
        names.iter().for_each(|name| std::fs::write(folder.path().join(name), b"x").unwrap());
        let archive = Archive::open(folder.path(), "error.log", keep).unwrap();
        (folder, archive)
    }

    #[test]
    fn names_are_moments_and_each_is_later_than_the_last() {
        let (_folder, mut archive) = archive(&[], 10);
        let first = archive.next(NOON);
        assert_eq!(first, "error.log-20260801T120000.000000Z");
        archive.add(first).unwrap();
        assert_eq!(archive.next(NOON), "error.log-20260801T120000.000001Z");
        archive.add(archive.next(NOON)).unwrap();
        assert!(archive.next(0) > archive.next(NOON - 1) || archive.next(0) > *archive.closed.back().unwrap());
    }

    #[test]
    fn only_files_of_this_log_belong_to_it() {
        let belongs = |name: &str| uncompressed("error.log", name).is_some();
        assert!(belongs("error.log-20260801T120000.000000Z"));
        assert!(belongs("error.log-20260801T120000.000000Z.gz"));
        assert!(belongs("error.log-20260801T120000.000000Z.zst"));
        for other in ["error.log", "error.log.1", "error.log-20260801", "error.log-20260801T120000.000000Z.gz.tmp"] {
            assert!(!belongs(other), "{other}");
        }
        assert!(!belongs("other-error.log-20260801T120000.000000Z"));
        assert!(!belongs("error.log-old-20260801T120000.000000Z"));
    }

    #[test]
    fn the_oldest_go_first_compressed_or_not_and_strangers_stay() {
        let names = [
            "error.log-20260801T120000.000002Z",
            "error.log-20260801T120000.000000Z.gz",
            "error.log-20260801T120000.000001Z",
            "error.log-20260801T120000.000001Z.gz",
            "error.log-20200101T000000Z",
        ];
        let (folder, mut archive) = archive(&names, 1);
        archive.prune().unwrap();
        let mut left = paths::names(folder.path()).unwrap();
        left.sort();
        assert_eq!(left, ["error.log-20200101T000000Z", "error.log-20260801T120000.000002Z"]);
    }
}
