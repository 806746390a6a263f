//! Bytes that no honest upstream sends (`tests/corpus/answers`): each answer with what the client may get for it.
//!
//! The upstream keeps its connection open afterwards, so that bytes left over would poison the next answer;
//! the client reads strictly, so that nothing malformed can reach it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::Deserialize;

use crate::support::corpus::{Text, read};
use crate::support::wire::Message;
use crate::support::{Client, Ended, Setup, TestProxy, Upstream, get, request};

/// One hostile answer (`tests/corpus/README.md`).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// The method that it answers.
    #[serde(default)]
    to: Asked,
    send: Text,
    #[serde(default)]
    closes: bool,
    /// gatelog's own 502 is right: nothing of it can be trusted.
    #[serde(default)]
    refused: bool,
    /// The head is fine and may be on its way; the body never becomes whole.
    #[serde(default)]
    cut: bool,
    /// Passing it on, cleaned, is right.
    passed: Option<Whole>,
    #[serde(default)]
    lacks: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    status: u16,
    body: Text,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Asked {
    #[default]
    Get,
    Head,
}

impl Asked {
    const fn method(self) -> &'static str {
        match self {
            Asked::Get => "GET",
            Asked::Head => "HEAD",
        }
    }
}

impl Case {
    /// Whether the client got what it may get, and whether that was a fault of the upstream.
    fn judge(&self, answer: &Message) -> Result<bool, String> {
        let is_refused = answer.is_complete() && answer.status() == 502;
        let is_cut = self.cut && (is_refused || answer.ended == Ended::Cut || answer.ended == Ended::Closed);
        match &self.passed {
            _ if is_cut || is_refused && self.refused => Ok(true),
            Some(whole) if answer.is_complete() && answer.status() == whole.status => {
                let found: Vec<_> = self.lacks.iter().filter(|name| answer.all(name).count() > 0).collect();
                let is_same = answer.body == whole.body.bytes() && found.is_empty();
                if is_same { Ok(false) } else { Err(format!("{answer:?}")) }
            }
            _ => Err(format!("{answer:?}")),
        }
    }
}

fn status_lines() -> Vec<Case> {
    read(include_str!("../corpus/answers/status_lines.toml"))
}

fn fields() -> Vec<Case> {
    read(include_str!("../corpus/answers/fields.toml"))
}

fn framings() -> Vec<Case> {
    read(include_str!("../corpus/answers/framings.toml"))
}

fn chunks() -> Vec<Case> {
    read(include_str!("../corpus/answers/chunks.toml"))
}

/// Answers `/case/N` with case N and goes on, or closes; everything else with 200.
fn upstream(table: &[Case]) -> Upstream {
    let answers: Arc<Vec<_>> = Arc::new(table.iter().map(|case| (case.send.bytes(), case.closes)).collect());
    Upstream::script(move |conn| {
        while let Some(asked) = conn.request() {
            let Some(number) = asked.start[1].strip_prefix("/case/") else {
                conn.ok("well");
                continue;
            };
            let (bytes, closes) = &answers[number.parse::<usize>().unwrap()];
            conn.send(bytes);
            if *closes {
                return;
            }
        }
    })
}

fn check(proxy: &TestProxy, number: usize, case: &Case) {
    let id = format!("answer-{number}");
    let mut client = Client::connect(proxy.addr());
    client.send(request(case.to.method(), &format!("/case/{number}"), &id, "", ""));
    let answer = client.answer_to(case.to.method()).last;
    drop(client);
    let record = proxy.completed(&id);
    let is_fault = case.judge(&answer).unwrap_or_else(|got| panic!("the client got {got}, the record says {record:?}"));
    let outcome = record.text("outcome");
    assert_eq!(outcome.starts_with("upstream_"), is_fault, "{record:?}");
    assert!(case.closes || !is_fault || outcome == "upstream_protocol", "{record:?}");
    assert_eq!(record.number("status_code"), u64::from(answer.status()));
    for round in 0..2 {
        let next = get(proxy.addr(), "/", &format!("after-{number}-{round}")).last;
        assert_eq!((next.status(), next.text().as_str()), (200, "well"), "the next answer is poisoned: {next:?}");
    }
}

fn run(table: &[Case]) {
    let upstream = upstream(table);
    let impatient = Setup::before(&upstream).top("workers", "1").timeout("response = \"1s\"").timeout("idle = \"1s\"");
    let proxy = impatient.start();
    let mut failures = Vec::new();
    for (number, case) in table.iter().enumerate() {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(&proxy, number, case))) {
            failures.push(format!("{}: {}", case.name, panic.downcast_ref::<String>().cloned().unwrap_or_default()));
        }
    }
    assert!(failures.is_empty(), "{} of {} cases:\n\n{}", failures.len(), table.len(), failures.join("\n\n"));
    proxy.stop();
}

#[test]
fn status_lines_are_read_strictly() {
    run(&status_lines());
}

#[test]
fn fields_of_answers_are_read_strictly() {
    run(&fields());
}

#[test]
fn framing_of_answers_is_read_strictly() {
    run(&framings());
}

#[test]
fn chunks_of_answers_are_read_strictly() {
    run(&chunks());
}

#[test]
fn the_corpus_is_as_large_as_promised_and_names_each_case_once() {
    let cases: Vec<Case> = [status_lines(), fields(), framings(), chunks()].into_iter().flatten().collect();
    let mut names: Vec<_> = cases.iter().map(|case| case.name.as_str()).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "a name stands for two cases");
    assert!(count >= 200, "{count} cases");
}
