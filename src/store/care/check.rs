//! A store is looked through: every file, every row.

use std::path::Path;

use crate::disk::paths;
use crate::store::ask::Stop;
use crate::store::error::Error;
use crate::store::file::{self, Form};
use crate::store::opened::Opened;
use crate::store::rollup::{self, RollupError};

/// What was found in a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// Segments that were looked through.
    pub segments: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of all files of the store.
    pub bytes: u64,
    /// Whether there are statistics.
    pub rollups: bool,
    /// What is wrong, by the names of the files.
    pub problems: Vec<Problem>,
    /// Whether it was told to stop before the end.
    pub partial: bool,
}

/// Something is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Its name in the folder of the store.
    pub file: String,
    /// What kind of thing is wrong.
    pub fault: Fault,
    /// What exactly, for people.
    pub why: String,
}

/// What kind of thing can be wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Fault {
    /// What it holds makes no sense, or not all of it is there.
    Damaged,
    /// A newer version wrote it.
    Newer,
    /// It is no file of a store.
    Foreign,
    /// The writer could not go on with it, and has renamed it.
    SetAside,
    /// The system does not let it be read.
    Unreadable,
}

/// Problems of one file that are told; more of them say nothing new.
const MAX_OF_ONE: usize = 10;

/// Looks through a store, also while somebody writes to it: each file is opened to be read only, each row is read.
///
/// # Errors
/// When there is no such folder. Whatever is wrong with the store is in [`Findings::problems`].
pub fn check(folder: &Path, stop: Stop<'_>) -> Result<Findings, Error> {
    let mut checked = Check { folder, stop, findings: Findings::default() };
    checked.names()?;
    checked.rollups();
    for (number, form) in file::list(folder)? {
        checked.segment(number, form);
    }
    let mut findings = checked.findings;
    findings.problems.sort();
    Ok(findings)
}

struct Check<'a> {
    folder: &'a Path,
    stop: Stop<'a>,
    findings: Findings,
}

impl Check<'_> {
    fn problem(&mut self, file: &str, fault: Fault, why: impl Into<String>) {
        self.findings.problems.push(Problem { file: file.to_owned(), fault, why: why.into() });
    }

    /// What does not belong to a store, or was set aside.
    fn names(&mut self) -> Result<(), Error> {
        for name in paths::names(self.folder).map_err(Error::disk(self.folder))? {
            // What is gone meanwhile is no trouble.
            let Ok(look) = paths::look(&self.folder.join(&name)) else { continue };
            self.findings.bytes += look.len;
            if name.contains(".broken") || name.contains(".aside") {
                self.problem(&name, Fault::SetAside, "it could not be gone on with");
            } else if !is_ours(&name) {
                self.problem(&name, Fault::Foreign, "not a file of a store");
            }
        }
        Ok(())
    }

    fn rollups(&mut self) {
        let checked = rollup::check(self.folder);
        self.findings.rollups = !matches!(checked, Ok(None));
        match checked {
            Ok(problems) => problems.unwrap_or_default().into_iter().take(MAX_OF_ONE).for_each(|why| {
                self.problem(rollup::FILE, Fault::Damaged, why);
            }),
            Err(error) => self.problem(rollup::FILE, fault_of_rollups(&error), error.to_string()),
        }
    }

    fn segment(&mut self, number: u64, form: Form) {
        if (self.stop)() {
            self.findings.partial = true;
            return;
        }
        let opened = match Opened::open_or_sealed(self.folder, number, form) {
            Ok(Some(opened)) => opened,
            Ok(None) => return,
            Err(error) => return self.problem(&file::name(number, form), fault(&error), error.to_string()),
        };
        let name = file::name(number, opened.form);
        let checked = opened.check(self.stop);
        self.findings.segments += 1;
        match checked {
            Ok(checked) => {
                self.findings.records += checked.records;
                self.findings.partial |= checked.partial;
                checked.wrong.into_iter().take(MAX_OF_ONE).for_each(|why| self.problem(&name, Fault::Damaged, why));
            }
            Err(error) => self.problem(&name, fault(&error), error.to_string()),
        }
    }
}

/// Whether a file of this name belongs to a store.
fn is_ours(name: &str) -> bool {
    let base = ["-wal", "-shm", "-journal"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
    name == "lock" || base == rollup::FILE || base == rollup::PART || file::parse(base).is_some()
}

fn fault(error: &Error) -> Fault {
    match error {
        Error::Newer { .. } => Fault::Newer,
        Error::Foreign { .. } => Fault::Foreign,
        Error::Disk { .. } | Error::Full { .. } | Error::Taken { .. } => Fault::Unreadable,
        Error::Broken { .. } => Fault::Damaged,
        Error::Rollups(error) => fault_of_rollups(error),
    }
}

fn fault_of_rollups(error: &RollupError) -> Fault {
    match error {
        RollupError::Newer { .. } => Fault::Newer,
        RollupError::Refused { .. } => Fault::Unreadable,
        RollupError::Broken { .. } => Fault::Damaged,
    }
}
