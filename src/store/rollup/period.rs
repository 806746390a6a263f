//! What happened in a period, counted: a minute, an hour, or all of what somebody asks about.
//!
//! Two periods can be added up, in any order and grouping; what is written of one ([`Encoded`]) can be added without being
//! made into a period first.

use super::bytes::{Bytes, Corrupt, put};
use super::histogram::Histogram;
use super::names::{Names, Sum};
use super::notable::Notable;
use super::noted::Noted;
use crate::record::{Gist, Level, Outcome};

/// Names that a period tells apart; beyond, they are counted together.
const ROUTES: usize = 512;
const LOGGERS: usize = 64;
const EVENTS: usize = 128;
const ERROR_KINDS: usize = 128;

/// Statuses that are told apart: what is beyond is no status of HTTP, and counts as this one.
const LAST_STATUS: u16 = 999;

/// Of all records of a period.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Period {
    /// Records of each level, in the order of [`Level::ALL`].
    pub levels: [u64; Level::ALL.len()],
    /// Records of each logger.
    pub loggers: Names<u64, LOGGERS>,
    /// Records of each event.
    pub events: Names<u64, EVENTS>,
    /// Errors of each kind ([`Noted::error_kind`]).
    pub errors: Names<u64, ERROR_KINDS>,
    /// All requests.
    pub requests: Requests,
    /// The requests of each route.
    pub routes: Names<Requests, ROUTES>,
    /// Records that are shown one by one.
    pub notable: Notable,
}

/// Of requests that ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Requests {
    /// How long they took; every request has its duration.
    pub durations: Histogram,
    /// How many were sent each status; 0 is none.
    pub statuses: Codes,
    /// How many ended in each way, by their place in [`Outcome::ALL`].
    pub outcomes: Codes,
    /// How many crossed their threshold.
    pub slow: u64,
    /// Bytes of their bodies.
    pub request_bytes: u64,
    /// Bytes of their answers' bodies.
    pub response_bytes: u64,
}

/// How often each of a few codes came.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Codes(Vec<(u16, u64)>);

/// How much of a written period is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// All of it.
    Everything,
    /// All but routes, which are most of it.
    Overview,
    /// What all records together are, without routes and without those that are shown one by one.
    Counts,
    /// The requests of one route, and nothing else.
    Route(&'a str),
}

/// A period as it is written, in parts that can be read alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoded {
    /// What all records together are.
    pub counts: Vec<u8>,
    /// The requests of each route.
    pub routes: Vec<u8>,
    /// Records that are shown one by one.
    pub notable: Vec<u8>,
}

/// The same, borrowed; a part that is not wanted may be left empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct Parts<'a> {
    /// What all records together are.
    pub counts: &'a [u8],
    /// The requests of each route.
    pub routes: &'a [u8],
    /// Records that are shown one by one.
    pub notable: &'a [u8],
}

impl Period {
    /// Counts a record.
    pub fn note(&mut self, noted: &Noted<'_>) {
        self.note_counts(noted);
        if noted.is_request() {
            self.routes.at(noted.route.unwrap_or(super::UNMATCHED)).note(noted);
        }
        self.notable.note(noted);
    }

    /// Counts of a record what is wanted.
    pub fn note_wanted(&mut self, noted: &Noted<'_>, wanted: Wanted<'_>) {
        match wanted {
            Wanted::Everything => self.note(noted),
            Wanted::Overview => {
                self.note_counts(noted);
                self.notable.note(noted);
            }
            Wanted::Counts => self.note_counts(noted),
            Wanted::Route(name) if noted.is_request() && noted.route == Some(name) => self.routes.at(name).note(noted),
            Wanted::Route(_) => {}
        }
    }

    fn note_counts(&mut self, noted: &Noted<'_>) {
        self.levels[noted.level as usize] += 1;
        *self.loggers.at(noted.logger) += 1;
        *self.events.at(noted.event) += 1;
        if noted.is_error() {
            *self.errors.at(noted.error_kind()) += 1;
        }
        if noted.is_request() {
            self.requests.note(noted);
        }
    }

    /// Adds another.
    pub fn merge(&mut self, other: &Period) {
        self.merge_counts(other);
        self.routes.merge(&other.routes);
        self.notable.merge(&other.notable);
    }

    /// Adds of another what is wanted.
    pub fn merge_wanted(&mut self, other: &Period, wanted: Wanted<'_>) {
        match wanted {
            Wanted::Everything => self.merge(other),
            Wanted::Overview => {
                self.merge_counts(other);
                self.notable.merge(&other.notable);
            }
            Wanted::Counts => self.merge_counts(other),
            Wanted::Route(name) => {
                if let Some(requests) = other.routes.get(name) {
                    self.routes.at(name).add(requests);
                }
            }
        }
    }

    fn merge_counts(&mut self, other: &Period) {
        self.levels.iter_mut().zip(&other.levels).for_each(|(count, more)| count.add(more));
        self.loggers.merge(&other.loggers);
        self.events.merge(&other.events);
        self.errors.merge(&other.errors);
        self.requests.add(&other.requests);
    }

    /// How many records there are.
    pub fn records(&self) -> u64 {
        self.levels.iter().fold(0, |sum: u64, count| sum.saturating_add(*count))
    }

    /// How many errors there are.
    pub fn error_count(&self) -> u64 {
        self.errors.iter().fold(0, |sum: u64, (_, count)| sum.saturating_add(*count))
    }

    /// Writes it.
    pub fn encode(&self) -> Encoded {
        let mut encoded = Encoded::default();
        let counts = &mut encoded.counts;
        self.levels.iter().for_each(|count| put(*count, counts));
        self.loggers.encode(counts);
        self.events.encode(counts);
        self.errors.encode(counts);
        self.requests.encode(counts);
        self.routes.encode(&mut encoded.routes);
        self.notable.encode(&mut encoded.notable);
        encoded
    }

    /// Adds what is wanted of one that was written.
    ///
    /// # Errors
    /// When it is not what was written; what was read before it showed has been added then.
    pub fn absorb(&mut self, parts: Parts<'_>, wanted: Wanted<'_>) -> Result<(), Corrupt> {
        match wanted {
            Wanted::Everything => {
                self.absorb_counts(parts.counts)?;
                read(parts.routes, |bytes| self.routes.absorb(bytes, None))?;
                read(parts.notable, |bytes| self.notable.absorb(bytes))
            }
            Wanted::Overview => {
                self.absorb_counts(parts.counts)?;
                read(parts.notable, |bytes| self.notable.absorb(bytes))
            }
            Wanted::Counts => self.absorb_counts(parts.counts),
            Wanted::Route(name) => read(parts.routes, |bytes| self.routes.absorb(bytes, Some(name))),
        }
    }

    fn absorb_counts(&mut self, counts: &[u8]) -> Result<(), Corrupt> {
        read(counts, |bytes| {
            self.levels.iter_mut().try_for_each(|level| level.absorb(bytes))?;
            self.loggers.absorb(bytes, None)?;
            self.events.absorb(bytes, None)?;
            self.errors.absorb(bytes, None)?;
            self.requests.absorb(bytes)
        })
    }
}

impl Encoded {
    /// To be read.
    pub fn parts(&self) -> Parts<'_> {
        Parts { counts: &self.counts, routes: &self.routes, notable: &self.notable }
    }

    /// How many bytes it is.
    pub fn len(&self) -> usize {
        self.counts.len() + self.routes.len() + self.notable.len()
    }

    /// Whether it is nothing at all, not even a period of nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// All of a part must be understood.
fn read(part: &[u8], absorb: impl FnOnce(&mut Bytes<'_>) -> Result<(), Corrupt>) -> Result<(), Corrupt> {
    let mut bytes = Bytes::new(part);
    absorb(&mut bytes)?;
    if bytes.is_empty() { Ok(()) } else { Err(Corrupt) }
}

impl Requests {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.durations.count()
    }

    /// How many were sent a status of each class, as `/metrics` names them; those that there are.
    pub fn classes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        const NAMES: [&str; 7] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx", "other"];
        let mut classes = [0_u64; NAMES.len()];
        for (status, count) in self.statuses.iter() {
            classes[usize::from(status / 100).min(NAMES.len() - 1)].add(&count);
        }
        NAMES.into_iter().zip(classes).filter(|(_, count)| *count > 0)
    }

    /// How many were sent a status of the class that begins with this digit.
    pub fn of_class(&self, digit: u16) -> u64 {
        self.statuses.iter().filter(|(status, _)| status / 100 == digit).map(|(_, count)| count).sum()
    }

    /// How many ended in each way; those that there are.
    pub fn outcomes(&self) -> impl Iterator<Item = (Outcome, u64)> {
        self.outcomes.iter().filter_map(|(at, count)| Some((*Outcome::ALL.get(usize::from(at))?, count)))
    }

    #[inline]
    fn note(&mut self, noted: &Noted<'_>) {
        self.count_one(noted.duration.unwrap_or_default(), noted.status.unwrap_or_default(), noted.outcome, noted.slow);
        self.add_bytes(noted.request_bytes, noted.response_bytes);
    }

    /// Counts one of which there is a gist.
    #[inline]
    pub(super) fn count_gist(&mut self, gist: &Gist) {
        self.count_one(gist.duration, gist.status, gist.outcome, gist.slow);
        self.add_bytes(gist.request_bytes, gist.response_bytes);
    }

    #[inline]
    fn count_one(&mut self, duration: u64, status: u16, outcome: Option<Outcome>, slow: bool) {
        self.durations.note(duration);
        self.statuses.count(status.min(LAST_STATUS), 1);
        if let Some(outcome) = outcome {
            self.outcomes.count(outcome as u16, 1);
        }
        self.slow += u64::from(slow);
    }

    #[inline]
    fn add_bytes(&mut self, request: u64, response: u64) {
        self.request_bytes = self.request_bytes.saturating_add(request);
        self.response_bytes = self.response_bytes.saturating_add(response);
    }
}

impl Sum for Requests {
    fn add(&mut self, more: &Requests) {
        self.durations.merge(&more.durations);
        more.statuses.iter().for_each(|(status, count)| self.statuses.count(status, count));
        more.outcomes.iter().for_each(|(outcome, count)| self.outcomes.count(outcome, count));
        self.slow.add(&more.slow);
        self.request_bytes.add(&more.request_bytes);
        self.response_bytes.add(&more.response_bytes);
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.durations.encode(out);
        self.statuses.encode(out);
        self.outcomes.encode(out);
        [self.slow, self.request_bytes, self.response_bytes].into_iter().for_each(|number| put(number, out));
    }

    fn absorb(&mut self, bytes: &mut Bytes<'_>) -> Result<(), Corrupt> {
        self.durations.absorb(bytes)?;
        self.statuses.absorb(bytes, LAST_STATUS)?;
        self.outcomes.absorb(bytes, Outcome::ALL.len() as u16 - 1)?;
        self.slow.absorb(bytes)?;
        self.request_bytes.absorb(bytes)?;
        self.response_bytes.absorb(bytes)
    }
}

impl Codes {
    /// Each with how often it came, the least first.
    pub fn iter(&self) -> impl Iterator<Item = (u16, u64)> {
        self.0.iter().copied()
    }

    #[inline]
    fn count(&mut self, code: u16, count: u64) {
        match self.0.binary_search_by_key(&code, |(code, _)| *code) {
            Ok(at) => self.0[at].1.add(&count),
            Err(at) => self.0.insert(at, (code, count)),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put(self.0.len() as u64, out);
        for (code, count) in &self.0 {
            put(u64::from(*code), out);
            put(*count, out);
        }
    }

    fn absorb(&mut self, bytes: &mut Bytes<'_>, greatest: u16) -> Result<(), Corrupt> {
        for _ in 0..bytes.number()? {
            let code = bytes.small::<u16>()?;
            let count = bytes.number()?;
            self.count(Some(code).filter(|code| *code <= greatest).ok_or(Corrupt)?, count);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, samples};
    use super::*;
    use proptest::prelude::*;

    fn of(samples: &[Sample]) -> Period {
        let mut period = Period::default();
        samples.iter().for_each(|sample| period.note(&sample.noted()));
        period
    }

    fn sum<'a>(periods: impl IntoIterator<Item = &'a Period>) -> Period {
        let mut sum = Period::default();
        periods.into_iter().for_each(|period| sum.merge(period));
        sum
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn added_up_in_any_order_and_grouping_it_is_the_same(one in samples(), two in samples(), three in samples()) {
            let [a, b, c] = [&one, &two, &three].map(|samples| of(samples));
            let all = of(&[one, two, three].concat());
            prop_assert_eq!(&sum([&a, &b, &c]), &all);
            prop_assert_eq!(&sum([&c, &b, &a]), &all);
            prop_assert_eq!(&sum([&a, &sum([&c, &b])]), &all);
        }

        #[test]
        fn what_is_written_adds_up(one in samples(), two in samples()) {
            let mut period = of(&one);
            period.absorb(of(&two).encode().parts(), Wanted::Everything).unwrap();
            prop_assert_eq!(&period, &of(&[one, two].concat()));
        }

        #[test]
        fn a_part_is_read_as_it_is_in_the_whole(all in samples()) {
            let period = of(&all);
            let encoded = period.encode();
            for wanted in [Wanted::Everything, Wanted::Counts, Wanted::Route("home"), Wanted::Route("none")] {
                let (mut read, mut merged) = (Period::default(), Period::default());
                read.absorb(encoded.parts(), wanted).unwrap();
                merged.merge_wanted(&period, wanted);
                prop_assert_eq!(read, merged);
            }
        }

        #[test]
        fn a_byte_too_few_is_seen(all in samples()) {
            let mut encoded = of(&all).encode();
            encoded.routes.pop();
            prop_assert_eq!(Period::default().absorb(encoded.parts(), Wanted::Everything), Err(Corrupt));
        }
    }

    #[test]
    fn requests_are_counted_by_their_ends_and_records_by_all() {
        let (info, logger) = (Level::Info, "gatelog.request");
        let ended = Noted {
            status: Some(204),
            outcome: Some(Outcome::Success),
            duration: Some(40),
            route: Some("home"),
            ..Noted::new(7, info, logger, "request_completed")
        };
        let mut period = Period::default();
        period.note(&Noted::new(5, info, logger, "request_started"));
        period.note(&ended);
        period.note(&Noted { route: None, status: Some(1234), ..ended });
        assert_eq!((period.records(), period.requests.count(), period.error_count()), (3, 2, 0));
        let routes: Vec<_> = period.routes.iter().map(|(name, requests)| (name, requests.count())).collect();
        assert_eq!(routes, [("home", 1), ("unmatched", 1)]);
        assert_eq!(period.requests.classes().collect::<Vec<_>>(), [("2xx", 1), ("other", 1)]);
        assert_eq!(period.requests.outcomes().collect::<Vec<_>>(), [(Outcome::Success, 2)]);
    }

    /// Files hold their places.
    #[test]
    fn places_of_outcomes_and_levels_never_change() {
        let outcomes = Outcome::ALL.map(Outcome::as_str).join(" ");
        let written = "success redirect client_error server_error client_abort client_timeout upstream_timeout \
                       upstream_refused upstream_reset upstream_incomplete upstream_protocol upstream_tls upstream_dns \
                       no_upstream rejected limited shutdown internal upgraded";
        assert_eq!(outcomes, written);
        assert_eq!(Level::ALL.map(Level::as_str).join(" "), "DEBUG INFO WARNING ERROR CRITICAL");
        assert!(Outcome::ALL.iter().enumerate().all(|(at, outcome)| at == *outcome as usize));
    }
}
