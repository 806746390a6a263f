//! What a scrape is answered with: Prometheus's text format 0.0.4, or OpenMetrics 1.0.
//!
//! Both have the same lines but for the names in `HELP` and `TYPE`, where OpenMetrics leaves `_total` off, and its last
//! line. Everything is escaped here: values of labels may hold anything.

use std::fmt::{self, Write as _};

use super::durations::Total;

/// In which words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus's own, version 0.0.4.
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Format {
    /// The media type of an exposition.
    pub const fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What kind of number it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only ever grows; its name is written with `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size.
    Histogram,
}

/// All that is shown at one time.
#[derive(Debug)]
pub struct Exposition {
    format: Format,
    text: String,
}

/// The samples of one name.
pub struct Family<'a> {
    text: &'a mut String,
    name: &'a str,
    suffix: &'static str,
}

/// Names and values of labels.
type Labels<'a> = &'a [(&'a str, &'a str)];

impl Exposition {
    /// Nothing yet.
    pub fn new(format: Format) -> Exposition {
        Exposition { format, text: String::new() }
    }

    /// Begins the samples of a name, which is given without `_total`. Each name is begun once.
    pub fn family<'a>(&'a mut self, name: &'a str, kind: Kind, help: &str) -> Family<'a> {
        let (word, suffix) = match kind {
            Kind::Counter => ("counter", "_total"),
            Kind::Gauge => ("gauge", ""),
            Kind::Histogram => ("histogram", ""),
        };
        let told = if self.format == Format::Text { suffix } else { "" };
        put(&mut self.text, format_args!("# HELP {name}{told} "));
        escape(help, false, &mut self.text);
        put(&mut self.text, format_args!("\n# TYPE {name}{told} {word}\n"));
        Family { text: &mut self.text, name, suffix }
    }

    /// A family of one sample without labels.
    pub fn single(&mut self, name: &str, kind: Kind, help: &str, value: u64) {
        self.family(name, kind, help).sample(&[], value);
    }

    /// The whole text.
    pub fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

impl Family<'_> {
    /// A number.
    pub fn sample(&mut self, labels: Labels<'_>, value: u64) {
        self.line(self.suffix, labels, None, format_args!("{value}"));
    }

    /// A time in microseconds, shown in seconds.
    pub fn seconds(&mut self, labels: Labels<'_>, micros: u64) {
        self.line(self.suffix, labels, None, Seconds(micros));
    }

    /// All lines of a histogram.
    pub fn histogram(&mut self, labels: Labels<'_>, total: &Total) {
        for (bound, count) in total.buckets() {
            self.line("_bucket", labels, Some(("le", bound)), format_args!("{count}"));
        }
        self.line("_sum", labels, None, Seconds(total.sum()));
        self.line("_count", labels, None, format_args!("{}", total.count()));
    }

    fn line(&mut self, suffix: &str, labels: Labels<'_>, more: Option<(&str, &str)>, value: impl fmt::Display) {
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        let mut before = '{';
        for (name, value) in labels.iter().copied().chain(more) {
            put(self.text, format_args!("{before}{name}=\""));
            escape(value, true, self.text);
            self.text.push('"');
            before = ',';
        }
        if before == ',' {
            self.text.push('}');
        }
        put(self.text, format_args!(" {value}\n"));
    }
}

/// Microseconds, written in seconds to the last digit.
struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

fn put(text: &mut String, what: fmt::Arguments<'_>) {
    // A `String` takes everything.
    let _ = text.write_fmt(what);
}

/// Backslashes and line feeds, and in values of labels quotes, are written as two characters.
fn escape(raw: &str, quoted: bool, out: &mut String) {
    for character in raw.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            // Prometheus takes it for the end of the text, and knows no way to write it.
            '\0' => out.push('\u{2400}'),
            '"' if quoted => out.push_str("\\\""),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Durations;
    use super::*;
    use proptest::prelude::*;

    fn text(format: Format) -> String {
        let mut exposition = Exposition::new(format);
        let mut family = exposition.family("a_requests", Kind::Counter, "Requests \\ and\nmore \"so\".");
        family.sample(&[("route", "x\"\\\ny"), ("status", "2xx")], 7);
        exposition.single("a_age_seconds", Kind::Gauge, "Age.", 3);
        exposition.finish()
    }

    #[test]
    fn the_two_formats_differ_in_the_names_of_counters_and_at_the_end() {
        let expected = "# HELP a_requests_total Requests \\\\ and\\nmore \"so\".\n# TYPE a_requests_total counter\n\
                        a_requests_total{route=\"x\\\"\\\\\\ny\",status=\"2xx\"} 7\n# HELP a_age_seconds Age.\n\
                        # TYPE a_age_seconds gauge\na_age_seconds 3\n";
        assert_eq!(text(Format::Text), expected);
        let open = expected.replace("HELP a_requests_total", "HELP a_requests");
        let open = open.replace("TYPE a_requests_total", "TYPE a_requests");
        assert_eq!(text(Format::OpenMetrics), open + "# EOF\n");
    }

    #[test]
    fn histograms_have_their_bounds_sum_and_count() {
        let (durations, mut total) = (Durations::default(), Total::default());
        durations.observe(70_000_001);
        total.add(&durations);
        let mut exposition = Exposition::new(Format::Text);
        exposition.family("t_seconds", Kind::Histogram, "Time.").histogram(&[("route", "r")], &total);
        let text = exposition.finish();
        assert!(text.contains("t_seconds_bucket{route=\"r\",le=\"60.0\"} 0\n"), "{text}");
        let end = "t_seconds_bucket{route=\"r\",le=\"+Inf\"} 1\nt_seconds_sum{route=\"r\"} 70.000001\n\
                   t_seconds_count{route=\"r\"} 1\n";
        assert!(text.ends_with(end), "{text}");
    }

    proptest! {
        /// Read back by the rules of the format, a value is what it was, and a sample is one line.
        #[test]
        fn any_value_of_a_label_comes_back(value in any::<String>()) {
            let mut exposition = Exposition::new(Format::Text);
            exposition.family("a", Kind::Gauge, "").sample(&[("l", &value)], 1);
            let text = exposition.finish();
            let line = text.strip_prefix("# HELP a \n# TYPE a gauge\n").expect("a head");
            let quoted = line.strip_prefix("a{l=\"").and_then(|rest| rest.strip_suffix("\"} 1\n")).expect("a sample");
            prop_assert!(!quoted.contains('\n'));
            let (mut read, mut characters) = (String::new(), quoted.chars());
            while let Some(character) = characters.next() {
                read.push(match (character, character == '\\') {
                    (_, true) => match characters.next() {
                        Some('n') => '\n',
                        other => other.expect("an escaped character"),
                    },
                    (plain, false) => plain,
                });
            }
            prop_assert_eq!(read, value.replace('\0', "\u{2400}"));
        }
    }
}
