//! Records to try formats on: a fixed set of each kind, and arbitrary ones.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::record::{
    Arg, Body, Closer, Event, Facts, Head, Level, Loss, Outcome, Phase, Progress, Record, Rejected, Schema, Settings,
    Timing, Tls, Value,
};

/// 2026-11-22T11:02:36.000123Z.
const NOW: u64 = 1_795_345_356_000_123;

pub(in crate::record) fn settings(schema: Schema, nulls: bool) -> Settings {
    Settings {
        service: Some("shop".into()),
        environment: Some("production".into()),
        schema,
        nulls,
        ..Settings::default()
    }
}

pub(in crate::record) fn head(event: Event, level: Level) -> Head<'static> {
    Head { timestamp: NOW, level, event, message: event.message(), logger: "gatelog.request" }
}

pub(in crate::record) fn facts() -> Facts<'static> {
    Facts {
        request_id: "01997f3e-0001-7000-8000-000000000001",
        request_id_origin: "generated",
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736"),
        span_id: Some("00f067aa0ba902b7"),
        parent_span_id: None,
        method: "GET",
        scheme: "https",
        host: Some(b"shop.example:8443"),
        path: b"/posts/42/",
        query: Some(b"page=2&q=a+b"),
        http_version: "2",
        view_name: "blog:post detail",
        view_args: &[],
        view_kwargs: &[
            Arg { name: "pk", value: Value::Digits("42") },
            Arg { name: "slug", value: Value::Text(b"a b") },
        ],
        route: Some("/posts/{pk}/"),
        user_id: None,
        ip_address: Some("203.0.113.7"),
        peer_address: Some("[2001:db8::1]:51234"),
        user_agent: Some(b"Mozilla/5.0 (X11; \"Linux\") \\o/"),
        referer: Some(b"https://shop.example/"),
        content_type: Some(b"text/plain"),
        content_length: Some(12),
        tls: Some(Tls {
            version: "TLSv1.3",
            cipher: "TLS_AES_128_GCM_SHA256",
            sni: Some("shop.example"),
            alpn: Some("h2"),
            client_subject: Some("CN=robot,O=Shop"),
        }),
        labels: &[("X-Tenant", b"a"), ("region", b"eu-1")],
    }
}

pub(in crate::record) fn progress() -> Progress<'static> {
    Progress {
        user_id: Some(b"alice"),
        request_size: 12,
        status_code: Some(200),
        response_size: Some(1234),
        response_content_type: Some(b"text/html"),
        cache_hit: Some(b"unknown"),
        duration: 53_210,
        timing: Timing { queue: Some(10), wait: Some(52_000), receive: Some(1_200), ..Timing::default() },
        server_timing: &[("db", 53_000)],
        outcome: Some(Outcome::Success),
        phase: Phase::Done,
        responder: Some("upstream"),
        upstream: Some("app"),
        upstream_address: Some("127.0.0.1:8000"),
        attempts: Some(1),
        reused_connection: Some(true),
        exception_type: None,
        exception_message: None,
        response_excerpt: None,
        slow: false,
        in_flight: false,
        sample_rate: Some(0.1),
        closed_by: None,
        grpc_status: Some(0),
    }
}

/// A plain request that failed, with next to nothing known.
fn failed() -> (Facts<'static>, Progress<'static>) {
    let facts = Facts {
        request_id: "f1",
        request_id_origin: "client",
        method: "PURGE",
        scheme: "http",
        path: b"/\xff\"",
        http_version: "1.1",
        view_name: "unknown",
        ..Facts::default()
    };
    let progress = Progress {
        user_id: None,
        request_size: 0,
        status_code: Some(502),
        response_size: Some(0),
        response_content_type: None,
        cache_hit: None,
        duration: 310,
        timing: Timing::default(),
        server_timing: &[],
        outcome: Some(Outcome::UpstreamRefused),
        phase: Phase::Connect,
        responder: Some("gatelog"),
        attempts: None,
        reused_connection: None,
        exception_type: Some(b"connection_refused"),
        exception_message: Some(b"127.0.0.1:8000 refused\nthe connection"),
        sample_rate: None,
        closed_by: None,
        grpc_status: None,
        ..progress()
    };
    (facts, progress)
}

/// Calls `check` with the name of each record of the fixed set, and the record.
pub(in crate::record) fn each(mut check: impl FnMut(&'static str, &Record<'_>)) {
    let facts = &facts();
    let mut request = |name, event, level, facts, progress| {
        check(name, &Record { head: head(event, level), body: Body::Request { facts, progress } });
    };
    request("started", Event::RequestStarted, Level::Info, facts, None);
    let slow = Progress {
        status_code: None,
        response_size: None,
        outcome: None,
        responder: None,
        phase: Phase::Wait,
        slow: true,
        in_flight: true,
        ..progress()
    };
    request("slow", Event::RequestSlow, Level::Warning, facts, Some(&slow));
    let (done, (bare, refused)) = (progress(), failed());
    request("completed", Event::RequestCompleted, Level::Info, facts, Some(&done));
    request("failed", Event::RequestFailed, Level::Error, &bare, Some(&refused));
    request("completed by gatelog", Event::RequestCompleted, Level::Error, &bare, Some(&refused));
    let rejected = Rejected {
        peer_address: Some("192.0.2.1:999"),
        ip_address: None,
        status_code: Some(400),
        reason: "bare_lf",
        detail: "a line ends without CR",
        excerpt: b"GET /\x1b[2J\xff",
        request_id: Some("r1"),
        suppressed: 0,
    };
    let security = Head { logger: "gatelog.security", ..head(Event::RequestRejected, Level::Warning) };
    check("rejected", &Record { head: security, body: Body::Rejected(&rejected) });
    let loss = Loss { output: "stdout", count: 3, from_seq: 4, to_seq: 6, reason: "queue_full" };
    let proxy = Head { logger: "gatelog.proxy", ..head(Event::LogLoss, Level::Warning) };
    check("loss", &Record { head: proxy, body: Body::Loss(&loss) });
    let fields = [
        ("message", Value::Text(b"x y")),
        ("listen", Value::List(&["http://[::]:80", "https://[::]:443"])),
        ("workers", Value::Unsigned(2)),
        ("gone", Value::Null),
    ];
    let started = Head { logger: "gatelog.proxy", ..head(Event::ServerStarted, Level::Info) };
    check("server", &Record { head: started, body: Body::Fields(&fields) });
}

/// Owned fields for a record of any kind, of anything.
#[derive(Debug, Clone)]
pub(in crate::record) struct Any {
    bytes: Vec<Vec<u8>>,
    strings: Vec<String>,
    numbers: Vec<u64>,
    present: u64,
    kind: usize,
    pub(in crate::record) nulls: bool,
}

pub(in crate::record) fn any_record() -> impl Strategy<Value = Any> {
    let special = prop_oneof![Just(b'"'), Just(b'\\'), Just(b' '), Just(b'='), 0u8..0x20];
    let bytes = prop_oneof![
        vec(any::<u8>(), 0..30),
        vec(special, 0..9),
        "[ -~]{0,20}".prop_map(String::into_bytes),
        Just(b"null".to_vec()),
        "[\\u{80}-\\u{9f}\\u{2028}\\u{2029}\\u{fffd}é]{0,4}".prop_map(String::into_bytes)
    ];
    let strings = prop_oneof![any::<String>(), "[a-z. =\"\\x00-\\x1f\\u{85}]{0,8}", "-?[0-9]{1,20}"];
    (vec(bytes, 14), vec(strings, 21), vec(any::<u64>(), 10), any::<u64>(), 0usize..7, any::<bool>()).prop_map(
        |(bytes, strings, numbers, present, kind, nulls)| Any { bytes, strings, numbers, present, kind, nulls },
    )
}

impl Any {
    fn maybe<T>(&self, bit: u32, value: T) -> Option<T> {
        (self.present >> bit & 1 == 1).then_some(value)
    }

    fn bytes(&self, at: u32) -> Option<&[u8]> {
        self.maybe(at, self.bytes[at as usize].as_slice())
    }

    fn text(&self, at: u32) -> Option<&str> {
        self.maybe(20 + at, self.strings[at as usize].as_str())
    }

    fn number(&self, at: u32) -> Option<u64> {
        self.maybe(40 + at, self.numbers[at as usize])
    }

    /// Calls `check` with the record.
    pub(in crate::record) fn with(&self, check: impl FnOnce(&Record<'_>)) {
        let event = [
            Event::RequestStarted,
            Event::RequestSlow,
            Event::RequestCompleted,
            Event::RequestFailed,
            if self.numbers[2].is_multiple_of(2) { Event::RequestRejected } else { Event::SecurityEvent },
            Event::LogLoss,
            Event::Diagnostic,
        ][self.kind];
        let head = Head {
            timestamp: 1_795_305_600_000_000 + self.numbers[0] % 86_400_000_000,
            level: Level::ALL[self.numbers[1] as usize % 5],
            event,
            message: &self.strings[0],
            logger: &self.strings[1],
        };
        match event {
            Event::RequestStarted => self.request(head, false, check),
            Event::RequestRejected | Event::SecurityEvent => self.rejected(head, check),
            Event::LogLoss => self.loss(head, check),
            Event::Diagnostic => self.free(head, check),
            _ => self.request(head, true, check),
        }
    }

    fn request(&self, head: Head<'_>, under_way: bool, check: impl FnOnce(&Record<'_>)) {
        let list = [self.strings[2].as_str()];
        let args = [
            Value::Text(&self.bytes[0]),
            Value::Digits(&self.strings[2]),
            Value::Unsigned(self.numbers[2]),
            Value::Float(f64::from_bits(self.numbers[3])),
            Value::Bool(under_way),
            Value::List(&list),
            Value::Null,
        ];
        let kwargs = [Arg { name: &self.strings[3], value: args[self.numbers[4] as usize % 7] }];
        let labels = [(self.strings[4].as_str(), self.bytes[1].as_slice())];
        let timings = [(self.strings[5].as_str(), self.numbers[5] >> 12)];
        let facts = Facts {
            request_id: &self.strings[6],
            request_id_origin: self.word(["generated", "client", "replaced"]),
            trace_id: self.text(8),
            span_id: self.text(9),
            parent_span_id: self.text(10),
            method: &self.strings[11],
            scheme: self.word(["http", "https"]),
            host: self.bytes(2),
            path: &self.bytes[3],
            query: self.bytes(4),
            http_version: self.word(["1.0", "1.1", "2"]),
            view_name: &self.strings[14],
            view_args: &args[..self.numbers[6] as usize % 8],
            view_kwargs: &kwargs,
            route: self.text(15),
            user_id: self.bytes(5),
            ip_address: self.text(16),
            peer_address: self.text(17),
            user_agent: self.bytes(6),
            referer: self.bytes(7),
            content_type: self.bytes(8),
            content_length: self.number(6),
            tls: self.maybe(
                14,
                Tls {
                    version: &self.strings[18],
                    cipher: &self.strings[19],
                    sni: self.text(18),
                    alpn: self.text(19),
                    client_subject: self.text(20),
                },
            ),
            labels: &labels[..self.maybe(15, 1).unwrap_or(0)],
        };
        let progress = self.progress(&timings);
        let progress = under_way.then_some(&progress);
        check(&Record { head, body: Body::Request { facts: &facts, progress } });
    }

    fn word<const N: usize>(&self, words: [&'static str; N]) -> &'static str {
        words[self.numbers[1] as usize % N]
    }

    fn progress<'a>(&'a self, timings: &'a [(&'a str, u64)]) -> Progress<'a> {
        Progress {
            user_id: self.bytes(9),
            request_size: self.numbers[7],
            status_code: self.number(7).map(|number| number as u16),
            response_size: self.number(8),
            response_content_type: self.bytes(10),
            cache_hit: self.bytes(11),
            duration: self.numbers[8] >> 12,
            timing: Timing {
                connect: self.number(1).map(|it| it >> 12),
                tls: self.number(2).map(|it| it >> 12),
                ..Timing::default()
            },
            server_timing: &timings[..self.maybe(16, 1).unwrap_or(0)],
            outcome: self.maybe(17, Outcome::ALL[self.numbers[9] as usize % Outcome::ALL.len()]),
            phase: Phase::ALL[self.numbers[9] as usize % Phase::ALL.len()],
            responder: self.maybe(0, self.word(["upstream", "gatelog"])),
            upstream: self.text(1),
            upstream_address: self.text(2),
            attempts: self.number(3).map(|number| number as u32),
            reused_connection: self.maybe(18, self.numbers[9].is_multiple_of(2)),
            exception_type: self.bytes(12),
            exception_message: self.bytes(13),
            response_excerpt: self.bytes(0),
            slow: self.numbers[0].is_multiple_of(2),
            in_flight: self.numbers[1].is_multiple_of(2),
            sample_rate: self.number(4).map(f64::from_bits),
            closed_by: self.maybe(19, Closer::ALL[self.numbers[9] as usize % Closer::ALL.len()]),
            grpc_status: self.number(5).map(|number| number as u32),
        }
    }

    fn rejected(&self, head: Head<'_>, check: impl FnOnce(&Record<'_>)) {
        let rejected = Rejected {
            peer_address: self.text(2),
            ip_address: self.text(3),
            status_code: self.number(0).map(|number| number as u16),
            reason: &self.strings[4],
            detail: &self.strings[5],
            excerpt: &self.bytes[0],
            request_id: self.text(6),
            suppressed: self.number(1).unwrap_or_default(),
        };
        check(&Record { head, body: Body::Rejected(&rejected) });
    }

    fn loss(&self, head: Head<'_>, check: impl FnOnce(&Record<'_>)) {
        let [count, from_seq, to_seq, ..] = self.numbers[..] else { unreachable!() };
        let loss = Loss { output: &self.strings[2], count, from_seq, to_seq, reason: &self.strings[3] };
        check(&Record { head, body: Body::Loss(&loss) });
    }

    fn free(&self, head: Head<'_>, check: impl FnOnce(&Record<'_>)) {
        let list = [self.strings[2].as_str(), &self.strings[3]];
        let fields = [
            (self.strings[4].as_str(), Value::Text(&self.bytes[0])),
            ("seq", Value::List(&list)),
            ("gone", Value::Null),
        ];
        check(&Record { head, body: Body::Fields(&fields[self.numbers[0] as usize % 3..]) });
    }
}
