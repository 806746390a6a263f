//! A record in a segment: marker, length, index, checksum, bytes; and the way through bytes of which any may be damaged.
//!
//! ```text
//! FF 67 6C 01 | length u32 | index u64 | crc32 u32 | bytes        numbers little-endian
//! ```
//!
//! The checksum covers length, index and bytes. `FF` stands in no UTF-8, so that no record holds a marker and the next
//! frame after a damaged place is found by looking for one.

/// Opens every frame; the last byte is the version of the format.
const MARKER: [u8; 4] = [0xff, b'g', b'l', 1];
/// Bytes of a frame before its record.
pub(super) const HEADER: usize = 20;
/// Bytes of the longest record.
pub(super) const MAX_RECORD: usize = 4 << 20;

/// Appends a record as a frame; `record` is no longer than [`MAX_RECORD`].
pub(super) fn write(index: u64, record: &[u8], out: &mut Vec<u8>) {
    let length = (record.len() as u32).to_le_bytes();
    let index = index.to_le_bytes();
    out.reserve(HEADER + record.len());
    out.extend_from_slice(&MARKER);
    out.extend_from_slice(&length);
    out.extend_from_slice(&index);
    out.extend_from_slice(&checksum(&length, &index, record).to_le_bytes());
    out.extend_from_slice(record);
}

fn checksum(length: &[u8], index: &[u8], record: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(length);
    hasher.update(index);
    hasher.update(record);
    hasher.finalize()
}

/// A record, or bytes that are none.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item<'a> {
    /// A frame in good order.
    Record {
        /// Its running number in the spool.
        index: u64,
        /// Its bytes.
        record: &'a [u8],
    },
    /// Bytes that belong to no frame.
    Damage,
}

/// Walks through bytes of a segment.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    last: bool,
}

impl<'a> Walk<'a> {
    /// Through `bytes`, which are the `last` ones of the segment, or may break off in the middle of a frame.
    pub(super) fn new(bytes: &'a [u8], last: bool) -> Walk<'a> {
        Walk { bytes, at: 0, last }
    }

    /// How many bytes lie behind.
    pub(super) fn passed(&self) -> usize {
        self.at
    }

    /// Where the next frame begins, at or after the place that was reached; the end if there is none.
    fn next_frame(&self) -> usize {
        let starts = memchr::memchr_iter(MARKER[0], &self.bytes[self.at..]).map(|found| self.at + found);
        let mut starts = starts.filter(|start| match Decoded::of(&self.bytes[*start..]) {
            Decoded::Frame { .. } => true,
            Decoded::Short => !self.last,
            Decoded::Damaged => false,
        });
        starts.next().unwrap_or(self.bytes.len())
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Item<'a>;

    /// `None` at the end, and where more bytes are needed.
    fn next(&mut self) -> Option<Item<'a>> {
        if self.at == self.bytes.len() {
            return None;
        }
        match Decoded::of(&self.bytes[self.at..]) {
            Decoded::Frame { index, record } => {
                self.at += HEADER + record.len();
                Some(Item::Record { index, record })
            }
            Decoded::Short if !self.last => None,
            _ => {
                self.at = self.next_frame();
                Some(Item::Damage)
            }
        }
    }
}

/// What bytes begin with.
enum Decoded<'a> {
    Frame {
        index: u64,
        record: &'a [u8],
    },
    /// Perhaps a frame, of which not all is there.
    Short,
    Damaged,
}

impl<'a> Decoded<'a> {
    fn of(bytes: &'a [u8]) -> Decoded<'a> {
        if !bytes.starts_with(&MARKER) {
            return if MARKER.starts_with(bytes) { Decoded::Short } else { Decoded::Damaged };
        }
        let Some((header, rest)) = bytes.split_at_checked(HEADER) else { return Decoded::Short };
        let length = number(&header[4..8]) as usize;
        match rest.get(..length) {
            _ if length > MAX_RECORD => Decoded::Damaged,
            None => Decoded::Short,
            Some(record) if u64::from(checksum(&header[4..8], &header[8..16], record)) == number(&header[16..20]) => {
                Decoded::Frame { index: number(&header[8..16]), record }
            }
            Some(_) => Decoded::Damaged,
        }
    }
}

/// Up to eight bytes as a number, the least first.
pub(super) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn framed(records: &[Vec<u8>]) -> Vec<u8> {
        let mut out = Vec::new();
        records.iter().zip(1..).for_each(|(record, index)| write(index, record, &mut out));
        out
    }

    fn records(bytes: &[u8], last: bool) -> (Vec<(u64, Vec<u8>)>, usize) {
        let mut walk = Walk::new(bytes, last);
        let mut found = Vec::new();
        for item in walk.by_ref() {
            if let Item::Record { index, record } = item {
                found.push((index, record.to_vec()));
            }
        }
        (found, walk.passed())
    }

    #[test]
    fn a_frame_is_its_marker_length_index_and_checksum() {
        let mut out = Vec::new();
        write(7, b"{}", &mut out);
        assert_eq!(&out[..16], [0xff, 0x67, 0x6c, 1, 2, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(number(&out[16..20]), u64::from(crc32fast::hash(b"\x02\0\0\0\x07\0\0\0\0\0\0\0{}")));
        assert_eq!(&out[20..], b"{}");
    }

    proptest! {
        #[test]
        fn a_changed_byte_costs_the_record_it_is_in_and_no_other(
            lines in prop::collection::vec("[a-zé]{0,40}".prop_map(String::into_bytes), 1..12),
            place in any::<prop::sample::Index>(), change in 1u8..,
        ) {
            let mut bytes = framed(&lines);
            let at = place.index(bytes.len());
            bytes[at] ^= change;
            let hit = (1..=lines.len()).find(|count| framed(&lines[..*count]).len() > at).unwrap();
            let (found, passed) = records(&bytes, true);
            let left: Vec<_> = (1u64..).zip(lines.clone()).filter(|(index, _)| *index != hit as u64).collect();
            prop_assert_eq!(found, left);
            prop_assert_eq!(passed, bytes.len());
        }

        #[test]
        fn what_breaks_off_is_read_up_to_there_and_the_rest_is_waited_for(
            lines in prop::collection::vec("[a-z]{0,40}".prop_map(String::into_bytes), 1..8),
            place in any::<prop::sample::Index>(),
        ) {
            let bytes = framed(&lines);
            let cut = place.index(bytes.len());
            let whole = (0..=lines.len()).rfind(|count| framed(&lines[..*count]).len() <= cut).unwrap();
            let (found, passed) = records(&bytes[..cut], false);
            prop_assert_eq!(found.len(), whole);
            prop_assert_eq!(passed, framed(&lines[..whole]).len());
        }
    }
}
