//! A segment of the spool: whatever the bytes, every one is a record's or counted as damage, and a whole frame behind them
//! is found.

use gatelog::sinks::spool;

/// Bytes of a frame beside its record.
const HEADER: usize = 20;
/// The record that stands behind the bytes.
const LAST: &[u8] = b"{\"event\":\"last\"}\n";

/// The target. Returns how many records the bytes themselves hold.
pub fn run(data: &[u8]) -> usize {
    let (records, damage) = spool::fuzz(data, LAST);
    assert_eq!(records.last().map(Vec::as_slice), Some(LAST));
    let framed: usize = records.iter().map(|record| HEADER + record.len()).sum();
    assert_eq!(framed + damage, data.len() + HEADER + LAST.len());
    records.len() - 1
}
