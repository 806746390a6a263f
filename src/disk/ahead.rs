//! Room for a file that only grows, taken from the file system in steps that grow with it.
//!
//! ext4 accounts for every block of an appended file by itself: reservations, quotas and its map of extents, a fifth to a
//! third of what a write of many lines costs the processor. Blocks that belong to the file already need none of this
//! (fallocate(2) with `KEEP_SIZE`; journald and etcd do it for their logs). What was taken and not used is at most a
//! sixteenth of the file and [`LARGEST`]; it goes with the file, and shows in `du` alone.

use std::fs::File;

use rustix::fs::{FallocateFlags, fallocate, fstatfs};

/// Most that is taken at once, in bytes.
const LARGEST: u64 = 4 << 20;
/// Nothing is taken for less: small and slow logs are as large as they are.
const SMALLEST: u64 = 256 << 10;
/// A file's part that is taken ahead of it.
const PART: u64 = 16;
/// ext2, ext3 and ext4 share it (statfs(2)); those before ext4 refuse, which ends it.
const EXT4: u64 = 0xef53;

/// What is taken for one open file.
#[derive(Debug)]
pub struct Ahead {
    /// Bytes that may be written before it is looked at again; `None` where nothing is to be taken.
    room: Option<u64>,
}

impl Ahead {
    /// Of a file. Only on ext4: what others make of it was not measured.
    pub fn of(file: &File) -> Ahead {
        let is_ext4 = fstatfs(file).is_ok_and(|system| u64::try_from(system.f_type) == Ok(EXT4));
        let is_regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
        Ahead { room: (is_ext4 && is_regular).then_some(0) }
    }

    /// Sees to room for so many bytes `more`, and some ahead of them, but none beyond a length of `limit`. A file system that
    /// refuses, be it full, is not asked again: writing tells what is wrong.
    pub fn cover(&mut self, file: &File, more: u64, limit: u64) {
        self.room = self.room.and_then(|room| room.checked_sub(more).or_else(|| take(file, more, limit)));
    }
}

/// Takes room behind the end that the file has now: others may write to it, too, or truncate it. Returns what is left of it.
fn take(file: &File, more: u64, limit: u64) -> Option<u64> {
    let length = file.metadata().ok()?.len();
    match end(length, more, limit) {
        Some(end) => {
            fallocate(file, FallocateFlags::KEEP_SIZE, length, end - length).ok()?;
            Some(end.saturating_sub(length + more))
        }
        None => Some(SMALLEST),
    }
}

/// Up to where room is taken for a file that is to be `more` than its length.
fn end(length: u64, more: u64, limit: u64) -> Option<u64> {
    let next = length.saturating_add(more);
    let ahead = (next / PART).min(LARGEST);
    let end = next.saturating_add(ahead).min(limit);
    (ahead >= SMALLEST && end > length).then_some(end)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, Write};
    use std::os::unix::fs::MetadataExt;

    use proptest::prelude::*;

    use super::*;

    fn blocks(file: &File) -> u64 {
        file.metadata().unwrap().blocks() * 512
    }

    #[test]
    fn a_file_is_as_long_as_what_was_written_and_its_blocks_are_little_more() {
        let mut file = tempfile::tempfile().unwrap();
        let (mut ahead, mut size, line) = (Ahead::of(&file), 0, [b'l'; 100_000]);
        while size < 20 << 20 {
            ahead.cover(&file, line.len() as u64, u64::MAX);
            file.write_all(&line).unwrap();
            size += line.len() as u64;
            assert!(blocks(&file) <= size + size / PART + 2 * line.len() as u64, "{} of {size}", blocks(&file));
        }
        assert_eq!(file.metadata().unwrap().len(), size);
        let mut text = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut text).unwrap();
        assert!(text.iter().all(|byte| *byte == b'l'));
    }

    #[test]
    fn a_file_that_others_truncate_has_room_for_what_it_is_then() {
        let mut file = tempfile::tempfile().unwrap();
        let (mut ahead, line) = (Ahead::of(&file), vec![b'l'; 1 << 20]);
        for _ in 0..16 {
            ahead.cover(&file, line.len() as u64, u64::MAX);
            file.write_all(&line).unwrap();
        }
        file.set_len(0).unwrap();
        file.rewind().unwrap();
        for written in 1..4 {
            ahead.cover(&file, line.len() as u64, u64::MAX);
            file.write_all(&line).unwrap();
            assert!(blocks(&file) <= (written + 1) << 20, "{}", blocks(&file));
        }
    }

    #[test]
    fn small_files_have_no_room_ahead_and_none_has_beyond_its_limit() {
        assert_eq!(end(0, 500_000, u64::MAX), None);
        let large = 100 << 20;
        assert_eq!(end(large, 9, u64::MAX), Some(large + 9 + LARGEST));
        assert_eq!(end(large, 9, large + 5000), Some(large + 5000));
        assert_eq!(end(large, 9, large), None);
    }

    #[test]
    fn what_is_no_file_or_cannot_be_written_to_is_left_alone() {
        let (_reader, writer) = std::io::pipe().unwrap();
        let mut ahead = Ahead::of(&File::from(std::os::fd::OwnedFd::from(writer)));
        assert!(ahead.room.is_none());
        let read_only = File::open(tempfile::NamedTempFile::new().unwrap().path()).unwrap();
        ahead = Ahead { room: Some(0) };
        ahead.cover(&read_only, 100 << 20, u64::MAX);
        assert!(ahead.room.is_none(), "refused once, never asked again");
    }

    proptest! {
        /// However long a file is and whatever its limit.
        #[test]
        fn no_more_is_taken_than_said(length in 0..1_u64 << 40, more in 0..1_u64 << 24, limit in 0..1_u64 << 40) {
            if let Some(end) = end(length, more, limit) {
                prop_assert!(end > length && end <= limit && end <= length + more + LARGEST, "{end}");
            }
        }
    }
}
