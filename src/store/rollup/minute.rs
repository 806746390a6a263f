//! A minute that is being counted from gists: by places, without looking up a name.

use super::names::{OTHER, Sum};
use super::noted::Noted;
use super::period::{Period, Requests};
use crate::record::{Gist, Level};

/// Places of routes that are told apart, so that with [`OTHER`] there are no more names than a period tells apart.
pub(super) const PLACES: usize = 511;

/// Gives the name of the route that has a place.
pub(super) type Name<'a> = &'a dyn Fn(u32) -> String;

/// What happened in a minute so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Minute {
    /// Records by their place in [`Gist::EVENTS`], and their level.
    records: [[u64; Level::ALL.len()]; Gist::EVENTS.len()],
    /// Requests by the places of their routes.
    routes: Vec<Requests>,
    /// Those of routes that have no place here.
    others: Requests,
    /// What was read: records that there are no gists of, and those that are shown one by one.
    read: Period,
}

impl Minute {
    /// Counts a record. Returns whether more of it is wanted than that ([`Minute::show`]).
    #[inline]
    pub(super) fn count(&mut self, gist: &Gist) -> bool {
        if let Some(levels) = self.records.get_mut(usize::from(gist.event)) {
            levels[gist.level as usize] += 1;
        }
        if gist.is_request() {
            self.requests(gist.route as usize).count_gist(gist);
        }
        gist.is_error() || (gist.is_request() && self.read.notable.takes_request(gist.duration))
    }

    /// Keeps what is shown one by one of a record that was counted.
    pub(super) fn show(&mut self, noted: &Noted<'_>) {
        if noted.is_error() {
            self.read.errors.at(noted.error_kind()).add(&1);
        }
        self.read.notable.note(noted);
    }

    /// Counts a record that there is no gist of.
    pub(super) fn note(&mut self, noted: &Noted<'_>) {
        self.read.note(noted);
    }

    /// All of it as periods have it.
    pub(super) fn period(&self, name: Name<'_>) -> Period {
        let mut period = self.read.clone();
        for (event, levels) in Gist::EVENTS.iter().zip(&self.records) {
            let count: u64 = levels.iter().sum();
            if count > 0 {
                period.events.at(event.as_str()).add(&count);
                period.loggers.at(Gist::LOGGER).add(&count);
                period.levels.iter_mut().zip(levels).for_each(|(sum, count)| sum.add(count));
            }
        }
        let named = self.routes.iter().zip(0..).map(|(requests, place)| (requests, Some(place)));
        for (requests, place) in named.chain([(&self.others, None)]).filter(|(requests, _)| requests.count() > 0) {
            period.requests.add(requests);
            period.routes.at(&place.map_or_else(|| OTHER.to_owned(), name)).add(requests);
        }
        period
    }

    #[inline]
    fn requests(&mut self, place: usize) -> &mut Requests {
        if place >= PLACES {
            return &mut self.others;
        }
        if place >= self.routes.len() {
            self.routes.resize_with(place + 1, Requests::default);
        }
        &mut self.routes[place]
    }
}
