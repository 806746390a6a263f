//! What a collector refused for good: kept beside the spool, for a person to look at. Bounded: the first refusals tell
//! what is wrong, so that what comes when the file is full is counted and not kept.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use super::Spool;

/// The file in the spool's folder: the lines as they were sent.
const FILE: &str = "rejected.jsonl";
/// Its bytes at most.
const MAX: u64 = 16 << 20;

/// Takes lines that nobody will send again.
#[derive(Debug)]
pub struct Aside {
    file: File,
    bytes: u64,
    path: PathBuf,
}

impl Aside {
    /// The file of a spool.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn beside(spool: &Spool) -> io::Result<Aside> {
        let file = spool.folder.append(FILE)?;
        let bytes = file.metadata()?.len();
        Ok(Aside { file, bytes, path: spool.path().join(FILE) })
    }

    /// Where it is.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Keeps lines, each with its line feed; gives how many there was no room for.
    pub fn keep<'a>(&mut self, lines: impl Iterator<Item = &'a [u8]>) -> u64 {
        let mut left_out = 0;
        for line in lines {
            let bytes = line.len() as u64;
            let kept = self.bytes + bytes <= MAX && self.file.write_all(line).is_ok();
            self.bytes += if kept { bytes } else { 0 };
            left_out += u64::from(!kept);
        }
        left_out
    }
}
