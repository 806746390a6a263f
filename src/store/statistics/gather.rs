//! Whatever is counted of a stretch of time, in one of two ways: from periods that were counted beforehand, or record by record.
//!
//! So a place that holds records ([`Summaries`](crate::store::Summaries)) finds them once, and what is made of them is whoever's
//! who asks: counts ([`Statistics`](super::Statistics)), a chart ([`Series`](super::Series)), routes over time
//! ([`Spread`](super::Spread)).

use std::sync::Arc;

use crate::store::rollup::{Corrupt, Grain, Noted, Periods, Piece, Range, RollupError, Wanted};

/// Something that is counted.
pub trait Gather: Send {
    /// Which stretch of time it is about.
    fn range(&self) -> Range;

    /// What of periods is needed, and how finely; `None` where they are too coarse, so that only the records themselves will do.
    fn wish(&self) -> Option<(Grain, Wish)>;

    /// Adds a period; one that cannot be read may have been added in part.
    ///
    /// # Errors
    /// When it is not what was written.
    fn add(&mut self, piece: Piece<'_>) -> Result<(), Corrupt>;

    /// Counts a record, if it is of the range.
    fn note(&mut self, noted: &Noted<'_>);

    /// There may be more than was counted.
    fn set_partial(&mut self);

    /// Something could not be read.
    fn add_trouble(&mut self, trouble: String);

    /// Forgets all that was counted, to begin anew.
    fn clear(&mut self);
}

/// How much of a period is needed: [`Wanted`] for who keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// All of it.
    Everything,
    /// All but routes.
    Overview,
    /// What all records together are.
    Counts,
    /// The requests of one route.
    Route(Arc<str>),
}

impl Wish {
    /// As periods are asked for it.
    pub fn wanted(&self) -> Wanted<'_> {
        match self {
            Wish::Everything => Wanted::Everything,
            Wish::Overview => Wanted::Overview,
            Wish::Counts => Wanted::Counts,
            Wish::Route(name) => Wanted::Route(name),
        }
    }
}

/// Adds all that is kept of the range; nothing where that is too coarse.
///
/// # Errors
/// When nothing of it can be read; what only lacks a part becomes a trouble.
pub fn fill(into: &mut dyn Gather, periods: &impl Periods) -> Result<(), RollupError> {
    let (range, Some((grain, wish))) = (into.range(), into.wish()) else { return Ok(()) };
    let troubles = periods.visit(range, grain, wish.wanted(), &mut |piece| into.add(piece))?;
    troubles.into_iter().for_each(|trouble| into.add_trouble(trouble));
    Ok(())
}
