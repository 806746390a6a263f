//! Records that are lost, counted by why.

use super::Reason;

/// How many records are lost for each reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Losses([u64; Reason::ALL.len()]);

impl Losses {
    /// So many, all for one reason.
    pub fn of(reason: Reason, records: u64) -> Losses {
        let mut losses = Losses::default();
        losses.add(reason, records);
        losses
    }

    /// Counts further ones.
    pub fn add(&mut self, reason: Reason, records: u64) {
        self.0[reason as usize] += records;
    }

    /// Whether nothing is lost.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|records| *records == 0)
    }

    /// Each reason for which some are lost, and how many.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, u64)> {
        Reason::ALL.into_iter().zip(self.0).filter(|(_, records)| *records > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reasons_for_which_something_is_lost_are_given() {
        let mut losses = Losses::of(Reason::DiskFull, 2);
        losses.add(Reason::QueueFull, 0);
        losses.add(Reason::Shutdown, 1);
        losses.add(Reason::DiskFull, 3);
        assert_eq!(losses.iter().collect::<Vec<_>>(), [(Reason::DiskFull, 5), (Reason::Shutdown, 1)]);
        assert!(!losses.is_empty() && Losses::of(Reason::DiskFull, 0).is_empty());
    }
}
