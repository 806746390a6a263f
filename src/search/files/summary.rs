//! What a stretch of time was like, counted from the lines themselves.

use std::sync::Mutex;

use serde_json::Map;

use crate::filter::{Expression, Line};
use crate::store::rollup::{Noted, Range};
use crate::store::statistics::{Gather, Statistics};

use super::judge::{Fault, Judge, Verdict};
use super::scan::{Ended, Look, Spot, lock};

/// The fields that are counted, out of sixty ([`Noted::of_json`]).
const COUNTED: [&str; 17] = [
    "level",
    "logger",
    "event",
    "message",
    "view_name",
    "route",
    "status_code",
    "outcome",
    "duration",
    "request_size",
    "response_size",
    "slow",
    "exception_type",
    "exception_message",
    "request_id",
    "method",
    "path",
];

/// Statistics in the making: each thread counts by itself.
pub(super) struct Summary<'f> {
    range: Range,
    judge: Judge<'f>,
    total: Mutex<Statistics>,
}

impl<'f> Summary<'f> {
    pub(super) fn new(range: Range, filter: &'f Expression) -> Summary<'f> {
        let judge = Judge::of(filter, range.since, range.until);
        Summary { range, judge, total: Mutex::new(Statistics::over(range)) }
    }

    /// Once all threads have put down what they had.
    pub(super) fn statistics(self, ended: Ended) -> Statistics {
        let mut statistics = self.total.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        if ended.is_stopped || ended.has_failures {
            statistics.set_partial();
        }
        ended.troubles.into_iter().for_each(|trouble| statistics.add_trouble(trouble));
        statistics
    }
}

impl Look for Summary<'_> {
    type Hand = Statistics;

    fn hand(&self) -> Statistics {
        Statistics::over(self.range)
    }

    fn line(&self, counted: &mut Statistics, bytes: &[u8], _: Spot) -> Result<(), Fault> {
        note(&self.judge, bytes, |noted| counted.note(noted))
    }

    fn put_down(&self, counted: Statistics) {
        lock(&self.total).merge(&counted);
    }
}

/// Anything else that is counted: all threads count in one place.
pub(super) struct Gathering<'f, 'g> {
    judge: Judge<'f>,
    into: Mutex<&'g mut dyn Gather>,
}

impl<'f, 'g> Gathering<'f, 'g> {
    pub(super) fn new(into: &'g mut dyn Gather, filter: &'f Expression) -> Gathering<'f, 'g> {
        let range = into.range();
        Gathering { judge: Judge::of(filter, range.since, range.until), into: Mutex::new(into) }
    }

    /// Once all threads have put down what they had.
    pub(super) fn end(self, ended: Ended) {
        let into = self.into.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        if ended.is_stopped || ended.has_failures {
            into.set_partial();
        }
        ended.troubles.into_iter().for_each(|trouble| into.add_trouble(trouble));
    }
}

impl Look for Gathering<'_, '_> {
    type Hand = ();

    fn hand(&self) {}

    fn line(&self, (): &mut (), bytes: &[u8], _: Spot) -> Result<(), Fault> {
        note(&self.judge, bytes, |noted| lock(&self.into).note(noted))
    }

    fn put_down(&self, (): ()) {}
}

/// Has a line counted, if it is meant.
fn note(judge: &Judge<'_>, bytes: &[u8], mut count: impl FnMut(&Noted<'_>)) -> Result<(), Fault> {
    let note = |at: u64, line: &Line<'_>, _: &str| {
        let members = line.members().filter(|(name, _)| COUNTED.contains(name));
        let read = members.filter_map(|(name, raw)| Some((name.to_owned(), serde_json::from_str(raw).ok()?)));
        let fields: Map<_, _> = read.collect();
        count(&Noted::of_json(at, &fields).ok_or(Fault::NoRecord("it has no level"))?);
        Ok(())
    };
    match judge.weigh_line(bytes, |_| true, note) {
        Verdict::Meant(noted) => noted,
        Verdict::Other => Ok(()),
        Verdict::Wrong(fault) => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value as Json;

    /// As long as a line is noted the same with these fields alone, none is missing above.
    #[test]
    fn the_fields_that_are_counted_are_all_that_matter() {
        let whole = r#"{"timestamp":"2026-11-22T11:02:36.000123Z","level":"ERROR","event":"request_completed","message":"Request completed","logger":"gatelog.request","schema":1,"seq":7,"instance":"i","request_id":"r1","method":"GET","path":"/posts/7/","view_name":"post-detail","view_kwargs":{"pk":7},"route":"/posts/{pk}/","request_size":3,"status_code":502,"response_size":512,"duration":0.753210,"timing":{"queue":0.1},"outcome":"upstream_refused","phase":"connect","exception_type":"connection_refused","exception_message":"refused","slow":true}"#;
        let all: Map<String, Json> = serde_json::from_str(whole).unwrap();
        let some = all.clone().into_iter().filter(|(name, _)| COUNTED.contains(&&**name)).collect();
        let noted = Noted::of_json(1, &all).unwrap();
        assert_eq!(Noted::of_json(1, &some), Some(noted));
        // Each of them is there, and of the right type: a field that was misspelt would be missing.
        assert_eq!(some.len(), COUNTED.len());
        assert!(noted.slow && noted.route.is_some() && noted.outcome.is_some() && noted.error_message.is_some());
    }
}
