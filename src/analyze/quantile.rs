//! Quantiles over a window: how often each size was seen, in steps of 1/128 of it, by the slot in which it was.

use std::collections::VecDeque;

use super::window::shape;

/// Steps of an octave; what is below so many is exact.
const STEPS: u64 = 128;
const BITS: u32 = STEPS.trailing_zeros();
/// Slots of a window: five minutes by the second.
const MOST_SLOTS: u64 = 300;
/// Values of a slot that are kept apart: those that find it full are counted in the nearest step below.
const MOST_STEPS: usize = 256;

/// What was seen in the window that ends now.
#[derive(Debug, Clone)]
pub(super) struct Sizes {
    /// Of all slots.
    counts: Box<[u32]>,
    total: u64,
    /// The oldest first: slot, and how often each step was seen in it, by steps.
    slots: VecDeque<(u64, Vec<(u16, u32)>)>,
    /// The second that was taken last, where its slot is the newest.
    last: Option<u64>,
    /// Seconds of a slot, and how many there are.
    width: u64,
    length: u64,
}

impl Sizes {
    /// An empty window of so many seconds.
    pub(super) fn new(seconds: u64) -> Sizes {
        let (width, length) = shape(seconds, MOST_SLOTS);
        Sizes {
            counts: vec![0; step(u64::MAX) + 1].into(),
            total: 0,
            slots: VecDeque::new(),
            last: None,
            width,
            length: length as u64,
        }
    }

    /// Takes a value that was seen at that second.
    pub(super) fn add(&mut self, second: u64, value: u64) {
        // What comes together is of one second: its slot is not looked for anew for each.
        let last = if self.last == Some(second) { self.slots.len().checked_sub(1) } else { None };
        let Some(at) = last.or_else(|| self.place(second)) else { return };
        let step = note(&mut self.slots[at].1, step(value) as u16);
        self.counts[usize::from(step)] = self.counts[usize::from(step)].saturating_add(1);
        self.total += 1;
    }

    /// The slot of that second, unless it is too old.
    fn place(&mut self, second: u64) -> Option<usize> {
        self.forget(second);
        let slot = second / self.width;
        let oldest = self.slots.back().map_or(slot, |(newest, _)| (*newest + 1).saturating_sub(self.length));
        if slot < oldest {
            return None;
        }
        let at = self.slots.partition_point(|(known, _)| *known < slot);
        if self.slots.get(at).is_none_or(|(known, _)| *known != slot) {
            self.slots.insert(at, (slot, Vec::new()));
        }
        self.last = (at + 1 == self.slots.len()).then_some(second);
        Some(at)
    }

    /// How many there are in the window that ends with this second.
    pub(super) fn count(&mut self, second: u64) -> u64 {
        self.forget(second);
        self.total
    }

    /// The least value that a share of all are not greater than; up to 1/128 more than it is.
    pub(super) fn quantile(&mut self, second: u64, share: f64) -> Option<u64> {
        self.forget(second);
        let rank = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += u64::from(*count);
            seen >= rank
        });
        found.map(upper)
    }

    /// How many there are in each slot, the oldest first.
    pub(super) fn slots(&mut self, second: u64) -> impl Iterator<Item = u64> {
        self.forget(second);
        let newest = second / self.width;
        (0..self.length).map(move |at| {
            let slot = (newest + 1 + at).saturating_sub(self.length);
            let found = self.slots.binary_search_by_key(&slot, |(known, _)| *known);
            found.map_or(0, |at| self.slots[at].1.iter().map(|(_, count)| u64::from(*count)).sum())
        })
    }

    fn forget(&mut self, second: u64) {
        let slot = second / self.width;
        if self.slots.back().is_some_and(|(newest, _)| slot + self.length + 60 < *newest) {
            *self = Sizes::new(self.width * self.length);
        }
        let oldest = (slot + 1).saturating_sub(self.length);
        while self.slots.front().is_some_and(|(front, _)| *front < oldest) {
            let Some((_, steps)) = self.slots.pop_front() else { return };
            for (step, count) in steps {
                self.counts[usize::from(step)] -= count;
                self.total -= u64::from(count);
            }
        }
    }
}

/// Counts a step in a slot; returns the one that it is counted as.
fn note(steps: &mut Vec<(u16, u32)>, step: u16) -> u16 {
    let at = steps.partition_point(|(known, _)| *known < step);
    let at = match steps.get(at) {
        Some((known, _)) if *known == step => at,
        _ if steps.len() >= MOST_STEPS => at.saturating_sub(1),
        _ => {
            steps.insert(at, (step, 0));
            at
        }
    };
    steps[at].1 += 1;
    steps[at].0
}

/// The step of a value: every power of two has as many.
fn step(value: u64) -> usize {
    let octave = (64 - (value | (STEPS - 1)).leading_zeros()) - BITS;
    (u64::from(octave) * STEPS + (value >> octave.saturating_sub(1)) % STEPS) as usize
}

/// The greatest value of a step.
fn upper(step: usize) -> u64 {
    let (octave, within) = (step as u64 / STEPS, step as u64 % STEPS);
    match octave {
        0 => within,
        _ => ((STEPS + within + 1) << (octave - 1)).wrapping_sub(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn steps_follow_one_another_up_to_the_greatest() {
        assert_eq!([step(0), step(127), step(128), step(255), step(256)], [0, 127, 128, 255, 256]);
        assert_eq!([upper(0), upper(127), upper(128), upper(256)], [0, 127, 128, 257]);
        assert_eq!(upper(step(u64::MAX)), u64::MAX);
    }

    #[test]
    fn a_slot_of_all_values_is_bounded() {
        let mut sizes = Sizes::new(60);
        (0..40_000u64).for_each(|at| sizes.add(7, at * at * at));
        assert_eq!((sizes.slots[0].1.len() <= MOST_STEPS, sizes.count(7)), (true, 40_000));
        assert_eq!((sizes.count(100), sizes.quantile(100, 0.5)), (0, None));
        assert!(sizes.counts.iter().all(|count| *count == 0));
    }

    proptest! {
        #[test]
        fn a_value_is_in_its_step_and_steps_are_narrow(value in any::<u64>()) {
            let above = upper(step(value));
            prop_assert!(above >= value && above - value <= value / 128, "{} {}", value, above);
            prop_assert!(step(value) == 0 || upper(step(value) - 1) < value);
        }

        #[test]
        fn it_agrees_with_whoever_keeps_everything(
            steps in proptest::collection::vec((0u64..40, 0u64..10, 0u64..1_000_000), 1..200), share in 0.0f64..1.0,
        ) {
            let (mut sizes, mut now, mut kept) = (Sizes::new(60), 100_000, Vec::new());
            for (passed, late, value) in steps {
                now += passed;
                sizes.add(now, value);
                sizes.add(now - late, value / 2);
                kept.extend([(now, value), (now - late, value / 2)]);
                kept.retain(|(at, _)| at + 60 > now);
                let mut values: Vec<u64> = kept.iter().map(|(_, value)| *value).collect();
                values.sort_unstable();
                let exact = values[((values.len() as f64 * share).ceil() as usize).max(1) - 1];
                prop_assert_eq!(sizes.count(now), values.len() as u64);
                prop_assert_eq!(sizes.quantile(now, share), Some(upper(step(exact))));
            }
        }
    }
}
