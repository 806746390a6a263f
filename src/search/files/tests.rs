//! Random questions on random logs: files, however they are stored, cut and read, answer what a plain look at every line
//! does.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering as Atomic};

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::filter::Span;
use crate::store::Total;
use crate::store::rollup::Noted;

const GO_ON: Stop<'static> = &|| false;

/// Few values, so that what is asked is often there and many moments are the same.
fn line() -> impl Strategy<Value = String> {
    let pick = |words: &[&'static str]| prop::sample::select(words.to_vec());
    let events = pick(&["request_started", "request_completed", "product_viewed"]);
    let parts =
        (0u64..12, events, pick(&["INFO", "WARNING", "ERROR"]), 0u32..4, pick(&["/a", "/b/c", "/\\u0061"]), 0u8..4);
    parts.prop_map(|(moment, event, level, status, path, form)| {
        let timestamp = crate::record::timestamp(1_795_345_356_000_000 + moment * 250_000);
        let (colon, timestamp) = match form {
            0 => (" : ", timestamp),
            1 => (":", timestamp.replace("000Z", "Z")),
            _ => (":", timestamp),
        };
        format!(
            "{{\"timestamp\"{colon}\"{timestamp}\",\"level\"{colon}\"{level}\",\"event\":\"{event}\",\"message\":\"M\",\
             \"request_id\":\"r{status}\",\"path\":\"{path}\",\"view_kwargs\":{{\"pk\":{status}}},\
             \"status_code\"{colon}{},\"duration\":0.{status}}}",
            status * 100 + 200
        )
    })
}

/// A log now and then has what is no record.
fn text() -> impl Strategy<Value = String> {
    let broken = prop::sample::select(vec!["", " ", "{", "null", "{}", "{\"torn\":true}"]).prop_map(str::to_owned);
    vec(prop_oneof![9 => line(), 1 => broken], 0..40).prop_map(|lines| lines.join("\n"))
}

fn filter() -> impl Strategy<Value = String> {
    let term = prop::sample::select(vec![
        "*",
        "level>=warning",
        "status>=400",
        "status:2xx",
        "path:/a",
        "path:/b*",
        "event:request_completed",
        "m",
        "r",
        "request_id:r1",
        "view_kwargs.pk:2",
        "view_kwargs:3",
        "duration<200ms",
        "user:*",
        "route:*",
        "timestamp>=2026-11-22T11:02:37Z",
        "fields.x:1",
    ]);
    let term =
        (any::<bool>(), term).prop_map(|(negated, term)| if negated { format!("-{term}") } else { term.to_owned() });
    vec(vec(term, 1..3).prop_map(|terms| format!("({})", terms.join(" "))), 1..3).prop_map(|terms| terms.join(" OR "))
}

prop_compose! {
    fn question()(
        filter in filter(), since in prop::option::of(0u64..12), until in prop::option::of(0u64..12),
        newest in any::<bool>(), skip in 0usize..12, limit in 0usize..12, count_to in prop_oneof![0u64..12, Just(u64::MAX)],
    ) -> Question {
        let moment = |at: u64| 1_795_345_356_000_000 + at * 250_000;
        Question {
            filter: Expression::parse(&filter).unwrap(),
            since: since.map(moment),
            until: until.map(moment),
            order: if newest { Order::Newest } else { Order::Oldest },
            skip,
            limit,
            count_to,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Stored {
    Plain,
    Gzip,
    Zstd,
}

fn stored(text: &str, how: Stored) -> Vec<u8> {
    match how {
        Stored::Plain => text.as_bytes().to_vec(),
        Stored::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(text.as_bytes()).unwrap();
            encoder.finish().unwrap()
        }
        Stored::Zstd => zstd::encode_all(text.as_bytes(), 1).unwrap(),
    }
}

fn streams(texts: &[(String, Stored)]) -> LogFiles {
    let stream = |(at, (text, how)): (usize, &(String, Stored))| {
        let stream: Source = Box::new(io::Cursor::new(stored(text, *how)));
        (format!("log{at}"), stream)
    };
    LogFiles::streams(texts.iter().enumerate().map(stream).collect())
}

/// Every line in the order of arrival, judged as trees of JSON; sorted as a whole.
fn naive(texts: &[(String, Stored)], question: &Question) -> (Vec<String>, u64) {
    let lines = texts.iter().flat_map(|(text, _)| text.lines());
    let mut meant: Vec<(u64, &str)> = lines
        .filter_map(|line| {
            let tree: Json = serde_json::from_str(line).ok()?;
            let at = Span::parse(tree.get("timestamp")?.as_str()?)?.from;
            let is_meant = question.since.is_none_or(|since| at >= since)
                && question.until.is_none_or(|until| at < until)
                && question.filter.matches(&tree);
            is_meant.then_some((at, line))
        })
        .collect();
    meant.sort_by_key(|(at, _)| *at);
    if question.order == Order::Newest {
        meant.reverse();
    }
    let page = meant.iter().skip(question.skip).take(question.limit).map(|(_, line)| (*line).to_owned());
    (page.collect(), meant.len() as u64)
}

#[test]
fn files_answer_as_a_plain_look_at_every_line_does() {
    let stored = prop::sample::select(vec![Stored::Plain, Stored::Plain, Stored::Gzip, Stored::Zstd]);
    let logs = vec((text(), stored), 1..4);
    let shown = AtomicUsize::new(0);
    let config = ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let outcome = runner.run(&(logs, question(), 1usize..4, 1usize..2000), |(texts, question, threads, block)| {
        let (lines, total) = naive(&texts, &question);
        let page = streams(&texts).paced(threads, block).search(&question, GO_ON).unwrap();
        let found: Vec<String> = page.lines.iter().map(|line| line.json.to_string()).collect();
        shown.fetch_add(found.len(), Atomic::Relaxed);
        prop_assert_eq!(found, lines);
        let expected = if total > question.count_to { Total::AtLeast(question.count_to) } else { Total::Exact(total) };
        prop_assert_eq!(page.total, expected);
        prop_assert!(!page.partial);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    assert!(shown.into_inner() > 3_000, "the strategies miss");
}

/// Of random logs, in random parts, by any number of threads.
#[test]
fn files_are_counted_as_one_count_of_every_line_is() {
    let config = ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let logs = vec((text(), Just(Stored::Plain)), 1..4);
    let records = AtomicUsize::new(0);
    let outcome = runner.run(&(logs, question(), 1usize..4, 1usize..2000), |(texts, question, threads, block)| {
        let range = Range { since: question.since.unwrap_or(0), until: question.until.unwrap_or(u64::MAX) };
        let mut expected = Statistics::over(range);
        let unlimited = Question { skip: 0, limit: usize::MAX, ..question };
        let trees = naive(&texts, &unlimited).0.into_iter().map(|line| serde_json::from_str::<Json>(&line).unwrap());
        for tree in trees {
            let at = Span::parse(tree["timestamp"].as_str().unwrap()).unwrap().from;
            expected.note(&Noted::of_json(at, tree.as_object().unwrap()).unwrap());
        }
        let files = streams(&texts).paced(threads, block);
        let counted = files.statistics(range, &unlimited.filter, GO_ON).unwrap();
        records.fetch_add(counted.stats().total_records as usize, Atomic::Relaxed);
        prop_assert!(!counted.is_partial());
        prop_assert_eq!(counted.total(), expected.total());
        prop_assert_eq!(counted.hours(), expected.hours());
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    assert!(records.into_inner() > 1_000, "the strategies miss");
}

#[test]
fn what_is_broken_or_cut_short_is_told_beside_the_counts() {
    let text = record(1, ",\"level\":\"INFO\"") + "nonsense\n" + &record(2, "");
    let range = Range { since: 0, until: u64::MAX };
    let all = Expression::parse("*").unwrap();
    let counted = streams(&[(text.clone(), Stored::Plain)]).statistics(range, &all, GO_ON).unwrap();
    assert_eq!((counted.stats().total_records, counted.is_partial()), (1, false));
    assert!(counted.troubles()[0].starts_with("log0:2: no JSON object"), "{:?}", counted.troubles());
    assert_eq!(counted.troubles()[1], "log0:3: no record of gatelog: it has no level");
    let long: String = (0..50).map(|second| record(second, ",\"level\":\"INFO\"")).collect();
    let asked = AtomicUsize::new(0);
    let stop = || asked.fetch_add(1, Atomic::Relaxed) >= 10;
    let cut = streams(&[(long, Stored::Plain)]).paced(1, 1).statistics(range, &all, &stop).unwrap();
    assert!(cut.is_partial() && (10..50).contains(&cut.stats().total_records), "{cut:?}");
}

fn everything() -> Question {
    let filter = Expression::parse("*").unwrap();
    Question { filter, since: None, until: None, order: Order::Oldest, skip: 0, limit: 100, count_to: u64::MAX }
}

fn record(second: u32, rest: &str) -> String {
    format!("{{\"timestamp\":\"2026-11-22T11:02:{second:02}.000000Z\",\"event\":\"e\"{rest}}}\n")
}

#[test]
fn what_is_broken_is_named_and_the_rest_is_answered() {
    let text = [&record(1, ""), "nonsense\n", "\n", &record(2, ""), "{\"a\":1}\n", "{\"timestamp\":\"2026-"].concat();
    let mut torn = stored(&text, Stored::Gzip);
    torn.truncate(torn.len() - 9);
    let logs = vec![
        ("a".to_owned(), Box::new(io::Cursor::new(text.clone())) as Source),
        ("b".to_owned(), Box::new(io::Cursor::new(torn)) as Source),
    ];
    let page = LogFiles::streams(logs).paced(2, 10).search(&everything(), GO_ON).unwrap();
    assert!(page.partial && page.lines.len() >= 2, "{page:?}");
    assert!(page.troubles[0].starts_with("b: after "), "{page:?}");
    assert_eq!(
        page.troubles[1..3],
        ["a:2: no JSON object: expected ident at line 1 column 2", "a:5: no record of gatelog: it has no timestamp"]
    );
}

#[test]
fn a_missing_file_is_an_error_and_files_are_searched_again_and_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.log");
    assert!(matches!(LogFiles::open(std::slice::from_ref(&path)), Err(AskError::Unreadable { .. })));
    assert!(LogFiles::open(&[directory.path().to_owned()]).is_err());
    std::fs::write(&path, record(1, ",\"request_id\":\"a\"") + &record(2, ",\"request_id\":\"b\"")).unwrap();
    let files = LogFiles::open(&[path]).unwrap();
    for _ in 0..2 {
        assert_eq!(files.search(&everything(), GO_ON).unwrap().total, Total::Exact(2));
        let Progress { read, all } = files.progress();
        assert_eq!(Some(read), all);
    }
    let page = files.request("b", 10, GO_ON).unwrap();
    assert_eq!(page.lines.len(), 1);
    assert!(files.request("\" OR *", 10, GO_ON).unwrap().lines.is_empty());
}

#[test]
fn whoever_leaves_gets_what_was_found_and_is_told_that_it_is_not_all() {
    let text: String = (0..50).map(|second| record(second, "")).collect();
    let asked = AtomicUsize::new(0);
    let stop = || asked.fetch_add(1, Atomic::Relaxed) >= 10;
    let page = streams(&[(text, Stored::Plain)]).paced(1, 1).search(&everything(), &stop).unwrap();
    assert!(page.partial && (10..50).contains(&page.lines.len()), "{page:?}");
    assert_eq!(page.total, Total::AtLeast(page.lines.len() as u64));
}

#[test]
fn other_schemas_are_found_and_shown_in_native_names() {
    let ecs = r#"{"@timestamp":"2026-11-22T11:02:36.000123Z","event.action":"request_completed","url.path":"/a"}"#;
    let filter = Expression::parse("path:/a").unwrap();
    let page = streams(&[(ecs.to_owned(), Stored::Plain)]).search(&Question { filter, ..everything() }, GO_ON).unwrap();
    let expected = r#"{"timestamp":"2026-11-22T11:02:36.000123Z","event":"request_completed","path":"/a"}"#;
    assert_eq!(&*page.lines[0].json, expected);
}
