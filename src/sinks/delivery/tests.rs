//! Delivery to a collector that behaves as each test says, without a network.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::*;
use crate::pipeline::{Batch, BatchSettings, Format, Losses, OutputSettings, Reason, SpoolSettings, Written};
use crate::sinks::handover::Predecessor;

/// Answers as it is told, then accepts; remembers what has arrived.
#[derive(Clone, Default)]
struct Scripted {
    script: Arc<Mutex<Vec<Verdict>>>,
    parcels: Arc<Mutex<Vec<Vec<Value>>>>,
}

impl Scripted {
    fn saying(mut script: Vec<Verdict>) -> Scripted {
        script.reverse();
        Scripted { script: Arc::new(Mutex::new(script)), ..Scripted::default() }
    }

    /// All records that have arrived, in order.
    fn records(&self) -> Vec<Value> {
        self.parcels.lock().unwrap_or_else(PoisonError::into_inner).concat()
    }
}

impl Collector for Scripted {
    async fn deliver(&mut self, lines: &Lines) -> Verdict {
        let verdict = self.script.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or(Verdict::Accepted);
        let missing = match &verdict {
            Verdict::Accepted | Verdict::Fewer { .. } => Vec::new(),
            Verdict::Partly { rejected, again, .. } => [rejected.as_slice(), again].concat(),
            Verdict::Rejected { .. } | Verdict::TooLarge { .. } | Verdict::Again { .. } => return verdict,
        };
        let arrived = lines.iter().enumerate().filter(|(place, _)| !missing.contains(place));
        let arrived = arrived.map(|(_, line)| serde_json::from_slice(line).unwrap()).collect();
        self.parcels.lock().unwrap_or_else(PoisonError::into_inner).push(arrived);
        verdict
    }
}

fn batch(lines: usize, lost: u64) -> Batch {
    let mut batch = Batch { lost: Losses::of(Reason::QueueFull, lost), ..Batch::default() };
    for _ in 0..lines {
        batch.bytes.extend_from_slice(br#"{"event":"line","seq":"#);
        let hole = batch.bytes.len();
        batch.bytes.extend_from_slice(b",\"instance\":\"i\"}\n");
        batch.close_line(Written::Numbered(hole));
    }
    batch
}

fn settings(records: usize) -> DeliverySettings {
    let batch = BatchSettings { records, bytes: 1 << 20, wait: Duration::ZERO };
    DeliverySettings { batch, retry_at_most: Duration::from_millis(1), ..DeliverySettings::default() }
}

fn port() -> Port {
    Port::new(&OutputSettings::default(), Format::Json)
}

/// Delivers everything that waits, and leaves.
fn deliver(port: &Port, settings: &DeliverySettings, collector: &Scripted) {
    deliver_after(None, port, settings, collector).thread.join().unwrap();
}

/// The same behind another one at the same place, without waiting for it.
fn deliver_after(
    before: Option<Predecessor>,
    port: &Port,
    settings: &DeliverySettings,
    collector: &Scripted,
) -> Predecessor {
    let stamp = Stamp { instance: "i".into(), record: Default::default() };
    port.queue.close();
    let collectors = vec![collector.clone(); settings.concurrency];
    start(port, &stamp, settings, collectors, before.is_some()).unwrap().begin(before)
}

fn seqs(records: &[Value]) -> Vec<u64> {
    records.iter().map(|record| record["seq"].as_u64().unwrap()).collect()
}

fn again() -> Verdict {
    Verdict::Again { said: "not now".into(), after: None }
}

#[test]
fn what_fails_for_now_is_sent_again_until_it_has_arrived() {
    let (port, collector) = (port(), Scripted::saying(vec![again(), again(), Verdict::Accepted, again()]));
    port.queue.push(batch(7, 0)).unwrap();
    deliver(&port, &settings(3), &collector);
    assert_eq!(seqs(&collector.records()), [1, 2, 3, 4, 5, 6, 7]);
    let report = port.report();
    assert_eq!((report.written, report.condition.failing), (7, false));
    assert!(report.condition.last_failure.unwrap().error.contains("not now"));
}

#[test]
fn what_is_refused_for_good_is_counted_and_told_with_the_next_lines() {
    let refuse = || Verdict::Rejected { said: "no such index".into() };
    let (port, collector) = (port(), Scripted::saying(vec![refuse(), refuse()]));
    port.queue.push(batch(4, 0)).unwrap();
    port.queue.push(batch(2, 0)).unwrap();
    deliver(&port, &settings(2), &collector);
    let records = collector.records();
    let losses: Vec<_> = records.iter().filter(|record| record["event"] == "log_loss").collect();
    let told =
        losses.iter().map(|loss| [&loss["from_seq"], &loss["to_seq"], &loss["count"]].map(|it| it.as_u64().unwrap()));
    let told: Vec<_> = told.collect();
    assert!(
        told.iter().map(|[_, _, count]| count).sum::<u64>() == 4 && losses[0]["reason"] == "rejected",
        "{records:?}"
    );
    assert_eq!(port.report().dropped[Reason::Rejected as usize], 4);
}

/// Takes no request of more bytes than this, and remembers how large each one was.
#[derive(Clone)]
struct Narrow {
    limit: usize,
    sizes: Arc<Mutex<Vec<usize>>>,
    inner: Scripted,
}

impl Narrow {
    fn new(limit: usize) -> Narrow {
        Narrow { limit, sizes: Arc::default(), inner: Scripted::default() }
    }

    fn requests(&self) -> usize {
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Collector for Narrow {
    async fn deliver(&mut self, lines: &Lines) -> Verdict {
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner).push(lines.bytes().len());
        if lines.bytes().len() > self.limit {
            return Verdict::TooLarge { said: "413 Payload Too Large".into() };
        }
        self.inner.deliver(lines).await
    }
}

/// So many lines, one of which is long.
fn with_a_long_line(lines: usize, long: usize) -> Batch {
    let mut all = batch(lines, 0);
    let at = all.lines[long].end - 2;
    all.bytes.splice(at..at, format!(",\"path\":\"/{}\"", "x".repeat(1000)).into_bytes());
    let grown = all.bytes.len() - all.lines[lines - 1].end;
    for (place, line) in all.lines.iter_mut().enumerate().skip(long) {
        line.end += grown;
        line.seq_at = line.seq_at.map(|at| if place > long { at + grown } else { at });
    }
    all
}

fn deliver_to_narrow(port: &Port, settings: &DeliverySettings, collector: &Narrow) {
    let stamp = Stamp { instance: "i".into(), record: Default::default() };
    port.queue.close();
    start(port, &stamp, settings, vec![collector.clone()], false).unwrap().begin(None).thread.join().unwrap();
}

#[test]
fn a_batch_that_is_too_large_arrives_in_halves() {
    let (port, collector) = (port(), Narrow::new(500));
    port.queue.push(batch(100, 0)).unwrap();
    deliver_to_narrow(&port, &settings(100), &collector);
    assert_eq!(seqs(&collector.inner.records()), (1..=100).collect::<Vec<_>>());
    let report = port.report();
    assert_eq!((report.written, report.dropped), (100, [0; 6]));
    assert!(!report.condition.failing, "{report:?}");
    assert!(report.condition.last_failure.unwrap().error.contains("413"), "it is told all the same");
}

#[test]
fn of_a_batch_only_the_line_that_is_too_large_by_itself_is_refused() {
    for long in [0, 37, 63] {
        let folder = tempfile::tempdir().unwrap();
        let spool = SpoolSettings { path: folder.path().join("spool"), max: 1 << 20 };
        let settings = DeliverySettings { spool: Some(spool), ..settings(64) };
        let (port, collector) = (port(), Narrow::new(900));
        port.queue.push(with_a_long_line(64, long)).unwrap();
        deliver_to_narrow(&port, &settings, &collector);
        let (mut records, lost) = (collector.inner.records(), long as u64 + 1);
        let loss = records.pop().unwrap();
        assert_eq!([&loss["event"], &loss["reason"]], ["log_loss", "rejected"]);
        assert_eq!([&loss["from_seq"], &loss["to_seq"], &loss["count"]], [lost, lost, 1]);
        assert_eq!(seqs(&records), (1..=64).filter(|seq| *seq != lost).collect::<Vec<_>>());
        assert_eq!((port.report().written, port.report().dropped[Reason::Rejected as usize]), (64, 1));
        let kept = std::fs::read_to_string(folder.path().join("spool/rejected.jsonl")).unwrap();
        assert!(kept.lines().count() == 1 && kept.contains(&format!("\"seq\":{lost},")), "{kept}");
        // Those of a bisection, not one a line.
        assert!(collector.requests() <= 2 * (64_usize.ilog2() as usize + 1) + 3, "{}", collector.requests());
    }
}

#[test]
fn a_collector_that_refuses_everything_is_not_asked_for_ever() {
    let refuse = || Verdict::Rejected { said: "who are you".into() };
    let (port, collector) = (port(), Scripted::saying((0..1000).map(|_| refuse()).collect()));
    port.queue.push(batch(10, 0)).unwrap();
    deliver(&port, &settings(100), &collector);
    // The lines once, and what was lost once, in the end.
    assert!(collector.script.lock().unwrap().len() >= 997);
    assert_eq!(collector.records(), Vec::<Value>::new());
}

#[test]
fn only_what_was_not_taken_is_sent_again() {
    let partly = Verdict::Partly { rejected: vec![1], again: vec![0, 3], said: "429".into() };
    let (port, collector) = (port(), Scripted::saying(vec![partly]));
    port.queue.push(batch(4, 0)).unwrap();
    deliver(&port, &settings(4), &collector);
    let records = collector.records();
    assert_eq!(seqs(&records)[..3], [3, 1, 4]);
    let report = port.report();
    assert_eq!((report.written, report.dropped[Reason::Rejected as usize]), (records.len() as u64, 1));
}

#[test]
fn of_refusals_that_nobody_can_place_the_count_is_told() {
    let (port, collector) = (port(), Scripted::saying(vec![Verdict::Fewer { rejected: 2, said: "bad".into() }]));
    port.queue.push(batch(5, 0)).unwrap();
    deliver(&port, &settings(5), &collector);
    let report = port.report();
    // Three of the lines, and the loss.
    assert_eq!((report.written, report.dropped[Reason::Rejected as usize]), (4, 2));
}

#[test]
fn losses_of_the_queue_are_told_where_they_belong() {
    let (port, collector) = (port(), Scripted::default());
    port.queue.push(batch(2, 0)).unwrap();
    port.queue.push(batch(1, 5)).unwrap();
    deliver(&port, &settings(100), &collector);
    let records = collector.records();
    assert_eq!(seqs(&records), [1, 2, 8, 9]);
    assert_eq!((&records[2]["event"], &records[2]["from_seq"]), (&"log_loss".into(), &3.into()));
}

#[test]
fn several_requests_in_flight_deliver_every_line_once() {
    let (port, collector) = (port(), Scripted::saying((0..20).map(|_| again()).collect()));
    for _ in 0..20 {
        port.queue.push(batch(10, 0)).unwrap();
    }
    deliver(&port, &DeliverySettings { concurrency: 4, ..settings(7) }, &collector);
    let mut seqs = seqs(&collector.records());
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=200).collect::<Vec<_>>());
}

#[test]
fn what_waits_in_a_spool_is_delivered_by_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let spool = SpoolSettings { path: folder.path().join("spool"), max: 1 << 20 };
    let settings = DeliverySettings { spool: Some(spool), ..settings(3) };
    let dead = Scripted::saying((0..10_000).map(|_| again()).collect());
    let first = port();
    first.queue.push(batch(10, 0)).unwrap();
    deliver(&first, &settings, &dead);
    assert_eq!(dead.records(), Vec::<Value>::new());
    assert_eq!(first.report().dropped, [0; 6]);

    let (second, collector) = (port(), Scripted::default());
    second.queue.push(batch(2, 0)).unwrap();
    deliver(&second, &settings, &collector);
    assert_eq!(seqs(&collector.records()), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 2]);
}

#[test]
fn refused_lines_are_kept_beside_the_spool() {
    let folder = tempfile::tempdir().unwrap();
    let spool = SpoolSettings { path: folder.path().join("spool"), max: 1 << 20 };
    let settings = DeliverySettings { spool: Some(spool), ..settings(3) };
    let (port, collector) = (port(), Scripted::saying(vec![Verdict::Rejected { said: "bad".into() }]));
    port.queue.push(batch(4, 0)).unwrap();
    deliver(&port, &settings, &collector);
    let kept = std::fs::read_to_string(folder.path().join("spool/rejected.jsonl")).unwrap();
    assert_eq!(kept.lines().count(), 3);
    assert!(kept.starts_with("{\"event\":\"line\",\"seq\":1,"), "{kept}");
    assert_eq!(collector.records()[0]["seq"], 4);
}

#[test]
fn a_full_spool_refuses_the_newest_and_says_which() {
    let folder = tempfile::tempdir().unwrap();
    let spool = SpoolSettings { path: folder.path().join("spool"), max: 4096 };
    let settings = DeliverySettings { spool: Some(spool), ..settings(1000) };
    let (port, collector) = (port(), Scripted::default());
    for _ in 0..30 {
        port.queue.push(batch(5, 0)).unwrap();
    }
    deliver(&port, &settings, &collector);
    let records = collector.records();
    let lost = port.report().dropped[Reason::SpoolFull as usize];
    assert!(lost > 0);
    let mut next = 1;
    for record in &records {
        if record["event"] == "log_loss" {
            assert_eq!((&record["reason"], &record["from_seq"]), (&"spool_full".into(), &next.into()));
            next = record["to_seq"].as_u64().unwrap() + 1;
        }
        assert_eq!(record["seq"], next);
        next += 1;
    }
}

#[test]
fn who_comes_next_opens_the_spool_that_the_one_before_lets_go_of_and_goes_on_with_its_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let spool = SpoolSettings { path: folder.path().join("spool"), max: 1 << 20 };
    let settings = DeliverySettings { spool: Some(spool), ..settings(3) };
    let (dead, collector) = (Scripted::saying((0..10_000).map(|_| again()).collect()), Scripted::default());
    let (first, second) = (port(), port());
    first.queue.push(batch(10, 0)).unwrap();
    second.queue.push(batch(2, 0)).unwrap();
    let before = deliver_after(None, &first, &settings, &dead);
    deliver_after(Some(before), &second, &settings, &collector).thread.join().unwrap();
    assert_eq!(seqs(&collector.records()), (1..=12).collect::<Vec<_>>());
    assert_eq!((first.report().dropped, second.report().dropped), ([0; 6], [0; 6]));
}

#[test]
fn what_a_dead_collector_did_not_take_is_counted_and_the_next_one_tells() {
    let dead = Scripted::saying((0..10_000).map(|_| again()).collect());
    let (first, second, collector) = (port(), port(), Scripted::default());
    (0..5).for_each(|_| first.queue.push(batch(4, 1)).unwrap());
    second.queue.push(batch(2, 0)).unwrap();
    let before = deliver_after(None, &first, &settings(4), &dead);
    deliver_after(Some(before), &second, &settings(100), &collector).thread.join().unwrap();
    assert!(first.report().dropped[Reason::Shutdown as usize] >= 20, "{:?}", first.report());
    let records = collector.records();
    let losses: Vec<_> = records.iter().filter(|record| record["event"] == "log_loss").collect();
    let told: u64 = losses.iter().map(|loss| loss["count"].as_u64().unwrap()).sum();
    assert!(losses.iter().any(|loss| loss["reason"] == "shutdown"), "{records:?}");
    let last = seqs(&records).into_iter().max().unwrap();
    assert_eq!(told + records.len() as u64, last, "every number is there or told of: {records:?}");
}
