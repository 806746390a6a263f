//! What of a question the files can answer themselves. It only leaves out rows that cannot be meant: whatever is left is
//! looked at with the expression itself.

use super::trigrams;
use crate::filter::{Comparison, Condition, Expression, Name, Node, Number, Pattern};
use crate::record::Level;

/// What every row that is meant must have.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Microseconds since the Unix epoch: not older.
    pub(super) since: u64,
    /// Older than this.
    pub(super) until: Option<u64>,
    /// The least and the greatest status code.
    pub(super) status: Option<(i64, i64)>,
    /// At least so many microseconds.
    pub(super) duration: Option<i64>,
    /// At least this level, by its place in [`Level::ALL`]; one above what started records have.
    pub(super) level: Option<i64>,
    pub(super) user: Option<String>,
    pub(super) request: Option<String>,
    /// Nothing else is asked than whose a record is.
    pub(super) only_user: Option<Pattern>,
    /// Words to be found in one of the texts that are searched.
    pub(super) words: Option<Pattern>,
    /// One of these members is this text, but for the case of its letters.
    pub(super) texts: Vec<(Vec<String>, String)>,
}

impl Plan {
    pub(super) fn new(filter: &Expression, since: Option<u64>, until: Option<u64>) -> Plan {
        let mut plan = Plan { since: since.unwrap_or_default(), until, ..Plan::default() };
        let nodes = match filter.root() {
            Node::All(nodes) => nodes.as_slice(),
            node => std::slice::from_ref(node),
        };
        nodes.iter().for_each(|node| plan.add(node));
        if let ([Node::Field(_, Condition::Text(pattern))], Some(_)) = (nodes, &plan.user) {
            plan.only_user = Some(pattern.clone());
        }
        plan
    }

    /// Whether a moment is within the time that is asked for.
    pub(super) fn is_in_time(&self, at: u64) -> bool {
        at >= self.since && self.until.is_none_or(|until| at < until)
    }

    fn add(&mut self, node: &Node) {
        match node {
            Node::Words(pattern) => self.words = self.words.take().or_else(|| Some(pattern.clone())),
            Node::Field(name, condition) => self.field(name, condition),
            // What these leave out is more than a bound can say.
            Node::All(_) | Node::Any(_) | Node::Not(_) => {}
        }
    }

    fn field(&mut self, name: &Name, condition: &Condition) {
        match (name.field.name, condition) {
            ("timestamp", Condition::Moment(comparison, span)) => self.moment(*comparison, span.from, span.to),
            ("status_code", Condition::StatusClass(class)) => {
                self.status(i64::from(*class) * 100, i64::from(*class) * 100 + 99)
            }
            ("status_code", Condition::Number(comparison, Number::Whole(code))) => {
                let code = i64::try_from(*code).unwrap_or_default();
                match comparison {
                    Comparison::Equal => self.status(code, code),
                    Comparison::Less | Comparison::LessOrEqual => self.status(0, code),
                    Comparison::Greater | Comparison::GreaterOrEqual => self.status(code, i64::MAX),
                }
            }
            ("duration", Condition::Duration(comparison, micros)) if is_from_below(*comparison) => {
                self.duration = self.duration.max(i64::try_from(*micros).ok());
            }
            ("level", Condition::Level(comparison, level)) if is_from_below(*comparison) && *level > Level::Info => {
                self.level = self.level.max(Some(*level as i64));
            }
            (_, Condition::Text(pattern)) => self.text(name, pattern),
            _ => {}
        }
    }

    fn moment(&mut self, comparison: Comparison, from: u64, to: u64) {
        if is_from_below(comparison) {
            self.since = self.since.max(from);
        }
        if matches!(comparison, Comparison::Equal | Comparison::Less | Comparison::LessOrEqual) {
            self.until = Some(self.until.map_or(to, |until| until.min(to)));
        }
    }

    fn status(&mut self, least: i64, greatest: i64) {
        let (from, to) = self.status.unwrap_or((0, i64::MAX));
        self.status = Some((from.max(least), to.min(greatest)));
    }

    fn text(&mut self, name: &Name, pattern: &Pattern) {
        let ([text], true) = (pattern.pieces(), pattern.is_whole()) else { return };
        match (name.field.name, name.part.as_deref()) {
            ("user_id", None) => self.user = Some(text.clone()),
            ("request_id", None) => self.request = Some(text.clone()),
            _ => {}
        }
        let members = match (name.field.name, name.part.as_deref()) {
            ("route", None) => vec!["view_name".to_owned(), "route".to_owned()],
            ("fields", Some(part)) => vec![part.to_owned()],
            // It is a moment of another kind in lines of others.
            ("timestamp" | "level", _) => return,
            (field, _) => vec![field.to_owned()],
        };
        if !super::value::is_identifier(&text.to_ascii_lowercase()) || name.field.name == "request_id" {
            self.texts.push((members, text.clone()));
        }
    }
}

fn is_from_below(comparison: Comparison) -> bool {
    matches!(comparison, Comparison::Equal | Comparison::Greater | Comparison::GreaterOrEqual)
}

/// Trigrams that are asked for: more of them leave out hardly more rows.
const MAX_TRIGRAMS: usize = 32;

/// The trigrams that a text with a pattern has; none where it is too short for any.
pub(super) fn trigrams(pattern: &Pattern) -> Vec<u16> {
    let mut found: Vec<u16> = pattern.pieces().iter().flat_map(|piece| trigrams::of(piece)).collect();
    found.sort_unstable();
    found.dedup();
    found.truncate(MAX_TRIGRAMS);
    found
}

/// What the engine's own index is asked for a pattern; `None` where it is too short for it.
pub(super) fn of_engine(pattern: &Pattern) -> Option<String> {
    let mut found: Vec<String> = Vec::new();
    for piece in pattern.pieces() {
        let letters: Vec<char> = piece.chars().collect();
        let windows = letters.windows(3).filter(|window| !window.contains(&'\0'));
        found.extend(windows.map(|window| format!("\"{}\"", window.iter().collect::<String>().replace('"', "\"\""))));
    }
    found.dedup();
    found.truncate(MAX_TRIGRAMS);
    (!found.is_empty()).then(|| found.join(" AND "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(filter: &str) -> Plan {
        Plan::new(&Expression::parse(filter).unwrap(), Some(5), None)
    }

    #[test]
    fn terms_that_must_hold_bound_the_rows() {
        let found = plan("status>=500 status<503 duration>1s level>=error user:42 route:shop");
        assert_eq!((found.status, found.duration, found.level), (Some((500, 503)), Some(1_000_000), Some(3)));
        assert_eq!((found.user.as_deref(), found.since, found.until), (Some("42"), 5, None));
        assert_eq!(found.texts[1], (vec!["view_name".to_owned(), "route".to_owned()], "shop".to_owned()));
        assert_eq!(plan("status:4xx").status, Some((400, 499)));
        assert!(plan("user:42").only_user.is_some() && found.only_user.is_none());
        assert!(plan("user:4*").only_user.is_none() && plan("-user:42").only_user.is_none());
        assert!(plan("timestamp<2026-11-22").until.is_some());
    }

    #[test]
    fn what_need_not_hold_bounds_nothing() {
        for filter in ["-status>=500", "(status>=500 OR duration>1s)", "level>=info", "duration<1s", "path:/a*", "-x"] {
            let found = plan(filter);
            assert!(found.status.is_none() && found.duration.is_none() && found.level.is_none(), "{filter}");
            assert!(found.texts.is_empty() && found.words.is_none() && found.since == 5, "{filter}");
        }
    }

    #[test]
    fn quotes_in_words_stay_within_their_trigrams() {
        let words = |filter: &str| of_engine(plan(filter).words.as_ref().unwrap());
        assert_eq!(words("abcd"), Some("\"abc\" AND \"bcd\"".to_owned()));
        assert_eq!(words("a\\\"b*xy"), Some("\"a\"\"b\"".to_owned()));
        assert_eq!(words("ab"), None);
    }
}
