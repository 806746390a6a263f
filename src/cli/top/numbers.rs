//! Numbers as people read them, and what is made of counters.

use serde_json::Value as Json;

use super::sample::Counts;

/// Those of several routes.
pub(super) fn sum<'c>(counts: impl Iterator<Item = &'c Counts>) -> Counts {
    counts.fold(Counts::default(), |mut sum, counts| {
        sum.add(counts);
        sum
    })
}

/// Microseconds of seconds.
pub(super) fn micros(seconds: &Json) -> Option<u64> {
    seconds.as_f64().map(|seconds| (seconds * 1e6).round() as u64)
}

/// To two or three digits.
pub(super) fn rate(each_second: f64) -> String {
    if each_second > 0.0 && each_second < 9.95 { format!("{each_second:.1}") } else { format!("{each_second:.0}") }
}

/// Bytes in steps of 1024.
pub(super) fn size(bytes: f64) -> String {
    match bytes {
        ..1024.0 => format!("{bytes:.0} B"),
        ..1_048_576.0 => format!("{:.1} KB", bytes / 1024.0),
        ..1_073_741_824.0 => format!("{:.1} MB", bytes / 1_048_576.0),
        _ => format!("{:.1} GB", bytes / 1_073_741_824.0),
    }
}

/// The two greatest units of a time.
pub(super) fn uptime(seconds: u64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_exact_as_the_eye_takes_in() {
        assert_eq!([0.0, 0.04, 9.94, 9.96, 1204.4].map(rate), ["0", "0.0", "9.9", "10", "1204"]);
        assert_eq!([1023.0, 1024.0, 1_572_864.0, 3.2e9].map(size), ["1023 B", "1.0 KB", "1.5 MB", "3.0 GB"]);
        assert_eq!([59, 60, 3_720, 90_000].map(uptime), ["59s", "1m00s", "1h02m", "1d01h"]);
    }
}
