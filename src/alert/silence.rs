//! Quiet for a rule, for a while: somebody knows already.

use serde::{Deserialize, Serialize};

/// Silences that are kept.
pub const MOST: usize = 100;
/// Characters of who wants quiet, and why.
pub const LONGEST: usize = 200;

/// Quiet for a rule until a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// The rule's name, or `*` for all.
    pub rule: String,
    /// Microseconds since the Unix epoch.
    pub until: u64,
    /// What for, if that was said.
    pub comment: Option<String>,
}

/// All that are in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Silences(Vec<Silence>);

impl Silences {
    /// Adds one, in place of another one for the same rule; the one that ends first makes room where there is none. One that
    /// has ended already ends the other.
    pub fn add(&mut self, silence: Silence, now: u64) {
        self.0.retain(|known| known.rule != silence.rule && known.until > now);
        if silence.until > now {
            if self.0.len() >= MOST
                && let Some(first) = (0..self.0.len()).min_by_key(|at| self.0[*at].until)
            {
                self.0.swap_remove(first);
            }
            self.0.push(silence);
        }
    }

    /// Whether a rule is to be quiet now.
    pub fn hold(&self, rule: &str, now: u64) -> bool {
        self.0.iter().any(|silence| silence.until > now && (silence.rule == rule || silence.rule == "*"))
    }

    /// Those that are in force now.
    pub fn all(&self, now: u64) -> impl Iterator<Item = &Silence> {
        self.0.iter().filter(move |silence| silence.until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silence(rule: &str, until: u64) -> Silence {
        Silence { rule: rule.into(), until, comment: None }
    }

    #[test]
    fn a_rule_or_all_are_quiet_until_the_end() {
        let mut silences = Silences::default();
        silences.add(silence("errors", 100), 0);
        silences.add(silence("*", 50), 0);
        let quiet = |rule, now| silences.hold(rule, now);
        assert_eq!(
            [quiet("errors", 99), quiet("errors", 100), quiet("slow", 49), quiet("slow", 50)],
            [true, false, true, false]
        );
        silences.add(silence("errors", 10), 20);
        assert!(!silences.hold("errors", 60), "one that has ended ends the other");
    }

    #[test]
    fn there_are_not_too_many() {
        let mut silences = Silences::default();
        (0..=MOST as u64).for_each(|at| silences.add(silence(&at.to_string(), 1000 - at), 0));
        assert_eq!(silences.all(0).count(), MOST);
        assert!(silences.hold("0", 0) && !silences.hold("99", 0) && silences.hold("100", 0));
    }
}
