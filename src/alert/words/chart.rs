//! The course of what was counted, small: a line of text, or the heights of bars.

/// From a little to the most there was; a place where there was nothing is the first.
const BARS: [char; 9] = ['▁', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Parts that are shown: the newest.
const MOST: usize = 60;

/// `▁▂▁█`: the highest is as high as it goes; `None` where there is nothing to see.
pub(super) fn sparkline(counts: &[u64]) -> Option<String> {
    let bars = heights(counts, BARS.len() - 1);
    (!bars.is_empty()).then(|| bars.into_iter().map(|height| BARS[height]).collect())
}

/// The height of each bar, of which the highest is `full`; one that is not empty is at least 1. None where all are empty.
pub(super) fn heights(counts: &[u64], full: usize) -> Vec<usize> {
    let counts = newest(counts);
    let most = most(counts);
    if most == 0 {
        return Vec::new();
    }
    let height = |count: u64| (u128::from(count) * full as u128).div_ceil(u128::from(most));
    counts.iter().map(|count| usize::try_from(height(*count)).unwrap_or(full)).collect()
}

/// The highest of those that are shown.
pub(super) fn most(counts: &[u64]) -> u64 {
    newest(counts).iter().copied().max().unwrap_or(0)
}

fn newest(counts: &[u64]) -> &[u64] {
    &counts[counts.len().saturating_sub(MOST)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_is_full_and_what_is_there_is_seen() {
        assert_eq!(sparkline(&[0, 1, 400, 800]).as_deref(), Some("▁▁▄█"));
        assert_eq!(heights(&[0, 1, 400, 800], 40), [0, 1, 20, 40]);
        assert_eq!(heights(&[u64::MAX, 1], 40), [40, 1]);
    }

    #[test]
    fn where_nothing_was_there_is_nothing_to_see() {
        assert_eq!((sparkline(&[]), sparkline(&[0, 0])), (None, None));
    }

    #[test]
    fn only_the_newest_are_shown() {
        let counts: Vec<u64> = (1..=100).collect();
        assert_eq!(sparkline(&counts).map(|line| line.chars().count()), Some(MOST));
    }
}
