//! The last minutes in memory, where there is no file: as that has them, each written once it is over.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::RollupError;
use super::noted::Noted;
use super::period::{Encoded, Period, Wanted};
use super::periods::{Grain, MINUTE, Periods, Piece, Range, Visit};

/// Minutes that are counted at the same time; further ones are written, and read again for a record that comes late.
const OPEN: usize = 2;

/// The minutes up to the newest, so many of them. Cheap to copy, so that whoever asks holds up nobody.
#[derive(Debug, Clone)]
pub struct Window {
    minutes: u64,
    open: BTreeMap<u64, Arc<Period>>,
    written: BTreeMap<u64, Arc<Encoded>>,
    late: u64,
}

impl Window {
    /// Of so many minutes, at least one.
    pub fn of(minutes: u64) -> Window {
        Window { minutes: minutes.max(1), open: BTreeMap::new(), written: BTreeMap::new(), late: 0 }
    }

    /// Counts a record; one that is older than all minutes that are kept is only counted as [`Window::late`].
    pub fn note(&mut self, noted: &Noted<'_>) {
        let minute = noted.at / MINUTE;
        if let Some(period) = self.open.get_mut(&minute) {
            return Arc::make_mut(period).note(noted);
        }
        if minute < self.first() {
            self.late += 1;
            return;
        }
        let mut period = Period::default();
        if let Some(written) = self.written.remove(&minute) {
            // It was written by this very program.
            let _always = period.absorb(written.parts(), Wanted::Everything);
        }
        period.note(noted);
        self.open.insert(minute, Arc::new(period));
        self.close();
    }

    /// How many records came too late to be counted.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// Bytes that the written minutes take.
    pub fn bytes(&self) -> usize {
        self.written.values().map(|written| written.len()).sum()
    }

    /// Writes the oldest of too many open minutes, and forgets those that the newest has pushed out.
    fn close(&mut self) {
        while self.open.len() > OPEN
            && let Some((minute, period)) = self.open.pop_first()
        {
            self.written.insert(minute, Arc::new(period.encode()));
        }
        let first = self.first();
        self.written = self.written.split_off(&first);
        self.open = self.open.split_off(&first);
    }

    /// The oldest minute that is kept.
    fn first(&self) -> u64 {
        let newest = self.open.keys().chain(self.written.keys()).max();
        newest.map_or(0, |newest| (newest + 1).saturating_sub(self.minutes))
    }
}

impl Periods for Window {
    fn visit(&self, range: Range, _: Grain, _: Wanted<'_>, visit: Visit<'_>) -> Result<Vec<String>, RollupError> {
        let Range { since, until } = range.widened(MINUTE);
        let range = since / MINUTE..(until / MINUTE).max(since / MINUTE);
        for (minute, written) in self.written.range(range.clone()) {
            let _always = visit(Piece::written(minute * MINUTE, written.parts()));
        }
        for (minute, period) in self.open.range(range) {
            let _always = visit(Piece::counted(minute * MINUTE, period));
        }
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, sample};
    use super::*;
    use proptest::prelude::*;

    const LENGTH: u64 = 5;

    fn all(window: &Window, range: Range) -> Period {
        let mut total = Period::default();
        let mut visit = |piece: Piece<'_>| piece.add_to(&mut total, Wanted::Everything);
        window.visit(range, Grain::Minutes, Wanted::Everything, &mut visit).unwrap();
        total
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// In whatever order they come: what is within the window is in it, and everything else was late or is past.
        #[test]
        fn it_holds_what_a_naive_count_of_its_minutes_holds(
            samples in prop::collection::vec(sample(12 * MINUTE), 1..80),
            from in 0..12_u64,
        ) {
            let mut window = Window::of(LENGTH);
            let (mut naive, mut late): (Vec<&Sample>, u64) = (Vec::new(), 0);
            for sample in &samples {
                let first = |newest: u64| (newest / MINUTE + 1).saturating_sub(LENGTH) * MINUTE;
                let newest = naive.iter().map(|sample| sample.at).max().unwrap_or(0);
                if sample.at < first(newest) {
                    late += 1;
                } else {
                    naive.push(sample);
                    naive.retain(|kept| kept.at >= first(newest.max(sample.at)));
                }
                window.note(&sample.noted());
            }
            let range = Range { since: from * MINUTE, until: (from + 4) * MINUTE };
            let mut expected = Period::default();
            naive.iter().filter(|sample| range.holds(sample.at)).for_each(|sample| expected.note(&sample.noted()));
            prop_assert_eq!(all(&window, range), expected);
            prop_assert_eq!(window.late(), late);
            prop_assert!(window.open.len() <= OPEN && window.open.len() + window.written.len() <= LENGTH as usize);
        }
    }
}
