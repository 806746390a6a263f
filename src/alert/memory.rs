//! The file in which alerts outlive the process: replaced whole, so that it is there or the one before is.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::saved::{Saved, SavedError};
use crate::disk::paths;

/// Bytes of the largest file that is read.
const LARGEST: u64 = 16 << 20;

/// Why a state cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The file.
    #[error("{}: {source}", path.display())]
    Disk {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What is in it.
    #[error("{}: {source}", path.display())]
    Saved {
        /// Which.
        path: PathBuf,
        /// Why.
        source: SavedError,
    },
}

/// What is remembered; nothing where there is no file.
///
/// # Errors
/// The file cannot be read, or makes no sense.
pub fn read(path: &Path) -> Result<Saved, MemoryError> {
    let disk = |source| MemoryError::Disk { path: path.to_owned(), source };
    let file = match paths::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Saved::default()),
        Err(error) => return Err(disk(error)),
    };
    let mut text = Vec::new();
    file.take(LARGEST).read_to_end(&mut text).map_err(disk)?;
    Saved::read(&text).map_err(|source| MemoryError::Saved { path: path.to_owned(), source })
}

/// Remembers all of it.
///
/// # Errors
/// The file cannot be written; the one before is still there.
pub fn write(path: &Path, saved: &Saved) -> Result<(), MemoryError> {
    replace(path, &saved.write()).map_err(|source| MemoryError::Disk { path: path.to_owned(), source })
}

fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    paths::make_folders(folder)?;
    let mut part = path.to_owned().into_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    paths::remove(&part)?;
    let mut file = paths::make(&part, 0o600)?;
    file.write_all(text)?;
    file.sync_all()?;
    paths::rename(&part, path)?;
    paths::sync_folder(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_no_file_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below/alerts.json");
        assert_eq!(read(&path).unwrap(), Saved::default());
        write(&path, &Saved::default()).unwrap();
        write(&path, &Saved::default()).unwrap();
        assert_eq!(read(&path).unwrap(), Saved::default());
        assert_eq!(std::fs::read_dir(folder.path().join("below")).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.json");
        std::fs::write(&path, "no state").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: it makes no sense", path.display())), "{error}");
        let error = read(folder.path()).unwrap_err();
        assert!(matches!(error, MemoryError::Disk { .. }), "{error}");
    }
}
