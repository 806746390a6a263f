//! A store is made smaller: whole segments go, the oldest first, and statistics that are too old.

use std::path::Path;
use std::time::Duration;

use crate::disk::{Folder, paths};
use crate::store::error::Error;
use crate::store::file::Form;
use crate::store::upkeep::{Care, Removed};
use crate::time::micros;

/// What is to go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruning {
    /// Segments of which every record is older than this.
    pub age: Option<Duration>,
    /// The oldest segments, as long as all of them together have more bytes than this.
    pub size: Option<u64>,
}

/// What went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Segments that were removed.
    pub segments: u64,
    /// Bytes that they took.
    pub bytes: u64,
    /// Somebody writes to the store: what is not sealed yet was left.
    pub beside_writer: bool,
}

/// Removes segments of a store. Statistics of what is removed stay. `now` is in microseconds since the Unix epoch.
///
/// # Errors
/// When there is no such folder, or a file cannot be removed; those before it are gone then.
pub fn prune(folder: &Path, pruning: Pruning, now: u64) -> Result<Pruned, Error> {
    // Claiming would make it.
    paths::look(folder).map_err(Error::disk(folder))?;
    let owned = match Folder::claim(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => None,
        claimed => Some(claimed.map_err(Error::disk(folder))?),
    };
    let care = Care::of(folder, pruning.age.map(micros), pruning.size);
    let is_sealed = |_: u64, form: Form| form == Form::Sealed;
    let Removed { segments, bytes } = match &owned {
        Some(_) => care.retain(now, |_, _| true)?,
        None => care.retain(now, is_sealed)?,
    };
    if segments > 0 {
        paths::sync_folder(folder).map_err(Error::disk(folder))?;
    }
    Ok(Pruned { segments, bytes, beside_writer: owned.is_none() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none");
        assert!(matches!(prune(&path, Pruning::default(), 0), Err(Error::Disk { .. })));
        assert!(!path.exists());
    }
}
