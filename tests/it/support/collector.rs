//! A collector of logs that misbehaves as its script says, and remembers the lines it has accepted.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;

use serde_json::Value;

use super::wire::Message;
use super::{Conn, DEADLINE, Upstream};

/// What was accepted, in the order in which it was.
#[derive(Clone, Default)]
pub(crate) struct Accepted(Arc<(Mutex<Vec<Value>>, Condvar)>);

impl Accepted {
    fn lock(&self) -> MutexGuard<'_, Vec<Value>> {
        self.0.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Takes the records of one request.
    pub(crate) fn take(&self, records: impl IntoIterator<Item = Value>) {
        self.lock().extend(records);
        self.0.1.notify_all();
    }

    /// All so far.
    pub(crate) fn records(&self) -> Vec<Value> {
        self.lock().clone()
    }

    /// Waits until the records fulfil a condition.
    pub(crate) fn wait_for(&self, what: &str, mut fulfilled: impl FnMut(&[Value]) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + DEADLINE;
        let mut records = self.lock();
        while !fulfilled(&records) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{what} does not come: {} records", records.len());
            records = self.0.1.wait_timeout(records, left).unwrap().0;
        }
        records.clone()
    }
}

/// The number of a record, in its own process's stream.
pub(crate) fn place(record: &Value) -> (String, u64) {
    let text = record["instance"].as_str().unwrap_or_else(|| panic!("{record}"));
    (text.to_owned(), record["seq"].as_u64().unwrap())
}

/// Numbers run from 1 without a gap, but for those that a `log_loss` names; gives how many those are.
pub(crate) fn told_as_lost(records: &[Value]) -> u64 {
    let mut seen: BTreeSet<u64> = records.iter().map(|record| place(record).1).collect();
    let there = seen.len() as u64;
    for loss in records.iter().filter(|record| record["event"] == "log_loss") {
        seen.extend(loss["from_seq"].as_u64().unwrap()..=loss["to_seq"].as_u64().unwrap());
    }
    assert_eq!(seen.last().copied(), Some(seen.len() as u64), "a gap that nobody tells");
    seen.len() as u64 - there
}

/// The lines of a request in NDJSON, compressed or not.
pub(crate) fn lines(request: &Message) -> Vec<Value> {
    body(request).lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line:?}"))).collect()
}

/// The body as text.
pub(crate) fn body(request: &Message) -> String {
    if request.header("content-encoding") != Some("gzip") {
        return String::from_utf8(request.body.clone()).unwrap();
    }
    let mut text = String::new();
    flate2::read::GzDecoder::new(request.body.as_slice()).read_to_string(&mut text).unwrap();
    text
}

/// A collector of NDJSON. `misbehave` sees each request with its running number and tells whether it has dealt with it;
/// otherwise it is accepted.
pub(crate) fn ndjson(
    misbehave: impl Fn(&mut Conn, usize) -> Misbehaved + Send + Sync + 'static,
) -> (Upstream, Accepted) {
    let accepted = Accepted::default();
    let (into, count) = (accepted.clone(), Mutex::new(0));
    let upstream = Upstream::script(move |conn| {
        while let Some(request) = conn.request() {
            let number = {
                let mut count = count.lock().unwrap();
                *count += 1;
                *count - 1
            };
            match misbehave(conn, number) {
                Misbehaved::No => {
                    into.take(lines(&request));
                    conn.send("HTTP/1.1 204 No Content\r\n\r\n");
                }
                Misbehaved::Refused => {}
                Misbehaved::Left => return,
                Misbehaved::ButAccepted => {
                    into.take(lines(&request));
                    return;
                }
            }
        }
    });
    (upstream, accepted)
}

/// What a script has done with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misbehaved {
    /// Nothing: it is accepted.
    No,
    /// Answered it, and does not have it.
    Refused,
    /// The same, and the connection is at its end.
    Left,
    /// It has it, and the connection is at its end.
    ButAccepted,
}
