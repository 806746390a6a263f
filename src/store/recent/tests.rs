//! The newest records answer as a naive look at all of them would, and followers miss nothing untold.

use std::sync::atomic::{AtomicUsize, Ordering as Atomic};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::store::ask::{Line, Summaries};

const LOGGER: &str = "gatelog.request";

fn line(at: u64, status: u64) -> Line {
    let json = serde_json::json!({
        "timestamp": crate::record::timestamp(at), "level": "INFO", "event": "request_completed", "logger": LOGGER,
        "request_id": format!("r{status}"), "status_code": status,
    });
    Line { at, json: json.to_string().into() }
}

fn recent(lines: usize, bytes: usize) -> Arc<Recent> {
    Recent::new(Limits { lines, bytes })
}

fn append(recent: &Recent, lines: impl IntoIterator<Item = Line>) {
    for line in lines {
        recent.keep(format!("{}\n", line.json).as_bytes(), 1);
    }
}

fn question(filter: &str) -> Question {
    let filter = Expression::parse(filter).unwrap();
    Question { filter, since: None, until: None, order: Order::Newest, skip: 0, limit: 10, count_to: 1_000 }
}

fn moments(lines: &[Line]) -> Vec<u64> {
    lines.iter().map(|line| line.at).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_search_gives_what_a_naive_look_at_all_lines_gives(
        all in prop::collection::vec((0..40_u64, prop::sample::select(vec![200_u64, 404, 500])), 0..60),
        filter in prop::sample::select(vec!["*", "status>=400", "status:200", "status:999"]),
        (since, until) in (prop::option::of(0..40_u64), prop::option::of(0..40_u64)),
        (newest, skip, limit, count_to) in (any::<bool>(), 0..30_usize, 1..20_usize, 1..40_u64),
    ) {
        let recent = recent(1_000, 1 << 20);
        let lines: Vec<Line> = all.iter().map(|(at, status)| line(*at, *status)).collect();
        append(&recent, lines.clone());
        let order = if newest { Order::Newest } else { Order::Oldest };
        let question = Question { since, until, order, skip, limit, count_to, ..question(filter) };
        let page = recent.search(&question, &|| false).unwrap();

        let within = |at: u64| since.is_none_or(|since| at >= since) && until.is_none_or(|until| at < until);
        let wanted = |line: &&Line| within(line.at) && matches(&question.filter, &line.json);
        let mut naive: Vec<&Line> = lines.iter().filter(wanted).collect();
        naive.sort_by_key(|line| line.at);
        if newest {
            naive.reverse();
        }
        let expected: Vec<Line> = naive.iter().skip(skip).take(limit).map(|line| (*line).clone()).collect();
        prop_assert_eq!(&page.lines, &expected);
        let count = naive.len() as u64;
        let total = if count > count_to { Total::AtLeast(count_to) } else { Total::Exact(count) };
        prop_assert_eq!(page.total, total);
        prop_assert!(!page.partial);
    }

    /// However often it looks, a follower sees each line that is still there once, and is told of the others.
    #[test]
    fn a_follower_misses_nothing_untold(
        steps in prop::collection::vec((0..30_usize, 0..12_usize, prop::option::of((0..20_u64, 0..20_u64))), 1..20),
    ) {
        let recent = recent(40, 1 << 20);
        let mut tail = recent.tail(Expression::parse("*").unwrap(), || {}).unwrap();
        let (mut next, mut expected) = (0_u64, 0_u64);
        for (more, most, skip) in steps {
            append(&recent, (0..more as u64).map(|n| line(next + n, 200)));
            next += more as u64;
            if let Some((behind, keep)) = skip {
                let passed = tail.skip(behind, keep);
                prop_assert_eq!(passed, if next - expected > behind { (next - expected).saturating_sub(keep) } else { 0 });
                expected += passed;
            }
            let batch = tail.take(most);
            expected += batch.lost;
            for line in batch.lines {
                prop_assert_eq!(line.at, expected);
                expected += 1;
            }
            prop_assert_eq!(batch.more, expected < next);
        }
    }
}

#[test]
fn the_oldest_make_room_and_are_counted() {
    let (by_lines, by_bytes) = (recent(32, 1 << 20), recent(1_000, 5_000));
    for n in 0..100 {
        [&by_lines, &by_bytes].into_iter().for_each(|recent| append(recent, [line(n, 200)]));
        assert!(by_lines.held().lines <= 32 && by_bytes.held().bytes <= 5_000);
    }
    for recent in [by_lines, by_bytes] {
        let (held, page) = (recent.held(), recent.search(&question("*"), &|| false).unwrap());
        assert_eq!(held.lines + held.evicted, 100);
        assert_eq!((page.total, moments(&page.lines)), (Total::Exact(held.lines), (90..100).rev().collect()));
    }
}

#[test]
fn who_reads_does_not_change_what_is_kept() {
    let recent = recent(320, 1 << 20);
    append(&recent, (0..10).map(|n| line(n, 200)));
    let held = recent.state().ring.chunks();
    append(&recent, (10..20).map(|n| line(n, 200)));
    assert_eq!(held.iter().flat_map(ring::records).count(), 10);
    assert_eq!(recent.search(&question("*"), &|| false).unwrap().total, Total::Exact(20));
}

/// Three lines that are somewhere else.
#[derive(Debug)]
struct Elsewhere(Arc<AtomicUsize>);

impl Kept for Elsewhere {
    fn text(&self) -> Vec<u8> {
        self.0.fetch_add(1, Atomic::Relaxed);
        (1..=3).flat_map(|n| format!("{}\n", line(n, 200).json).into_bytes()).collect()
    }
}

#[test]
fn what_is_kept_elsewhere_is_fetched_once_and_only_when_somebody_looks() {
    let (recent, fetched) = (recent(100, 1 << 20), Arc::new(AtomicUsize::new(0)));
    recent.refer_to(Box::new(Elsewhere(Arc::clone(&fetched))), 3, 1_000);
    append(&recent, [line(4, 200)]);
    assert_eq!(
        (recent.held(), fetched.load(Atomic::Relaxed)),
        (Held { lines: 4, bytes: 1_000 + line(4, 200).json.len() + 1, evicted: 0 }, 0)
    );
    for _ in 0..2 {
        assert_eq!(moments(&recent.search(&question("*"), &|| false).unwrap().lines), [4, 3, 2, 1]);
    }
    assert_eq!(fetched.load(Atomic::Relaxed), 1);
}

#[test]
fn a_question_that_is_given_up_is_partial() {
    let recent = recent(10_000, 1 << 24);
    append(&recent, (0..1_000).map(|n| line(n, 200)));
    let asked = AtomicUsize::new(0);
    let page = recent.search(&question("status:200"), &|| asked.fetch_add(1, Atomic::Relaxed) == 2).unwrap();
    assert!(page.partial);
    assert_eq!(page.total, Total::AtLeast(2 * BREATH as u64));
    assert_eq!(moments(&page.lines), (990..1_000).rev().collect::<Vec<_>>());
}

#[test]
fn all_of_one_request_the_oldest_first() {
    let recent = recent(100, 1 << 20);
    append(&recent, [line(3, 1), line(1, 1), line(2, 7)]);
    let found = |id: &str| moments(&recent.request(id, 10, &|| false).unwrap().lines);
    assert_eq!((found("r1"), found("r7"), found("r"), found("r*")), (vec![1, 3], vec![2], vec![], vec![]));
    assert_eq!(found("\" OR *"), Vec::<u64>::new());
}

#[test]
fn a_follower_is_woken_and_gets_only_what_matches() {
    let (recent, woken) = (recent(100, 1 << 20), Arc::new(AtomicUsize::new(0)));
    append(&recent, [line(1, 500)]);
    let count = Arc::clone(&woken);
    let wake = move || {
        count.fetch_add(1, Atomic::Relaxed);
    };
    let mut tail = recent.tail(Expression::parse("status>=500").unwrap(), wake).unwrap();
    assert_eq!((tail.take(10), tail.wait(Duration::ZERO)), (Batch::default(), false));
    append(&recent, [line(2, 200), line(3, 503)]);
    assert!(tail.wait(Duration::ZERO));
    assert_eq!((moments(&tail.take(10).lines), woken.load(Atomic::Relaxed)), (vec![3], 2));
    drop(tail);
    append(&recent, [line(4, 503)]);
    assert_eq!(woken.load(Atomic::Relaxed), 2);
}

#[test]
fn whoever_followed_before_goes_on_where_he_was_or_is_told_what_he_missed() {
    let recent = recent(32, 1 << 20);
    append(&recent, (1..=10).map(|n| line(n, 200)));
    let follow = |after| recent.tail_after(Expression::parse("*").unwrap(), after, || {}).unwrap();
    let batch = follow(Some(7)).take(2);
    assert_eq!((batch.numbers, batch.lost, batch.more), (vec![8, 9], 0, true));
    assert_eq!((follow(None).take(2), follow(Some(99)).take(2)), (Batch::default(), Batch::default()));
    append(&recent, (11..=100).map(|n| line(n, 200)));
    let (mut tail, held) = (follow(Some(7)), recent.held().lines);
    let batch = tail.take(1);
    assert_eq!((batch.lost, batch.numbers, tail.seen()), (93 - held, vec![101 - held], 101 - held));
}

#[test]
fn statistics_are_of_the_lines_that_are_held_and_say_so() {
    let recent = recent(32, 1 << 20);
    let statistics = |filter: &str| {
        let range = crate::store::rollup::Range { since: 5, until: 60_000_000 };
        recent.statistics(range, &Expression::parse(filter).unwrap(), &|| false).unwrap()
    };
    append(&recent, [line(1, 500), line(7, 200), line(8, 500)]);
    let (all, some) = (statistics("*"), statistics("status:500"));
    assert_eq!((all.total().requests.count(), all.is_partial()), (2, false), "one of them is older");
    assert_eq!((some.total().requests.count(), some.is_partial()), (1, false));
    append(&recent, (10..110).map(|at| line(at, 200)));
    let (all, some) = (statistics("*"), statistics("status:500"));
    assert_eq!((all.total().requests.count(), all.is_partial()), (recent.held().lines, true));
    assert_eq!((some.total().requests.count(), some.is_partial()), (0, true));
}

#[test]
fn what_is_no_record_has_a_number_and_is_passed_over() {
    let recent = recent(100, 1 << 20);
    let mut tail = recent.tail(Expression::parse("*").unwrap(), || {}).unwrap();
    recent.keep(b"none\n\xff\n{\"timestamp\":\"yesterday\"}\n", 3);
    append(&recent, [line(7, 200)]);
    let batch = tail.take(10);
    assert_eq!((moments(&batch.lines), batch.numbers, batch.lost), (vec![7], vec![4], 0));
    recent.keep(b"none\n", 1);
    assert_eq!((tail.take(10), tail.wait(Duration::ZERO), tail.seen()), (Batch::default(), false, 5));
    assert_eq!(recent.search(&question("*"), &|| false).unwrap().total, Total::Exact(1));
}

#[test]
fn followers_are_limited() {
    let recent = recent(100, 1 << 20);
    let follow = || recent.tail(Expression::parse("*").unwrap(), || {});
    let mut tails: Vec<_> = std::iter::from_fn(follow).collect();
    assert_eq!(tails.len(), 64);
    tails.pop();
    assert!(follow().is_some());
}

#[test]
fn large_copies_are_put_into_the_memory_of_those_that_had_to_go() {
    let mut ring = ring::Ring::of(1 << 20, 4 << 20);
    let large = format!("{}\n", "x".repeat(700_000)).into_bytes();
    let place = |ring: &ring::Ring| ring.chunks().last().map(|chunk| chunk.memory().as_ptr());
    let mut places = Vec::new();
    for _ in 0..20 {
        ring.push(&large, 1);
        places.push(place(&ring).unwrap());
    }
    assert!(ring.held().bytes <= 4 << 20);
    places.sort_unstable();
    places.dedup();
    // What had to go made room for the one after the next.
    assert!(places.len() <= 8, "{} places for 20 chunks", places.len());
    ring.push(b"x\n", 1);
    let readers: Vec<_> = (0..20).map(|_| (ring.chunks(), ring.push(b"x\n", 1))).collect();
    assert_eq!(ring.chunks().len(), readers[0].0.len() + 20);
    assert!(ring.chunks().last().unwrap().memory().capacity() < 1_000, "one line holds no large memory");
}
