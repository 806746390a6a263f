//! Random expressions on random records: what is printed reads back the same, and the filter, on the record and on its
//! line, says what a slow and clear evaluator says that knows neither its tree nor its records.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::given_tests::{Datum, Given, Map, TEXTS, WORDS, given};
use super::{Expression, Line, Prefilter};
use crate::record::json::{Encoder, splice};
use crate::record::{Body, Head, Level, Outcome, Record, Settings};

/// What is asked, in the test's own words.
#[derive(Debug, Clone)]
enum Ask {
    All(Vec<Ask>),
    Any(Vec<Ask>),
    Not(Box<Ask>),
    Words(Glob),
    Field { name: &'static str, operator: &'static str, values: Vec<Operand> },
}

/// Text with stars.
#[derive(Debug, Clone)]
struct Glob {
    pieces: Vec<String>,
    quoted: bool,
}

/// A value, as it is written and as it is meant.
#[derive(Debug, Clone)]
enum Operand {
    Star,
    Glob(Glob),
    /// Written so, meaning this number: of microseconds, bytes, the level's rank.
    Number(String, f64),
    /// Written so, meaning what lies between.
    Span(String, f64, f64),
    /// An IPv4 network.
    Network([u8; 4], u32),
    Bool(bool),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Word,
    Exact,
    Address,
    Number,
    Status,
    Size,
    Duration,
    Level,
    Moment,
    Bool,
    Any,
    Outcome,
}

/// As it is written, and what it is in the map.
const FIELDS: [(&str, &str, Kind); 47] = {
    use Kind::*;
    [
        ("timestamp", "timestamp", Moment),
        ("level", "level", Level),
        ("event", "event", Word),
        ("message", "message", Text),
        ("request_id", "request_id", Exact),
        ("method", "method", Word),
        ("host", "host", Word),
        ("path", "path", Exact),
        ("query", "query", Exact),
        ("view_name", "view_name", Exact),
        ("view_args", "view_args", Any),
        ("view_kwargs", "view_kwargs", Any),
        ("view_kwargs.pk", "view_kwargs.pk", Any),
        ("view_kwargs.x-y", "view_kwargs.x-y", Any),
        ("route", "route", Exact),
        ("user_id", "user_id", Exact),
        ("user", "user_id", Exact),
        ("ip_address", "ip_address", Address),
        ("ip", "ip_address", Address),
        ("peer_address", "peer_address", Address),
        ("user_agent", "user_agent", Text),
        ("content_length", "content_length", Size),
        ("request_size", "request_size", Size),
        ("status_code", "status_code", Status),
        ("status", "status_code", Status),
        ("response_size", "response_size", Size),
        ("response_content_type", "response_content_type", Word),
        ("duration", "duration", Duration),
        ("timing", "timing", Duration),
        ("timing.wait", "timing.wait", Duration),
        ("server_timing.db", "server_timing.db", Duration),
        ("server_timing", "server_timing", Duration),
        ("outcome", "outcome", Outcome),
        ("upstream", "upstream", Exact),
        ("upstream_address", "upstream_address", Address),
        ("attempts", "attempts", Number),
        ("reused_connection", "reused_connection", Bool),
        ("exception_type", "exception_type", Word),
        ("exception_message", "exception_message", Text),
        ("slow", "slow", Bool),
        ("sample_rate", "sample_rate", Number),
        ("tls.version", "tls.version", Word),
        ("labels.X-Tenant", "labels.X-Tenant", Exact),
        ("reason", "reason", Word),
        ("excerpt", "excerpt", Text),
        ("suppressed", "suppressed", Number),
        ("fields.pk", "fields.pk", Any),
    ]
};

// What is asked, made up.

fn ask() -> impl Strategy<Value = Ask> {
    let leaf = prop_oneof![1 => glob().prop_map(Ask::Words), 5 => field()];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            2 => vec(inner.clone(), 2..4).prop_map(Ask::All),
            2 => vec(inner.clone(), 2..4).prop_map(Ask::Any),
            1 => inner.prop_map(|ask| Ask::Not(Box::new(ask))),
        ]
    })
}

fn field() -> impl Strategy<Value = Ask> {
    prop::sample::select(FIELDS.to_vec()).prop_flat_map(|(name, _, kind)| {
        let equality = prop::sample::select(vec![":", ":", "=", "==", "!="]);
        let equal = (equality, vec(operand(kind), 1..3));
        let equal = equal.prop_map(move |(operator, values)| Ask::Field { name, operator, values });
        let order = prop::sample::select(vec!["<", "<=", ">", ">=", ":<", ":>="]);
        let ordered = (order, ordered(kind));
        let ordered = ordered.prop_map(move |(operator, value)| Ask::Field { name, operator, values: vec![value] });
        let has_order =
            matches!(kind, Kind::Number | Kind::Size | Kind::Duration | Kind::Level | Kind::Moment | Kind::Any);
        if has_order || kind == Kind::Status { prop_oneof![equal, ordered].boxed() } else { equal.boxed() }
    })
}

fn glob() -> impl Strategy<Value = Glob> {
    let known = prop::sample::select(TEXTS.to_vec())
        .prop_filter_map("is text", |text| Some(std::str::from_utf8(text).ok()?.to_owned()));
    let word = prop::sample::select(WORDS.to_vec()).prop_map(str::to_owned);
    let odd = any::<String>().prop_map(|text| text.replace(char::REPLACEMENT_CHARACTER, ""));
    let piece = prop_oneof![4 => known, 4 => word, 3 => "[abAB]{0,3}", 1 => odd];
    let pieces = prop_oneof![2 => vec(piece.clone(), 1), 1 => vec(piece, 2..4)];
    (pieces, any::<bool>())
        .prop_map(|(pieces, quoted)| Glob { quoted: quoted && pieces.len() == 1, pieces })
        .prop_filter("that would be nothing, or a star alone", |glob| !glob.pieces.concat().is_empty())
}

fn operand(kind: Kind) -> BoxedStrategy<Operand> {
    let networks = [("10.0.0.0", [10, 0, 0, 0]), ("10.0.9.9", [10, 0, 9, 9]), ("10.0.0.7", [10, 0, 0, 7])];
    let network = (prop::sample::select(networks.to_vec()), 0u32..=32)
        .prop_map(|((_, address), bits)| Operand::Network(address, bits));
    let outcome = prop::sample::select(Outcome::ALL.to_vec())
        .prop_map(|outcome| Glob { pieces: vec![outcome.as_str().to_uppercase()], quoted: false });
    let class = (1u32..9)
        .prop_map(|class| Operand::Span(format!("{class}xX"), f64::from(class * 100), f64::from(class * 100 + 100)));
    let own = match kind {
        Kind::Text | Kind::Word | Kind::Exact | Kind::Any => glob().prop_map(Operand::Glob).boxed(),
        Kind::Address => network.boxed(),
        Kind::Outcome => outcome.prop_map(Operand::Glob).boxed(),
        Kind::Bool => any::<bool>().prop_map(Operand::Bool).boxed(),
        Kind::Status => prop_oneof![ordered(kind), class].boxed(),
        kind => ordered(kind).boxed(),
    };
    prop_oneof![1 => Just(Operand::Star), 9 => own].boxed()
}

fn ordered(kind: Kind) -> BoxedStrategy<Operand> {
    let plain = |number: f64| Operand::Number(number.to_string(), number);
    let small = prop_oneof![0u64..4, 0u64..3000, Just(1_500_000)];
    match kind {
        Kind::Number | Kind::Any => {
            prop_oneof![small.prop_map(move |n| plain(n as f64)), (0u64..8).prop_map(move |n| plain(n as f64 / 4.0))]
                .boxed()
        }
        Kind::Status => (100u64..600).prop_map(move |n| plain(n as f64)).boxed(),
        Kind::Size => (small, 0..4usize)
            .prop_map(|(n, unit)| {
                let (name, factor) = [("", 1), ("B", 1), ("kb", 1024), ("MiB", 1 << 20)][unit];
                Operand::Number(format!("{n}{name}"), (n * factor) as f64)
            })
            .boxed(),
        Kind::Duration => (small, 0..5usize)
            .prop_map(|(n, unit)| {
                let (written, factor) = [
                    (format!("{n}us"), 1),
                    (format!("{n}ms"), 1_000),
                    (format!("{n}"), 1_000_000),
                    (format!("{n}s"), 1_000_000),
                    (format!("0.{:07}", 2 * n), 0),
                ][unit]
                    .clone();
                // Of seven decimals the last one rounds; an even one is never half way.
                Operand::Number(written, if factor == 0 { (n as f64 / 5.0).round() } else { (n * factor) as f64 })
            })
            .boxed(),
        Kind::Level => {
            (0..5usize).prop_map(|rank| Operand::Number(Level::ALL[rank].as_str().to_lowercase(), rank as f64)).boxed()
        }
        _ => prop::sample::select(vec![
            ("2026-11-22", 1_795_305_600e6, 86_400e6),
            ("2026-11-23", 1_795_392_000e6, 86_400e6),
            ("2026-11-22T11:02", 1_795_345_320e6, 60e6),
            ("2026-11-22T11:02:36Z", 1_795_345_356e6, 1e6),
            ("2026-11-22T13:02:36+02:00", 1_795_345_356e6, 1e6),
        ])
        .prop_map(|(written, from, length)| Operand::Span(written.to_owned(), from, from + length))
        .boxed(),
    }
}

// As it is written.

impl Ask {
    fn write(&self, spacious: bool) -> String {
        let gap = if spacious { "  " } else { " " };
        match self {
            Ask::All(asks) => joined(asks, if spacious { " AND " } else { " " }, spacious),
            Ask::Any(asks) => joined(asks, &format!("{gap}OR{gap}"), spacious),
            Ask::Not(ask) => format!("{}{}", if spacious { "NOT " } else { "-" }, ask.write(spacious)),
            Ask::Words(glob) => glob.write(),
            Ask::Field { name, operator, values } => {
                let operator = if spacious { format!(" {operator} ") } else { (*operator).to_owned() };
                let values: Vec<String> = values.iter().map(Operand::write).collect();
                match values.as_slice() {
                    [value] => format!("{name}{operator}{value}"),
                    values => format!("{name}{operator}({})", values.join(if spacious { " OR " } else { gap })),
                }
            }
        }
    }
}

fn joined(asks: &[Ask], joint: &str, spacious: bool) -> String {
    let written: Vec<String> = asks.iter().map(|ask| ask.write(spacious)).collect();
    format!("({})", written.join(joint))
}

impl Operand {
    fn write(&self) -> String {
        match self {
            Operand::Star => "*".to_owned(),
            Operand::Glob(glob) => glob.write(),
            Operand::Number(written, _) | Operand::Span(written, ..) => written.clone(),
            Operand::Network([a, b, c, d], bits) => format!("{a}.{b}.{c}.{d}/{bits}"),
            Operand::Bool(value) => value.to_string(),
        }
    }
}

impl Glob {
    fn write(&self) -> String {
        if self.quoted {
            return format!("\"{}\"", self.pieces[0].replace('\\', "\\\\").replace('"', "\\\""));
        }
        let escaped = |piece: &String| piece.chars().map(|c| format!("\\{c}")).collect::<String>();
        self.pieces.iter().map(escaped).collect::<Vec<_>>().join("*")
    }

    fn matches(&self, text: &str, whole: bool, folded: bool) -> bool {
        let case = |text: &str| if folded { text.to_ascii_lowercase() } else { text.to_owned() };
        let mut pieces: Vec<Vec<char>> = self.pieces.iter().map(|piece| case(piece).chars().collect()).collect();
        if !whole {
            pieces.insert(0, Vec::new());
            pieces.push(Vec::new());
        }
        let text: Vec<char> = case(text).chars().collect();
        text.starts_with(&pieces[0]) && rest_matches(&text[pieces[0].len()..], &pieces[1..])
    }
}

/// Tries every place for every piece.
fn rest_matches(text: &[char], pieces: &[Vec<char>]) -> bool {
    match pieces {
        [] => text.is_empty(),
        [last] => text.ends_with(last),
        [piece, rest @ ..] => {
            (0..=text.len()).any(|at| text[at..].starts_with(piece) && rest_matches(&text[at + piece.len()..], rest))
        }
    }
}

// As it is meant.

impl Ask {
    fn holds(&self, map: &Map) -> bool {
        match self {
            Ask::All(asks) => asks.iter().all(|ask| ask.holds(map)),
            Ask::Any(asks) => asks.iter().any(|ask| ask.holds(map)),
            Ask::Not(ask) => !ask.holds(map),
            Ask::Words(glob) => ["message", "path", "exception_message", "user_agent"].iter().any(|name| {
                let texts = map.get(*name).into_iter().flatten();
                texts.into_iter().any(|datum| matches!(datum, Datum::Text(text) if glob.matches(text, false, true)))
            }),
            Ask::Field { name, operator, values } => {
                let found = values.iter().any(|value| value_holds(map, name, operator, value));
                found != (*operator == "!=")
            }
        }
    }
}

fn value_holds(map: &Map, name: &str, operator: &str, value: &Operand) -> bool {
    let (_, key, kind) = FIELDS.iter().find(|(written, ..)| *written == name).unwrap();
    let key = if (*key, matches!(value, Operand::Star)) == ("route", true) { "pattern" } else { key };
    let data = map.get(key).into_iter().flatten();
    data.into_iter().any(|datum| datum_holds(datum, *kind, operator.trim_start_matches(':'), value))
}

fn datum_holds(datum: &Datum, kind: Kind, operator: &str, value: &Operand) -> bool {
    let sentence = kind == Kind::Text;
    match (value, datum) {
        (Operand::Star, _) => true,
        (Operand::Glob(glob), Datum::Text(text)) => {
            glob.matches(text, !sentence || !operator.is_empty(), !matches!(kind, Kind::Exact | Kind::Any))
        }
        (Operand::Glob(glob), datum) if kind == Kind::Any && glob.pieces.len() == 1 => match datum {
            Datum::Number(number) => is_decimal(&glob.pieces[0]) && glob.pieces[0].parse() == Ok(*number),
            Datum::Bool(value) => glob.pieces[0] == value.to_string(),
            Datum::Text(_) => false,
        },
        (Operand::Number(written, _), Datum::Text(text)) if kind == Kind::Any && is_equal(operator) => text == written,
        (Operand::Number(_, number), Datum::Number(datum)) => compared(*datum, operator, *number, *number),
        (Operand::Span(_, from, to), Datum::Number(datum)) => compared(*datum, operator, *from, to - 1.0),
        (Operand::Network(address, bits), Datum::Text(text)) => is_within(text, *address, *bits),
        (Operand::Bool(value), Datum::Bool(datum)) => value == datum,
        _ => false,
    }
}

fn is_decimal(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit() || ".-".contains(c))
}

fn is_equal(operator: &str) -> bool {
    matches!(operator, "" | "=" | "==" | "!=")
}

fn compared(datum: f64, operator: &str, first: f64, last: f64) -> bool {
    match operator {
        "<" => datum < first,
        "<=" => datum <= last,
        ">" => datum > last,
        ">=" => datum >= first,
        _ => (first..=last).contains(&datum),
    }
}

fn is_within(text: &str, address: [u8; 4], bits: u32) -> bool {
    let octets: Vec<u8> = text.split(':').next().unwrap().split('.').filter_map(|octet| octet.parse().ok()).collect();
    let [a, b, c, d] = octets[..] else { return false };
    let differ = u32::from_be_bytes([a, b, c, d]) ^ u32::from_be_bytes(address);
    differ.leading_zeros() >= bits
}

fn run<S: Strategy>(cases: u32, strategy: S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config).run(&strategy, test).unwrap_or_else(|error| panic!("{error}"));
}

fn parsed(text: &str) -> Result<Expression, TestCaseError> {
    Expression::parse(text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))
}

#[test]
fn ten_thousand_expressions_read_back_as_they_are_printed() {
    run(10_000, (ask(), any::<bool>()), |(ask, spacious)| {
        let expression = parsed(&ask.write(spacious))?;
        let printed = expression.to_string();
        let again = parsed(&printed)?;
        prop_assert_eq!(&again, &expression, "{}", printed);
        prop_assert_eq!(again.to_string(), printed);
        Ok(())
    });
}

#[test]
fn records_and_their_lines_match_where_the_slow_evaluator_says_so() {
    let matched = std::cell::Cell::new((0, 0));
    run(10_000, (ask(), any::<bool>(), given(), any::<bool>()), |(ask, spacious, given, nulls)| {
        let expression = parsed(&ask.write(spacious))?;
        let expected = ask.holds(&given.map());
        prop_assert_eq!(given.with_record(|record| expression.matches(record)), expected, "{}", expression);
        let line = line(&given, nulls);
        let tree: serde_json::Value = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(expression.matches(&tree), expected, "{} on {}", expression, line);
        prop_assert_eq!(expression.matches(&Line::parse(&line).unwrap()), expected, "{} on {}", expression, line);
        let prefilter = Prefilter::new(&expression);
        prop_assert!(!expected || prefilter.may_match(line.as_bytes()), "{} passes over {}", expression, line);
        // As another tool writes it: everything that can be escaped, or spaced out, is.
        prop_assert!(!expected || prefilter.may_match(&respelt(&tree)), "{} passes over {}", expression, line);
        let (yes, all) = matched.get();
        matched.set((yes + usize::from(expected), all + 1));
        Ok(())
    });
    let (yes, all) = matched.get();
    assert!(yes * 5 > all && yes * 5 < all * 4, "{yes} of {all} matched: the strategies miss");
}

#[test]
fn what_is_foretold_from_the_head_of_a_request_comes_true() {
    let told = std::cell::Cell::new([0; 3]);
    run(10_000, (ask(), given()), |(ask, given)| {
        let expression = parsed(&ask.write(false))?;
        given.with_record(|record| {
            let Body::Request { facts, progress: Some(_) } = record.body else { return Ok(()) };
            let head = Head { timestamp: 0, level: Level::Info, ..record.head };
            let started = Record { head, body: Body::Request { facts, progress: None } };
            let foretold = expression.foretell(&started);
            prop_assert!(foretold.is_none_or(|holds| holds == expression.matches(record)), "{}", expression);
            let mut counts = told.get();
            counts[foretold.map_or(2, usize::from)] += 1;
            told.set(counts);
            Ok(())
        })
    });
    let counts = told.get();
    assert!(counts.iter().all(|count| count * 10 > counts.iter().sum()), "{counts:?}: the strategies miss");
}

/// The same object, with its first letters escaped and white space around everything.
fn respelt(tree: &serde_json::Value) -> Vec<u8> {
    let spaced = serde_json::to_string_pretty(tree).unwrap();
    let escaped = spaced.split('"').map(|piece| match piece.bytes().next() {
        Some(first @ b'a'..=b'c') => format!("\\u{first:04x}{}", &piece[1..]),
        _ => piece.to_owned(),
    });
    let escaped: Vec<String> = escaped.collect();
    let escaped = escaped.join("\"");
    if serde_json::from_str::<serde_json::Value>(&escaped).is_ok() { escaped } else { spaced }.into_bytes()
}

/// The record's line.
fn line(given: &Given, nulls: bool) -> String {
    let (mut out, mut line) = (Vec::new(), Vec::new());
    let mut encoder = Encoder::new("i1", &Settings { nulls, ..Settings::default() });
    let hole = given.with_record(|record| encoder.record(record, &mut out));
    splice(&out, hole, 0, 7, &mut line);
    String::from_utf8(line).unwrap()
}
