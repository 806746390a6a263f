//! A page of the records that are meant: of all lines the first ones, and how many there are.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::store::{Page, Question, Total};

use super::best::{Best, ROOM, Rank};
use super::judge::{Fault, Judge, Verdict};
use super::scan::{Ended, Look, Spot, lock};

/// A page in the making. What a thread finds it puts together with what the others have after each block.
pub(super) struct Pages<'q> {
    question: &'q Question,
    judge: Judge<'q>,
    best: Mutex<Best>,
    matched: AtomicU64,
}

/// What one block adds.
pub(super) struct Part {
    best: Best,
    matched: u64,
    /// How good a record has to be by now.
    bar: Option<Rank>,
    /// So many are found that counting on is worth nothing.
    is_counted: bool,
}

impl<'q> Pages<'q> {
    pub(super) fn new(question: &'q Question) -> Pages<'q> {
        let best = Mutex::new(Best::new(reach(question), ROOM));
        Pages { question, judge: Judge::new(question), best, matched: AtomicU64::new(0) }
    }

    /// Once all threads have put down what they had.
    pub(super) fn page(self, ended: Ended) -> Page {
        let best = self.best.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let is_unread = ended.is_stopped || ended.has_failures;
        let mut page = Page { partial: is_unread || best.is_cut(), troubles: ended.troubles, ..Page::default() };
        page.total = match self.matched.into_inner() {
            matched if matched > self.question.count_to => Total::AtLeast(self.question.count_to),
            matched if is_unread => Total::AtLeast(matched),
            matched => Total::Exact(matched),
        };
        if best.is_cut() {
            page.troubles.push(format!("the page is cut: up to its end records are more than {} MB", ROOM >> 20));
        }
        page.lines = best.into_lines().skip(self.question.skip).collect();
        page
    }
}

impl Look for Pages<'_> {
    type Hand = Part;

    fn hand(&self) -> Part {
        let best = Best::new(reach(self.question), ROOM);
        let mut part = Part { best, matched: 0, bar: None, is_counted: false };
        self.exchange(&mut part);
        part
    }

    fn line(&self, part: &mut Part, bytes: &[u8], spot: Spot) -> Result<(), Fault> {
        let rank = |at| Rank::new(self.question.order, at, spot.log, spot.offset);
        let is_wanted = |at| !part.is_counted || part.bar.is_none_or(|bar| rank(at) < bar);
        match self.judge.judge(bytes, is_wanted) {
            Verdict::Meant(found) => {
                part.matched += 1;
                if part.bar.is_none_or(|bar| rank(found.at) < bar) {
                    part.best.offer(rank(found.at), || found);
                }
                Ok(())
            }
            Verdict::Other => Ok(()),
            Verdict::Wrong(fault) => Err(fault),
        }
    }

    fn exchange(&self, part: &mut Part) {
        let matched = self.matched.fetch_add(part.matched, Ordering::Relaxed) + part.matched;
        let mut best = lock(&self.best);
        best.take(&mut part.best);
        let fresh = Best::new(reach(self.question), ROOM);
        *part = Part { best: fresh, matched: 0, bar: best.bar(), is_counted: matched > self.question.count_to };
    }

    fn put_down(&self, mut part: Part) {
        self.exchange(&mut part);
    }
}

/// Records up to the end of the page.
fn reach(question: &Question) -> usize {
    question.skip.saturating_add(question.limit)
}
