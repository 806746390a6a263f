//! When a record was written, whatever its schema.

use crate::filter::Line;
use crate::record;

/// The moment as a JSON string of RFC 3339; of Elastic's schema, which has it as `@timestamp`, none. OpenTelemetry counts
/// nanoseconds.
pub(super) fn of(members: &Line<'_>) -> Option<String> {
    let nanoseconds = || members.text("Timestamp")?.parse::<u64>().ok();
    let timestamp = members.raw("timestamp").map(str::to_owned);
    timestamp.or_else(|| Some(format!("\"{}\"", record::timestamp(nanoseconds()? / 1000))))
}
