//! The only door to the file system: whole small files, with a limit on how much of one is read, what can be done with a
//! path ([`paths`]), whose files are ([`account`]), folders that belong to one process ([`Folder`]), logs of any length
//! ([`log_file`]), and room for those that grow ([`Ahead`]).

pub mod account;
mod ahead;
mod folder;
pub mod log_file;
pub mod paths;

pub use ahead::Ahead;
pub use folder::Folder;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Reads a file whole.
///
/// # Errors
///
/// Those of opening and reading it, and [`io::ErrorKind::FileTooLarge`] when it holds more than `limit` bytes.
#[expect(clippy::disallowed_methods, reason = "this is the one place that opens files")]
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that just fits from one that does not, pipes and devices included.
    File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it holds more than {limit} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_just_fits_is_read_and_one_byte_more_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("four");
        std::fs::write(&path, b"four").unwrap();
        assert_eq!(read(&path, 4).unwrap(), b"four");
        assert_eq!(read(&path, 3).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
