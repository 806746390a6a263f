//! Where numbered lines wait for a worker: in memory, or in the spool.

use std::collections::VecDeque;
use std::io;

use crate::pipeline::SpoolSettings;
use crate::sinks::lines::{Limits, Lines};
use crate::sinks::spool::{Aside, Damage, Position, Refusal, Spool};

/// Lines that wait.
#[derive(Debug)]
pub(super) enum Shelf {
    /// Little more than the next parcel.
    Memory(Lines),
    /// As much as the disk may hold.
    Disk(Box<Disk>),
}

/// The spool, and which of its parcels are under way.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) spool: Spool,
    /// Where each parcel ends, oldest first, and whether it has arrived.
    under_way: VecDeque<(Position, bool)>,
    /// The number of the oldest one.
    first: u64,
    /// Bytes that did not fit in last; 0 once something did.
    refused: u64,
}

/// Which parcel it is, for [`Shelf::settle`].
pub(super) type Ticket = u64;

impl Shelf {
    /// A shelf with what a former process has left; beside it, what was cut off there.
    pub(super) fn open(settings: Option<&SpoolSettings>) -> io::Result<(Shelf, Damage)> {
        let Some(settings) = settings else { return Ok((Shelf::Memory(Lines::default()), Damage::default())) };
        let (spool, torn) = Spool::open(settings)?;
        Ok((Shelf::Disk(Box::new(Disk { spool, under_way: VecDeque::new(), first: 0, refused: 0 })), torn))
    }

    /// Lets go of the spool with what waits in it. What comes from now on stands in memory.
    pub(super) fn cede(&mut self) {
        if let Shelf::Disk(_) = self {
            *self = Shelf::Memory(Lines::default());
        }
    }

    /// A place for what the collector refuses, where there is a spool.
    pub(super) fn aside(&self) -> io::Result<Option<Aside>> {
        match self {
            Shelf::Memory(_) => Ok(None),
            Shelf::Disk(disk) => Aside::beside(&disk.spool).map(Some),
        }
    }

    /// Whether lines may be put on it: memory holds what makes one parcel, and what came with it; a spool that was full
    /// has room again when as much as was refused fits in.
    pub(super) fn has_room(&self, limits: Limits) -> bool {
        match self {
            Shelf::Memory(lines) => !lines.is_full(limits),
            Shelf::Disk(disk) => disk.refused == 0 || disk.spool.has_room(disk.refused),
        }
    }

    /// Puts lines on it, all or none.
    pub(super) fn append(&mut self, new: &Lines) -> Result<(), Refusal> {
        match self {
            Shelf::Memory(lines) => {
                new.iter().for_each(|line| lines.push(line));
                Ok(())
            }
            Shelf::Disk(disk) => disk.append(new),
        }
    }

    /// Lines and bytes that wait.
    pub(super) fn waiting(&self) -> (u64, u64) {
        match self {
            Shelf::Memory(lines) => (lines.len() as u64, lines.bytes().len() as u64),
            Shelf::Disk(disk) => (disk.spool.waiting(), disk.spool.waiting_bytes()),
        }
    }

    /// Takes the next parcel; it may turn out to hold nothing, where the disk gave nothing back.
    pub(super) fn take(&mut self, limits: Limits) -> (Lines, Ticket) {
        match self {
            Shelf::Memory(lines) => (lines.split(limits), 0),
            Shelf::Disk(disk) => {
                let mut lines = Lines::default();
                let end = disk.spool.take(limits, &mut lines);
                disk.under_way.push_back((end, false));
                (lines, disk.first + disk.under_way.len() as u64 - 1)
            }
        }
    }

    /// A parcel has arrived, or was refused for good. What was taken before it must have so too before it is forgotten.
    pub(super) fn settle(&mut self, ticket: Ticket) -> io::Result<()> {
        let Shelf::Disk(disk) = self else { return Ok(()) };
        if let Some((_, arrived)) = disk.under_way.get_mut((ticket - disk.first) as usize) {
            *arrived = true;
        }
        let mut last = None;
        while let Some((end, true)) = disk.under_way.front() {
            last = Some(*end);
            disk.under_way.pop_front();
            disk.first += 1;
        }
        last.map_or(Ok(()), |end| disk.spool.acknowledge(end))
    }
}

impl Disk {
    fn append(&mut self, new: &Lines) -> Result<(), Refusal> {
        let appended = self.spool.append(new);
        self.refused = match &appended {
            Err(Refusal::Full(bytes)) => *bytes,
            _ => 0,
        };
        appended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { records: 1000, bytes: 1 << 20 };

    #[test]
    fn a_full_spool_has_room_again_when_as_much_as_was_refused_fits_in() {
        let folder = tempfile::tempdir().unwrap();
        let settings = SpoolSettings { path: folder.path().join("spool"), max: 16 << 10 };
        let (mut shelf, _) = Shelf::open(Some(&settings)).unwrap();
        let mut lines = Lines::default();
        (0..10).for_each(|_| lines.push(&[b'x'; 80]));
        while shelf.append(&lines).is_ok() {
            assert!(shelf.has_room(LIMITS));
        }
        assert!(!shelf.has_room(LIMITS), "nobody need number lines for it");
        let (taken, ticket) = shelf.take(LIMITS);
        assert!(taken.len() >= 100 && !shelf.has_room(LIMITS), "nothing has arrived yet");
        shelf.settle(ticket).unwrap();
        assert!(shelf.has_room(LIMITS));
        shelf.append(&lines).unwrap();
    }
}
