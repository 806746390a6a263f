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
    /// The first byte that nothing was taken for; `None` where nothing is to be.
    until: Option<u64>,
}

impl Ahead {
    /// Of a file that was just opened. Only on ext4: what others make of it was not measured.
    pub fn of(file: &File, size: u64) -> Ahead {
        let is_ext4 = fstatfs(file).is_ok_and(|system| u64::try_from(system.f_type) == Ok(EXT4));
        Ahead { until: is_ext4.then_some(size) }
    }

    /// Sees to room for so many bytes `more` than the file's `size`, and some ahead of them, but none beyond `limit`. A file
    /// system that refuses, be it full, is not asked again: writing tells what is wrong.
    pub fn cover(&mut self, file: &File, size: u64, more: u64, limit: u64) {
        let Some((from, to)) = self.until.and_then(|until| step(until, size, size.saturating_add(more), limit)) else {
            return;
        };
        let taken = fallocate(file, FallocateFlags::KEEP_SIZE, from, to - from);
        self.until = taken.is_ok().then_some(to);
    }
}

/// From where to where room is taken, before a file of this size is one of that `next`.
fn step(until: u64, size: u64, next: u64, limit: u64) -> Option<(u64, u64)> {
    let ahead = (next / PART).min(LARGEST);
    // Somebody else has truncated the file: what was taken for it is gone.
    let until = if until > size + LARGEST { size } else { until.max(size) };
    let to = (next + ahead).min(limit);
    (ahead >= SMALLEST && next > until && to > until).then_some((until, to))
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
        let (mut ahead, mut size, line) = (Ahead::of(&file, 0), 0, [b'l'; 100_000]);
        while size < 20 << 20 {
            ahead.cover(&file, size, line.len() as u64, u64::MAX);
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
    fn small_files_have_no_room_ahead_and_truncated_ones_begin_anew() {
        assert_eq!(step(0, 0, 500_000, u64::MAX), None);
        let large = 100 << 20;
        assert_eq!(step(large, large, large + 9, u64::MAX), Some((large, large + 9 + LARGEST)));
        assert_eq!(step(large + LARGEST, large, large + 9, u64::MAX), None, "there is room");
        assert_eq!(step(large + LARGEST, 0, 9, u64::MAX), None, "truncated, and small");
        let again = 10 << 20;
        assert_eq!(step(large, again, again + 9, u64::MAX), Some((again, again + 9 + (again + 9) / PART)));
    }

    proptest! {
        /// However a file grows and whatever its limit.
        #[test]
        fn no_more_is_taken_than_said(
            until in 0..1_u64 << 40, size in 0..1_u64 << 40, more in 0..1_u64 << 24, limit in 0..1_u64 << 40,
        ) {
            if let Some((from, to)) = step(until, size, size + more, limit) {
                prop_assert!(from >= size && from < to, "{from} to {to}");
                prop_assert!(to <= limit && to <= size + more + LARGEST, "{from} to {to}");
            }
        }
    }
}
