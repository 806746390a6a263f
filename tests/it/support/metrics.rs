//! The admin listener as a client of it sees it, and its exposition read by the rules of the format.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use serde_json::Value;

use super::wire::Message;
use super::{Client, DEADLINE};

/// One request to the admin listener on a connection of its own; `more` are whole header lines, each with its CRLF.
pub(crate) fn ask(addr: SocketAddr, method: &'static str, target: &str, more: &str) -> Message {
    let mut client = Client::connect(addr);
    client.send(format!("{method} {target} HTTP/1.1\r\nHost: {addr}\r\n{more}\r\n"));
    client.answer_to(method).whole()
}

/// Asks again until there is an answer that will do.
pub(crate) fn eventually<T>(what: &str, ask: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what} does not come");
    }
}

/// The JSON of an answer.
pub(crate) fn json(answer: &Message) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

/// One sample: its name, its labels, its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// What a scrape has given.
#[derive(Debug)]
pub(crate) struct Samples(pub(crate) Vec<Sample>);

impl Samples {
    /// Scrapes.
    pub(crate) fn of(addr: SocketAddr) -> Samples {
        let answer = ask(addr, "GET", "/metrics", "");
        assert_eq!((answer.status(), answer.header("content-type")), (200, Some(TEXT)));
        Samples::read(&answer.text())
    }

    /// Scrapes until it shows what it should: what is counted may be counted a moment after it is seen.
    pub(crate) fn once(addr: SocketAddr, what: &str, shown: impl Fn(&Samples) -> bool) -> Samples {
        eventually(what, || Some(Samples::of(addr)).filter(&shown))
    }

    /// Reads an exposition; panics where it is malformed, or a series is there twice.
    pub(crate) fn read(text: &str) -> Samples {
        let mut samples: Vec<Sample> = Vec::new();
        let mut family = String::new();
        for line in text.strip_suffix('\n').unwrap().split('\n') {
            if let Some(told) = line.strip_prefix("# TYPE ") {
                family = told.split(' ').next().unwrap().to_owned();
                let untyped = |sample: &Sample| !sample.name.starts_with(&family);
                assert!(samples.iter().all(untyped), "{family} is there twice");
            }
            if line.starts_with('#') {
                continue;
            }
            let sample = sample(line);
            assert!(sample.name.starts_with(&family), "{line} is not of {family}");
            let same = |other: &Sample| (&other.name, &other.labels) == (&sample.name, &sample.labels);
            assert!(!samples.iter().any(same), "{line} is there twice");
            samples.push(sample);
        }
        Samples(samples)
    }

    /// The value of one series; 0 where there is none.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |sample: &&Sample| {
            sample.name == name
                && sample.labels.len() == labels.len()
                && labels.iter().all(|(name, value)| sample.labels.get(*name).is_some_and(|it| it == value))
        };
        self.0.iter().find(fits).map_or(0.0, |sample| sample.value)
    }

    /// All series of a name.
    pub(crate) fn named(&self, name: &str) -> Vec<&Sample> {
        self.0.iter().filter(|sample| sample.name == name).collect()
    }
}

/// The content type of the text format.
pub(crate) const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, pairs(labels.strip_suffix('}').unwrap())),
        None => (series, BTreeMap::new()),
    };
    assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{line}");
    Sample { name: name.to_owned(), labels, value: value.parse().unwrap() }
}

/// `a="b",c="d\"e"`.
fn pairs(text: &str) -> BTreeMap<String, String> {
    let mut pairs = BTreeMap::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").unwrap();
        let (mut value, mut characters) = (String::new(), after.char_indices());
        let end = loop {
            match characters.next().unwrap() {
                (at, '"') => break at,
                (_, '\\') => value.push(match characters.next().unwrap().1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, other) => value.push(other),
            }
        };
        assert!(pairs.insert(name.to_owned(), value).is_none(), "{name} is there twice in {text}");
        rest = &after[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    pairs
}
