//! Whole lines, byte for byte, and what must hold for any record whatever it holds.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::record::{Arg, Event, Level, Outcome, Phase};

/// The fields of a request record, in the order of the contract.
const FIELDS: [&str; 57] = [
    "timestamp",
    "level",
    "event",
    "message",
    "logger",
    "schema",
    "seq",
    "instance",
    "service",
    "environment",
    "request_id",
    "request_id_origin",
    "trace_id",
    "span_id",
    "parent_span_id",
    "method",
    "scheme",
    "host",
    "path",
    "query",
    "http_version",
    "view_name",
    "view_args",
    "view_kwargs",
    "route",
    "user_id",
    "ip_address",
    "peer_address",
    "user_agent",
    "referer",
    "content_type",
    "content_length",
    "request_size",
    "status_code",
    "response_size",
    "response_content_type",
    "cache_hit",
    "duration",
    "timing",
    "server_timing",
    "outcome",
    "phase",
    "closed_by",
    "responder",
    "upstream",
    "upstream_address",
    "attempts",
    "reused_connection",
    "exception_type",
    "exception_message",
    "response_excerpt",
    "slow",
    "in_flight",
    "sample_rate",
    "tls",
    "grpc_status",
    "labels",
];

/// Those that only progress tells.
const PROGRESS: std::ops::Range<usize> = 32..54;

fn settings(nulls: bool) -> Settings {
    Settings { service: Some("shop".into()), environment: Some("production".into()), nulls, ..Settings::default() }
}

fn head(event: Event) -> Head<'static> {
    Head {
        timestamp: 1_795_345_356_000_123,
        level: Level::Info,
        event,
        message: event.message(),
        logger: "gatelog.request",
    }
}

fn plain() -> Facts<'static> {
    Facts {
        request_id: "01997f3e-0001-7000-8000-000000000001",
        request_id_origin: "generated",
        method: "GET",
        scheme: "http",
        host: Some(b"shop.example"),
        path: b"/posts/42/",
        query: Some(b"page=2"),
        http_version: "1.1",
        view_name: "post-detail",
        view_kwargs: &[Arg { name: "pk", value: Value::Digits("42") }],
        route: Some("/posts/{pk}/"),
        ip_address: Some("203.0.113.7"),
        peer_address: Some("10.0.0.9:51234"),
        user_agent: Some(b"curl/8.0"),
        ..Facts::default()
    }
}

fn done() -> Progress<'static> {
    Progress {
        status_code: Some(200),
        response_size: Some(1234),
        response_content_type: Some(b"text/html"),
        cache_hit: Some(b"unknown"),
        duration: 53_210,
        timing: Timing {
            queue: Some(10),
            send: Some(200),
            wait: Some(52_000),
            receive: Some(1_000),
            ..Timing::default()
        },
        server_timing: &[("db", 53_000)],
        outcome: Some(Outcome::Success),
        phase: Phase::Done,
        responder: Some("upstream"),
        upstream: Some("app"),
        upstream_address: Some("127.0.0.1:8000"),
        attempts: Some(1),
        reused_connection: Some(true),
        ..Progress::default()
    }
}

/// The line of a record as it stands in the log, under number 7.
fn line(nulls: bool, record: &Record<'_>) -> String {
    let mut out = b"a line before\n".to_vec();
    let start = out.len();
    let hole = Encoder::new("i1", &settings(nulls)).record(record, &mut out);
    let mut line = Vec::new();
    splice(&out[start..], hole - start, 0, 7, &mut line);
    String::from_utf8(line).unwrap()
}

fn keys(line: &str) -> Vec<String> {
    let Json::Object(object) = serde_json::from_str(line).unwrap() else { panic!("no object: {line}") };
    object.keys().cloned().collect()
}

fn request<'a>(event: Event, facts: &'a Facts<'a>, progress: Option<&'a Progress<'a>>) -> Record<'a> {
    Record { head: head(event), body: Body::Request { facts, progress } }
}

#[test]
fn a_started_record_carries_what_the_head_tells() {
    assert_eq!(
        line(false, &request(Event::RequestStarted, &plain(), None)),
        concat!(
            r#"{"timestamp":"2026-11-22T11:02:36.000123Z","level":"INFO","event":"request_started","#,
            r#""message":"Request started","logger":"gatelog.request","schema":1,"seq":7,"instance":"i1","#,
            r#""service":"shop","environment":"production","request_id":"01997f3e-0001-7000-8000-000000000001","#,
            r#""request_id_origin":"generated","method":"GET","scheme":"http","host":"shop.example","#,
            r#""path":"/posts/42/","query":"page=2","http_version":"1.1","view_name":"post-detail","view_args":[],"#,
            r#""view_kwargs":{"pk":42},"route":"/posts/{pk}/","ip_address":"203.0.113.7","#,
            r#""peer_address":"10.0.0.9:51234","user_agent":"curl/8.0","in_flight":true}"#,
            "\n"
        )
    );
}

#[test]
fn a_completed_record_carries_everything() {
    let tls = Tls {
        version: "TLSv1.3",
        cipher: "TLS_AES_128_GCM_SHA256",
        sni: Some("shop.example"),
        alpn: None,
        client_subject: None,
    };
    let facts = Facts { tls: Some(tls), labels: &[("X-Tenant", b"a"), ("region", b"eu-1")], ..plain() };
    let progress = Progress { user_id: Some(b"u7"), grpc_status: Some(0), ..done() };
    let line = line(false, &request(Event::RequestCompleted, &facts, Some(&progress)));
    let (_, rest) = line.split_once(r#""route":"/posts/{pk}/","#).unwrap();
    assert_eq!(
        rest,
        concat!(
            r#""user_id":"u7","ip_address":"203.0.113.7","peer_address":"10.0.0.9:51234","user_agent":"curl/8.0","#,
            r#""request_size":0,"status_code":200,"response_size":1234,"response_content_type":"text/html","#,
            r#""cache_hit":"unknown","duration":0.053210,"#,
            r#""timing":{"queue":0.000010,"send":0.000200,"wait":0.052000,"receive":0.001000},"#,
            r#""server_timing":{"db":0.053000},"outcome":"success","phase":"done","responder":"upstream","#,
            r#""upstream":"app","upstream_address":"127.0.0.1:8000","attempts":1,"reused_connection":true,"#,
            r#""slow":false,"tls":{"version":"TLSv1.3","cipher":"TLS_AES_128_GCM_SHA256","sni":"shop.example"},"#,
            r#""grpc_status":0,"labels":{"X-Tenant":"a","region":"eu-1"}}"#,
            "\n"
        )
    );
}

#[test]
fn with_nulls_each_event_has_all_its_keys() {
    let (bare, progress) = (Facts::default(), Progress { server_timing: &[], timing: Timing::default(), ..done() });
    assert_eq!(keys(&line(true, &request(Event::RequestCompleted, &bare, Some(&progress)))), FIELDS);
    let of_head = FIELDS
        .iter()
        .enumerate()
        .filter(|(at, name)| **name == "in_flight" || (!PROGRESS.contains(at) && **name != "grpc_status"));
    let of_head: Vec<_> = of_head.map(|(_, name)| *name).collect();
    assert_eq!(keys(&line(true, &request(Event::RequestStarted, &bare, None))), of_head);
}

#[test]
fn with_nulls_absent_is_null_and_empty_parameters_stay_empty() {
    let json: Json =
        serde_json::from_str(&line(true, &request(Event::RequestStarted, &Facts::default(), None))).unwrap();
    for name in ["route", "user_id", "content_length", "tls", "labels"] {
        assert_eq!(json[name], Json::Null, "{name}");
    }
    assert_eq!(json["view_args"], serde_json::json!([]));
    assert_eq!(json["view_kwargs"], serde_json::json!({}));
    let progress = Progress { timing: Timing { wait: Some(1), ..Timing::default() }, ..done() };
    let json = line(true, &request(Event::RequestCompleted, &plain(), Some(&progress)));
    assert!(
        json.contains(
            r#""timing":{"queue":null,"connect":null,"tls":null,"send":null,"wait":0.000001,"receive":null}"#
        )
    );
}

#[test]
fn a_running_request_is_in_flight_and_one_that_is_over_is_not() {
    let running = Progress { in_flight: true, slow: true, outcome: None, phase: Phase::Wait, ..done() };
    let slow = line(false, &request(Event::RequestSlow, &plain(), Some(&running)));
    assert!(slow.contains(r#""phase":"wait""#) && slow.ends_with("\"slow\":true,\"in_flight\":true}\n"), "{slow}");
    assert!(!slow.contains("outcome"));
    assert!(!line(false, &request(Event::RequestCompleted, &plain(), Some(&done()))).contains("in_flight"));
}

#[test]
fn parameters_keep_their_types() {
    let args = [
        Value::Digits("123456789012345678901234567890"),
        Value::Digits("007"),
        Value::Unsigned(3),
        Value::Float(0.5),
        Value::Float(f64::NAN),
        Value::Bool(true),
        Value::Text(b"a\xff"),
        Value::List(&["x", "y"]),
        Value::List(&[]),
        Value::Null,
    ];
    let facts = Facts { view_args: &args, ..plain() };
    assert!(line(false, &request(Event::RequestStarted, &facts, None)).contains(
        "\"view_args\":[123456789012345678901234567890,\"007\",3,0.5,null,true,\"a\u{fffd}\",[\"x\",\"y\"],[],null]"
    ));
}

#[test]
fn a_rejected_head_shows_its_first_bytes() {
    let rejected = Rejected {
        peer_address: Some("192.0.2.1:999"),
        ip_address: Some("192.0.2.1"),
        status_code: Some(400),
        reason: "bare_lf",
        detail: "a line ends without CR",
        excerpt: &[b"GET /\"\xff\\ HTTP/1.1\n".as_slice(), &[b'x'; 300]].concat(),
        request_id: None,
        suppressed: 0,
    };
    let record = Record {
        head: Head { level: Level::Warning, logger: "gatelog.security", ..head(Event::RequestRejected) },
        body: Body::Rejected(&rejected),
    };
    let line = line(false, &record);
    assert!(line.contains(concat!(
        r#","ip_address":"192.0.2.1","peer_address":"192.0.2.1:999","status_code":400,"reason":"bare_lf","#,
        r#""detail":"a line ends without CR","excerpt":"GET /\"\\xff\\\\ HTTP/1.1\\nxxx"#
    )));
    let json: Json = serde_json::from_str(&line).unwrap();
    assert_eq!(json["excerpt"].as_str().unwrap().matches('x').count(), EXCERPT - 18 + 1, "{line}");
}

#[test]
fn a_loss_names_the_numbers_that_are_gone() {
    let loss = Loss { output: "stdout", count: 3, from_seq: 4, to_seq: 6, reason: "queue_full" };
    let line = line(false, &Record { head: head(Event::LogLoss), body: Body::Loss(&loss) });
    assert!(
        line.ends_with("\"output\":\"stdout\",\"count\":3,\"from_seq\":4,\"to_seq\":6,\"reason\":\"queue_full\"}\n")
    );
}

#[test]
fn free_fields_never_take_the_name_of_a_common_one() {
    let fields = [("message", Value::Text(b"x")), ("listener", Value::Text(b"[::]:80")), ("gone", Value::Null)];
    let record = Record { head: head(Event::Diagnostic), body: Body::Fields(&fields) };
    assert!(
        line(false, &record).ends_with("\"environment\":\"production\",\"message_\":\"x\",\"listener\":\"[::]:80\"}\n")
    );
    assert!(line(true, &record).ends_with(",\"gone\":null}\n"));
}

#[test]
fn a_reused_fragment_forgets_the_request_before() {
    let mut encoder = Encoder::new("i1", &settings(false));
    let (mut used, mut fresh) = (Fragment::default(), Fragment::default());
    encoder.fragment(&Facts { user_id: Some(b"secret"), labels: &[("a", b"b")], ..plain() }, &mut used);
    encoder.fragment(&plain(), &mut used);
    encoder.fragment(&plain(), &mut fresh);
    let (mut one, mut other) = (Vec::new(), Vec::new());
    encoder.request(&head(Event::RequestCompleted), &used, Some(&done()), &mut one);
    encoder.request(&head(Event::RequestCompleted), &fresh, Some(&done()), &mut other);
    assert_eq!(one, other);
}

#[test]
fn a_wrong_place_for_the_number_is_survived() {
    let mut out = Vec::new();
    splice(b"abc", 99, 9, 1, &mut out);
    assert_eq!(out, b"abc1");
}

/// Owned fields for a record of anything.
#[derive(Debug, Clone)]
struct Any {
    bytes: Vec<Vec<u8>>,
    strings: Vec<String>,
    numbers: Vec<u64>,
    present: u32,
    nulls: bool,
}

fn any_fields() -> impl Strategy<Value = Any> {
    let bytes =
        vec(prop_oneof![vec(any::<u8>(), 0..40), vec(prop_oneof![Just(b'"'), Just(b'\\'), 0u8..0x20], 0..9)], 11);
    (bytes, vec(any::<String>(), 8), vec(any::<u64>(), 6), any::<u32>(), any::<bool>())
        .prop_map(|(bytes, strings, numbers, present, nulls)| Any { bytes, strings, numbers, present, nulls })
}

impl Any {
    fn maybe<T>(&self, bit: u32, value: T) -> Option<T> {
        (self.present >> bit & 1 == 1).then_some(value)
    }

    fn bytes(&self, at: u32) -> Option<&[u8]> {
        self.maybe(at, self.bytes[at as usize].as_slice())
    }

    /// Calls `check` with a record in which every text is arbitrary.
    fn with_record(&self, check: impl FnOnce(&Facts<'_>, &Progress<'_>)) {
        let args = [Value::Text(&self.bytes[0]), Value::Digits(&self.strings[0]), Value::Unsigned(self.numbers[0])];
        let kwargs = [Arg { name: &self.strings[1], value: args[0] }];
        let labels = [(self.strings[2].as_str(), self.bytes[10].as_slice())];
        let timings = [(self.strings[3].as_str(), self.numbers[1])];
        let facts = Facts {
            request_id: &self.strings[4],
            method: &self.strings[5],
            host: self.bytes(1),
            path: &self.bytes[2],
            query: self.bytes(3),
            view_name: &self.strings[6],
            view_args: &args,
            view_kwargs: &kwargs,
            user_id: self.bytes(4),
            user_agent: self.bytes(5),
            referer: self.bytes(6),
            content_length: self.maybe(20, self.numbers[2]),
            tls: self.maybe(
                21,
                Tls {
                    version: "",
                    cipher: &self.strings[7],
                    sni: self.maybe(22, &self.strings[0]),
                    alpn: None,
                    client_subject: self.maybe(22, &self.strings[7]),
                },
            ),
            labels: &labels[..self.maybe(23, 1).unwrap_or(0)],
            ..Facts::default()
        };
        let progress = Progress {
            user_id: self.bytes(7),
            response_content_type: self.bytes(8),
            exception_message: self.bytes(9),
            server_timing: &timings,
            duration: self.numbers[3],
            request_size: self.numbers[4],
            sample_rate: self.maybe(24, f64::from_bits(self.numbers[5])),
            in_flight: self.maybe(25, ()).is_some(),
            ..done()
        };
        check(&facts, &progress);
    }
}

fn lossy(bytes: &[u8]) -> Json {
    Json::String(String::from_utf8_lossy(bytes).into_owned())
}

/// The type that a field has whenever it is there.
fn type_of(name: &str, value: &Json) -> bool {
    match name {
        "schema" | "seq" | "content_length" | "request_size" | "status_code" | "response_size" | "attempts"
        | "grpc_status" => value.is_u64(),
        "duration" | "sample_rate" => value.is_f64(),
        "reused_connection" | "slow" | "in_flight" => value.is_boolean(),
        "view_args" => value.is_array(),
        "view_kwargs" | "timing" | "server_timing" | "tls" | "labels" => value.is_object(),
        _ => value.is_string(),
    }
}

proptest! {
    #[test]
    fn whatever_the_bytes_one_line_of_the_same_keys_and_types(fields in any_fields(), over in any::<bool>()) {
        fields.with_record(|facts, progress| {
            let record = request(Event::RequestCompleted, facts, over.then_some(progress));
            let line = line(fields.nulls, &record);
            assert_eq!(line.lines().count(), 1);
            assert!(line.ends_with("}\n") && !line.trim_end().contains(char::is_control));
            let Json::Object(object) = serde_json::from_str(&line).unwrap() else { panic!("{line}") };
            let mut order = FIELDS.iter();
            for (name, value) in &object {
                assert!(order.any(|field| field == name), "{name} out of order: {line}");
                assert!((fields.nulls && value.is_null()) || type_of(name, value), "{name} is {value}");
            }
        });
    }

    #[test]
    fn whatever_the_bytes_texts_read_back(fields in any_fields()) {
        fields.with_record(|facts, progress| {
            let line = line(fields.nulls, &request(Event::RequestCompleted, facts, Some(progress)));
            let json: Json = serde_json::from_str(&line).unwrap();
            assert_eq!(json["path"].as_str().unwrap_or_default(), lossy(facts.path));
            assert_eq!(json["view_args"][0], lossy(&fields.bytes[0]));
            assert_eq!(json["request_id"], facts.request_id);
            let user = progress.user_id.or(facts.user_id);
            let texts = [("host", facts.host), ("query", facts.query), ("user_id", user), ("referer", facts.referer),
                ("user_agent", facts.user_agent), ("exception_message", progress.exception_message)];
            for (name, value) in texts {
                assert_eq!(json[name], value.map_or(Json::Null, lossy), "{name}");
            }
        });
    }

    #[test]
    fn an_excerpt_of_any_bytes_is_ascii_and_loses_none(excerpt in vec(any::<u8>(), 1..EXCERPT)) {
        let rejected = Rejected {
            peer_address: None, ip_address: None, status_code: None, reason: "x", detail: "", excerpt: &excerpt,
            request_id: None,
            suppressed: 0,
        };
        let line = line(false, &Record { head: head(Event::RequestRejected), body: Body::Rejected(&rejected) });
        let json: Json = serde_json::from_str(&line).unwrap();
        let shown = json["excerpt"].as_str().unwrap();
        prop_assert!(shown.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        let expected: String = excerpt.iter().map(|byte| match byte {
            b'"' | b'\'' => char::from(*byte).to_string(),
            _ => byte.escape_ascii().to_string(),
        }).collect();
        prop_assert_eq!(shown, expected);
    }
}
