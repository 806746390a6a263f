//! Random lines and random questions: what comes out is what went in, and a store says what a naive look at all lines says.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value as Json, json};

use super::*;
use crate::filter::Expression;
use crate::record::timestamp;

pub(super) const NOW: u64 = 1_795_345_356_000_000;

pub(super) fn small(path: &Path) -> Settings {
    Settings { batch_lines: 50, seal_lines: 120, age: None, size: None, ..Settings::new(path) }
}

/// Texts that are hard on something.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["shop", "Shop", "/posts/42/", "/admin", "curl/8.0", "connection reset", "a", "42", ""])
            .prop_map(str::to_owned),
        1 => any::<String>(),
        1 => "[\\x00-\\x1f\"\\\\a-c%_']{0,6}",
        1 => "[0-9a-f]{16}",
        1 => Just("00f067aa-0ba9-02b7-8000-00f067aa0ba9".to_owned()),
        1 => "[a-z]{600}",
    ]
}

fn value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        6 => text().prop_map(Json::String),
        1 => Just(Json::Null),
        1 => any::<bool>().prop_map(Json::Bool),
        1 => any::<i64>().prop_map(|number| json!(number)),
        1 => prop_oneof![Just(0.05321), Just(1e300), Just(-0.5), Just(500.0)].prop_map(|number: f64| json!(number)),
        1 => (0u64..2000).prop_map(|number| json!(number)),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Json::Array),
            vec((text(), inner), 0..3).prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

/// A line as its members, in any order, of which the moment is one.
fn odd_line() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        5 => prop::sample::select(vec![
            "level", "event", "message", "path", "route", "view_name", "user_id", "request_id", "status_code", "duration",
            "timing", "labels", "exception_message", "user_agent", "mine", "schema",
        ]).prop_map(str::to_owned),
        1 => text(),
    ];
    (0u64..30, vec((name, value()), 0..8), 0usize..4).prop_map(|(at, members, place)| {
        let mut map: Vec<(String, Json)> = members.into_iter().filter(|(name, _)| name != "timestamp").collect();
        map.insert(place.min(map.len()), ("timestamp".to_owned(), json!(timestamp(NOW + at * 1_000_000))));
        serde_json::to_string(&map.into_iter().collect::<Map<_, _>>()).unwrap()
    })
}

/// What a request says: most of the time of one that began and ended.
fn request_lines() -> impl Strategy<Value = Vec<String>> {
    let known = prop::sample::select(vec!["shop", "cart", "/posts/{pk}/"]);
    let user = prop::option::of(prop::sample::select(vec!["42", "alice", "é"]));
    (0u64..30, 0u64..3_000_000, 0u32..40, prop::sample::select(vec![200u16, 404, 500, 503]), known, user, 0u8..4, any::<u16>())
        .prop_map(|(at, micros, id, status, route, user, kind, seq)| {
            let at = NOW + at * 1_000_000;
            let head = |at: u64, level: &str, event: &str, message: &str| {
                format!(
                    "{{\"timestamp\":\"{}\",\"level\":\"{level}\",\"event\":\"{event}\",\"message\":\"{message}\",\"schema\":1,\"seq\":{seq},\
                     \"request_id\":\"00000000-0000-4000-8000-0000000000{id:02}\",\"path\":\"/posts/{id}/\",\"view_name\":\"{route}\",\
                     \"view_kwargs\":{{\"pk\":{id}}}{}",
                    timestamp(at),
                    user.map(|user| format!(",\"user_id\":\"{user}\"")).unwrap_or_default()
                )
            };
            let started = head(at, "INFO", "request_started", "Request started") + ",\"in_flight\":true}";
            let level = if status >= 500 { "ERROR" } else { "INFO" };
            let completed = head(at + micros, level, "request_completed", "Request completed")
                + &format!(
                    ",\"status_code\":{status},\"duration\":{}.{:06},\"timing\":{{\"wait\":0.000100}},\"slow\":false}}",
                    micros / 1_000_000,
                    micros % 1_000_000
                );
            match kind {
                0 => vec![completed],
                1 => vec![started],
                _ => vec![started, completed],
            }
        })
}

pub(super) fn lines() -> impl Strategy<Value = Vec<String>> {
    let odd = odd_line().prop_map(|line| vec![line]);
    vec(prop_oneof![2 => request_lines(), 1 => odd], 0..120).prop_map(|lines| lines.concat())
}

pub(super) fn filter() -> impl Strategy<Value = String> {
    let term = prop::sample::select(vec![
        "",
        "status>=500",
        "status:404",
        "status<500",
        "status:5xx",
        "duration>=1s",
        "duration>200ms",
        "level>=warning",
        "level:error",
        "level:info",
        "user:42",
        "user:alice",
        "route:shop",
        "route:\"/posts/{pk}/\"",
        "route:*",
        "path:/posts/7/",
        "path:/posts/*",
        "event:request_started",
        "event:request_completed",
        "message:\"request\"",
        "posts",
        "00f067aa",
        "\"connection reset\"",
        "curl",
        "\"Request started\"",
        "ab",
        "view_kwargs.pk:7",
        "labels:shop",
        "timing.wait>0",
        "request_id:00000000-0000-4000-8000-000000000007",
        "fields.mine:42",
        "fields.mine:Shop",
        "in_flight:true",
        "seq>30000",
        "timestamp>2026-11-22T11:02:40",
        "timestamp:2026-11-22T11:02:50",
        "user_agent:shop",
        "path:shop",
        "/posts/1",
        "request_id:shop",
        "exception_message:a",
        "schema:1",
        "method:get",
        "schema>=2",
        "view_name:42",
    ]);
    vec((any::<bool>(), term), 1..4).prop_map(|terms| {
        let terms: Vec<String> = terms
            .into_iter()
            .filter(|(_, term)| !term.is_empty())
            .map(|(plain, term)| if plain { term.to_owned() } else { format!("(-{term} OR status:503)") })
            .collect();
        terms.join(" ")
    })
}

/// The lines as the naive look has them: parsed, with their moments, in the order of their coming.
pub(super) fn model(lines: &[String]) -> Vec<(u64, Map<String, Json>)> {
    let parsed = lines.iter().filter_map(|line| serde_json::from_str::<Map<String, Json>>(line).ok());
    let moment =
        |map: &Map<String, Json>| crate::filter::Span::parse(map.get("timestamp")?.as_str()?).map(|span| span.from);
    parsed.filter_map(|map| Some((moment(&map)?, map))).collect()
}

fn expected(model: &[(u64, Map<String, Json>)], question: &Question) -> (Vec<String>, u64) {
    let mut found: Vec<(u64, usize, &Map<String, Json>)> = model
        .iter()
        .enumerate()
        .filter(|(_, (at, _))| {
            question.since.is_none_or(|since| *at >= since) && question.until.is_none_or(|until| *at < until)
        })
        .filter(|(_, (_, map))| question.filter.matches(map))
        .map(|(place, (at, map))| (*at, place, map))
        .collect();
    found.sort_by_key(|(at, place, _)| (*at, *place));
    if question.order == Order::Newest {
        found.reverse();
    }
    let page = found.iter().skip(question.skip).take(question.limit);
    (page.map(|(_, _, map)| serde_json::to_string(map).unwrap()).collect(), found.len() as u64)
}

fn normal(page: &Page) -> Vec<String> {
    let map = |line: &Line| serde_json::from_str::<Map<String, Json>>(&line.json).unwrap();
    page.lines.iter().map(|line| serde_json::to_string(&map(line)).unwrap()).collect()
}

fn check(reader: &Reader, model: &[(u64, Map<String, Json>)], question: &Question) {
    let page = reader.search(question, &|| false).unwrap();
    let (lines, total) = expected(model, question);
    assert_eq!(page.troubles, Vec::<String>::new());
    assert_eq!(normal(&page), lines, "{question:?}");
    let total = if total > question.count_to { Total::AtLeast(question.count_to) } else { Total::Exact(total) };
    assert_eq!((page.total, page.partial), (total, false), "{question:?}");
}

fn all() -> Question {
    let filter = Expression::parse("").unwrap();
    Question { filter, since: None, until: None, order: Order::Oldest, skip: 0, limit: 10_000, count_to: 10_000 }
}

fn question() -> impl Strategy<Value = Question> {
    let time = || prop::option::of((0u64..35).prop_map(|second| NOW + second * 1_000_000));
    (filter(), time(), time(), any::<bool>(), 0usize..30, 0usize..40, 0u64..60).prop_map(
        |(filter, since, until, newest, skip, limit, count_to)| {
            let order = if newest { Order::Newest } else { Order::Oldest };
            let filter = Expression::parse(&filter).unwrap();
            Question { filter, since, until, order, skip, limit, count_to }
        },
    )
}

/// The suite runs some; `GATELOG_CASES` says how many.
pub(super) fn cases(usual: u32) -> TestRunner {
    let cases = std::env::var("GATELOG_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(usual);
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

/// Five questions to each store: as its lines lie hot, after some were sealed, and after all were.
#[test]
fn a_store_says_what_a_look_at_all_lines_says() {
    let parts = (lines(), vec(question(), 5), 0usize..200, any::<bool>());
    cases(100)
        .run(&parts, |(lines, questions, split, sealed)| {
            let folder = tempfile::tempdir().unwrap();
            let mut writer = Writer::open(small(folder.path())).unwrap();
            let (first, second) = lines.split_at(split.min(lines.len()));
            let written = writer.ingest(first.join("\n").as_bytes(), NOW).unwrap();
            prop_assert!(written.lost == 0);
            if sealed {
                writer.roll(NOW).unwrap();
                writer.take_care(NOW).unwrap();
            }
            let reader = Reader::new(folder.path());
            writer.ingest(second.join("\n").as_bytes(), NOW).unwrap();
            let written = writer.commit().unwrap();
            let model = model(&lines);
            prop_assert_eq!(written.durable, model.len() as u64);
            for question in std::iter::once(&all()).chain(&questions) {
                check(&reader, &model, question);
            }
            writer.roll(NOW).unwrap();
            writer.take_care(NOW).unwrap();
            drop(writer);
            for question in std::iter::once(&all()).chain(&questions) {
                check(&reader, &model, question);
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn one_request_tells_its_story_oldest_first() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(small(folder.path())).unwrap();
    let line = |at: u64, event: &str| {
        format!(
            "{{\"timestamp\":\"{}\",\"level\":\"INFO\",\"event\":\"{event}\",\"message\":\"m\",\"request_id\":\"a\\\"b\"}}",
            timestamp(at)
        )
    };
    writer.ingest(line(NOW + 1, "request_started").as_bytes(), NOW).unwrap();
    writer.commit().unwrap();
    writer.ingest(line(NOW + 9, "request_completed").as_bytes(), NOW).unwrap();
    writer.ingest(line(NOW + 5, "request_slow").as_bytes(), NOW).unwrap();
    writer.commit().unwrap();
    let page = Reader::new(folder.path()).request("a\"b", 10, &|| false).unwrap();
    assert_eq!(page.lines.iter().map(|line| line.at - NOW).collect::<Vec<_>>(), [1, 5, 9]);
}

#[test]
fn started_and_completed_share_a_row_and_are_two_lines() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(small(folder.path())).unwrap();
    let rest = "\"request_id\":\"r\",\"path\":\"/a\"";
    let started = format!(
        "{{\"timestamp\":\"{}\",\"level\":\"INFO\",\"event\":\"request_started\",\"message\":\"Request started\",\"seq\":1,{rest},\"in_flight\":true}}",
        timestamp(NOW)
    );
    let completed = format!(
        "{{\"timestamp\":\"{}\",\"level\":\"INFO\",\"event\":\"request_completed\",\"message\":\"Request completed\",\"seq\":2,{rest},\"status_code\":200}}",
        timestamp(NOW + 7)
    );
    writer.ingest(format!("{started}\n{completed}\n").as_bytes(), NOW).unwrap();
    writer.commit().unwrap();
    let page = Reader::new(folder.path()).search(&all(), &|| false).unwrap();
    assert_eq!(page.lines.iter().map(|line| &*line.json).collect::<Vec<_>>(), [started, completed]);
    let file = rusqlite::Connection::open(folder.path().join("00000001.hot")).unwrap();
    assert_eq!(file.query_row("SELECT count(*) FROM record", [], |row| row.get::<_, i64>(0)).unwrap(), 1);
}

/// One sealed segment of three is not as it was.
fn with_damage(damage: impl Fn(&Path)) -> (Vec<String>, usize) {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(small(folder.path())).unwrap();
    for part in 0..3 {
        let line = |at: u64| format!("{{\"timestamp\":\"{}\",\"path\":\"/{part}/{at}\"}}\n", timestamp(NOW + at));
        writer.ingest((0..100).map(line).collect::<String>().as_bytes(), NOW).unwrap();
        writer.roll(NOW).unwrap();
    }
    writer.take_care(NOW).unwrap();
    damage(&folder.path().join("00000002.segment"));
    let page = Reader::new(folder.path()).search(&all(), &|| false).unwrap();
    (page.troubles, page.lines.len())
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_the_rest_answers() {
    let cut = |path: &Path| {
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(path, &bytes[..bytes.len() / 3]).unwrap();
    };
    let foreign = |path: &Path| std::fs::write(path, "something else").unwrap();
    let newer = |path: &Path| {
        let file = rusqlite::Connection::open(path).unwrap();
        file.execute_batch("PRAGMA user_version = 99").unwrap();
    };
    let corrupt = |path: &Path| {
        let mut bytes = std::fs::read(path).unwrap();
        bytes[4096..].fill(0xa5);
        std::fs::write(path, bytes).unwrap();
    };
    type Damage<'d> = (&'d str, &'d dyn Fn(&Path));
    let damages: [Damage<'_>; 4] = [("cut", &cut), ("foreign", &foreign), ("newer", &newer), ("corrupt", &corrupt)];
    for (name, damage) in damages {
        let (troubles, lines) = with_damage(damage);
        assert!(!troubles.is_empty() && troubles[0].contains("00000002.segment"), "{name}: {troubles:?}");
        assert!((200..300).contains(&lines), "{name}: {lines}");
    }
}

#[test]
fn a_store_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::open(small(folder.path())).unwrap();
    assert!(matches!(Writer::open(small(folder.path())), Err(Error::Taken { .. })));
    drop(writer);
    Writer::open(small(folder.path())).unwrap();
}

#[test]
fn a_writer_goes_on_where_the_last_one_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let mut numbers = BTreeMap::new();
    for at in 0..5 {
        let mut writer = Writer::open(small(folder.path())).unwrap();
        let line = format!("{{\"timestamp\":\"{}\",\"path\":\"/same\",\"n\":{at}}}", timestamp(NOW + at));
        writer.ingest(format!("{line}\n{line}\n").as_bytes(), NOW).unwrap();
        writer.commit().unwrap();
        let page = Reader::new(folder.path()).search(&all(), &|| false).unwrap();
        numbers.insert(at, page.lines.len());
    }
    assert_eq!(numbers.into_values().collect::<Vec<_>>(), [2, 4, 6, 8, 10]);
}

#[test]
fn what_is_no_record_is_refused_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(small(folder.path())).unwrap();
    let lines: &[u8] =
        b"{\"a\":1}\nnothing\n{\"timestamp\":5}\n{\"timestamp\":\"yesterday\"}\n{\"timestamp\":\"\xff\"}\n\n";
    writer.ingest(lines, NOW).unwrap();
    let written = writer.commit().unwrap();
    assert_eq!(written, Written { durable: 0, refused: 5, lost: 0 });
}

#[test]
fn old_and_surplus_segments_go_whole() {
    let folder = tempfile::tempdir().unwrap();
    let hour = std::time::Duration::from_secs(3600);
    let mut writer = Writer::open(Settings { age: Some(hour), ..small(folder.path()) }).unwrap();
    for part in 0..3 {
        let line = format!("{{\"timestamp\":\"{}\"}}\n", timestamp(NOW + part * 3_600_000_000));
        writer.ingest(line.as_bytes(), NOW).unwrap();
        writer.roll(NOW).unwrap();
    }
    let left = || Reader::new(folder.path()).search(&all(), &|| false).unwrap().lines.len();
    writer.take_care(NOW + 2 * 3_600_000_000).unwrap();
    assert_eq!(left(), 2);
    drop(writer);
    let mut writer = Writer::open(Settings { size: Some(1), ..small(folder.path()) }).unwrap();
    writer.take_care(NOW).unwrap();
    assert_eq!(left(), 0);
}

#[test]
fn whoever_stops_a_question_is_told_that_it_is_partial() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(Settings::new(folder.path().to_owned())).unwrap();
    let line = |at: u64| format!("{{\"timestamp\":\"{}\"}}\n", timestamp(NOW + at));
    writer.ingest((0..2000).map(line).collect::<String>().as_bytes(), NOW).unwrap();
    writer.commit().unwrap();
    let page = Reader::new(folder.path()).search(&all(), &|| true).unwrap();
    assert!(page.partial && page.lines.len() < 2000 && matches!(page.total, Total::AtLeast(_)));
}
