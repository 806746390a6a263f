//! Numbers that were given and whose records a collector has refused, or did not take in the end: what a `log_loss` will
//! say about them.

use crate::pipeline::Reason;
use crate::sinks::numbered::Numbered;

/// Runs of numbers that are kept apart; when there are more, the two newest become one.
const RUNS: usize = 64;

/// Records that are missing in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The first number that may be missing.
    pub from: u64,
    /// The last one.
    pub to: u64,
    /// How many of them are.
    pub count: u64,
    /// Why.
    pub reason: Reason,
}

/// All that nobody was told of yet.
#[derive(Debug, Default)]
pub(super) struct Gaps(Vec<Gap>);

impl Gaps {
    /// Adds a line that is lost, if it is of this process `instance`: of another one's stream nothing more can be said.
    /// A `log_loss` that is lost is said again.
    pub(super) fn add_line(&mut self, line: &[u8], reason: Reason, instance: &str) {
        let Some(line) = Numbered::read(line).filter(|line| line.instance == instance) else { return };
        if let Some((from, to, count)) = line.loss {
            self.add(Gap { from, to, count, reason });
        }
        self.add(Gap { from: line.seq, to: line.seq, count: 1, reason });
    }

    /// Adds `count` refused ones of the lines from one to another one, of which nobody knows which.
    pub(super) fn add_some(&mut self, first: &[u8], last: &[u8], count: u64, instance: &str) {
        let ends = Numbered::read(first).zip(Numbered::read(last));
        if let Some((first, last)) =
            ends.filter(|(first, last)| first.instance == instance && last.instance == instance)
        {
            self.0.push(Gap { from: first.seq, to: last.seq, count, reason: Reason::Rejected });
            self.bound();
        }
    }

    /// What is to be told.
    pub(super) fn iter(&self) -> impl Iterator<Item = Gap> + use<'_> {
        self.0.iter().copied()
    }

    /// It was told.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds a run of them.
    pub(super) fn add(&mut self, gap: Gap) {
        match self.0.last_mut() {
            Some(last) if last.to.checked_add(1) == Some(gap.from) && last.reason == gap.reason => {
                (last.to, last.count) = (gap.to, last.count + gap.count);
            }
            _ => self.0.push(gap),
        }
        self.bound();
    }

    fn bound(&mut self) {
        if self.0.len() > RUNS
            && let (Some(newest), Some(before)) = (self.0.pop(), self.0.last_mut())
        {
            let (from, to) = (before.from.min(newest.from), before.to.max(newest.to));
            *before = Gap { from, to, count: before.count + newest.count, reason: newest.reason };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(seq: u64) -> Vec<u8> {
        format!("{{\"seq\":{seq},\"instance\":\"i\",\"path\":\"/\"}}\n").into_bytes()
    }

    fn told(gaps: &Gaps) -> Vec<(u64, u64, u64)> {
        gaps.iter().map(|gap| (gap.from, gap.to, gap.count)).collect()
    }

    #[test]
    fn neighbours_are_one_run_and_a_refused_loss_is_told_again() {
        let mut gaps = Gaps::default();
        for seq in [3, 4, 5, 9] {
            gaps.add_line(&line(seq), Reason::Rejected, "i");
        }
        gaps.add_line(&line(10), Reason::Rejected, "another");
        assert_eq!(told(&gaps), [(3, 5, 3), (9, 9, 1)]);
        let loss = br#"{"seq":14,"instance":"i","event":"log_loss","count":4,"from_seq":10,"to_seq":13}"#;
        gaps.add_line(loss, Reason::Rejected, "i");
        assert_eq!(told(&gaps), [(3, 5, 3), (9, 14, 6)]);
    }

    #[test]
    fn their_number_is_bounded_and_no_record_is_forgotten() {
        let mut gaps = Gaps::default();
        (0..1000).for_each(|seq| gaps.add_line(&line(seq * 2), Reason::Rejected, "i"));
        let told = told(&gaps);
        assert_eq!(told.len(), RUNS);
        assert_eq!(told.iter().map(|(_, _, count)| count).sum::<u64>(), 1000);
        assert_eq!(told.last().map(|(_, to, _)| *to), Some(1998));
    }
}
