//! A row of the store: whatever its bytes, reading it ends, and what comes out is a record, or nothing does.

use gatelog::filter::Expression;
use gatelog::store;
use serde_json::Value;

/// One that asks for each kind of member.
const FILTER: &str = "status>=500 duration>1ms user:a* ip:10.0.0.0/8 -path:/health* view_kwargs.pk:7 \"locked\"";

/// The target. Returns how many records the row holds.
pub fn run(data: &[u8]) -> usize {
    let filter = Expression::parse(FILTER).expect("it is a filter");
    let lines = store::fuzz(data, &filter);
    for line in &lines {
        let record: Value = serde_json::from_str(line).expect("a line is JSON");
        assert!(record.is_object() && !line.contains('\n'), "{line}");
    }
    lines.len()
}
