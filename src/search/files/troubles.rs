//! What could not be read, each with its file and line: the first ones by name, the rest by number.

use super::judge::Fault;

/// So many are named.
const NAMED: usize = 20;

/// Lines that are no records, and logs that end in an error.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    lines: Vec<(usize, u64, Fault)>,
    more: u64,
    failures: Vec<(usize, String)>,
}

impl Troubles {
    /// A line of a log is no record.
    pub(super) fn line(&mut self, log: usize, line: u64, fault: Fault) {
        self.lines.push((log, line, fault));
        if self.lines.len() > 2 * NAMED {
            self.forget();
        }
    }

    /// A log cannot be read on.
    pub(super) fn failure(&mut self, log: usize, what: String) {
        self.failures.push((log, what));
    }

    /// Those of another part of the logs.
    pub(super) fn take(&mut self, other: Troubles) {
        self.lines.extend(other.lines);
        self.more += other.more;
        self.failures.extend(other.failures);
        self.forget();
    }

    /// Whether a log could not be read whole.
    pub(super) fn has_failures(&self) -> bool {
        !self.failures.is_empty()
    }

    /// All of them, by log and line.
    pub(super) fn tell(mut self, name: impl Fn(usize) -> String) -> Vec<String> {
        self.forget();
        self.failures.sort();
        let failures = self.failures.iter().map(|(log, what)| format!("{}: {what}", name(*log)));
        let lines = self.lines.iter().map(|(log, line, fault)| format!("{}:{line}: {fault}", name(*log)));
        let more = (self.more > 0).then(|| format!("and {} more lines that are no records", self.more));
        failures.chain(lines).chain(more).collect()
    }

    fn forget(&mut self) {
        self.lines.sort();
        self.more += self.lines.len().saturating_sub(NAMED) as u64;
        self.lines.truncate(NAMED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_named_and_the_rest_are_counted_in_whatever_order_they_come() {
        let mut troubles = Troubles::default();
        for line in (1..=100).rev() {
            let mut other = Troubles::default();
            other.line(1, line, Fault::Torn);
            troubles.take(other);
        }
        troubles.line(0, 7, Fault::TooLong);
        troubles.failure(2, "is gone".to_owned());
        let told = troubles.tell(|log| format!("log{log}"));
        assert_eq!(told.len(), 22);
        assert_eq!(
            told[..3],
            [
                "log2: is gone",
                "log0:7: longer than 1048576 bytes",
                "log1:1: left unfinished by a process that was killed"
            ]
        );
        assert_eq!(told[21], "and 81 more lines that are no records");
    }
}
