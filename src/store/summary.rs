//! Statistics of a store: without a filter those that were counted beforehand, under one of each record that it means.

use super::ask::{AskError, Stop, Summaries};
use super::behind;
use super::matching::{Match, Matching};
use super::opened::Opened;
use super::reader::{Moment, Reader};
use super::rollup::{RollupError, RollupReader};
use super::statistics::{Gather, fill};
use crate::filter::Expression;

/// Records that are not in the statistics yet and are counted by whoever asks; with more of them it is told that they lack.
const MOST_BEHIND: usize = 200_000;
/// Rows between two looks at whether to go on.
const STRIDE: usize = 256;

impl Summaries for Reader {
    fn gather(&self, into: &mut dyn Gather, filter: &Expression, stop: Stop<'_>) -> Result<(), AskError> {
        if !filter.means_everything() || into.wish().is_none() {
            return self.scan(into, filter, stop);
        }
        match self.count(into, stop) {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => {
                into.clear();
                self.scan(into, filter, stop)?;
                into.add_trouble(error.to_string());
                Ok(())
            }
            None => self.scan(into, filter, stop),
        }
    }
}

impl Reader {
    /// From what was counted beforehand; `None` where nothing was.
    fn count(&self, into: &mut dyn Gather, stop: Stop<'_>) -> Option<Result<(), RollupError>> {
        let rollups = match self.pending() {
            Some(pending) => RollupReader::open_with(self.folder(), pending),
            None if !RollupReader::exists(self.folder()) => return None,
            None => RollupReader::open(self.folder()),
        };
        Some(rollups.and_then(|rollups| self.count_with_the_rest(rollups, into, stop)))
    }

    /// With the records that came after those that were counted.
    fn count_with_the_rest(
        &self,
        mut rollups: RollupReader,
        into: &mut dyn Gather,
        stop: Stop<'_>,
    ) -> Result<(), RollupError> {
        // The segments are looked at after the rollups: all that those include is there, or was.
        let (segments, mut troubles) = self.segments().unwrap_or_else(|error| (Vec::new(), vec![error.to_string()]));
        let segments = Moment::of(segments, &mut troubles);
        let found = behind::look(&segments.0, rollups.through(), MOST_BEHIND, stop);
        self.give_back(segments.end());
        rollups.add(found.tally, found.through);
        fill(into, &rollups)?;
        if found.partial {
            into.set_partial();
        }
        troubles.into_iter().chain(found.troubles).for_each(|trouble| into.add_trouble(trouble));
        Ok(())
    }

    /// By looking at each record that is meant, the newest first.
    fn scan(&self, into: &mut dyn Gather, filter: &Expression, stop: Stop<'_>) -> Result<(), AskError> {
        let (segments, mut troubles) = self.segments()?;
        let segments = Moment::of(segments, &mut troubles);
        scan(&segments.0, into, filter, stop, &mut troubles);
        self.give_back(segments.end());
        troubles.into_iter().for_each(|trouble| into.add_trouble(trouble));
        Ok(())
    }
}

fn scan(segments: &[Opened], into: &mut dyn Gather, filter: &Expression, stop: Stop<'_>, troubles: &mut Vec<String>) {
    let range = into.range();
    let mut matching = Matching::new(filter, Some(range.since), Some(range.until), segments);
    let mut blocks = matching.blocks(troubles);
    blocks.sort_by_key(|(_, block)| std::cmp::Reverse(block.newest));
    let (mut seen, mut stopped) = (0_usize, false);
    for (segment, block) in &blocks {
        if stopped {
            break;
        }
        let note = |found: Match<'_, '_>| {
            if let Some(noted) = found.line.facts().noted() {
                into.note(&noted);
            }
            true
        };
        matching.block((*segment, block), true, troubles, note, || {
            seen += 1;
            stopped |= seen.is_multiple_of(STRIDE) && stop();
            !stopped
        });
    }
    troubles.extend(matching.left_out());
    if stopped {
        into.set_partial();
    }
}
