//! Why rollups cannot be read or written.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::store::error::is_cut;

/// What keeps a file of rollups from being used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RollupError {
    /// It is damaged, or no file of rollups.
    #[error("{}: {why}", path.display())]
    Broken {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A later version of gatelog wrote it.
    #[error("{}: it has version {version} of its format, and this gatelog knows up to {known}", path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its version.
        version: i64,
        /// The latest that is known.
        known: i64,
    },
    /// The system does not let it be read or written now: the disk is full, it is locked, it must not be touched.
    #[error("{}: {why}", path.display())]
    Refused {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
}

impl RollupError {
    /// Whether the file itself is no good, so that waiting does not help.
    pub fn is_of_the_file(&self) -> bool {
        matches!(self, RollupError::Broken { .. } | RollupError::Newer { .. })
    }

    /// What the engine says of a file.
    pub(super) fn of(path: &Path, error: &rusqlite::Error) -> RollupError {
        let (path, why) = (path.to_owned(), error.to_string());
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => RollupError::Broken { path, why },
            // A table or a column that is missing is no failure of the system.
            Some(ErrorCode::Unknown) | None => RollupError::Broken { path, why },
            Some(_) if is_cut(error) => RollupError::Broken { path, why },
            Some(_) => RollupError::Refused { path, why },
        }
    }
}
