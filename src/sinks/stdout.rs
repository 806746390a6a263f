//! Standard output: where a container's log is read from.
//!
//! A reader that is gone makes writes fail: records are counted as lost and tried again with the next batch, so that a
//! reader that comes back is told what it missed.
//!
//! A pipe is widened where the system allows that: one that holds less than a batch makes its two ends wake each other
//! several times for each.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use nix::fcntl::{FcntlArg, fcntl};

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
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        widen(&file);
        Ok(Stdout(file))
    }
}

/// Bytes that a pipe is to hold: the most that Linux lets anyone ask for by default (pipe(7)).
const PIPE: i32 = 1 << 20;

/// What is no pipe, or has used up its user's share of memory for pipes, stays as it is.
fn widen(file: &File) {
    if fcntl(file, FcntlArg::F_GETPIPE_SZ).is_ok_and(|size| size < PIPE) {
        let _ = fcntl(file, FcntlArg::F_SETPIPE_SZ(PIPE));
    }
}

impl Target for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_is_widened_and_anything_else_left_alone() {
        let (_reader, writer) = std::io::pipe().expect("a pipe");
        let writer = File::from(std::os::fd::OwnedFd::from(writer));
        let size = |file: &File| fcntl(file, FcntlArg::F_GETPIPE_SZ);
        let before = size(&writer).expect("a size");
        widen(&writer);
        // Its user may have no share left.
        assert!(size(&writer).expect("a size") >= before);
        let file = tempfile::tempfile().expect("a file");
        widen(&file);
        assert!(size(&file).is_err());
    }
}
