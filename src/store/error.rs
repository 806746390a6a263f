//! What can go wrong with a store.

use std::io;
use std::path::Path;

use rusqlite::ErrorCode;

use super::rollup::RollupError;

/// Why a store cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Somebody else writes to it.
    #[error("{path}: another process writes to this store")]
    Taken {
        /// The folder.
        path: String,
    },
    /// The file system does not let us.
    #[error("{path}: {source}")]
    Disk {
        /// The file or folder.
        path: String,
        /// What it says.
        source: io::Error,
    },
    /// There is no room left; whoever makes some is served again.
    #[error("{path}: the disk is full")]
    Full {
        /// The file.
        path: String,
    },
    /// The file is of a version that this program does not know.
    #[error("{path}: written by a newer version (format {version}, this program knows {known})")]
    Newer {
        /// The file.
        path: String,
        /// Its version.
        version: i64,
        /// The latest that is known.
        known: i64,
    },
    /// The file is none of ours.
    #[error("{path}: not a file of a store")]
    Foreign {
        /// The file.
        path: String,
    },
    /// What the file holds makes no sense, or the engine does not answer.
    #[error("{path}: {why}")]
    Broken {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// The statistics beside the segments cannot be opened.
    #[error(transparent)]
    Rollups(#[from] RollupError),
}

impl Error {
    /// What the file system says of a path.
    pub(super) fn disk(path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
        let path = path.display().to_string();
        move |source| Error::Disk { path, source }
    }

    /// What the engine says of a file.
    pub(super) fn engine(path: &Path) -> impl Fn(rusqlite::Error) -> Error + use<> {
        let path = path.display().to_string();
        move |error| {
            let path = path.clone();
            match error.sqlite_error_code() {
                Some(ErrorCode::DiskFull) => Error::Full { path },
                Some(ErrorCode::NotADatabase) => Error::Foreign { path },
                Some(code) if is_of_the_moment(code) => Error::Disk { path, source: io::Error::other(error) },
                _ => Error::Broken { path, why: error.to_string() },
            }
        }
    }

    /// What the file holds makes no sense.
    pub(super) fn broken(path: &Path, why: impl Into<String>) -> Error {
        Error::Broken { path: path.display().to_string(), why: why.into() }
    }
}

/// What the system or another process does not let us do now says nothing about the file: later it may well do.
fn is_of_the_moment(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::PermissionDenied
            | ErrorCode::ReadOnly
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted
            | ErrorCode::OperationAborted
            | ErrorCode::FileLockingProtocolFailed
    )
}
