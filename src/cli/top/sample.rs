//! Counters at a moment, as `/metrics` shows them, and what two moments make of them.

use std::collections::BTreeMap;
use std::time::Instant;

/// Names and values.
type Labels<'a> = Vec<(&'a str, String)>;

/// Classes of status, by their first digit; 0 is none.
const CLASSES: usize = 6;

/// The counters at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    /// When they were read.
    pub(super) at: Instant,
    /// When the process was started, in seconds since the Unix epoch: another one counts anew.
    pub(super) started: f64,
    /// Seconds of all threads.
    pub(super) cpu: f64,
    /// Requests that run.
    pub(super) in_flight: u64,
    /// Records that outputs had to drop.
    pub(super) dropped: u64,
    /// Bytes of requests' and of answers' bodies.
    pub(super) bytes: [u64; 2],
    /// By the names of routes.
    pub(super) routes: BTreeMap<String, Counts>,
}

/// Requests that are over.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Counts {
    /// By class of status.
    pub(super) classes: [u64; CLASSES],
    /// How many took no longer than each bound, in seconds; the last one is infinite.
    pub(super) buckets: Vec<(f64, u64)>,
    /// Seconds of all of them.
    pub(super) seconds: f64,
}

impl Sample {
    /// From the text of an exposition (Prometheus 0.0.4). What is in it beside is passed over.
    pub(super) fn read(text: &str, at: Instant) -> Sample {
        let mut sample =
            Sample { at, started: 0.0, cpu: 0.0, in_flight: 0, dropped: 0, bytes: [0; 2], routes: BTreeMap::new() };
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some((name, labels, value)) = series(line) {
                sample.take(name, &labels, value);
            }
        }
        sample
    }

    fn take(&mut self, name: &str, labels: &Labels<'_>, value: f64) {
        let label = |name: &str| labels.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
        match name {
            "process_start_time_seconds" => self.started = value,
            "process_cpu_seconds_total" => self.cpu = value,
            "gatelog_requests_in_flight" => self.in_flight = value as u64,
            "gatelog_log_records_dropped_total" => self.dropped += value as u64,
            "gatelog_request_body_bytes_total" => self.bytes[0] += value as u64,
            "gatelog_response_body_bytes_total" => self.bytes[1] += value as u64,
            _ => {
                let Some(route) = label("route").filter(|_| name.starts_with("gatelog_request")) else { return };
                let counts = self.routes.entry(route.to_owned()).or_default();
                match name {
                    "gatelog_requests_total" => counts.classes[class(label("status"))] += value as u64,
                    "gatelog_request_duration_seconds_sum" => counts.seconds = value,
                    "gatelog_request_duration_seconds_bucket" => {
                        let bound = label("le").and_then(|bound| bound.parse().ok()).unwrap_or(f64::INFINITY);
                        counts.buckets.push((bound, value as u64));
                    }
                    _ => {}
                }
            }
        }
    }

    /// What was counted since another moment of the same process, and in how many seconds.
    pub(super) fn since(&self, before: &Sample) -> (BTreeMap<&str, Counts>, f64) {
        let seconds = self.at.saturating_duration_since(before.at).as_secs_f64().max(1e-3);
        let none = Counts::default();
        let counted = |(name, counts): (&String, &Counts)| counts.since(before.routes.get(name).unwrap_or(&none));
        (self.routes.iter().map(|route| (route.0.as_str(), counted(route))).collect(), seconds)
    }
}

impl Counts {
    fn since(&self, before: &Counts) -> Counts {
        let classes = std::array::from_fn(|class| self.classes[class].saturating_sub(before.classes[class]));
        let of = |bound: f64| before.buckets.iter().find(|(known, _)| *known == bound).map_or(0, |(_, count)| *count);
        let buckets = self.buckets.iter().map(|(bound, count)| (*bound, count.saturating_sub(of(*bound)))).collect();
        Counts { classes, buckets, seconds: (self.seconds - before.seconds).max(0.0) }
    }

    /// Adds those of another route.
    pub(super) fn add(&mut self, more: &Counts) {
        self.classes.iter_mut().zip(more.classes).for_each(|(count, more)| *count += more);
        if self.buckets.is_empty() {
            self.buckets.clone_from(&more.buckets);
        } else {
            self.buckets.iter_mut().zip(&more.buckets).for_each(|((_, count), (_, more))| *count += more);
        }
        self.seconds += more.seconds;
    }

    /// All of them.
    pub(super) fn requests(&self) -> u64 {
        self.classes.iter().sum()
    }

    /// Microseconds that so great a share took at most, as near as its bucket is wide: taken to be spread evenly in it.
    pub(super) fn quantile(&self, share: f64) -> Option<u64> {
        let all = self.buckets.last().filter(|(_, count)| *count > 0)?.1;
        let rank = (share * all as f64).max(1.0);
        let mut below = (0.0, 0);
        for (bound, count) in &self.buckets {
            if *count as f64 >= rank {
                let width = if bound.is_finite() { bound - below.0 } else { 0.0 };
                let part = (rank - below.1 as f64) / (count - below.1).max(1) as f64;
                return Some(((below.0 + width * part) * 1e6) as u64);
            }
            below = (*bound, *count);
        }
        None
    }

    /// Microseconds on average.
    pub(super) fn mean(&self) -> Option<u64> {
        let all = self.buckets.last().filter(|(_, count)| *count > 0)?.1;
        Some((self.seconds / all as f64 * 1e6) as u64)
    }
}

/// `5xx`, `none`.
fn class(status: Option<&str>) -> usize {
    let digit =
        status.and_then(|status| status.bytes().next()).map_or(0, |digit| usize::from(digit.wrapping_sub(b'0')));
    if digit < CLASSES { digit } else { 0 }
}

/// A name, its labels, and its value.
fn series(line: &str) -> Option<(&str, Labels<'_>, f64)> {
    let Some((name, mut rest)) = line.split_once('{') else {
        let (name, value) = line.split_once(' ')?;
        return Some((name, Vec::new(), value.trim().parse().ok()?));
    };
    let mut labels = Vec::new();
    while let Some((label, value)) = rest.split_once("=\"") {
        let (value, after) = quoted(value)?;
        labels.push((label, value));
        rest = after.strip_prefix(',').unwrap_or(after);
        if let Some(value) = rest.strip_prefix('}') {
            return Some((name, labels, value.trim().parse().ok()?));
        }
    }
    None
}

/// A value up to its quote, and what comes behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match letters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const TEXT: &str = r#"# HELP gatelog_requests Requests that are over.
# TYPE gatelog_requests counter
gatelog_requests_total{route="a\"b\\",method="GET",status="2xx",outcome="success"} 90
gatelog_requests_total{route="a\"b\\",method="GET",status="5xx",outcome="server_error"} 10
gatelog_request_duration_seconds_bucket{route="a\"b\\",le="0.001"} 50
gatelog_request_duration_seconds_bucket{route="a\"b\\",le="0.01"} 90
gatelog_request_duration_seconds_bucket{route="a\"b\\",le="+Inf"} 100
gatelog_request_duration_seconds_sum{route="a\"b\\"} 2.5
gatelog_request_duration_seconds_count{route="a\"b\\"} 100
gatelog_requests_in_flight 7
gatelog_log_records_dropped_total{output="a",reason="queue_full"} 2
gatelog_log_records_dropped_total{output="b",reason="queue_full"} 3
gatelog_request_body_bytes_total{route="x"} 5
gatelog_response_body_bytes_total{route="x"} 6
process_start_time_seconds 1.5
process_cpu_seconds_total 0.25
nonsense
"#;

    #[test]
    fn an_exposition_is_read_as_far_as_it_matters() {
        let sample = Sample::read(TEXT, Instant::now());
        let counts = &sample.routes["a\"b\\"];
        assert_eq!((counts.classes, counts.requests()), ([0, 0, 90, 0, 0, 10], 100));
        assert_eq!((sample.in_flight, sample.dropped, sample.bytes), (7, 5, [5, 6]));
        assert_eq!((sample.started, sample.cpu), (1.5, 0.25));
        assert_eq!(counts.mean(), Some(25_000));
        assert_eq!(
            [0.5, 0.7, 0.9, 0.99].map(|share| counts.quantile(share)),
            [Some(1_000), Some(5_500), Some(10_000), Some(10_000)]
        );
        assert_eq!((Counts::default().quantile(0.5), Counts::default().mean()), (None, None));
    }

    #[test]
    fn two_moments_make_a_difference() {
        let now = Instant::now();
        let before = Sample::read(TEXT, now);
        let later = TEXT.replace("} 90", "} 95").replace("} 100", "} 105").replace(" 2.5", " 2.6");
        let later = Sample::read(&later, now + Duration::from_secs(2));
        let (routes, seconds) = later.since(&before);
        let counts = &routes["a\"b\\"];
        assert_eq!((counts.requests(), seconds), (5, 2.0));
        // Those of the last two buckets have grown by five, which were all slower than a millisecond.
        assert_eq!(counts.buckets, [(0.001, 0), (0.01, 5), (f64::INFINITY, 5)]);
        assert!(counts.quantile(0.5).is_some_and(|half| (1_000..10_000).contains(&half)));
    }
}
