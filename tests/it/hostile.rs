//! Bytes that no honest client sends, table by table (`tests/corpus/requests`): each case with its allowed outcomes.
//!
//! What is refused leaves no byte at the upstream; what is passed on is read there by a strict recipient
//! ([`crate::support::wire`]) as exactly the requests the case names. After each case the proxy still serves,
//! and its log has told each request once.

/// The tables.
mod corpus;
/// The same over HTTP/2, frame by frame.
mod http2;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::support::wire::Message;
use crate::support::{Client, Ended, Log, Recorder, Setup, TestProxy, get};

/// One piece of hostile input.
pub(crate) struct Case {
    name: String,
    bytes: Vec<u8>,
    allowed: Allowed,
}

/// What may happen to it.
enum Allowed {
    /// These requests pass, then one of these statuses is the last answer (0: there is none).
    Refused { after: Vec<Seen>, with: Vec<u16> },
    /// All of it passes.
    Passed(Vec<Seen>),
    /// Refusing it as a whole is as right as passing it.
    Either(Vec<u16>, Vec<Seen>),
    /// The head is fine and may be on its way (to `/broken`), but the request never becomes whole.
    Broken(Vec<u16>),
}

/// A request as the upstream has to read it.
#[derive(Clone)]
pub(crate) struct Seen {
    method: String,
    target: Vec<u8>,
    body: Vec<u8>,
    has: Vec<(String, String)>,
    lacks: Vec<String>,
}

impl Seen {
    /// It has this field, once, with this value.
    fn with(mut self, name: &str, value: &str) -> Seen {
        self.has.push((name.to_owned(), value.to_owned()));
        self
    }

    /// It does not have this field.
    fn without(mut self, name: &str) -> Seen {
        self.lacks.push(name.to_owned());
        self
    }

    fn check(&self, message: &Message) {
        let target: Vec<u8> = message.start[1].chars().map(|char| char as u8).collect();
        assert_eq!(message.start[0], self.method, "{message:?}");
        assert_eq!(target.escape_ascii().to_string(), self.target.escape_ascii().to_string(), "{message:?}");
        assert_eq!(message.body.escape_ascii().to_string(), self.body.escape_ascii().to_string(), "{message:?}");
        for (name, value) in &self.has {
            assert_eq!(message.header(name), Some(value.as_str()), "{name} in {message:?}");
        }
        for name in &self.lacks {
            assert_eq!(message.all(name).count(), 0, "{name} in {message:?}");
        }
    }
}

/// A GET for this target, without a body.
fn got(target: impl AsRef<[u8]>) -> Seen {
    seen("GET", target, "")
}

/// A POST to `/` with this body.
fn posted(body: &str) -> Seen {
    seen("POST", "/", body)
}

fn seen(method: &str, target: impl AsRef<[u8]>, body: &str) -> Seen {
    Seen {
        method: method.to_owned(),
        target: target.as_ref().to_vec(),
        body: body.as_bytes().to_vec(),
        has: Vec::new(),
        lacks: Vec::new(),
    }
}

/// What came back for a case.
struct Returned {
    /// How many requests were answered by the upstream.
    passed: usize,
    /// The status that ended the connection, 0 when it just ended; `None` when it is still open.
    refusal: Option<u16>,
}

impl Allowed {
    fn most_passed(&self) -> usize {
        match self {
            Allowed::Refused { after, .. } => after.len(),
            Allowed::Passed(all) | Allowed::Either(_, all) => all.len(),
            Allowed::Broken(_) => 0,
        }
    }

    /// It takes a client that is waited for in vain.
    fn tries_patience(&self) -> bool {
        match self {
            Allowed::Refused { with, .. } | Allowed::Broken(with) | Allowed::Either(with, _) => with.contains(&408),
            Allowed::Passed(_) => false,
        }
    }

    fn ends_refused(&self) -> bool {
        matches!(self, Allowed::Refused { .. } | Allowed::Broken(_))
    }

    /// The requests that the upstream has to have read, given what came back.
    fn seen(&self, returned: &Returned) -> &[Seen] {
        match (self, returned.refusal) {
            (Allowed::Refused { after, with }, Some(status)) if with.contains(&status) => after,
            (Allowed::Broken(with), Some(status)) if with.contains(&status) => &[],
            (Allowed::Either(with, _), Some(status)) if with.contains(&status) => &[],
            (Allowed::Passed(all) | Allowed::Either(_, all), None) => all,
            (_, Some(status)) => panic!("refused with {status}"),
            (_, None) => panic!("passed on"),
        }
    }
}

/// A proxy before a recorder, and the count of cases so far.
struct Arena {
    recorder: Recorder,
    proxy: TestProxy,
    cases: usize,
}

impl Arena {
    fn open() -> Arena {
        Arena::with_patience("10s")
    }

    /// Waits so long for what a client still has to send. Only who tries it has little: a machine that is busy may keep
    /// an honest client from sending, too.
    fn with_patience(time: &str) -> Arena {
        let recorder = Recorder::start();
        let limits = format!("header_timeout = \"{time}\"\nbody_idle_timeout = \"{time}\"\nkeep_alive = \"5s\"");
        let setup = Setup::before(&recorder.upstream).top("workers", "1").identity("").set("limits", &limits);
        Arena { proxy: setup.start(), recorder, cases: 0 }
    }

    fn run(&mut self, case: &Case) {
        self.cases += 1;
        let first = self.recorder.count();
        let mut client = Client::connect(self.proxy.addr());
        client.patience(Duration::from_secs(5));
        let peer = client.local_addr();
        let returned = converse(&mut client, case);
        drop(client);
        self.still_serves();
        let all = self.recorder.since(first);
        check_upstream(&all, case.allowed.seen(&returned));
        self.check_log(&peer, &returned);
    }

    /// A smuggled rest would be answered here, on the connection that the case has used.
    fn still_serves(&self) {
        let answer = get(self.proxy.addr(), &format!("/marker/{}", self.cases), "").last;
        assert_eq!((answer.status(), answer.text().as_str()), (200, "ok"), "the next request is harmed: {answer:?}");
    }

    fn check_log(&self, peer: &str, returned: &Returned) {
        let silent = returned.refusal == Some(0);
        let due = returned.passed + usize::from(returned.refusal.is_some() && !silent);
        let ends = |log: &Log| log.count("request_completed") + log.count("request_rejected");
        let log = self.proxy.wait_for(&format!("{due} ends of {peer}"), |log| ends(&log.of_peer(peer)) >= due);
        let own = log.of_peer(peer);
        assert!(ends(&own) == due || (silent && ends(&own) == due + 1), "not {due} ends: {own:#?}");
        assert_eq!(own.count("request_started"), own.count("request_completed"), "{own:#?}");
        if let Some(status) = returned.refusal.filter(|status| *status != 0) {
            check_refusal(&own, status);
        }
    }
}

/// Sends the bytes and reads all there is to read, as far as the case allows answers.
fn converse(client: &mut Client, case: &Case) -> Returned {
    let _ = client.try_send(&case.bytes);
    let most = case.allowed.most_passed();
    let mut passed = 0;
    while passed < most || case.allowed.ends_refused() {
        let answer = client.answer_to(if case.bytes.starts_with(b"HEAD ") { "HEAD" } else { "GET" }).last;
        match (&answer.ended, answer.status()) {
            (Ended::Complete, 200) => passed += 1,
            (Ended::Complete, status) => {
                client.finish_sending();
                let (rest, ended) = client.rest();
                assert!(rest.is_empty() && ended != Ended::Silent, "after {status} the connection goes on: {ended:?}");
                return Returned { passed, refusal: Some(status) };
            }
            (Ended::Closed | Ended::Cut, _) => return Returned { passed, refusal: Some(0) },
            _ => panic!("the client got {answer:?}"),
        }
        assert!(passed <= most, "more answers than requests: {answer:?}");
    }
    Returned { passed, refusal: None }
}

/// The upstream has read the due requests and nothing else; the last one is the marker.
fn check_upstream(all: &[Message], due: &[Seen]) {
    let cut_off = |message: &&Message| message.ended == Ended::Cut && message.start[1] == "/broken";
    let mut all: Vec<_> = all.iter().filter(|message| !cut_off(message)).collect();
    let marker = all.pop().filter(|message| message.start[1].starts_with("/marker/"));
    assert!(marker.is_some(), "the marker did not come last");
    for message in &all {
        assert!(message.is_complete(), "the upstream was sent {message:?}");
    }
    assert_eq!(all.len(), due.len(), "the upstream has read {all:#?}");
    for (message, seen) in all.iter().zip(due) {
        seen.check(message);
    }
}

/// A refusal is told once: as bytes that are no request, or as a request that was refused.
fn check_refusal(own: &Log, status: u16) {
    let refused = |outcome: &str| matches!(outcome, "rejected" | "limited" | "client_timeout");
    let mut refusals = own.events("request_rejected");
    refusals.extend(own.events("request_completed").into_iter().filter(|record| refused(record.text("outcome"))));
    let [refusal] = refusals[..] else { panic!("not one refusal: {own:#?}") };
    assert_eq!(refusal.number("status_code"), u64::from(status), "{refusal:?}");
    assert_eq!(refusal.text("level"), "WARNING", "{refusal:?}");
    if refusal.event() == "request_rejected" {
        assert_eq!(refusal.text("logger"), "gatelog.security", "{refusal:?}");
        assert!(!refusal.text("reason").is_empty(), "{refusal:?}");
    }
}

/// Runs a table and reports every case that fails.
fn run(table: &[Case]) {
    let (slow, prompt): (Vec<_>, Vec<_>) = table.iter().partition(|case| case.allowed.tries_patience());
    let failures = [run_in(Arena::open(), &prompt), run_in(Arena::with_patience("700ms"), &slow)].concat();
    assert!(failures.is_empty(), "{} of {} cases:\n\n{}", failures.len(), table.len(), failures.join("\n\n"));
}

fn run_in(mut arena: Arena, cases: &[&Case]) -> Vec<String> {
    let mut failures = Vec::new();
    for case in cases {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| arena.run(case))) {
            let why = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            failures.push(format!("{}: {why}\n    {}", case.name, preview(&case.bytes)));
        }
    }
    arena.proxy.stop();
    failures
}

fn preview(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(400)];
    format!("{} ({} bytes)", shown.escape_ascii(), bytes.len())
}

#[test]
fn framing_is_read_by_all_alike() {
    run(&corpus::framing());
}

#[test]
fn chunks_are_read_by_all_alike() {
    run(&corpus::chunks());
}

#[test]
fn fields_are_read_by_all_alike() {
    run(&corpus::fields());
}

#[test]
fn request_lines_are_read_by_all_alike() {
    run(&corpus::request_line());
}

#[test]
fn hosts_are_read_by_all_alike() {
    run(&corpus::hosts());
}

#[test]
fn control_fields_do_only_what_they_may() {
    run(&corpus::controls());
}

#[test]
fn sizes_have_limits() {
    run(&corpus::sizes());
}

#[test]
fn nothing_is_smuggled() {
    run(&corpus::smuggling());
}

#[test]
fn the_corpus_is_as_large_as_promised_and_names_each_case_once() {
    let cases = corpus::all();
    let mut names: Vec<_> = cases.iter().map(|case| case.name.as_str()).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "a name stands for two cases");
    assert!(count >= 700, "{count} cases");
}
