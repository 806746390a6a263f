//! The last hour in memory, where there is no file: as that has it, each minute written once it is over.
//!
//! What is kept is an hour of minutes and the one that runs, in at most [`MOST_BYTES`] (16 MB) of what is written, and of
//! those that are being counted (one, and [`OPEN`] (8) at most where records come late) the histograms of at most 512
//! routes: 7 KiB each as a rule, 58 KiB at the very most. The oldest minutes make room, and that they are missing is told.
//! A hundred busy routes take 2 MB altogether.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::RollupError;
use super::minute::Minute;
use super::names::OTHER;
use super::noted::Noted;
use super::period::{Encoded, Period, Wanted};
use super::periods::{Grain, MINUTE, Periods, Piece, Range, Visit};
use crate::record::Gist;

/// An hour, and the minute that runs.
const MOST_MINUTES: usize = 61;
/// Minutes that are counted at the same time; a further one has them all written, and read again for what comes late.
const OPEN: usize = 8;
/// Bytes of all minutes that are written.
const MOST_BYTES: usize = 16 << 20;

/// Gives the name of the route that has a place, where there is one.
pub type RouteName = Box<dyn Fn(u32) -> Option<Arc<str>> + Send + Sync>;

/// The newest minutes.
pub struct Window {
    name: RouteName,
    /// In the order of time: nearly all records are of the last one.
    open: Vec<(u64, Minute)>,
    written: BTreeMap<u64, Arc<Encoded>>,
    /// Bytes of what is written, and how many there may be.
    bytes: usize,
    most_bytes: usize,
    /// Of minutes before this one, something is missing.
    whole_from: u64,
}

/// The minutes of a range, as they were at a moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    counted: Vec<(u64, Period)>,
    written: Vec<(u64, Arc<Encoded>)>,
    is_partial: bool,
}

impl Window {
    /// None yet. `name` is asked when a minute is over.
    pub fn new(name: RouteName) -> Window {
        Window { name, open: Vec::new(), written: BTreeMap::new(), bytes: 0, most_bytes: MOST_BYTES, whole_from: 0 }
    }

    /// Counts a record. Returns whether more of it is wanted than its gist tells ([`Window::show`]).
    #[inline]
    pub fn count(&mut self, gist: &Gist) -> bool {
        self.minute(gist.at).is_some_and(|minute| minute.count(gist))
    }

    /// Keeps what is shown one by one of a record that was counted.
    pub fn show(&mut self, noted: &Noted<'_>) {
        self.minute(noted.at).into_iter().for_each(|minute| minute.show(noted));
    }

    /// Counts a record that there is no gist of.
    pub fn note(&mut self, noted: &Noted<'_>) {
        self.minute(noted.at).into_iter().for_each(|minute| minute.note(noted));
    }

    /// What there is of a range, widened to whole minutes. What is over is not copied.
    pub fn snapshot(&self, range: Range) -> Snapshot {
        let Range { since, until } = range.widened(MINUTE);
        let minutes = since / MINUTE..(until / MINUTE).max(since / MINUTE);
        let open = self.open.iter().filter(|(at, _)| minutes.contains(at));
        let counted = open.map(|(at, minute)| (*at, self.period(minute)));
        let written = self.written.range(minutes.clone()).map(|(at, written)| (*at, Arc::clone(written)));
        Snapshot {
            counted: counted.collect(),
            written: written.collect(),
            is_partial: since / MINUTE < self.whole_from,
        }
    }

    /// The minute of a moment; `None` where it is older than all that there is room for.
    #[inline]
    fn minute(&mut self, at: u64) -> Option<&mut Minute> {
        let minute = at / MINUTE;
        let place = match self.open.iter().rposition(|(at, _)| *at == minute) {
            Some(place) => place,
            None => self.begin(minute)?,
        };
        self.open.get_mut(place).map(|(_, minute)| minute)
    }

    #[cold]
    fn begin(&mut self, minute: u64) -> Option<usize> {
        let is_newest = self.open.last().is_none_or(|(newest, _)| minute > *newest);
        if is_newest || self.open.len() >= OPEN {
            self.write();
        }
        let is_new = !self.written.contains_key(&minute);
        let oldest = self.oldest();
        if is_new && self.kept() >= MOST_MINUTES {
            if oldest.is_some_and(|oldest| minute < oldest) {
                self.whole_from = self.whole_from.max(minute + 1);
                return None;
            }
            self.forget();
        }
        let place = self.open.partition_point(|(at, _)| *at < minute);
        self.open.insert(place, (minute, Minute::default()));
        Some(place)
    }

    /// How many minutes there are.
    fn kept(&self) -> usize {
        self.written.len() + self.open.iter().filter(|(at, _)| !self.written.contains_key(at)).count()
    }

    /// Writes the minutes that are being counted: what comes late is added to what was written.
    fn write(&mut self) {
        for (at, minute) in std::mem::take(&mut self.open) {
            let mut period = self.period(&minute);
            if let Some(before) = self.written.remove(&at) {
                self.bytes -= before.len();
                // It was written by this very program.
                let _always = period.absorb(before.parts(), Wanted::Everything);
            }
            let written = period.encode();
            self.bytes += written.len();
            self.written.insert(at, Arc::new(written));
        }
        while self.bytes > self.most_bytes {
            self.forget();
        }
    }

    /// Makes room: the oldest minute goes.
    fn forget(&mut self) {
        let Some(oldest) = self.oldest() else { return };
        self.bytes -= self.written.remove(&oldest).map_or(0, |written| written.len());
        self.open.retain(|(at, _)| *at != oldest);
        self.whole_from = self.whole_from.max(oldest + 1);
    }

    fn oldest(&self) -> Option<u64> {
        let written = self.written.first_key_value().map(|(at, _)| *at);
        written.into_iter().chain(self.open.first().map(|(at, _)| *at)).min()
    }

    fn period(&self, minute: &Minute) -> Period {
        minute.period(&|place| (self.name)(place).map_or_else(|| OTHER.to_owned(), |name| (*name).to_owned()))
    }
}

impl Snapshot {
    /// Whether something of the range is no longer there.
    pub fn is_partial(&self) -> bool {
        self.is_partial
    }
}

impl Periods for Snapshot {
    fn visit(&self, _: Range, _: Grain, _: Wanted<'_>, visit: Visit<'_>) -> Result<Vec<String>, RollupError> {
        for (minute, written) in &self.written {
            // As above.
            let _always = visit(Piece::written(minute * MINUTE, written.parts()));
        }
        for (minute, period) in &self.counted {
            let _always = visit(Piece::counted(minute * MINUTE, period));
        }
        Ok(Vec::new())
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Window").field("minutes", &self.kept()).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::minute::PLACES;
    use super::super::sample::{Sample, sample};
    use super::super::{ERRORS, SLOWEST};
    use super::*;
    use crate::record::{Level, Outcome};
    use proptest::prelude::*;

    const NAMES: [&str; 4] = ["unmatched", "home", "cart", "x"];

    fn window() -> Window {
        Window::new(Box::new(|place| NAMES.get(place as usize).map(|name| Arc::from(*name))))
    }

    fn all(window: &Window, range: Range) -> (Period, bool) {
        let (mut total, snapshot) = (Period::default(), window.snapshot(range));
        let mut visit = |piece: Piece<'_>| piece.add_to(&mut total, Wanted::Everything);
        snapshot.visit(range, Grain::Minutes, Wanted::Everything, &mut visit).unwrap();
        (total, snapshot.is_partial())
    }

    fn ended(at: u64, route: u32, duration: u64) -> Gist {
        Gist {
            at,
            duration,
            request_bytes: 1,
            response_bytes: 2,
            route,
            status: 200,
            event: 5,
            level: Level::Info,
            outcome: Some(Outcome::Success),
            slow: false,
        }
    }

    /// What the record of a gist is to statistics: all but its texts.
    fn noted(gist: &Gist) -> Noted<'static> {
        Noted {
            route: NAMES.get(gist.route as usize).copied(),
            status: Some(gist.status),
            outcome: gist.outcome,
            duration: Some(gist.duration),
            request_bytes: gist.request_bytes,
            response_bytes: gist.response_bytes,
            slow: gist.slow,
            ..Noted::new(gist.at, gist.level, Gist::LOGGER, Gist::EVENTS[usize::from(gist.event)].as_str())
        }
    }

    fn count(window: &mut Window, gist: &Gist) {
        if window.count(gist) {
            window.show(&noted(gist));
        }
    }

    /// As a batch brings it: with a gist where it is about a request. Returns how it counts.
    fn offer<'a>(window: &mut Window, sample: &'a Sample) -> Noted<'a> {
        let noted = sample.noted();
        let Some(event) = Gist::EVENTS.iter().position(|event| event.as_str() == noted.event) else {
            window.note(&noted);
            return noted;
        };
        let noted = Noted { logger: Gist::LOGGER, ..noted };
        let place = NAMES.iter().position(|name| noted.route == Some(name)).unwrap_or_default();
        let gist = Gist {
            at: noted.at,
            duration: noted.duration.unwrap_or_default(),
            request_bytes: noted.request_bytes,
            response_bytes: noted.response_bytes,
            route: place as u32,
            status: noted.status.unwrap_or_default(),
            event: event as u8,
            level: noted.level,
            outcome: noted.outcome,
            slow: noted.slow,
        };
        if window.count(&gist) {
            window.show(&noted);
        }
        noted
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// In whatever order they come, and however many minutes lie between: asked about in the middle, too.
        #[test]
        fn it_holds_what_a_naive_count_of_all_records_holds(
            samples in prop::collection::vec(sample(12 * MINUTE), 1..150),
            (from, length) in (0..12_u64, 0..12_u64),
            asked in any::<prop::sample::Index>(),
        ) {
            let (mut window, mut records) = (window(), Vec::new());
            let range = Range { since: from * MINUTE, until: (from + length) * MINUTE };
            let asked = asked.index(samples.len());
            for (at, sample) in samples.iter().enumerate() {
                records.push(offer(&mut window, sample));
                if at == asked || at + 1 == samples.len() {
                    let mut naive = Period::default();
                    records.iter().filter(|noted| range.holds(noted.at)).for_each(|noted| naive.note(noted));
                    prop_assert_eq!(all(&window, range), (naive, false));
                }
            }
            prop_assert!(window.open.len() <= OPEN);
        }
    }

    #[test]
    fn a_record_belongs_to_the_minute_of_its_moment_whenever_it_comes() {
        let mut window = window();
        for at in [MINUTE - 1, MINUTE, 2 * MINUTE - 1, 2 * MINUTE, MINUTE + 7, 0] {
            count(&mut window, &ended(at, 1, 3));
        }
        let requests = |minute: u64| {
            let range = Range { since: minute * MINUTE, until: (minute + 1) * MINUTE };
            all(&window, range).0.requests.count()
        };
        assert_eq!([0, 1, 2, 3].map(requests), [2, 3, 1, 0]);
        let widened = Range { since: MINUTE + 30_000_000, until: 2 * MINUTE + 1 };
        assert_eq!(all(&window, widened).0.requests.count(), 4, "whole minutes");
    }

    #[test]
    fn an_hour_and_the_running_minute_stay_and_what_is_gone_is_told() {
        let mut window = window();
        let requests = |window: &Window, since: u64| {
            let (period, partial) = all(window, Range { since: since * MINUTE, until: u64::MAX / MINUTE * MINUTE });
            (period.requests.count(), partial)
        };
        (0..61).for_each(|minute| count(&mut window, &ended(minute * MINUTE, 1, 3)));
        assert_eq!(requests(&window, 0), (61, false));
        count(&mut window, &ended(61 * MINUTE, 1, 3));
        assert_eq!((requests(&window, 0), requests(&window, 1)), ((61, true), (61, false)));
        count(&mut window, &ended(500 * MINUTE, 1, 3));
        assert_eq!((requests(&window, 1), requests(&window, 2)), ((61, true), (61, false)), "silence takes no room");
        count(&mut window, &ended(MINUTE, 1, 3));
        assert_eq!((requests(&window, 0), requests(&window, 2)), ((61, true), (61, false)), "too late to be counted");
        assert_eq!(window.kept(), MOST_MINUTES);
    }

    #[test]
    fn routes_without_a_place_are_one_route() {
        let mut window = Window::new(Box::new(|place| Some(format!("r{place:05}").into())));
        (0..2_000).for_each(|route| count(&mut window, &ended(7, route, 3)));
        let (period, _) = all(&window, Range { since: 0, until: MINUTE });
        assert_eq!((period.routes.len(), period.requests.count()), (PLACES + 1, 2_000));
        let rest = period.routes.get(OTHER).map(super::super::Requests::count);
        assert_eq!(rest, Some(2_000 - PLACES as u64));
    }

    #[test]
    fn minutes_that_take_too_much_memory_make_room_for_newer_ones() {
        let mut window = Window { most_bytes: 40_000, ..window() };
        for minute in 0..20 {
            (0..4_000).for_each(|n| count(&mut window, &ended(minute * MINUTE + n, n as u32 % 4, n * n % 7_919 * 100)));
        }
        assert!(window.bytes <= 40_000 && window.kept() > 2, "{window:?}");
        let (period, partial) = all(&window, Range { since: 0, until: 20 * MINUTE });
        assert_eq!((period.requests.count(), partial), (4_000 * window.kept() as u64, true));
    }

    #[test]
    fn what_is_shown_is_asked_for_and_little_else() {
        let mut window = window();
        let shown = (0..10_000).filter(|n| {
            let gist = ended(*n, 1, n * 7_919 % 10_007);
            let asked = window.count(&gist);
            if asked {
                window.show(&noted(&gist));
            }
            asked
        });
        assert!(shown.count() < 300, "the slowest so far");
        let (mut errors, failed) = (0, Gist { level: Level::Error, event: 4, ..ended(7, 1, 1) });
        (0..ERRORS * 2).for_each(|n| {
            let error = Gist { level: Level::Error, ..ended(n as u64, 1, 1) };
            errors += usize::from(window.count(&error));
            window.show(&noted(&error));
        });
        assert_eq!((errors, window.count(&failed)), (ERRORS * 2, false), "an error is counted by its kind");
        let (period, _) = all(&window, Range { since: 0, until: MINUTE });
        assert_eq!((period.notable.slowest().count(), period.notable.errors().count()), (SLOWEST, ERRORS));
        assert_eq!(period.error_count(), 2 * ERRORS as u64);
    }
}
