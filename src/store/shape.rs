//! The shape of a line: which members it has, in which order, and where the value of each is kept. There are few of them,
//! so that each is kept once in a file and named by its number.

use std::collections::HashMap;

/// Where the value of a member is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// Among the row's own values.
    Own,
    /// It is that of the row's line itself: in lines that are told beside it.
    Same,
    /// It is the moment of the line.
    At,
    /// In the column of this name.
    Level,
    Status,
    Duration,
    User,
}

impl Slot {
    const ALL: [(Slot, u8); 7] = [
        (Slot::Own, b'o'),
        (Slot::Same, b's'),
        (Slot::At, b't'),
        (Slot::Level, b'l'),
        (Slot::Status, b'c'),
        (Slot::Duration, b'd'),
        (Slot::User, b'u'),
    ];

    fn letter(self) -> u8 {
        Slot::ALL.iter().find(|(slot, _)| *slot == self).map_or(b'o', |(_, letter)| *letter)
    }

    fn of(letter: u8) -> Option<Slot> {
        Slot::ALL.iter().find(|(_, own)| *own == letter).map(|(slot, _)| *slot)
    }
}

/// A shape as it is put together and kept: for each member a letter for its slot, its name, and a byte that no name has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    bytes: Vec<u8>,
}

/// No byte of UTF-8.
const END: u8 = 0xff;

impl Shape {
    /// One more member.
    pub(super) fn push(&mut self, slot: Slot, name: &str) {
        self.bytes.push(slot.letter());
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(END);
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The members of a shape, read back; `None` where the bytes are none.
pub(super) fn parse(bytes: &[u8]) -> Option<Vec<(Slot, String)>> {
    let Some((END, members)) = bytes.split_last().map(|(last, rest)| (*last, rest)) else {
        return bytes.is_empty().then(Vec::new);
    };
    let member = |bytes: &[u8]| {
        let (letter, name) = bytes.split_first()?;
        Some((Slot::of(*letter)?, std::str::from_utf8(name).ok()?.to_owned()))
    };
    members.split(|byte| *byte == END).map(member).collect()
}

/// Shapes of a file; past it, lines of new ones are kept as they stand.
const MAX_SHAPES: usize = 4096;
/// Bytes of a shape that is worth a number.
const MAX_SHAPE: usize = 4096;

/// The shapes of a file that is written.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    numbers: HashMap<Box<[u8]>, u32>,
    /// The latest ones first: those of a request and of the objects within come again with the next.
    latest: Vec<(Box<[u8]>, u32)>,
}

/// So many of the latest shapes are looked through before any other.
const LATEST: usize = 8;

impl Shapes {
    /// The number of a shape, and whether it was given just now; `None` where there are too many.
    pub(super) fn number(&mut self, shape: &Shape) -> Option<(u32, bool)> {
        if let Some(at) = self.latest.iter().position(|(bytes, _)| **bytes == *shape.bytes) {
            self.latest[..=at].rotate_right(1);
            return Some((self.latest[0].1, false));
        }
        let (number, fresh) = match self.numbers.get(shape.as_bytes()) {
            Some(number) => (*number, false),
            None if self.numbers.len() >= MAX_SHAPES || shape.bytes.len() > MAX_SHAPE => return None,
            None => (self.insert(shape.as_bytes())?, true),
        };
        self.latest.truncate(LATEST - 1);
        self.latest.insert(0, (shape.as_bytes().into(), number));
        Some((number, fresh))
    }

    fn insert(&mut self, bytes: &[u8]) -> Option<u32> {
        let number = u32::try_from(self.numbers.len() + 1).ok()?;
        self.numbers.insert(bytes.into(), number);
        Some(number)
    }

    /// One that the file has already.
    pub(super) fn known(&mut self, number: u32, bytes: &[u8]) {
        self.numbers.insert(bytes.into(), number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_reads_back_whatever_its_names_are() {
        let mut shape = Shape::default();
        assert_eq!(parse(shape.as_bytes()), Some(vec![]));
        let members = [(Slot::At, "timestamp"), (Slot::Own, ""), (Slot::Same, "é\0\n"), (Slot::User, "user_id")];
        members.iter().for_each(|(slot, name)| shape.push(*slot, name));
        let read = parse(shape.as_bytes()).unwrap();
        assert_eq!(read, members.map(|(slot, name)| (slot, name.to_owned())));
        assert_eq!([parse(b"o"), parse(b"xa\xff"), parse(b"\xff")], [const { None }; 3]);
    }

    #[test]
    fn a_shape_has_one_number_and_there_are_so_many_of_them() {
        let mut shapes = Shapes::default();
        let named = |name: &str| {
            let mut shape = Shape::default();
            shape.push(Slot::Own, name);
            shape
        };
        assert_eq!(shapes.number(&named("a")), Some((1, true)));
        assert_eq!(shapes.number(&named("b")), Some((2, true)));
        assert_eq!(shapes.number(&named("a")), Some((1, false)));
        let last = (0..MAX_SHAPES).map(|at| shapes.number(&named(&at.to_string()))).last().unwrap();
        assert_eq!((last, shapes.number(&named("b"))), (None, Some((2, false))));
    }
}
