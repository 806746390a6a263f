//! A count over the last so many seconds, as a ring of slots.

/// Slots of the longest windows: an hour by the second.
const MOST_SLOTS: u64 = 3600;
/// A clock that is set back by more slots than the window has, and these, begins anew.
const SLACK: u64 = 60;

/// How many there were in the window that ends now.
#[derive(Debug, Clone)]
pub(super) struct Window {
    slots: Box<[u32]>,
    /// Seconds of a slot.
    width: u64,
    /// The newest slot, counted from the Unix epoch.
    head: u64,
    sum: u64,
    /// The second that was counted last, and its place, for as long as the window stands still.
    last: Option<(u64, usize)>,
}

impl Window {
    /// An empty one of so many seconds.
    pub(super) fn new(seconds: u64) -> Window {
        let (width, slots) = shape(seconds, MOST_SLOTS);
        Window { slots: vec![0; slots].into(), width, head: 0, sum: 0, last: None }
    }

    /// Counts so many at that second; what is too old is counted no more.
    pub(super) fn add(&mut self, second: u64, count: u32) {
        if count == 0 {
            return;
        }
        // What comes together is of one second: it is not divided anew for each.
        let last = self.last.filter(|(known, _)| *known == second);
        let Some((_, at)) = last.or_else(|| self.place(second)) else { return };
        let kept = &mut self.slots[at];
        // One slot is full before the sum is.
        let room = u32::MAX - *kept;
        *kept += count.min(room);
        self.sum += u64::from(count.min(room));
    }

    /// Where that second is counted, unless it is too old.
    fn place(&mut self, second: u64) -> Option<(u64, usize)> {
        self.advance(second);
        let (slot, len) = (second / self.width, self.slots.len() as u64);
        self.last = (slot + len > self.head).then_some((second, (slot % len) as usize));
        self.last
    }

    /// How many there are in the window that ends with this second.
    pub(super) fn sum(&mut self, second: u64) -> u64 {
        self.advance(second);
        self.sum
    }

    /// Slots from the oldest on, the one of this second the last: what a small chart shows.
    pub(super) fn slots(&mut self, second: u64) -> impl Iterator<Item = u32> {
        self.advance(second);
        let len = self.slots.len() as u64;
        (1..=len).map(move |at| self.slots[((self.head + at) % len) as usize])
    }

    fn advance(&mut self, second: u64) {
        let (slot, len) = (second / self.width, self.slots.len() as u64);
        if slot == self.head {
            return;
        }
        self.last = None;
        if slot + len + SLACK < self.head {
            self.slots.fill(0);
            (self.sum, self.head) = (0, slot);
        }
        let passed = slot.saturating_sub(self.head).min(len);
        for at in 0..passed {
            let gone = std::mem::take(&mut self.slots[((slot - at) % len) as usize]);
            self.sum -= u64::from(gone);
        }
        self.head = self.head.max(slot);
    }
}

/// Seconds of a slot, and how many there are, for a window of so many seconds.
pub(super) fn shape(seconds: u64, most: u64) -> (u64, usize) {
    let width = seconds.div_ceil(most).max(1);
    (width, seconds.div_ceil(width).max(1) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_minute_is_sixty_seconds() {
        let mut window = Window::new(60);
        window.add(1000, 3);
        assert_eq!([window.sum(1000), window.sum(1059), window.sum(1060), window.sum(1061)], [3, 3, 0, 0]);
    }

    #[test]
    fn what_comes_late_counts_where_it_belongs() {
        let mut window = Window::new(60);
        window.add(1050, 1);
        window.add(1000, 1);
        window.add(990, 1);
        assert_eq!([window.sum(1050), window.sum(1060)], [2, 1]);
    }

    #[test]
    fn a_clock_that_is_set_back_begins_anew() {
        let mut window = Window::new(60);
        window.add(10_000, 5);
        window.add(1000, 1);
        assert_eq!(window.sum(1001), 1);
    }

    proptest! {
        #[test]
        fn it_agrees_with_whoever_keeps_everything(
            length in 1u64..4000,
            steps in proptest::collection::vec((0u64..200, 0u64..30, 0u32..5), 0..200),
        ) {
            let mut window = Window::new(length);
            let (width, slots) = shape(length, MOST_SLOTS);
            let (mut now, mut kept) = (100_000, Vec::new());
            for (passed, late, count) in steps {
                now += passed;
                window.add(now, 0);
                window.add(now - late, count);
                kept.push((now - late, count));
                let oldest = (now / width + 1).saturating_sub(slots as u64);
                let naive: u64 = kept.iter().filter(|(at, _)| at / width >= oldest).map(|(_, count)| u64::from(*count)).sum();
                prop_assert_eq!(window.sum(now), naive);
                prop_assert_eq!(window.slots(now).map(u64::from).sum::<u64>(), naive);
            }
        }
    }
}
