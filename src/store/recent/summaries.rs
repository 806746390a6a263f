//! What the last minutes were like: counted as the records came, or, under a filter, from those that are still held.

use serde_json::{Map, Value as Json};

use super::{BREATH, Numbered, Recent, is_everything};
use crate::filter::Expression;
use crate::store::ask::{AskError, Order, Question, Stop, Summaries};
use crate::store::rollup::{Noted, Range};
use crate::store::statistics::Statistics;

impl Summaries for Recent {
    fn statistics(&self, range: Range, filter: &Expression, stop: Stop<'_>) -> Result<Statistics, AskError> {
        if !is_everything(filter) {
            return Ok(self.looked_through(range, filter, stop));
        }
        let broken = |error: crate::store::rollup::RollupError| AskError::Broken {
            path: "the minutes in memory".to_owned(),
            why: error.to_string(),
        };
        Statistics::of(&self.window(), range).map_err(broken)
    }
}

impl Recent {
    /// Each record that is held and meant. What has been evicted is not in it, and that is said.
    fn looked_through(&self, range: Range, filter: &Expression, stop: Stop<'_>) -> Statistics {
        let mut statistics = Statistics::over(range);
        let candidates = self.candidates(&Question {
            filter: filter.clone(),
            since: Some(range.since),
            until: Some(range.until),
            order: Order::Oldest,
            skip: 0,
            limit: 0,
            count_to: 0,
        });
        for (at, line) in candidates.iter().enumerate() {
            if at % BREATH == 0 && stop() {
                statistics.set_partial();
                break;
            }
            note(&mut statistics, filter, line);
        }
        if self.oldest().is_some_and(|oldest| range.since < oldest) && self.held().evicted > 0 {
            statistics.set_partial();
        }
        statistics
    }

    /// When the oldest chunk began.
    fn oldest(&self) -> Option<u64> {
        let chunk = self.state().ring.after(0).into_iter().next();
        chunk.as_ref().and_then(|chunk| super::ring::lines(chunk).map(|line| line.at()).min())
    }
}

fn note(statistics: &mut Statistics, filter: &Expression, line: &Numbered) {
    // What is no record was told of when it was appended.
    let Ok(fields) = serde_json::from_str::<Map<String, Json>>(line.json()) else { return };
    if filter.matches(&fields) {
        Noted::of_json(line.at(), &fields).iter().for_each(|noted| statistics.note(noted));
    }
}
