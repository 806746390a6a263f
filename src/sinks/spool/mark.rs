//! How far the spool has been acknowledged, kept in a file of two slots.
//!
//! Each slot is 28 bytes: index, segment and offset as u64, and the crc32 of them, little-endian. They are written in
//! turn, so that a write that is torn leaves the one before; a file in which neither is whole means "from the beginning",
//! which repeats records and loses none.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::frame::number;

/// Where a record begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Its running number in the spool.
    pub(super) index: u64,
    /// The segment, by the index of its first record.
    pub(super) segment: u64,
    /// Bytes before it in the segment.
    pub(super) offset: u64,
}

/// Bytes of a slot.
const SLOT: usize = 28;

/// The file.
#[derive(Debug)]
pub(super) struct Mark {
    file: File,
    /// Which slot is written next.
    slot: u64,
}

impl Mark {
    /// Reads what the file holds: the later of its two positions that are whole.
    pub(super) fn open(file: File) -> io::Result<(Mark, Option<Position>)> {
        let mut bytes = [0; 2 * SLOT];
        let length = read_at(&file, &mut bytes, 0)?;
        let slots = bytes[..length].chunks_exact(SLOT).map(decode);
        let (slot, position) = slots.enumerate().max_by_key(|(_, position)| *position).unwrap_or((1, None));
        Ok((Mark { file, slot: 1 - slot as u64 }, position))
    }

    /// Writes where the first record stands that is not acknowledged.
    pub(super) fn write(&mut self, position: Position) -> io::Result<()> {
        self.file.write_all_at(&encode(position), self.slot * SLOT as u64)?;
        self.slot = 1 - self.slot;
        Ok(())
    }
}

fn encode(position: Position) -> [u8; SLOT] {
    let mut slot = [0; SLOT];
    for (field, value) in [position.index, position.segment, position.offset].into_iter().enumerate() {
        slot[field * 8..][..8].copy_from_slice(&value.to_le_bytes());
    }
    let checksum = crc32fast::hash(&slot[..24]);
    slot[24..].copy_from_slice(&checksum.to_le_bytes());
    slot
}

fn decode(slot: &[u8]) -> Option<Position> {
    let whole = u64::from(crc32fast::hash(&slot[..24])) == number(&slot[24..]);
    let field = |at: usize| number(&slot[at..at + 8]);
    whole.then(|| Position { index: field(0), segment: field(8), offset: field(16) })
}

/// Reads as much as there is, up to the buffer's length.
pub(super) fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(&mut bytes[read..], offset + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(index: u64) -> Position {
        Position { index, segment: 1, offset: 40 * index }
    }

    #[test]
    fn the_later_position_wins_and_a_torn_one_leaves_the_one_before() {
        let file = tempfile::tempfile().unwrap();
        let (mut mark, none) = Mark::open(file.try_clone().unwrap()).unwrap();
        assert_eq!(none, None);
        for index in 1..=3 {
            mark.write(position(index)).unwrap();
        }
        let reopen = || Mark::open(file.try_clone().unwrap()).unwrap();
        assert_eq!(reopen().1, Some(position(3)));
        reopen().0.write(position(4)).unwrap();
        assert_eq!(reopen().1, Some(position(4)));
        file.write_all_at(b"torn", SLOT as u64).unwrap();
        assert_eq!(reopen().1, Some(position(3)));
        file.write_all_at(b"torn", 0).unwrap();
        assert_eq!(reopen().1, None);
    }
}
