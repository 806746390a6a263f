//! A configuration: any bytes give settled settings, or problems that say where and what, and never a panic.

use gatelog::config::{self, Severity};

/// The target. Returns whether it could be settled.
pub fn run(data: &[u8]) -> bool {
    let loaded = config::fuzz(data);
    let errors = loaded.problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    assert_eq!(loaded.config.is_none(), errors > 0, "{:#?}", loaded.problems);
    let lines = data.split(|byte| *byte == b'\n').count();
    for problem in &loaded.problems {
        assert!(!problem.message.is_empty(), "{problem:?}");
        let shown = problem.to_string();
        assert!(!shown.chars().any(|shown| shown.is_control() && shown != '\n'), "{shown:?}");
        let place = &problem.place;
        assert!(place.line.is_none_or(|line| (1..=lines).contains(&line)), "{place:?}");
        assert!(place.column >= 1 && place.length >= 1, "{place:?}");
        assert!(!place.text.contains('\n'), "{place:?}");
    }
    loaded.config.is_some()
}
