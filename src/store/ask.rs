//! What is asked of a place that holds records, and what it answers: the same for the store, for the newest records in
//! memory and for log files, so that each gives the same lines in the same order.
//!
//! The order of records is that of their timestamps; of those with the same one, that in which they came.

use super::rollup::Range;
use super::statistics::{Gather, Statistics};
use crate::filter::Expression;

/// Which records are wanted.
#[derive(Debug, Clone)]
pub struct Question {
    /// Which of them.
    pub filter: Expression,
    /// Microseconds since the Unix epoch: none that is older.
    pub since: Option<u64>,
    /// Microseconds since the Unix epoch: only what is older than this.
    pub until: Option<u64>,
    /// Which come first.
    pub order: Order,
    /// How many of the first ones to pass over: those of the pages before.
    pub skip: usize,
    /// At most so many lines.
    pub limit: usize,
    /// Beyond it, matches are no longer counted: a dear exact total is worth nothing to anybody.
    pub count_to: u64,
}

/// Which records come first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// The newest: what is searched for is mostly what has just happened.
    #[default]
    Newest,
    /// The oldest: how it came to it.
    Oldest,
}

/// One record as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Microseconds since the Unix epoch.
    pub at: u64,
    /// A JSON object in the native schema, without an end of line.
    pub json: Box<str>,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// In the order that was asked for.
    pub lines: Vec<Line>,
    /// How many there are on all pages.
    pub total: Total,
    /// Whether the question was given up before all was looked through, so that there may be more.
    pub partial: bool,
    /// What could not be read, each with its name: lines or files that were passed over.
    pub troubles: Vec<String>,
}

/// How many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Total {
    /// So many.
    Exact(u64),
    /// These, and perhaps more.
    AtLeast(u64),
}

impl Default for Total {
    fn default() -> Total {
        Total::Exact(0)
    }
}

/// Asked now and then while a question is looked into: whether whoever asked has left, or the time is up.
pub type Stop<'a> = &'a (dyn Fn() -> bool + Sync);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// A file cannot be read at all.
    #[error("{path}: {source}")]
    Unreadable {
        /// Which.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The store's files do not answer.
    #[error("{path}: {why}")]
    Broken {
        /// Which file.
        path: String,
        /// What the engine says.
        why: String,
    },
}

/// A place that holds records.
pub trait Records {
    /// The records that are wanted, a page of them.
    ///
    /// # Errors
    /// Where nothing at all can be answered; what only lacks a part is [`Page::troubles`].
    fn search(&self, question: &Question, stop: Stop<'_>) -> Result<Page, AskError>;

    /// All records of one request, oldest first; at most `limit`.
    ///
    /// # Errors
    /// As [`Records::search`].
    fn request(&self, request_id: &str, limit: usize, stop: Stop<'_>) -> Result<Page, AskError>;
}

/// A place that can say what a stretch of time was like.
pub trait Summaries {
    /// Has counted what a filter means of the range. Without a filter it comes from what was counted beforehand, where the
    /// place does so and that will do; under one, from looking at each record, and is
    /// [partial](Gather::set_partial) when told to stop before the end.
    ///
    /// # Errors
    /// As [`Records::search`].
    fn gather(&self, into: &mut dyn Gather, filter: &Expression, stop: Stop<'_>) -> Result<(), AskError>;

    /// Counts, response times and errors of the records that a filter means.
    ///
    /// # Errors
    /// As [`Records::search`].
    fn statistics(&self, range: Range, filter: &Expression, stop: Stop<'_>) -> Result<Statistics, AskError> {
        let mut statistics = Statistics::over(range);
        self.gather(&mut statistics, filter, stop)?;
        Ok(statistics)
    }

    /// The same of all records, perhaps without the routes, which take longest to add up: what is told one by one of errors and of
    /// the slowest requests, and what all requests together were like.
    ///
    /// # Errors
    /// As [`Records::search`].
    fn overview(&self, range: Range, stop: Stop<'_>) -> Result<Statistics, AskError> {
        let mut statistics = Statistics::overview(range);
        self.gather(&mut statistics, &Expression::default(), stop)?;
        Ok(statistics)
    }
}

/// All that whoever looks into the past asks of a place: the store, the newest records in memory, log files.
pub trait Archive: Records + Summaries + Send + Sync {}

impl<T: Records + Summaries + Send + Sync> Archive for T {}
