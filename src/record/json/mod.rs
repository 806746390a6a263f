//! The native schema as JSON: one record, one line, fields in the fixed order, whatever bytes the client sent.
//!
//! The number of a line (`seq`) belongs to the output that writes it, so that an encoded line has a hole where it goes:
//! `…,"schema":1,"seq":,"instance":"…`. That is no JSON yet, by design; the writer fills the hole with [`splice`]. Where it
//! is known how many digits the number will have, the hole is as wide as they are, and nothing need be moved.
//!
//! What the started and the completed record of a request share is encoded once, into a [`Fragment`], and copied into
//! both lines. Nothing here allocates but the growth of the buffers it is given.

mod escape;
mod memo;
pub(super) mod number;
mod renamed;
mod time;
mod writer;

use super::{Body, Facts, Head, Loss, Progress, Record, Rejected, SCHEMA, Settings, Timing, Tls, Value};
use memo::{Heads, Session};
pub use renamed::Renamed;
pub use time::Clock;
use writer::Writer;

/// Bytes of a rejected head that its record shows.
pub const EXCERPT: usize = 256;

/// Room for everything of a line that does not come from the client; a longer line grows the buffer.
const ROOM: usize = 1024;
/// What stands where a number belongs that is not known yet.
const ROOM_FOR_SEQ: [u8; 20] = [b'0'; 20];

/// Encodes records, for one core: it remembers the text of the current second.
#[derive(Debug)]
pub struct Encoder {
    clock: Clock,
    /// `,"instance":…,"service":…,"environment":…`, the same in every line.
    stamp: Vec<u8>,
    nulls: bool,
    /// Digits that the hole for `seq` has room for.
    hole: usize,
    heads: Heads,
    session: Session,
    /// For request records whose caller keeps no fragment.
    scratch: Fragment,
}

impl Encoder {
    /// An encoder that stamps every line with this process `instance`, and with the service and environment of `settings`.
    pub fn new(instance: &str, settings: &Settings) -> Encoder {
        let mut stamp = Vec::new();
        let mut line = Writer::new(&mut stamp, settings.nulls);
        line.text(",\"instance\":", instance.as_bytes());
        line.text_or_null(",\"service\":", settings.service.as_deref().map(str::as_bytes));
        line.text_or_null(",\"environment\":", settings.environment.as_deref().map(str::as_bytes));
        Encoder {
            clock: Clock::default(),
            stamp,
            nulls: settings.nulls,
            hole: 0,
            heads: Heads::new(),
            session: Session::default(),
            scratch: Fragment::default(),
        }
    }

    /// From now on, leaves room for so many digits of `seq`, 20 at most.
    pub fn leave_room(&mut self, digits: usize) {
        let digits = digits.min(ROOM_FOR_SEQ.len());
        if digits != self.hole {
            self.hole = digits;
            self.heads.clear();
        }
    }

    /// Encodes what the records of one request share. Whatever `fragment` held is gone; its memory is used again.
    pub fn fragment(&mut self, facts: &Facts<'_>, fragment: &mut Fragment) {
        fragment.clear();
        let Fragment { bytes, user, client, tls, labels } = fragment;
        let mut line = Writer::new(bytes, self.nulls);
        request(&mut line, facts);
        *user = line.len();
        line.text_or_null(",\"user_id\":", facts.user_id);
        *client = line.len();
        headers(&mut line, facts);
        *tls = line.len();
        match &facts.tls {
            Some(tls) => self.session.write(tls, &mut line),
            None => line.absent(",\"tls\":"),
        }
        *labels = line.len();
        line.texts(",\"labels\":", facts.labels);
    }

    /// Appends the line of one record of a request: a JSON object but for its `seq`, and a line feed.
    ///
    /// Without `progress` it is a started record. Returns where in `out` the digits of `seq` belong ([`splice`]).
    pub fn request(
        &mut self,
        head: &Head<'_>,
        fragment: &Fragment,
        progress: Option<&Progress<'_>>,
        out: &mut Vec<u8>,
    ) -> usize {
        out.reserve(ROOM + fragment.bytes.len());
        let hole = self.head(head, out);
        let mut line = Writer::new(out, self.nulls);
        line.raw(fragment.request());
        match progress {
            None => started(&mut line, fragment),
            Some(progress) => under_way(&mut line, fragment, progress),
        }
        line.raw(fragment.labels());
        line.raw(b"}\n");
        hole
    }

    /// Appends the line of any record, as [`Encoder::request`] does for one whose fragment is at hand.
    pub fn record(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> usize {
        if let Body::Request { facts, progress } = record.body {
            let mut fragment = std::mem::take(&mut self.scratch);
            self.fragment(facts, &mut fragment);
            let hole = self.request(&record.head, &fragment, progress, out);
            self.scratch = fragment;
            return hole;
        }
        let hole = self.head(&record.head, out);
        let mut line = Writer::new(out, self.nulls);
        match record.body {
            Body::Rejected(rejected) => rejection(&mut line, rejected),
            Body::Loss(loss) => self::loss(&mut line, loss),
            Body::Fields(fields) => free(&mut line, fields),
            Body::Request { .. } => {}
        }
        line.raw(b"}\n");
        hole
    }

    /// Opens the object and writes what every record carries; returns where `seq` belongs.
    fn head(&mut self, head: &Head<'_>, out: &mut Vec<u8>) -> usize {
        out.extend_from_slice(b"{\"timestamp\":\"");
        self.clock.write(head.timestamp, out);
        let start = out.len();
        let (bytes, hole) = self.heads.of(head, |out| rest_of_head(head, self.hole, &self.stamp, out));
        out.extend_from_slice(bytes);
        start + hole
    }
}

/// What of a head comes behind the timestamp; returns where `seq` belongs, in a hole of so many digits.
fn rest_of_head(head: &Head<'_>, hole: usize, stamp: &[u8], out: &mut Vec<u8>) -> usize {
    let mut line = Writer::new(out, false);
    line.raw(b"\"");
    line.token(",\"level\":", head.level.as_str());
    line.token(",\"event\":", head.event.as_str());
    line.text(",\"message\":", head.message.as_bytes());
    line.text(",\"logger\":", head.logger.as_bytes());
    line.whole(",\"schema\":", u64::from(SCHEMA));
    line.raw(b",\"seq\":");
    let at = line.len();
    line.raw(&ROOM_FOR_SEQ[..hole]);
    line.raw(stamp);
    at
}

/// What the records of one request share, encoded once. Reused from request to request, it keeps its memory.
///
/// The fields of a record do not lie together: some that only the end tells stand between them. So the pieces lie one
/// behind the other, and a line takes them one by one.
#[derive(Debug, Default)]
pub struct Fragment {
    bytes: Vec<u8>,
    /// Where `user_id` begins, which the response may know better.
    user: usize,
    /// Where `ip_address` begins.
    client: usize,
    /// Where `tls` begins.
    tls: usize,
    /// Where `labels` begins.
    labels: usize,
}

impl Fragment {
    /// Forgets the request, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        (self.user, self.client, self.tls, self.labels) = (0, 0, 0, 0);
    }

    /// Whether it was made from no request.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes of memory that it keeps.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    fn request(&self) -> &[u8] {
        &self.bytes[..self.user]
    }

    fn user(&self) -> &[u8] {
        &self.bytes[self.user..self.client]
    }

    fn client(&self) -> &[u8] {
        &self.bytes[self.client..self.tls]
    }

    fn tls(&self) -> &[u8] {
        &self.bytes[self.tls..self.labels]
    }

    fn labels(&self) -> &[u8] {
        &self.bytes[self.labels..]
    }
}

/// Appends a JSON string, quotes included: valid UTF-8 on one line, whatever the bytes.
pub fn string(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    escape::text(bytes, out);
    out.push(b'"');
}

/// A moment, in microseconds since the Unix epoch, as records have it: RFC 3339 in UTC with six decimals.
pub fn timestamp(micros: u64) -> String {
    let mut text = Vec::new();
    Clock::default().write(micros, &mut text);
    text.into_iter().map(char::from).collect()
}

/// Appends `line` to `out` with the digits of `seq` put into the hole of this many bytes at `at`, counted from the
/// beginning of the line.
///
/// A place beyond the line's end is taken as its end: the writer must not fall over a wrong offset.
pub fn splice(line: &[u8], at: usize, hole: usize, seq: u64, out: &mut Vec<u8>) {
    let (before, after) = line.split_at(at.min(line.len()));
    let after = &after[hole.min(after.len())..];
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(seq).as_bytes();
    out.reserve(line.len() + digits.len());
    out.extend_from_slice(before);
    out.extend_from_slice(digits);
    out.extend_from_slice(after);
}

// The fields, in the order of the contract.

/// `request_id` to `route`.
fn request(line: &mut Writer<'_>, facts: &Facts<'_>) {
    line.text(",\"request_id\":", facts.request_id.as_bytes());
    line.token(",\"request_id_origin\":", facts.request_id_origin);
    line.str_or_null(",\"trace_id\":", facts.trace_id);
    line.str_or_null(",\"span_id\":", facts.span_id);
    line.str_or_null(",\"parent_span_id\":", facts.parent_span_id);
    line.text(",\"method\":", facts.method.as_bytes());
    line.token(",\"scheme\":", facts.scheme);
    line.text_or_null(",\"host\":", facts.host);
    // Only CONNECT has none (RFC 9112 §3.2.3).
    line.text_or_null(",\"path\":", Some(facts.path).filter(|path| !path.is_empty()));
    line.text_or_null(",\"query\":", facts.query);
    line.token(",\"http_version\":", facts.http_version);
    line.text(",\"view_name\":", facts.view_name.as_bytes());
    line.array(",\"view_args\":", facts.view_args);
    line.arguments(",\"view_kwargs\":", facts.view_kwargs);
    line.str_or_null(",\"route\":", facts.route);
}

/// `ip_address` to `content_length`.
fn headers(line: &mut Writer<'_>, facts: &Facts<'_>) {
    line.str_or_null(",\"ip_address\":", facts.ip_address);
    line.str_or_null(",\"peer_address\":", facts.peer_address);
    line.text_or_null(",\"user_agent\":", facts.user_agent);
    line.text_or_null(",\"referer\":", facts.referer);
    line.text_or_null(",\"content_type\":", facts.content_type);
    line.whole_or_null(",\"content_length\":", facts.content_length);
}

/// From `user_id` to `tls`, for a request of which only the head is known.
fn started(line: &mut Writer<'_>, fragment: &Fragment) {
    line.raw(fragment.user());
    line.raw(fragment.client());
    line.raw(b",\"in_flight\":true");
    line.raw(fragment.tls());
}

/// From `user_id` to `grpc_status`.
fn under_way(line: &mut Writer<'_>, fragment: &Fragment, progress: &Progress<'_>) {
    match progress.user_id {
        Some(user) => line.text(",\"user_id\":", user),
        None => line.raw(fragment.user()),
    }
    line.raw(fragment.client());
    response(line, progress);
    ending(line, progress);
    flags(line, progress);
    line.raw(fragment.tls());
    line.whole_or_null(",\"grpc_status\":", progress.grpc_status.map(u64::from));
}

/// `request_size` to `server_timing`.
fn response(line: &mut Writer<'_>, progress: &Progress<'_>) {
    line.whole(",\"request_size\":", progress.request_size);
    line.whole_or_null(",\"status_code\":", progress.status_code.map(u64::from));
    line.whole_or_null(",\"response_size\":", progress.response_size);
    line.text_or_null(",\"response_content_type\":", progress.response_content_type);
    line.text_or_null(",\"cache_hit\":", progress.cache_hit);
    line.seconds(",\"duration\":", progress.duration);
    timing(line, &progress.timing);
    line.durations(",\"server_timing\":", progress.server_timing);
}

/// `timing`; left out when the request reached no phase at all. With nulls it always has all its keys, as `tls` has.
fn timing(line: &mut Writer<'_>, timing: &Timing) {
    if *timing == Timing::default() && !line.nulls() {
        return;
    }
    line.raw(b",\"timing\":");
    let open = line.len();
    line.seconds_or_null(",\"queue\":", timing.queue);
    line.seconds_or_null(",\"connect\":", timing.connect);
    line.seconds_or_null(",\"tls\":", timing.tls);
    line.seconds_or_null(",\"send\":", timing.send);
    line.seconds_or_null(",\"wait\":", timing.wait);
    line.seconds_or_null(",\"receive\":", timing.receive);
    line.enclose(open, *b"{}");
}

/// `outcome` to `response_excerpt`.
fn ending(line: &mut Writer<'_>, progress: &Progress<'_>) {
    line.token_or_null(",\"outcome\":", progress.outcome.map(|outcome| outcome.as_str()));
    line.token(",\"phase\":", progress.phase.as_str());
    line.token_or_null(",\"closed_by\":", progress.closed_by.map(|closer| closer.as_str()));
    line.token_or_null(",\"responder\":", progress.responder);
    line.str_or_null(",\"upstream\":", progress.upstream);
    line.str_or_null(",\"upstream_address\":", progress.upstream_address);
    line.whole_or_null(",\"attempts\":", progress.attempts.map(u64::from));
    line.truth_or_null(",\"reused_connection\":", progress.reused_connection);
    line.text_or_null(",\"exception_type\":", progress.exception_type);
    line.text_or_null(",\"exception_message\":", progress.exception_message);
    line.text_or_null(",\"response_excerpt\":", progress.response_excerpt);
}

/// `slow` to `sample_rate`. A request that is over is not in flight: there the field is absent.
fn flags(line: &mut Writer<'_>, progress: &Progress<'_>) {
    line.truth_or_null(",\"slow\":", Some(progress.slow));
    line.truth_or_null(",\"in_flight\":", progress.in_flight.then_some(true));
    line.float_or_null(",\"sample_rate\":", progress.sample_rate);
}

/// The fields of `request_rejected` and `security_event`; those it shares with requests keep their names and order.
fn rejection(line: &mut Writer<'_>, rejected: &Rejected<'_>) {
    line.str_or_null(",\"request_id\":", rejected.request_id);
    line.str_or_null(",\"ip_address\":", rejected.ip_address);
    line.str_or_null(",\"peer_address\":", rejected.peer_address);
    line.whole_or_null(",\"status_code\":", rejected.status_code.map(u64::from));
    line.text(",\"reason\":", rejected.reason.as_bytes());
    line.str_or_null(",\"detail\":", Some(rejected.detail).filter(|detail| !detail.is_empty()));
    let excerpt = &rejected.excerpt[..rejected.excerpt.len().min(EXCERPT)];
    line.visible_or_null(",\"excerpt\":", Some(excerpt).filter(|excerpt| !excerpt.is_empty()));
    line.whole_or_null(",\"suppressed\":", Some(rejected.suppressed).filter(|count| *count > 0));
}

/// The fields of `log_loss`.
fn loss(line: &mut Writer<'_>, loss: &Loss<'_>) {
    line.text(",\"output\":", loss.output.as_bytes());
    line.whole(",\"count\":", loss.count);
    line.whole(",\"from_seq\":", loss.from_seq);
    line.whole(",\"to_seq\":", loss.to_seq);
    line.text(",\"reason\":", loss.reason.as_bytes());
}

/// The keys that every record has: a free field of one of these names gets a `_` behind it, so that no key stands twice.
pub const RESERVED: [&str; 10] =
    ["timestamp", "level", "event", "message", "logger", "schema", "seq", "instance", "service", "environment"];

/// Free fields, in the order given.
fn free(line: &mut Writer<'_>, fields: &[(&str, Value<'_>)]) {
    for (name, value) in fields {
        if *value != Value::Null || line.nulls() {
            let guard = if RESERVED.contains(name) { "_" } else { "" };
            line.named(name, guard, value);
        }
    }
}

#[cfg(test)]
mod tests;
