//! Periods in their order, wherever they are kept: in the file, in memory, or in both.

use super::bytes::Corrupt;
use super::period::{Parts, Period, Wanted};

/// Microseconds of a minute, the finest period that is kept.
pub const MINUTE: u64 = 60_000_000;
/// Microseconds of an hour.
pub const HOUR: u64 = 60 * MINUTE;

/// A stretch of time, in microseconds since the Unix epoch: from `since`, up to but not with `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first moment of it.
    pub since: u64,
    /// The first moment after it.
    pub until: u64,
}

impl Range {
    /// The last so many microseconds up to a moment.
    pub fn last(length: u64, until: u64) -> Range {
        Range { since: until.saturating_sub(length), until }
    }

    /// Widened to whole steps.
    pub fn widened(self, step: u64) -> Range {
        let until = self.until.checked_next_multiple_of(step).unwrap_or(self.until);
        Range { since: self.since / step * step, until }
    }

    /// How long it is.
    pub fn length(self) -> u64 {
        self.until.saturating_sub(self.since)
    }

    /// Whether a moment lies in it.
    pub fn holds(self, at: u64) -> bool {
        (self.since..self.until).contains(&at)
    }
}

/// How finely time must be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// By minutes, as far back as they are kept.
    Minutes,
    /// By hours, where a whole hour is wanted.
    Hours,
}

/// A minute or an hour, as it is kept.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'a> {
    /// Its first moment, in microseconds since the Unix epoch.
    pub at: u64,
    content: Content<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Content<'a> {
    Written(Parts<'a>),
    Counted(&'a Period),
}

impl<'a> Piece<'a> {
    /// One that was written.
    pub fn written(at: u64, parts: Parts<'a>) -> Piece<'a> {
        Piece { at, content: Content::Written(parts) }
    }

    /// One that is still being counted.
    pub fn counted(at: u64, period: &'a Period) -> Piece<'a> {
        Piece { at, content: Content::Counted(period) }
    }

    /// Adds of it what is wanted.
    ///
    /// # Errors
    /// When it is not what was written.
    pub fn add_to(&self, total: &mut Period, wanted: Wanted<'_>) -> Result<(), Corrupt> {
        match self.content {
            Content::Written(parts) => total.absorb(parts, wanted),
            Content::Counted(period) => {
                total.merge_wanted(period, wanted);
                Ok(())
            }
        }
    }
}

/// What a [`Periods::visit`] calls with each piece.
pub type Visit<'a> = &'a mut dyn FnMut(Piece<'_>) -> Result<(), Corrupt>;

/// A place that holds periods.
pub trait Periods {
    /// Shows each minute or hour that lies in a range, which is widened to whole minutes; in no order, and a minute perhaps
    /// in two pieces. Only what is `wanted` need be in the pieces. Returns what could not be read, each with its name.
    ///
    /// # Errors
    /// When nothing can be read at all.
    fn visit(
        &self,
        range: Range,
        grain: Grain,
        wanted: Wanted<'_>,
        visit: Visit<'_>,
    ) -> Result<Vec<String>, super::RollupError>;
}
