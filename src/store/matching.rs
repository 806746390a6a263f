//! The lines of segments that a filter means: found block by block, by whoever goes through them in an order of his own.

use super::error::Error;
use super::opened::{Candidate, Opened, Picked};
use super::plan::Plan;
use super::stored_line::StoredLine;
use crate::filter::{ByName, Expression, Node};

/// A filter and a stretch of time, looked for in segments.
#[derive(Debug)]
pub(super) struct Matching<'a> {
    filter: &'a Expression,
    pub(super) plan: Plan,
    pub(super) segments: &'a [Opened],
    picked: Vec<Option<Picked>>,
    /// Segments that have failed are left alone.
    broken: Vec<bool>,
    /// Rows of each segment that make no sense.
    senseless: Vec<u64>,
}

/// A line that is meant.
#[derive(Debug)]
pub(super) struct Match<'l, 'r> {
    /// The place of its segment.
    pub(super) segment: usize,
    /// The number of its segment.
    pub(super) number: u64,
    pub(super) row: i64,
    pub(super) line: &'l StoredLine<'r>,
}

impl<'a> Matching<'a> {
    /// `since` and `until` are in microseconds since the Unix epoch.
    pub(super) fn new(
        filter: &'a Expression,
        since: Option<u64>,
        until: Option<u64>,
        segments: &'a [Opened],
    ) -> Matching<'a> {
        let picked = segments.iter().map(|_| None).collect();
        Matching {
            filter,
            plan: Plan::new(filter, since, until),
            segments,
            picked,
            broken: vec![false; segments.len()],
            senseless: vec![0; segments.len()],
        }
    }

    /// The blocks that may hold such lines, each with the place of its segment; what cannot be read is told.
    pub(super) fn blocks(&mut self, troubles: &mut Vec<String>) -> Vec<(usize, Candidate)> {
        let mut blocks = Vec::new();
        for (at, segment) in self.segments.iter().enumerate() {
            match segment.blocks(&self.plan) {
                Ok(found) => blocks.extend(found.into_iter().map(|block| (at, block))),
                Err(error) => {
                    self.broken[at] = true;
                    troubles.push(segment.error(error).to_string());
                }
            }
        }
        blocks
    }

    /// A line of this segment that was found makes no sense when it is looked at more closely.
    pub(super) fn leave_out(&mut self, segment: usize) {
        self.senseless[segment] += 1;
    }

    /// How much was left out of which segment.
    pub(super) fn left_out(&self) -> impl Iterator<Item = String> {
        let counted = self.segments.iter().zip(&self.senseless).filter(|(_, count)| **count > 0);
        counted.map(|(segment, count)| {
            Error::broken(segment.path(), format!("records that make no sense are left out: {count}")).to_string()
        })
    }

    /// How many lines of a block are meant, where that is known without looking at them.
    pub(super) fn count(&mut self, at: usize, block: &Candidate) -> Option<u64> {
        if !self.plan.is_in_time(block.oldest) || !self.plan.is_in_time(block.newest) || self.broken[at] {
            return None;
        }
        if matches!(self.filter.root(), Node::All(nodes) if nodes.is_empty()) {
            return Some(block.lines);
        }
        // Where it fails, it fails again for whoever looks at the lines, and is told.
        self.plan.only_user.as_ref()?;
        self.pick(at).ok()?;
        self.segments[at].count(block.id, self.picked[at].as_ref()?)
    }

    /// Looks up which rows of a segment may be meant, once.
    fn pick(&mut self, at: usize) -> Result<(), Error> {
        let segment = &self.segments[at];
        if self.picked[at].is_none() {
            self.picked[at] = Some(segment.pick(&self.plan).map_err(|error| segment.error(error))?);
        }
        Ok(())
    }

    /// Calls `each` with the lines of a block, the last rows first if `newest`; after each row `goes_on` says whether to.
    /// `each` says whether the line makes sense, as far as it has looked.
    pub(super) fn block(
        &mut self,
        (at, block): (usize, &Candidate),
        newest: bool,
        troubles: &mut Vec<String>,
        each: impl FnMut(Match<'_, '_>) -> bool,
        goes_on: impl FnMut() -> bool,
    ) {
        if !self.broken[at]
            && let Err(error) = self.look_into(at, block, newest, each, goes_on)
        {
            self.broken[at] = true;
            troubles.push(error.to_string());
        }
    }

    fn look_into(
        &mut self,
        at: usize,
        block: &Candidate,
        newest: bool,
        mut each: impl FnMut(Match<'_, '_>) -> bool,
        mut goes_on: impl FnMut() -> bool,
    ) -> Result<(), Error> {
        self.pick(at)?;
        let (segment, plan, filter) = (&self.segments[at], &self.plan, self.filter);
        let Some(picked) = &self.picked[at] else { return Ok(()) };
        let senseless = segment.rows(block.id, plan, picked, newest, |row, file, lexicon| {
            let (lines, mut is_sound) = (row.unproven(file, lexicon)?, None);
            for line in lines.iter().filter(|line| plan.is_in_time(line.at)) {
                let is_meant = filter.matches(&ByName(line));
                // What is not meant is passed over as it is.
                let mut look = || *is_sound.get_or_insert_with(|| lines.iter().all(StoredLine::is_sound));
                let is_sensible = !lexicon.has_failed() && (!is_meant || look());
                let found = Match { segment: at, number: segment.number, row: row.id, line };
                if !is_sensible || is_meant && !each(found) {
                    return None;
                }
            }
            Some(goes_on())
        })?;
        self.senseless[at] += senseless.len() as u64;
        Ok(())
    }
}
