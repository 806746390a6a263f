//! Statistics of a store: without a filter those that were counted beforehand, under one of each record that it means.

use super::ask::{AskError, Stop, Summaries};
use super::behind;
use super::matching::{Match, Matching};
use super::opened::Opened;
use super::reader::{Moment, Reader};
use super::rollup::{Range, RollupError, RollupReader, Wanted};
use super::statistics::Statistics;
use crate::filter::{Expression, Node};

/// Records that are not in the statistics yet and are counted by whoever asks; with more of them it is told that they lack.
const MOST_BEHIND: usize = 200_000;
/// Rows between two looks at whether to go on.
const STRIDE: usize = 256;

impl Summaries for Reader {
    fn statistics(&self, range: Range, filter: &Expression, stop: Stop<'_>) -> Result<Statistics, AskError> {
        let is_any = matches!(filter.root(), Node::All(nodes) if nodes.is_empty());
        let counted = if is_any { self.counted(range, Wanted::Everything, stop) } else { None };
        self.or_scanned(counted, range, filter, stop)
    }

    fn overview(&self, range: Range, stop: Stop<'_>) -> Result<Statistics, AskError> {
        let counted = self.counted(range, Wanted::Overview, stop);
        self.or_scanned(counted, range, &Expression::default(), stop)
    }
}

/// What came of asking what was counted beforehand, if anything was.
type Counted = Option<Result<Statistics, RollupError>>;

impl Reader {
    /// From the records themselves, where nothing was counted or it cannot be read.
    fn or_scanned(
        &self,
        counted: Counted,
        range: Range,
        filter: &Expression,
        stop: Stop<'_>,
    ) -> Result<Statistics, AskError> {
        match counted {
            Some(Ok(statistics)) => Ok(statistics),
            Some(Err(error)) => {
                let mut statistics = self.scanned(range, filter, stop)?;
                statistics.add_trouble(error.to_string());
                Ok(statistics)
            }
            None => self.scanned(range, filter, stop),
        }
    }

    /// From what was counted beforehand; `None` where nothing was.
    fn counted(&self, range: Range, wanted: Wanted<'_>, stop: Stop<'_>) -> Counted {
        let rollups = match self.pending() {
            Some(pending) => RollupReader::open_with(self.folder(), pending),
            None if !RollupReader::exists(self.folder()) => return None,
            None => RollupReader::open(self.folder()),
        };
        Some(rollups.and_then(|rollups| self.with_the_rest(rollups, (range, wanted), stop)))
    }

    /// With the records that came after those that were counted.
    fn with_the_rest(
        &self,
        mut rollups: RollupReader,
        (range, wanted): (Range, Wanted<'_>),
        stop: Stop<'_>,
    ) -> Result<Statistics, RollupError> {
        // The segments are looked at after the rollups: all that those include is there, or was.
        let (segments, mut troubles) = self.segments().unwrap_or_else(|error| (Vec::new(), vec![error.to_string()]));
        let segments = Moment::of(segments, &mut troubles);
        let found = behind::look(&segments.0, rollups.through(), MOST_BEHIND, stop);
        self.give_back(segments.end());
        rollups.add(found.tally, found.through);
        let mut statistics = Statistics::of_wanted(&rollups, range, wanted)?;
        if found.partial {
            statistics.set_partial();
        }
        troubles.into_iter().chain(found.troubles).for_each(|trouble| statistics.add_trouble(trouble));
        Ok(statistics)
    }

    /// By looking at each record that is meant, the newest first.
    fn scanned(&self, range: Range, filter: &Expression, stop: Stop<'_>) -> Result<Statistics, AskError> {
        let (segments, mut troubles) = self.segments()?;
        let segments = Moment::of(segments, &mut troubles);
        let mut statistics = scan(&segments.0, range, filter, stop, &mut troubles);
        self.give_back(segments.end());
        troubles.into_iter().for_each(|trouble| statistics.add_trouble(trouble));
        Ok(statistics)
    }
}

fn scan(
    segments: &[Opened],
    range: Range,
    filter: &Expression,
    stop: Stop<'_>,
    troubles: &mut Vec<String>,
) -> Statistics {
    let mut statistics = Statistics::over(range);
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
                statistics.note(&noted);
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
        statistics.set_partial();
    }
    statistics
}
