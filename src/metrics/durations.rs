//! A histogram of durations: classic buckets, the same everywhere.
//!
//! Native histograms would need the protobuf exposition, and a map per series on the way of every request.

use super::Counter;

/// Upper bounds in microseconds, each belonging to its bucket, as they are written. From what a cache answers to what a
/// client waits for at most: a proxy has its own milliseconds below those that applications are measured in.
const BOUNDS: [(u64, &str); 15] = [
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1.0"),
    (2_500_000, "2.5"),
    (5_000_000, "5.0"),
    (10_000_000, "10.0"),
    (30_000_000, "30.0"),
    (60_000_000, "60.0"),
];

/// The bounds, and one bucket for what is longer.
const BUCKETS: usize = BOUNDS.len() + 1;

/// Durations as one thread has counted them.
#[derive(Debug, Default)]
pub struct Durations {
    counts: [Counter; BUCKETS],
    sum: Counter,
}

impl Durations {
    /// Counts one, in microseconds. For its writer only.
    pub fn observe(&self, micros: u64) {
        let at = BOUNDS.partition_point(|(bound, _)| *bound < micros);
        self.counts[at].add(1);
        self.sum.add(micros);
    }

    /// Takes over those of a thread that counts no more. For its writer only.
    pub fn absorb(&self, ended: &Durations) {
        self.counts.iter().zip(&ended.counts).for_each(|(count, more)| count.add(more.get()));
        self.sum.add(ended.sum.get());
    }
}

/// The durations of several threads together.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Total {
    counts: [u64; BUCKETS],
    /// Microseconds.
    sum: u64,
}

impl Total {
    /// Adds those of a thread.
    pub fn add(&mut self, durations: &Durations) {
        for (total, count) in self.counts.iter_mut().zip(&durations.counts) {
            *total += count.get();
        }
        self.sum = self.sum.wrapping_add(durations.sum.get());
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Their sum in microseconds.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// Each bucket by its bound, with all that is not longer.
    pub fn buckets(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let bounds = BOUNDS.iter().map(|(_, text)| *text).chain(["+Inf"]);
        let counts = self.counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        bounds.zip(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket_and_buckets_add_up() {
        let durations = Durations::default();
        [0, 1_000, 1_001, 60_000_000, 60_000_001].into_iter().for_each(|micros| durations.observe(micros));
        let mut total = Total::default();
        total.add(&durations);
        total.add(&durations);
        let buckets: Vec<_> = total.buckets().collect();
        assert_eq!((buckets[0], buckets[1]), (("0.001", 4), ("0.0025", 6)));
        assert_eq!((buckets[14], buckets[15]), (("60.0", 8), ("+Inf", 10)));
        assert_eq!((total.count(), total.sum()), (10, 2 * 120_002_002));
    }

    #[test]
    fn bounds_are_written_as_what_they_are() {
        for (micros, text) in BOUNDS {
            assert_eq!(text.parse::<f64>().map(|seconds| (seconds * 1e6).round() as u64), Ok(micros));
        }
        assert!(BOUNDS.is_sorted());
    }
}
