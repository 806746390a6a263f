//! The ledger of one request: everybody who has a hand in it holds a handle, and the last one to let go writes how it
//! ended.
//!
//! Nobody has to remember to log. The terminal record is written by `Drop`: after success, error, hang-up, stream reset,
//! shutdown or panic alike, exactly once.

mod ending;
mod progress;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use http::{HeaderMap, StatusCode};

use crate::filter::Expression;
use crate::net::Peer;
use crate::record::json::Fragment;
use crate::record::{Body, Closer, Event, Head, Level, Outcome, Phase, Progress, Record};
use crate::routes::Route;
use crate::time::micros;

use super::answer::Answer;
use super::business::Notes;
use super::capture::Capture;
use super::facts::Facts;
use super::glance::Mentions;
use super::id::RequestId;
use super::registry::Key;
use super::sample::{self, Hold};
use super::timing::Moments;
use super::trace::Trace;
use super::{Exchanges, LOGGER, Memory};

/// A handle on the ledger of one request.
#[derive(Clone)]
pub struct Exchange(pub(super) Rc<Ledger>);

/// The same for whoever may outlive the exchange without holding up its end.
#[derive(Clone)]
pub struct WeakExchange(Weak<Ledger>);

impl WeakExchange {
    /// The exchange, if it is not over.
    pub fn upgrade(&self) -> Option<Exchange> {
        self.0.upgrade().map(Exchange)
    }
}

/// A failure of an exchange, for the record.
#[derive(Debug, Clone)]
pub struct Exception {
    /// RFC 9209 §2.3 token, or what the application reported.
    pub kind: Vec<u8>,
    /// The sentence beside it; empty where the application only named the type.
    pub message: Vec<u8>,
}

impl Exception {
    fn kind(&self) -> Option<&[u8]> {
        Some(self.kind.as_slice()).filter(|kind| !kind.is_empty())
    }

    fn message(&self) -> Option<&[u8]> {
        Some(self.message.as_slice()).filter(|message| !message.is_empty())
    }
}

pub(super) struct Ledger {
    pub(super) core: Rc<Exchanges>,
    pub(super) facts: Facts,
    pub(super) fragment: Fragment,
    /// Nothing is written about it (`log = false`).
    pub(super) silent: bool,
    /// What business events want of it.
    pub(super) notes: Option<Notes>,
    pub(super) start: Instant,
    pub(super) keys: Cell<[Option<Key>; 2]>,
    /// Whether it may be left out.
    pub(super) hold: Cell<Hold>,
    moments: Cell<Moments>,
    phase: Cell<Phase>,
    /// The answer has reached the client, or what of it could.
    delivered: Cell<bool>,
    pub(super) outcome: Cell<Option<Outcome>>,
    /// Its failure is no exception: no `request_failed` is written.
    refused: Cell<bool>,
    exception: RefCell<Option<Exception>>,
    pub(super) status: Cell<Option<u16>>,
    pub(super) request_size: Cell<u64>,
    pub(super) response_size: Cell<u64>,
    answer: RefCell<Option<Answer>>,
    user: RefCell<Option<Vec<u8>>>,
    responder: Cell<Option<&'static str>>,
    pub(super) upstream: RefCell<Option<Rc<str>>>,
    upstream_address: RefCell<Option<Rc<str>>>,
    attempts: Cell<u32>,
    reused: Cell<Option<bool>>,
    slow: Cell<bool>,
    /// How many progress records were written.
    progress: Cell<u32>,
    /// It has become a tunnel, which is as old as those at its ends please.
    is_tunnel: Cell<bool>,
    closed_by: Cell<Option<Closer>>,
    grpc_status: Cell<Option<u32>>,
    /// The beginning of the answer's body, where that is wanted.
    capture: RefCell<Option<Box<Capture>>>,
    /// What was found suspicious about it, a bit for each.
    pub(super) suspicions: Cell<u32>,
}

impl Exchange {
    /// The request's id.
    pub fn id(&self) -> &RequestId {
        &self.0.facts.id
    }

    /// A handle that does not hold up its end.
    pub fn downgrade(&self) -> WeakExchange {
        WeakExchange(Rc::downgrade(&self.0))
    }

    /// Its place in its trace.
    pub fn trace(&self) -> Option<&Trace> {
        self.0.facts.trace.as_ref()
    }

    /// The client's connection.
    pub fn peer(&self) -> &Peer {
        &self.0.facts.peer
    }

    /// The client speaks HTTP/1.0, which knows no chunks.
    pub fn is_http_1_0(&self) -> bool {
        self.0.facts.version == http::Version::HTTP_10
    }

    /// When its head was read.
    pub fn started(&self) -> Instant {
        self.0.start
    }

    /// What its head mentions.
    pub fn mentions(&self) -> Mentions {
        self.0.facts.mentions
    }

    /// The route it matched.
    pub fn route(&self) -> Option<&Route> {
        self.0.facts.route()
    }

    /// It goes to this upstream.
    pub fn chosen(&self, upstream: &Rc<str>) {
        *self.0.upstream.borrow_mut() = Some(Rc::clone(upstream));
        self.enter(Phase::Queue);
    }

    /// A server of the upstream is tried, over a connection that is there already or a new one.
    pub fn attempt(&self, address: &Rc<str>, reused: bool) {
        let attempts = self.0.attempts.get();
        *self.0.upstream_address.borrow_mut() = Some(Rc::clone(address));
        self.0.attempts.set(attempts + 1);
        self.0.reused.set(Some(reused));
        if attempts > 0 {
            // What was before this attempt was waiting for it.
            self.0.moments.set(Moments::default());
        }
        if !reused {
            self.moment(None, |moments, now| *moments = Moments { connecting: Some(now), ..Moments::default() });
            self.enter(Phase::Connect);
        }
    }

    /// TCP stands; the TLS handshake with the server begins.
    pub fn securing(&self) {
        self.moment(None, |moments, now| moments.securing = Some(now));
    }

    /// The request is being written, from the moment on that is returned.
    pub fn sending(&self) -> Instant {
        self.enter(Phase::Send);
        self.moment(None, |moments, now| (moments.sending, moments.sent) = (Some(now), None))
    }

    /// The request's last byte is written: `at` this moment, or now. Returns when.
    pub fn sent(&self, at: Option<Instant>) -> Instant {
        if self.0.phase.get() == Phase::Send {
            self.enter(Phase::Wait);
        }
        self.moment(at, |moments, now| moments.sent = Some(now))
    }

    /// The response's first byte is read, at the moment that is returned.
    pub fn first_byte(&self) -> Instant {
        self.moment(None, |moments, now| moments.answered = moments.answered.or(Some(now)))
    }

    /// The upstream's response head is there, and goes to the client.
    pub fn responded(&self, status: StatusCode, headers: &HeaderMap) {
        let ledger = &self.0;
        ledger.status.set(Some(status.as_u16()));
        ledger.responder.set(Some("upstream"));
        let answer = Answer::of(headers);
        ledger.grpc_status.set(answer.grpc_status);
        *ledger.answer.borrow_mut() = Some(answer);
        *ledger.user.borrow_mut() = ledger.core.users.of_response(headers, ledger.facts.user.as_ref());
        ledger.note_response(headers);
        self.enter(Phase::Receive);
        if let Some(settings) = &ledger.core.settings.capture {
            let capture = Capture::of(settings, headers).filter(|_| ledger.is_meant(&settings.when));
            *ledger.capture.borrow_mut() = capture.map(Box::new);
        }
    }

    /// Whether [`Exchange::capture`] is to see the answer's body.
    pub fn captures(&self) -> bool {
        self.0.capture.borrow().is_some()
    }

    /// Copies the beginning of the answer's body, of which this is the next piece.
    pub fn capture(&self, data: &[u8]) {
        if let Some(capture) = &mut *self.0.capture.borrow_mut() {
            capture.pass(data);
        }
    }

    /// The upstream reported an exception beside its answer.
    pub fn reported(&self, exception: Exception) {
        *self.0.exception.borrow_mut() = Some(exception);
    }

    /// gatelog answers with this status itself.
    pub fn answered(&self, status: StatusCode, headers: &HeaderMap) {
        self.0.status.set(Some(status.as_u16()));
        self.0.responder.set(Some("gatelog"));
        *self.0.answer.borrow_mut() = Some(Answer::of(headers));
        self.0.note_response(headers);
    }

    /// It cannot end well any more. The first failure is the cause; what follows from it changes nothing.
    pub fn failed(&self, outcome: Outcome, exception: Option<Exception>) {
        if self.0.outcome.get().is_none() {
            self.0.outcome.set(Some(outcome));
            *self.0.exception.borrow_mut() = exception;
        }
    }

    /// It was refused: the cause is noted, and no exception ended it.
    pub fn refused(&self, outcome: Outcome, cause: Exception) {
        if self.0.outcome.get().is_none() {
            self.0.refused.set(true);
            self.failed(outcome, Some(cause));
        }
    }

    /// It is answered here because that is what was asked for.
    pub fn concluded_here(&self) {
        self.enter(Phase::Done);
    }

    /// So many bytes of the request's body went by.
    pub fn count_request(&self, bytes: usize) {
        self.0.request_size.set(self.0.request_size.get() + bytes as u64);
    }

    /// So many bytes of the response's body went by.
    pub fn count_response(&self, bytes: usize) {
        self.0.response_size.set(self.0.response_size.get() + bytes as u64);
    }

    /// The application's `grpc-status`.
    pub fn grpc_status(&self, status: u32) {
        self.0.grpc_status.set(Some(status));
    }

    /// The last byte of the answer is on its way to the client.
    pub fn delivered(&self) {
        self.0.delivered.set(true);
    }

    /// Where it is.
    pub fn enter(&self, phase: Phase) {
        self.0.phase.set(phase);
    }

    fn moment(&self, at: Option<Instant>, note: impl FnOnce(&mut Moments, Instant)) -> Instant {
        let mut moments = self.0.moments.get();
        let now = at.unwrap_or_else(|| self.0.core.desk.clock.now());
        note(&mut moments, now);
        self.0.moments.set(moments);
        now
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exchange {:?} in {}", self.0.facts.id, self.0.phase.get().as_str())
    }
}

impl Ledger {
    pub(super) fn open(
        core: Rc<Exchanges>,
        facts: Facts,
        fragment: Fragment,
        notes: Option<Notes>,
        start: Instant,
    ) -> Ledger {
        let silent = facts.route().is_some_and(|route| !route.overrides.log);
        Ledger {
            core,
            facts,
            fragment,
            silent,
            notes,
            start,
            keys: Cell::default(),
            hold: Cell::new(Hold::Free),
            moments: Cell::default(),
            phase: Cell::new(Phase::ReadRequest),
            delivered: Cell::default(),
            outcome: Cell::default(),
            refused: Cell::default(),
            exception: RefCell::default(),
            status: Cell::default(),
            request_size: Cell::default(),
            response_size: Cell::default(),
            answer: RefCell::default(),
            user: RefCell::default(),
            responder: Cell::default(),
            upstream: RefCell::default(),
            upstream_address: RefCell::default(),
            attempts: Cell::default(),
            reused: Cell::default(),
            slow: Cell::default(),
            progress: Cell::default(),
            is_tunnel: Cell::default(),
            closed_by: Cell::default(),
            grpc_status: Cell::default(),
            capture: RefCell::default(),
            suspicions: Cell::default(),
        }
    }

    /// Writes `request_started`, dated when the head was read.
    pub(super) fn write_started(&self) {
        if matches!(self.hold.get(), Hold::Held(_)) {
            self.hold.set(Hold::Free);
        }
        self.offer(&self.started_head(), None);
    }

    /// Dated when the head was read.
    fn started_head(&self) -> Head<'static> {
        head(Event::RequestStarted, Level::Info, self.core.desk.clock.wall(self.start))
    }

    /// How long it has been running.
    pub(super) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.start)
    }

    fn settle(&self) {
        let now = self.core.desk.clock.now();
        let threshold = self.core.slow_threshold(self.facts.route());
        if !self.slow.get() && threshold.is_some_and(|threshold| self.age(now) >= threshold) {
            self.write_slow(now);
        }
        self.finish_capture();
        self.conclude();
        self.count(now);
        if self.silent {
            return;
        }
        if self.exception.borrow().is_some() && !self.refused.get() {
            self.release(now);
            let critical = self.outcome.get() == Some(Outcome::Internal);
            let level = if critical { Level::Critical } else { Level::Error };
            self.write_progress(Event::RequestFailed, level, now, false);
        }
        self.complete(now);
    }

    fn note_response(&self, headers: &HeaderMap) {
        if let Some(notes) = &self.notes {
            self.core.events.respond(notes, headers, &self.core.policy);
        }
    }

    /// Writes `request_completed`, unless sampling leaves the request out, and the business events that mean it.
    fn complete(&self, now: Instant) {
        let head = head(Event::RequestCompleted, self.completed_level(), self.core.desk.clock.wall(now));
        self.with_progress(now, false, |progress| {
            if self.hold.get() == Hold::Free || self.is_taken(&head, progress, now) {
                self.offer(&head, Some(progress));
            } else {
                self.leave_out(&head, progress, now);
            }
            if let Some(notes) = &self.notes {
                self.facts.show(|facts| {
                    let completed = Record { head, body: Body::Request { facts, progress: Some(progress) } };
                    self.core.events.write(&completed, notes, &self.core.desk.intake, &self.core.tally);
                });
            }
        });
    }

    /// It is in no log; who watches for something sees all the records that it would have had.
    fn leave_out(&self, head: &Head<'_>, progress: &Progress<'_>, now: Instant) {
        let witness = |head: &Head<'_>, progress| {
            self.core.desk.intake.witness(head, progress, &|with| self.facts.show(with));
        };
        if matches!(self.hold.get(), Hold::Held(Some(after)) if self.age(now) >= after) {
            witness(&self.started_head(), None);
        }
        witness(head, Some(progress));
        self.core.tally.leave_out();
    }

    /// Whether a rule of sampling may leave it out when it ends well, as far as its head tells.
    pub(super) fn may_be_left_out(&self) -> bool {
        let rules = self.core.sample_rules(self.facts.route());
        if rules.is_empty() || self.silent {
            return false;
        }
        self.hold.set(Hold::Taken);
        let draw = sample::draw(self.facts.id.as_str());
        self.facts.show(|facts| {
            let body = Body::Request { facts, progress: None };
            sample::may_leave_out(rules, draw, &Record { head: sample::last_head(), body })
        })
    }

    /// Whether it is written, as one of many where rules are about the like of it: the record then says the rate.
    fn is_taken(&self, head: &Head<'_>, progress: &mut Progress<'_>, now: Instant) -> bool {
        let route = self.facts.route();
        let limit = sample::limit(self.core.slow_threshold(route));
        if sample::is_ordinary(head.level, progress, limit) {
            let rules = self.core.sample_rules(route);
            let rate = self.facts.show(|facts| {
                let body = Body::Request { facts, progress: Some(progress) };
                sample::rate(rules, &Record { head: *head, body })
            });
            let passed_over = |rate| sample::draw(self.facts.id.as_str()) >= rate;
            if self.hold.get() != Hold::Taken && rate.is_some_and(passed_over) {
                return false;
            }
            progress.sample_rate = rate.filter(|rate| *rate < 1.0);
        }
        self.release(now);
        true
    }

    /// It will be written: its started record need not be held back any longer.
    fn release(&self, now: Instant) {
        if let Hold::Held(Some(after)) = self.hold.replace(Hold::Free)
            && self.age(now) >= after
        {
            self.write_started();
        }
    }

    /// Whether the body of the answer whose head is there is wanted.
    fn is_meant(&self, when: &Expression) -> bool {
        if self.silent {
            return false;
        }
        let now = self.core.desk.clock.now();
        let (event, level) = (Event::RequestCompleted, self.completed_level());
        // Its message is not one of the words that are known by now.
        let head = Head { timestamp: self.core.desk.clock.wall(now), level, event, message: "", logger: LOGGER };
        self.with_progress(now, true, |progress| {
            self.facts
                .show(|facts| when.matches(&Record { head, body: Body::Request { facts, progress: Some(progress) } }))
        })
    }

    /// What the body tells of an exception counts where nothing else has told of one.
    fn finish_capture(&self) {
        let told = self.capture.borrow_mut().as_mut().and_then(|capture| capture.finish(&self.core.policy));
        if told.is_some() && self.outcome.get().is_none() && self.exception.borrow().is_none() {
            // A problem of the client's making is the cause of its answer, and no exception of the application.
            self.refused.set(self.status.get().is_some_and(|status| status < 500));
            *self.exception.borrow_mut() = told;
        }
    }

    fn write_progress(&self, event: Event, level: Level, now: Instant, in_flight: bool) {
        let head = head(event, level, self.core.desk.clock.wall(now));
        self.with_progress(now, in_flight, |progress| self.offer(&head, Some(progress)));
    }

    /// How it goes, or went, as a record wants it.
    pub(super) fn with_progress<R>(
        &self,
        now: Instant,
        in_flight: bool,
        with: impl FnOnce(&mut Progress<'_>) -> R,
    ) -> R {
        let (exception, answer, user) = (self.exception.borrow(), self.answer.borrow(), self.user.borrow());
        let (upstream, address) = (self.upstream.borrow(), self.upstream_address.borrow());
        let capture = self.capture.borrow();
        let timings = answer.as_ref().map_or(&[][..], |answer| answer.server_timing.as_slice());
        let timings: Vec<(&str, u64)> = timings.iter().map(|(name, time)| (name.as_str(), *time)).collect();
        let attempts = self.attempts.get();
        with(&mut Progress {
            user_id: user.as_deref(),
            request_size: self.request_size.get(),
            status_code: self.status.get(),
            response_size: answer.is_some().then(|| self.response_size.get()),
            response_content_type: answer
                .as_ref()
                .and_then(|answer| answer.content_type.as_ref())
                .map(|v| v.as_bytes()),
            cache_hit: answer.as_ref().map(|answer| answer.cache_hit.as_deref().unwrap_or("unknown").as_bytes()),
            duration: micros(self.age(now)),
            timing: self.moments.get().phases(self.start, now),
            server_timing: &timings,
            outcome: self.outcome.get().filter(|_| !in_flight),
            phase: self.phase.get(),
            closed_by: self.closed_by.get().filter(|_| !in_flight),
            responder: self.responder.get(),
            upstream: upstream.as_deref(),
            upstream_address: address.as_deref(),
            attempts: (attempts > 0).then_some(attempts),
            reused_connection: self.reused.get(),
            exception_type: exception.as_ref().and_then(Exception::kind),
            exception_message: exception.as_ref().and_then(Exception::message),
            response_excerpt: capture.as_deref().and_then(Capture::excerpt),
            slow: self.slow.get(),
            in_flight,
            sample_rate: None,
            grpc_status: self.grpc_status.get(),
        })
    }

    fn offer(&self, head: &Head<'_>, progress: Option<&Progress<'_>>) {
        if !self.silent {
            let route = self.core.meter.place(self.facts.route().map(|route| route.index));
            self.core.desk.intake.request(head, &self.fragment, progress, route, &|with| self.facts.show(with));
        }
    }
}

fn head(event: Event, level: Level, timestamp: u64) -> Head<'static> {
    Head { timestamp, level, event, message: event.message(), logger: LOGGER }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        let keys = self.keys.get();
        self.settle();
        let memory = Memory { fragment: std::mem::take(&mut self.fragment), texts: self.facts.take_memory() };
        self.core.leave(keys, memory);
    }
}
