//! How much a store holds, for whoever watches it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::error::Error;
use super::file::{self, Form};
use super::opened::Opened;
use crate::disk::paths;

/// What a store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Segments that can be read, the one that is written to among them.
    pub segments: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of all files of the store.
    pub bytes: u64,
}

/// Looks how much a store holds, again and again. What is sealed does not change, and is counted once.
#[derive(Debug)]
pub struct Gauge {
    folder: PathBuf,
    sealed: Mutex<BTreeMap<u64, u64>>,
}

impl Gauge {
    /// Of the store in this folder.
    pub fn new(folder: &Path) -> Gauge {
        Gauge { folder: folder.to_owned(), sealed: Mutex::default() }
    }

    /// As it is now. A segment that cannot be read is none.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn look(&self) -> Result<Held, Error> {
        let listed = file::list(&self.folder)?;
        let mut sealed = self.sealed.lock().unwrap_or_else(PoisonError::into_inner);
        sealed.retain(|number, _| listed.contains(&(*number, Form::Sealed)));
        let mut held = Held { bytes: self.bytes()?, ..Held::default() };
        for (number, form) in listed {
            let known = sealed.get(&number).copied();
            let Some(records) = known.or_else(|| self.records(number, form)) else { continue };
            if form == Form::Sealed {
                sealed.insert(number, records);
            }
            held.segments += 1;
            held.records += records;
        }
        Ok(held)
    }

    fn records(&self, number: u64, form: Form) -> Option<u64> {
        let opened = Opened::open_or_sealed(&self.folder, number, form).ok()?;
        opened.map_or(Some(0), |segment| segment.lines().ok())
    }

    fn bytes(&self) -> Result<u64, Error> {
        let names = paths::names(&self.folder).map_err(Error::disk(&self.folder))?;
        // What is gone meanwhile takes no room.
        Ok(names.iter().filter_map(|name| paths::look(&self.folder.join(name)).ok()).map(|look| look.len).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::timestamp;
    use crate::store::{Settings, Writer};

    const NOW: u64 = 1_795_345_356_000_000;

    #[test]
    fn it_holds_what_was_committed_wherever_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let gauge = Gauge::new(folder.path());
        let mut writer = Writer::open(Settings::new(folder.path())).unwrap();
        let lines = |count: u64| -> String {
            (0..count).map(|at| format!("{{\"timestamp\":\"{}\"}}\n", timestamp(NOW + at))).collect()
        };
        for (part, count) in [(1, 30), (2, 50), (3, 70)] {
            writer.ingest(lines(count).as_bytes(), NOW).unwrap();
            writer.commit().unwrap();
            let held = gauge.look().unwrap();
            assert_eq!((held.segments, held.records), (part, [30, 80, 150][part as usize - 1]));
            assert!(held.bytes > 0);
            writer.roll(NOW).unwrap();
            writer.take_care(NOW).unwrap();
        }
        std::fs::remove_file(folder.path().join("00000002.segment")).unwrap();
        assert_eq!(gauge.look().unwrap().records, 100);
        assert!(Gauge::new(&folder.path().join("none")).look().is_err());
    }
}
