//! The last records of a log file, and those that come: through rotation, however it is done.
//!
//! - *Renamed and made anew*: the old file is read on until the next rotation, for its writer may need a moment to open the
//!   new one; what is compressed or removed meanwhile is still open here.
//! - *Copied and cut* (`copytruncate`): a file that is shorter than what was read of it begins again. One that has grown past
//!   that between two looks cannot be told from one that was only appended to: look often.

use std::collections::VecDeque;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use memchr::memrchr;

use crate::disk::log_file;
use crate::store::{Line as Found, Question};

use super::files::blocks::{Block, Blocks, LONGEST_LINE};
use super::files::judge::{Judge, Verdict};

/// Bytes that are read at once, and at most in one look.
const PIECE: usize = 1 << 16;
const LOOK: usize = 16 << 20;

/// Bytes at the end of a file that are looked at first for its last records.
const WINDOW: u64 = 1 << 20;

/// Where new records come from: a file that grows, or a proxy that runs.
pub trait Follow {
    /// Hands on every whole line that has come since the last look, with its end or not; does not wait.
    ///
    /// # Errors
    /// When what is followed cannot be read; the next look may do better.
    fn look(&mut self, take: &mut dyn FnMut(&[u8])) -> io::Result<()>;
}

/// The last records of a file that are meant, oldest first, and a follower of what comes behind them.
///
/// # Errors
/// When the file cannot be read.
pub fn last(path: &Path, question: &Question) -> io::Result<(Vec<Found>, FileFollower)> {
    let mut file = log_file::stored(path)?;
    let mut magic = [0; 4];
    let read = file.read(&mut magic)?;
    let size = file.metadata()?.len();
    let judge = Judge::new(question);
    let (found, position) = if log_file::is_compressed(&magic[..read]) {
        file.seek(SeekFrom::Start(0))?;
        let (found, _) = tail_of(log_file::plain(file.try_clone()?)?, &judge, question.limit)?;
        (found, size)
    } else {
        plain_tail(&file, size, &judge, question.limit)?
    };
    let current = Reader { id: id(&file.metadata()?), file, position, rest: Vec::new(), is_too_long: false };
    Ok((found, FileFollower { path: path.to_owned(), current, before: None }))
}

/// Looks at more and more of the end, until there are enough records in it. Gives where the next line begins, too.
fn plain_tail(file: &File, size: u64, judge: &Judge<'_>, limit: usize) -> io::Result<(Vec<Found>, u64)> {
    let mut window = WINDOW;
    loop {
        let from = size.saturating_sub(window);
        let mut source = At { file, position: from, end: size };
        let mut cut = 0;
        if from > 0 {
            // The line that begins before the window is none of it.
            let mut byte = [0];
            while source.read(&mut byte)? == 1 {
                cut += 1;
                if byte[0] == b'\n' {
                    break;
                }
            }
        }
        let (found, read) = tail_of(source, judge, limit)?;
        if found.len() >= limit || from == 0 {
            return Ok((found, from + cut + read));
        }
        window = window.saturating_mul(8);
    }
}

/// The last records of a stream, and how many bytes its whole lines have.
fn tail_of(source: impl Read, judge: &Judge<'_>, limit: usize) -> io::Result<(Vec<Found>, u64)> {
    let mut blocks = Blocks::new(source, LONGEST_LINE);
    let (mut found, mut whole, mut used) = (VecDeque::new(), 0, Vec::new());
    while let Some(Block { bytes, offset, .. }) = blocks.next(used)? {
        let ends = memrchr(b'\n', &bytes).map_or(0, |end| end + 1);
        whole = if ends > 0 { offset + ends as u64 } else { whole.max(offset) };
        for line in bytes[..ends].split(|byte| *byte == b'\n') {
            if let Verdict::Meant(record) = judge.judge(line, |_| true) {
                found.push_back(record);
                if found.len() > limit {
                    found.pop_front();
                }
            }
        }
        used = bytes;
    }
    Ok((found.into(), whole))
}

/// Part of a file, read without moving its position.
struct At<'f> {
    file: &'f File,
    position: u64,
    end: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let read = self.file.read_at(&mut buffer[..wanted], self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

/// Follows what is under a path.
#[derive(Debug)]
pub struct FileFollower {
    path: PathBuf,
    current: Reader,
    /// What was there before, whose writer may not know yet.
    before: Option<Reader>,
}

impl Follow for FileFollower {
    fn look(&mut self, take: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        if let Some(before) = &mut self.before {
            before.read_on(take)?;
        }
        self.current.read_on(take)?;
        let file = match log_file::stored(&self.path) {
            // Between renaming and making anew there is none.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            file => file?,
        };
        let id = id(&file.metadata()?);
        if id != self.current.id {
            let new = Reader { id, file, position: 0, rest: Vec::new(), is_too_long: false };
            self.before = Some(std::mem::replace(&mut self.current, new));
            self.current.read_on(take)?;
        }
        Ok(())
    }
}

/// A file that grows.
#[derive(Debug)]
struct Reader {
    file: File,
    /// Which file of the machine it is.
    id: (u64, u64),
    position: u64,
    /// A line that is not whole yet.
    rest: Vec<u8>,
    /// It is longer than any record, and left out.
    is_too_long: bool,
}

impl Reader {
    fn read_on(&mut self, take: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        if self.file.metadata()?.len() < self.position {
            (self.position, self.is_too_long) = (0, false);
            self.rest.clear();
        }
        let mut piece = vec![0; PIECE];
        for _ in 0..LOOK / PIECE {
            let read = self.file.read_at(&mut piece, self.position)?;
            if read == 0 {
                break;
            }
            self.position += read as u64;
            self.hand_on(&piece[..read], take);
        }
        Ok(())
    }

    fn hand_on(&mut self, bytes: &[u8], take: &mut dyn FnMut(&[u8])) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if !self.is_too_long {
                self.rest.extend_from_slice(part);
                self.is_too_long = self.rest.len() > LONGEST_LINE + 1;
            }
            if part.ends_with(b"\n") {
                if !std::mem::take(&mut self.is_too_long) {
                    take(&self.rest);
                }
                self.rest.clear();
            }
        }
    }
}

fn id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::filter::Expression;
    use crate::store::Order;

    fn question(limit: usize) -> Question {
        let filter = Expression::parse("*").unwrap();
        Question { filter, since: None, until: None, order: Order::Newest, skip: 0, limit, count_to: 0 }
    }

    fn line(number: u32) -> String {
        format!("{{\"timestamp\":\"2026-11-22T11:02:36.{number:06}Z\",\"event\":\"e{number}\"}}\n")
    }

    fn append(path: &Path, text: &str) {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn look(follower: &mut FileFollower) -> String {
        let mut text = String::new();
        follower.look(&mut |line| text += std::str::from_utf8(line).unwrap()).unwrap();
        text
    }

    #[test]
    fn the_last_records_of_a_long_file_are_found_and_what_comes_is_followed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.log");
        let text: String = (0..40_000).map(line).collect();
        assert!(text.len() as u64 > 2 * WINDOW);
        append(&path, &text);
        append(&path, "{\"timestamp\":\"2026-");
        for limit in [0, 3, 30_000] {
            let (found, mut follower) = last(&path, &question(limit)).unwrap();
            assert_eq!(found.len(), limit);
            assert_eq!(found.last().map(|record| format!("{}\n", record.json)), (limit > 0).then(|| line(39_999)));
            assert_eq!(look(&mut follower), "");
        }
        let (_, mut follower) = last(&path, &question(1)).unwrap();
        append(&path, "11-22\"}\n");
        assert_eq!(look(&mut follower), "{\"timestamp\":\"2026-11-22\"}\n");
    }

    #[test]
    fn a_file_that_is_renamed_is_read_to_its_end_and_the_new_one_from_its_beginning() {
        let directory = tempfile::tempdir().unwrap();
        let (path, old) = (directory.path().join("app.log"), directory.path().join("app.log.1"));
        append(&path, &line(1));
        let (_, mut follower) = last(&path, &question(1)).unwrap();
        append(&path, &line(2));
        std::fs::rename(&path, &old).unwrap();
        assert_eq!(look(&mut follower), line(2));
        append(&old, &line(3));
        append(&path, &line(4));
        assert_eq!(look(&mut follower), line(3) + &line(4));
        append(&old, &line(5));
        std::fs::remove_file(&old).unwrap();
        append(&path, &line(6));
        assert_eq!(look(&mut follower), line(5) + &line(6));
    }

    #[test]
    fn a_file_that_is_cut_begins_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.log");
        append(&path, &(line(1) + &line(2)));
        let (_, mut follower) = last(&path, &question(1)).unwrap();
        std::fs::write(&path, line(3)).unwrap();
        assert_eq!(look(&mut follower), line(3));
    }

    #[test]
    fn a_line_that_is_longer_than_any_record_is_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.log");
        append(&path, "");
        let (_, mut follower) = last(&path, &question(1)).unwrap();
        append(&path, &("x".repeat(LONGEST_LINE + 2) + "\n" + &line(1)));
        assert_eq!(look(&mut follower), line(1));
    }
}
