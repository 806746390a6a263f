//! Standard output: where a container's log is read from.
//!
//! A reader that is gone makes writes fail: records are counted as lost and tried again with the next batch, so that a
//! reader that comes back is told what it missed.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use super::writer::Target;

/// A descriptor of our own for what descriptor 1 is.
#[derive(Debug)]
pub struct Stdout(File);

impl Stdout {
    /// Unbuffered, unlike the standard library's.
    ///
    /// # Errors
    /// When it is closed, or there are no more descriptors.
    pub fn open() -> io::Result<Stdout> {
        Ok(Stdout(File::from(io::stdout().as_fd().try_clone_to_owned()?)))
    }
}

impl Target for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }
}
