//! Standard output: where a container's log is read from.
//!
//! A reader that is gone makes writes fail: records are counted as lost and tried again with the next batch, so that a
//! reader that comes back is told what it missed.
//!
//! A pipe is widened where the system allows that: one that holds less than a batch makes its two ends wake each other
//! several times for each.
//!
//! While another process writes to the same pipe ([`Neighbour`]), no more is written at once than the kernel keeps together
//! (pipe(7), `PIPE_BUF`): lines above 4 KiB may be torn then where the reader is too slow.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use nix::fcntl::{FcntlArg, fcntl};

use crate::disk::Ahead;
use crate::disk::paths::{self, Kind};

use super::neighbour::Neighbour;
use super::writer::Target;

/// A descriptor of our own for what descriptor 1 is.
#[derive(Debug)]
pub struct Stdout {
    file: File,
    /// What is written to it at once may come out in pieces: it is no file.
    is_stream: bool,
    neighbour: Neighbour,
    /// Where it is one.
    ahead: Ahead,
}

impl Stdout {
    /// Unbuffered, unlike the standard library's.
    ///
    /// # Errors
    /// When it is closed, or there are no more descriptors.
    pub fn open(neighbour: Neighbour) -> io::Result<Stdout> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        widen(&file);
        let is_stream = paths::look_at(&file)?.kind != Kind::Regular;
        let ahead = Ahead::of(&file);
        Ok(Stdout { file, is_stream, neighbour, ahead })
    }
}

/// What Linux writes to a pipe in one piece.
const PIPE_BUF: usize = 4096;

/// As many lines as stay in one piece, or else the first one.
fn kept_together(lines: &[u8]) -> &[u8] {
    let start = &lines[..lines.len().min(PIPE_BUF)];
    let end = memchr::memrchr(b'\n', start).or_else(|| memchr::memchr(b'\n', lines));
    &lines[..end.map_or(lines.len(), |at| at + 1)]
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
        let share = if self.is_stream && self.neighbour.is_there() { kept_together(bytes) } else { bytes };
        self.ahead.cover(&self.file, share.len() as u64, u64::MAX);
        self.file.write(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_whole_lines_as_fit_are_kept_together() {
        let line = |length: usize| [&vec![b'x'; length - 1][..], b"\n"].concat();
        let lines = [line(4000), line(96), line(1)].concat();
        assert_eq!(kept_together(&lines).len(), 4096);
        assert_eq!(kept_together(&[line(4097), line(1)].concat()).len(), 4097);
        assert_eq!(kept_together(&line(3)).len(), 3);
        assert_eq!(kept_together(b"no end"), b"no end");
    }

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
