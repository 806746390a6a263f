//! All records in memory, and answers that nobody can get wrong: look at each, sort, cut out the page.

use gatelog::filter::{Expression, Span};
use gatelog::store::{Line, Order, Page, Question, Total};
use serde_json::{Map, Value as Json};

/// All records, in the order in which they came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Naive {
    records: Vec<Record>,
}

/// A line that is a record.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) at: u64,
    pub(crate) map: Map<String, Json>,
    /// As serde_json writes it.
    pub(crate) normal: String,
    pub(crate) text: String,
}

impl Naive {
    /// Of lines; those that are no records are left out.
    pub(crate) fn of<'l>(lines: impl IntoIterator<Item = &'l String>) -> Naive {
        Naive { records: lines.into_iter().filter_map(|line| Record::read(line)).collect() }
    }

    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }

    /// The records that a question means, all of them, in its order.
    pub(crate) fn answer(&self, question: &Question) -> Vec<&Record> {
        let within = |record: &&Record| {
            question.since.is_none_or(|since| record.at >= since)
                && question.until.is_none_or(|until| record.at < until)
        };
        let mut found: Vec<&Record> = self.records.iter().filter(within).collect();
        found.retain(|record| question.filter.matches(&record.map));
        // It keeps the order of those of the same moment.
        found.sort_by_key(|record| record.at);
        if question.order == Order::Newest {
            found.reverse();
        }
        found
    }

    /// Whether a page is just what is expected; else what is wrong.
    pub(crate) fn judge(&self, question: &Question, page: &Page) -> Result<(), String> {
        let all = self.answer(question);
        let expected: Vec<&Record> = all.iter().copied().skip(question.skip).take(question.limit).collect();
        same_lines(&expected, &page.lines).map_err(|why| format!("{why}, asked {question:?}"))?;
        let count = all.len() as u64;
        let total = if count > question.count_to { Total::AtLeast(question.count_to) } else { Total::Exact(count) };
        if (page.total, page.partial) != (total, false) {
            return Err(format!("{:?} (partial: {}) for {total:?}, asked {question:?}", page.total, page.partial));
        }
        Ok(())
    }
}

impl Record {
    pub(crate) fn read(line: &str) -> Option<Record> {
        let map: Map<String, Json> = serde_json::from_str(line).ok()?;
        let at = Span::parse(map.get("timestamp")?.as_str()?)?.from;
        let normal = serde_json::to_string(&map).ok()?;
        Some(Record { at, map, normal, text: line.to_owned() })
    }

    /// A line written as serde_json writes comes back to the byte; another one with the same members and values.
    fn is(&self, line: &Line) -> bool {
        let is_same = || Record::read(&line.json).is_some_and(|found| found.normal == self.normal);
        line.at == self.at && (*line.json == *self.text || (self.text != self.normal && is_same()))
    }
}

fn same_lines(expected: &[&Record], found: &[Line]) -> Result<(), String> {
    let wrong = expected.iter().zip(found).position(|(record, line)| !record.is(line));
    match wrong {
        Some(at) => Err(format!("line {at} is\n{}\nand not\n{}\n", found[at].json, expected[at].text)),
        None if expected.len() != found.len() => Err(format!("{} lines for {}", found.len(), expected.len())),
        None => Ok(()),
    }
}

/// Every record there is, the oldest first.
pub(crate) fn everything() -> Question {
    let filter = Expression::parse("").unwrap();
    Question { filter, since: None, until: None, order: Order::Oldest, skip: 0, limit: 1 << 20, count_to: 1 << 20 }
}
