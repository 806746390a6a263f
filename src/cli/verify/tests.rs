//! Logs written by the encoder itself, whole and damaged.

use std::fs;

use super::*;
use crate::record::json::{self, Encoder, Renamed};
use crate::record::{self, Body, Event, Facts, Head, Level, Loss, Outcome, Phase, Progress, Record, Schema, Value};

mod stories;

const LIVE: Options = Options { open_ok: true, partial: false };
const PARTIAL: Options = Options { open_ok: false, partial: true };

/// Appends a line without its number, and says where that belongs.
type Encode = Box<dyn FnMut(&Record<'_>, &mut Vec<u8>) -> usize>;

/// Writes the log of one instance, as the proxy would.
struct Log {
    encode: Encode,
    seq: u64,
    lines: Vec<String>,
}

impl Log {
    fn of(instance: &str) -> Log {
        Log::with(instance, &record::Settings::default())
    }

    fn with(instance: &str, settings: &record::Settings) -> Log {
        let (mut native, mut renamed) = (Encoder::new(instance, settings), Renamed::new(instance, settings));
        let encode: Encode = match settings.schema {
            Schema::Native => Box::new(move |record, out| native.record(record, out)),
            Schema::Otel | Schema::Ecs => Box::new(move |record, out| renamed.record(record, out)),
        };
        Log { encode, seq: 0, lines: Vec::new() }
    }

    /// A log with nothing but its beginning and end, and these records between.
    fn around(write: impl FnOnce(&mut Log)) -> Vec<String> {
        let mut log = Log::of("i1");
        log.other(Event::ServerStarted);
        write(&mut log);
        log.other(Event::ServerStopping);
        log.lines
    }

    fn write(&mut self, event: Event, body: Body<'_>) {
        self.seq += 1;
        let message = if event == Event::Diagnostic { "Something else" } else { event.message() };
        let head =
            Head { timestamp: self.seq * 999_983, level: Level::Info, event, message, logger: "gatelog.request" };
        let (mut line, mut whole) = (Vec::new(), Vec::new());
        let hole = (self.encode)(&Record { head, body }, &mut line);
        json::splice(&line, hole, 0, self.seq, &mut whole);
        self.lines.push(String::from_utf8(whole).unwrap());
    }

    fn other(&mut self, event: Event) {
        self.write(event, Body::Fields(&[]));
    }

    fn request(&mut self, id: &str, origin: &'static str, event: Event) {
        let over = event == Event::RequestCompleted;
        let facts = Facts {
            request_id: id,
            request_id_origin: origin,
            method: "GET",
            path: b"/",
            view_name: "unknown",
            ..Facts::default()
        };
        let progress = Progress { outcome: over.then_some(Outcome::Success), in_flight: !over, ..progress() };
        let progress = (event != Event::RequestStarted).then_some(&progress);
        self.write(event, Body::Request { facts: &facts, progress });
    }

    fn minted(&mut self, id: &str, events: &[Event]) {
        events.iter().for_each(|event| self.request(id, "generated", *event));
    }

    fn loss(&mut self, count: u64) {
        let from_seq = self.seq + 1;
        self.seq += count;
        let loss = Loss { output: "stdout", count, from_seq, to_seq: self.seq, reason: "queue_full" };
        self.write(Event::LogLoss, Body::Loss(&loss));
    }
}

fn progress() -> Progress<'static> {
    Progress { status_code: Some(200), response_size: Some(0), duration: 1, phase: Phase::Done, ..Progress::default() }
}

/// What is found in these bytes as one file.
fn found_in(bytes: &[u8], options: Options) -> (Report, String) {
    let mut out = Vec::new();
    let mut verifier = Verifier::new(options, &mut out);
    verifier.read(Path::new("log"), bytes).unwrap();
    let report = verifier.finish().unwrap();
    (report, String::from_utf8(out).unwrap())
}

fn found(lines: &[String]) -> (Report, String) {
    found_in(lines.concat().as_bytes(), Options::default())
}

#[track_caller]
fn clean(lines: &[String]) -> Report {
    let (report, text) = found(lines);
    assert_eq!(report.exit_code(), 0, "{text}");
    report
}

/// That exactly one problem is found, and how it reads.
#[track_caller]
fn broken(lines: &[String], expected: &str) {
    let (report, text) = found(lines);
    assert!(text.contains(expected), "{expected} is not in:\n{text}");
    assert_eq!((report.problems, report.exit_code()), (1, 1), "{text}");
}

use Event::{Diagnostic, RequestCompleted, RequestFailed, RequestRejected, RequestSlow, RequestStarted, SecurityEvent};

#[test]
fn a_clean_log_is_clean() {
    let lines = Log::around(|log| {
        log.minted("a", &[RequestStarted, RequestSlow]);
        log.minted("b", &[RequestStarted, RequestFailed, RequestCompleted]);
        log.other(Diagnostic);
        log.minted("a", &[RequestCompleted]);
        log.minted("unstarted", &[RequestCompleted]);
    });
    let (report, text) = found(&lines);
    assert_eq!(text, "10 records of 1 instances, 3 requests completed: both promises hold\n");
    assert_eq!(report, Report { records: 10, instances: 1, completed: 3, ..Report::default() });
}

#[test]
fn a_request_without_its_end_is_named_with_its_first_line() {
    broken(
        &Log::around(|log| log.minted("a", &[RequestStarted, RequestSlow])),
        "log:2: request \"a\" has no request_completed",
    );
    broken(&Log::around(|log| log.minted("a", &[RequestSlow])), "log:2: request \"a\" has no request_completed");
}

#[test]
fn a_second_end_and_what_follows_an_end_are_problems() {
    let twice = [RequestStarted, RequestCompleted, RequestCompleted];
    broken(&Log::around(|log| log.minted("a", &twice)), "log:4: request \"a\" is completed a second time");
    let after = [RequestStarted, RequestCompleted, RequestFailed];
    broken(&Log::around(|log| log.minted("a", &after)), "log:4: request \"a\" was completed before this line");
    let again = [RequestStarted, RequestSlow, RequestSlow, RequestCompleted];
    broken(
        &Log::around(|log| log.minted("a", &again)),
        "log:4: request_slow of request \"a\" stands here a second time",
    );
}

#[test]
fn ids_of_clients_may_repeat_and_their_counts_must_agree() {
    let write =
        |events: &[Event]| Log::around(|log| events.iter().for_each(|event| log.request("c", "client", *event)));
    clean(&write(&[RequestStarted, RequestStarted, RequestSlow, RequestSlow, RequestCompleted, RequestCompleted]));
    clean(&write(&[RequestStarted, RequestCompleted, RequestCompleted, RequestStarted, RequestCompleted]));
    broken(&write(&[RequestStarted, RequestStarted, RequestCompleted]), "request \"c\" has no request_completed");
}

#[test]
fn the_same_id_in_two_instances_is_two_requests() {
    let (mut one, mut other) = (Log::of("i1"), Log::of("i2"));
    one.minted("a", &[RequestStarted]);
    other.minted("a", &[RequestStarted, RequestCompleted]);
    broken(&[one.lines, other.lines].concat(), "log:1: request \"a\"");
}

#[test]
fn numbers_that_are_missing_without_a_loss_are_named() {
    let mut lines = Log::around(|log| (0..6).for_each(|_| log.other(Diagnostic)));
    lines.drain(2..4);
    broken(&lines, "log:3: numbers 3 to 4 of instance \"i1\" are missing before this line, and no log_loss names them");
}

#[test]
fn a_loss_explains_its_gap_and_as_many_missing_ends() {
    let lines = Log::around(|log| {
        log.minted("a", &[RequestStarted]);
        log.loss(3);
        log.minted("b", &[RequestStarted, RequestCompleted]);
    });
    let report = clean(&lines);
    assert_eq!((report.open, report.lost), (1, 3));
    let lines = Log::around(|log| {
        ["a", "b"].iter().for_each(|id| log.minted(id, &[RequestStarted]));
        log.loss(1);
    });
    assert_eq!(found(&lines).0.problems, 2);
}

#[test]
fn what_sampling_left_out_is_summed_up_and_no_gap() {
    let lines = Log::around(|log| {
        for count in [3, 4] {
            log.write(Event::LogSampled, Body::Fields(&[("count", record::Value::Unsigned(count))]));
        }
    });
    assert_eq!(clean(&lines).sampled, 7);
}

#[test]
fn a_loss_must_be_true() {
    let lines = Log::around(|log| log.loss(3));
    let replaced = |from: &str, to: &str| lines.iter().map(|line| line.replace(from, to)).collect::<Vec<_>>();
    broken(&replaced("\"count\":3", "\"count\":2"), "log_loss names numbers 2 to 4 and counts 2");
    let (report, text) = found(&replaced("\"to_seq\":4", "\"to_seq\":5"));
    assert!(text.contains("log_loss names numbers 2 to 5, which are not missing"), "{text}");
    assert_eq!(report.problems, 2, "the gap itself remains: {text}");
}

#[test]
fn one_gap_may_have_several_losses() {
    let mut lines = Log::around(|log| {
        log.loss(2);
        log.loss(3);
    });
    clean(&lines);
    // Both told behind the whole gap: numbers 2, 3, 4 are gone, 5 tells of the last, 6 of the first two.
    lines = Log::around(|log| {
        log.seq = 4;
        for (from_seq, to_seq) in [(4, 4), (2, 3)] {
            let loss = Loss { output: "stdout", count: to_seq - from_seq + 1, from_seq, to_seq, reason: "disk_full" };
            log.write(Event::LogLoss, Body::Loss(&loss));
        }
    });
    clean(&lines);
}

#[test]
fn an_instance_that_began_must_end() {
    let mut lines = Log::around(|log| log.other(Diagnostic));
    lines.pop();
    broken(&lines, "log:1: instance \"i1\", started here, has no server_stopping");
    assert_eq!(found_in(lines.concat().as_bytes(), LIVE).0.problems, 0);
    // An output whose filter lets neither through.
    let mut log = Log::of("i1");
    log.other(Diagnostic);
    clean(&log.lines);
}

#[test]
fn a_stream_that_a_reload_has_ended_may_have_open_requests_and_needs_no_stop() {
    let stream = |log: &mut Log, word: &str| {
        log.write(Event::ConfigReloaded, Body::Fields(&[("stream", Value::Text(word.as_bytes()))]));
    };
    for schema in [Schema::Native, Schema::Otel, Schema::Ecs] {
        let mut log = Log::with("i1", &record::Settings { schema, ..record::Settings::default() });
        log.other(Event::ServerStarted);
        log.minted("a", &[Event::RequestStarted]);
        stream(&mut log, "ends");
        // What other cores had gathered before they knew.
        log.minted("b", &[Event::RequestStarted]);
        assert_eq!(clean(&log.lines).open, 2);
        stream(&mut log, "begins");
        log.other(Event::ServerStopping);
        assert_eq!(clean(&log.lines).open, 2);
    }
    let mut log = Log::of("i1");
    log.other(Event::ServerStarted);
    stream(&mut log, "begins");
    broken(&log.lines, "has no server_stopping");
}

#[test]
fn a_live_log_may_have_open_requests_and_half_a_line() {
    let mut lines = Log::around(|log| log.minted("a", &[RequestStarted]));
    lines.pop();
    lines.push("{\"timestamp\":".into());
    let (report, text) = found_in(lines.concat().as_bytes(), LIVE);
    assert_eq!((report.problems, report.open, report.records), (0, 1, 2), "{text}");
    assert_eq!(found(&lines).0.problems, 3, "a request, a line and an instance without their ends");
}

#[test]
fn a_log_that_begins_in_the_middle_is_told_so() {
    let lines = Log::around(|log| log.minted("a", &[RequestStarted, RequestCompleted])).split_off(2);
    broken(&lines, "numbers 1 to 2 of instance \"i1\" are missing");
    assert_eq!(found_in(lines.concat().as_bytes(), PARTIAL).0.problems, 0);
}

#[test]
fn files_are_one_log_in_the_order_given() {
    let folder = tempfile::tempdir().unwrap();
    let lines = Log::around(|log| log.minted("a", &[RequestStarted, RequestCompleted]));
    let paths = ["1", "2"].map(|name| folder.path().join(name));
    fs::write(&paths[0], lines[..2].concat()).unwrap();
    fs::write(&paths[1], lines[2..].concat()).unwrap();
    let problems = |paths: &[PathBuf]| verify(paths, Options::default(), &mut Vec::new()).unwrap().problems;
    assert_eq!(problems(&paths), 0);
    assert_ne!(problems(&[paths[1].clone(), paths[0].clone()]), 0);
    let missing = verify(&[folder.path().join("3")], Options::default(), &mut Vec::new());
    assert!(matches!(missing, Err(Error::Read { .. })));
}

#[test]
fn lines_that_are_no_records_are_told() {
    let with = |line: &str| {
        let mut lines = Log::around(|_| {});
        lines.insert(1, format!("{line}\n"));
        lines
    };
    for (line, expected) in [
        ("", "log:2: not a record: EOF"),
        ("hello", "log:2: not a record: expected value"),
        ("[1]", "log:2: not a record: invalid type: sequence, expected a JSON object"),
        ("{\"a\":1", "log:2: not a record: EOF"),
    ] {
        broken(&with(line), expected);
    }
    broken(&with(&"x".repeat(LONGEST_LINE + 1)), "log:2: longer than 1048576 bytes");
    broken(&with(&"x".repeat(3 * LONGEST_LINE)), "log:2: longer than 1048576 bytes");
    broken(&with(&"x".repeat(LONGEST_LINE)), "log:2: not a record");
}

#[test]
fn fields_that_are_missing_or_of_another_type_or_unknown_are_told() {
    let lines = Log::around(|log| log.minted("a", &[RequestStarted, RequestCompleted]));
    for (from, to, expected) in [
        ("\"slow\":false", "\"slow\":0", "`slow` is a whole number and must be true or false"),
        ("\"duration\":0.000001,", "", "`duration` is missing"),
        ("\"duration\":0.000001,", "\"duration\":null,", "`duration` is missing"),
        ("\"status_code\":200", "\"status_code\":\"200\"", "`status_code` is text and must be a whole number"),
        ("\"status_code\":200", "\"status_code\":-1", "`status_code` is a fraction"),
        ("\"outcome\":\"success\"", "\"outcome\":\"fine\"", "`outcome` must be an outcome and is \"fine\""),
        ("\"phase\":\"done\"", "\"phase\":\"end\"", "`phase` must be a phase and is \"end\""),
        ("\"slow\":false", "\"slow\":false,\"slow\":false", "the field \"slow\" stands twice"),
        ("\"response_size\":0", "\"timing\":[]", "`timing` is an array and must be an object"),
    ] {
        let changed: Vec<_> = lines.iter().map(|line| line.replace(from, to)).collect();
        assert_ne!(changed, lines, "{from}");
        broken(&changed, &format!("log:3: the field {}", expected.trim_start_matches("the field ")));
    }
    let changed = |from: &str, to: &str| [lines[0].replace(from, to), lines[1..].concat()];
    broken(&changed("\"schema\":1", "\"schema\":2"), "log:1: the field `schema` must be 1 and is \"2\"");
    broken(&changed("\"level\":\"INFO\"", "\"level\":\"info\""), "log:1: the field `level` must be a level");
    broken(&changed("\"timestamp\":\"1970", "\"timestamp\":\"70"), "log:1: the field `timestamp` must be RFC 3339");
    broken(&changed("\"message\":\"Server started\",", ""), "log:1: the field `message` is missing");
}

#[test]
fn lines_of_other_schemas_are_looked_at_by_their_native_names() {
    let lines = |schema| {
        let mut log = Log::with("i1", &record::Settings { schema, ..record::Settings::default() });
        log.minted("a", &[RequestStarted, RequestCompleted]);
        log.lines
    };
    for (schema, from, to, expected) in [
        (Schema::Otel, "\"gatelog.slow\":false", "\"gatelog.slow\":0", "`slow` is a whole number"),
        (
            Schema::Otel,
            "\"http.response.status_code\":200",
            "\"http.response.status_code\":\"x\"",
            "`status_code` is text",
        ),
        (Schema::Otel, "\"gatelog.outcome\":\"success\"", "\"gatelog.outcome\":\"fine\"", "`outcome` must be"),
        (Schema::Otel, "\"Name\":\"gatelog.request\"}", "}", "`logger` is missing"),
        (Schema::Otel, "\"SeverityText\":\"INFO\",", "", "`level` is missing"),
        (Schema::Ecs, "\"gatelog.slow\":false", "\"gatelog.slow\":0", "`slow` is a whole number"),
        (Schema::Ecs, "\"event.duration\":1000,", "", "`duration` is missing"),
        (Schema::Ecs, "\"http.request.id\":\"a\"", "\"http.request.id\":\"a b\"", "`request_id` must be"),
        (Schema::Ecs, "\"@timestamp\":\"1970", "\"@timestamp\":\"70", "`timestamp` must be RFC 3339"),
    ] {
        let whole = lines(schema);
        clean(&whole);
        let changed: Vec<_> = whole.iter().map(|line| line.replace(from, to)).collect();
        assert_ne!(changed, whole, "{from}");
        let (report, text) = found(&changed);
        assert!(
            report.problems > 0 && text.contains(&format!("the field {expected}")),
            "{expected} is not in:\n{text}"
        );
    }
}

#[test]
fn every_field_of_the_schema_is_looked_at() {
    let mut log = Log::with("i1", &record::Settings { nulls: true, ..record::Settings::default() });
    log.minted("a", &[RequestCompleted]);
    let demand = fields::Demand::of("request_completed");
    let known: Vec<&str> = demand.must().chain(demand.may()).map(|field| field.name).collect();
    let json: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&log.lines[0]).unwrap();
    let unknown: Vec<_> = json.keys().filter(|name| !known.contains(&name.as_str())).collect();
    assert!(unknown.is_empty() && json.len() == known.len(), "{unknown:?}");
}

#[test]
fn what_is_found_is_shown_up_to_a_limit_and_counted_beyond() {
    let lines = Log::around(|log| (0..50).for_each(|n| log.minted(&format!("r{n}"), &[RequestStarted])));
    let (report, text) = found(&lines);
    assert_eq!(report.problems, 50);
    assert_eq!(text.lines().count(), 22, "{text}");
    assert!(
        text.ends_with(
            "… and 30 more of the same kinds\n52 records of 1 instances, 0 requests completed: 50 problems\n"
        )
    );
}

#[test]
fn only_the_latest_ends_are_remembered() {
    let mut requests = Requests::default();
    let line =
        |id: usize| format!(r#"{{"request_id":"{id}","request_id_origin":"generated","event":"request_completed"}}"#);
    let place = Problems::new(&mut Vec::new()).file(Path::new("log"));
    for id in 0..requests::RECENT + 10 {
        let line = line(id);
        assert!(requests.record(0, &Line::parse(line.as_bytes()).unwrap(), "request_completed", place).is_none());
    }
    let mut again =
        |id: usize| requests.record(0, &Line::parse(line(id).as_bytes()).unwrap(), "request_completed", place);
    assert!(again(requests::RECENT).is_some());
    assert!(again(0).is_none());
}

#[test]
fn the_command_line_wants_a_file() {
    use clap::{Args, Command, FromArgMatches};
    let parse = |words: &[&str]| {
        let matches = Arguments::augment_args(Command::new("verify")).try_get_matches_from(words);
        matches.and_then(|matches| Arguments::from_arg_matches(&matches))
    };
    let arguments = parse(&["verify", "--open-ok", "a.log", "-"]).unwrap();
    assert_eq!((arguments.files, arguments.options), (vec!["a.log".into(), "-".into()], LIVE));
    assert!(parse(&["verify", "--partial"]).is_err());
}

#[test]
fn a_rejected_head_is_a_record_of_its_own() {
    let rejected = record::Rejected {
        peer_address: None,
        ip_address: None,
        status_code: Some(400),
        reason: "bare_lf",
        detail: "",
        excerpt: b"x",
        request_id: Some("r1"),
        suppressed: 0,
    };
    clean(&Log::around(|log| log.write(RequestRejected, Body::Rejected(&rejected))));
    let suppressed = record::Rejected { request_id: None, suppressed: 7, ..rejected };
    clean(&Log::around(|log| log.write(SecurityEvent, Body::Rejected(&suppressed))));
    clean(&Log::around(|log| log.write(SecurityEvent, Body::Rejected(&rejected))));
}

#[test]
fn a_line_that_a_killed_process_left_torn_is_counted_and_not_believed() {
    let mut killed = Log::of("i1");
    killed.other(Event::ServerStarted);
    let torn = r#"{"timestamp":"2026-11-22T11:02:36.000123Z","seq":99,"instance":"i1","ev~":null,"torn":true}"#;
    let mut lines = killed.lines;
    lines.push(format!("{torn}\n"));
    lines.extend(Log::around(|_| {}).iter().map(|line| line.replace("i1", "i2")));
    let (report, text) = found_in(lines.concat().as_bytes(), LIVE);
    assert_eq!((report.problems, report.torn, report.records, report.instances), (0, 1, 3, 2), "{text}");
    assert!(text.contains("1 lines torn"), "{text}");
}
