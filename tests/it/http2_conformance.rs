//! What RFC 9113 and RFC 7541 ask of a server, frame by frame, chapter by chapter: every case that h2spec covers, and some
//! more; each in the clear and over TLS.
//!
//! As there, a connection that is closed has answered a violation, whatever its last word was; where the library's word is
//! another than the RFC's, the case says so ([`Case::or_protocol_error`]). Beyond that, each violation has to be in the
//! log and nothing else may be, and the proxies still serve when they have seen it all.

/// Frame format, frame size, header blocks (RFC 9113 §4).
mod frame_format;
/// DATA, HEADERS, PUSH_PROMISE, CONTINUATION (§6.1, §6.2, §6.6, §6.10).
mod frames_of_messages;
/// PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, error codes (§6.3 – §6.5, §6.7, §6.8, §7).
mod frames_of_control;
/// WINDOW_UPDATE and the windows (§6.9).
mod flow_control;
/// Header compression (RFC 7541).
mod hpack;
/// HTTP in frames: malformed requests, pseudo-fields, content that is not as long as it says (§8).
mod messages;
/// How a connection begins (§3.4).
mod preface;
/// States, identifiers, concurrency, priority, errors, extensions (§5).
mod streams;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::support::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, Field, Frame, GOAWAY, HEADERS, PING, PREFACE, PRIORITY,
    RST_STREAM, SETTINGS, WHOLE, WINDOW_UPDATE, block, frame, settings,
};
use crate::support::wire::Message;
use crate::support::{Frames, Log, Recorder, Setup, TestProxy, get};

// Error codes (§7).
const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE_ERROR: u32 = 6;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const COMPRESSION_ERROR: u32 = 9;

// Parameters of SETTINGS (§6.5.2).
const HEADER_TABLE_SIZE: u16 = 1;
const ENABLE_PUSH: u16 = 2;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_FRAME_SIZE: u16 = 5;
const MAX_HEADER_LIST_SIZE: u16 = 6;

/// `limits.streams_per_connection` of the proxies here.
const STREAMS: u32 = 8;
/// The largest frame that is taken (the initial value).
const FRAME_SIZE: usize = 1 << 14;
/// The largest window there may be.
const MAX_WINDOW: u32 = (1 << 31) - 1;
/// What the upstream answers, long enough to be cut by small windows.
const CONTENT: &str = "windows are small here";
/// Violations of one kind that are told one by one; after that the log says how many more there were.
const TOLD: usize = 20;

const GET: [Field; 4] = [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"a"), (b":path", b"/")];
const POST: [Field; 4] = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"a"), (b":path", b"/")];

/// One thing that a client may do, or may not.
struct Case {
    name: &'static str,
    begin: Begin,
    sent: Vec<u8>,
    /// What is sent once something has come back.
    then: Option<(Wait, Vec<u8>)>,
    due: Due,
    is_vague: bool,
    /// A field that the upstream has to have read, in each request.
    field: Option<(&'static str, String)>,
}

/// What was sent before.
enum Begin {
    /// Prefaces and settings of both ends, and their acknowledgements.
    Settled,
    /// Nothing.
    Nothing,
}

/// What the client waits for before it goes on.
#[derive(Clone, Copy)]
enum Wait {
    /// Stream 1 is over.
    End,
    /// A DATA frame of this length.
    Data(usize),
}

/// What has to come back.
#[derive(Clone, Copy)]
enum Due {
    /// SETTINGS, before anything else.
    Settings,
    /// Their acknowledgement.
    SettingsAck,
    /// A PING's acknowledgement.
    Pong([u8; 8]),
    /// The same, or the end of the connection.
    PongOrEnd([u8; 8]),
    /// A whole answer on stream 1.
    Answer,
    /// A DATA frame of this length, before any other.
    Data(usize),
    /// The connection ends, after GOAWAY with one of these codes if there is one.
    ConnectionError(&'static [u32]),
    /// The same, or RST_STREAM with one of these codes.
    StreamError(&'static [u32]),
    /// GOAWAY with this code and nothing less.
    Goaway(u32),
    /// RST_STREAM with this code on stream 1 and nothing less.
    Reset(u32),
    /// The connection ends.
    End,
}

/// What is sent on a connection that is settled, and what is due.
fn case(name: &'static str, sent: impl Into<Vec<u8>>, due: Due) -> Case {
    Case { name, begin: Begin::Settled, sent: sent.into(), then: None, due, is_vague: false, field: None }
}

/// A request that has to be answered.
fn answered(name: &'static str, sent: impl Into<Vec<u8>>) -> Case {
    case(name, sent, Due::Answer)
}

/// Frames that change nothing: the PING after them is answered.
fn ignored(name: &'static str, sent: impl Into<Vec<u8>>) -> Case {
    case(name, [sent.into(), ping(0, *b"ignored?")].concat(), Due::Pong(*b"ignored?"))
}

impl Case {
    /// On a connection on which nothing was said.
    fn at_the_beginning(self) -> Case {
        Case { begin: Begin::Nothing, ..self }
    }

    /// Goes on like this once something has come back.
    fn then(self, wait: Wait, sent: impl Into<Vec<u8>>) -> Case {
        Case { then: Some((wait, sent.into())), ..self }
    }

    /// The library says PROTOCOL_ERROR where the RFC has a word of its own.
    fn or_protocol_error(self) -> Case {
        Case { is_vague: true, ..self }
    }

    /// The upstream reads this field.
    fn with_field(self, name: &'static str, value: impl Into<String>) -> Case {
        Case { field: Some((name, value.into())), ..self }
    }

    fn is_violation(&self) -> bool {
        use Due::{ConnectionError, End, Goaway, Reset, StreamError};
        matches!(self.due, ConnectionError(_) | StreamError(_) | Goaway(_) | Reset(_) | End)
    }

    fn play(&self, frames: &mut Frames) {
        if matches!(self.begin, Begin::Settled) {
            settle(frames);
        }
        frames.send(&self.sent);
        if let Some((wait, sent)) = &self.then {
            let come = frames.next_that(|frame| match wait {
                Wait::End => frame.stream == 1 && frame.has(END_STREAM),
                Wait::Data(length) => frame.kind == DATA && frame.payload.len() == *length,
            });
            assert!(come.is_some(), "the connection ends too soon");
            frames.send(sent);
        }
        self.judge(frames);
    }

    fn judge(&self, frames: &mut Frames) {
        let back = |frames: &mut Frames, kind: u8| frames.next_that(|frame| frame.kind == kind);
        match self.due {
            Due::Settings => check_settings(&frames.next().unwrap()),
            Due::SettingsAck => assert!(back(frames, SETTINGS).unwrap().has(ACK)),
            Due::Pong(data) => check_pong(&back(frames, PING).unwrap(), data),
            Due::PongOrEnd(data) => back(frames, PING).iter().for_each(|pong| check_pong(pong, data)),
            Due::Answer => check_answer(frames),
            Due::Data(length) => assert_eq!(back(frames, DATA).unwrap().payload.len(), length),
            Due::ConnectionError(codes) => self.check_end(&[], codes, frames),
            Due::StreamError(codes) => self.check_end(codes, codes, frames),
            Due::Goaway(code) => assert_eq!(back(frames, GOAWAY).unwrap().number_at(4), code),
            Due::Reset(code) => {
                let reset = back(frames, RST_STREAM).unwrap();
                assert_eq!((reset.stream, reset.number_at(0)), (1, code));
            }
            Due::End => assert!(frames.next_that(|_| false).is_none()),
        }
    }

    /// A stream that is reset with one of these codes, or a connection that ends with one of those.
    fn check_end(&self, resets: &[u32], goaways: &[u32], frames: &mut Frames) {
        let word = frames.next_that(|frame| match frame.kind {
            RST_STREAM => !resets.is_empty(),
            kind => kind == GOAWAY,
        });
        match word {
            Some(frame) if frame.kind == RST_STREAM => {
                assert!(resets.contains(&frame.number_at(0)), "RST_STREAM with {}", frame.number_at(0));
            }
            Some(frame) => {
                let code = frame.number_at(4);
                let is_due = goaways.contains(&code) || self.is_vague && code == PROTOCOL_ERROR;
                assert!(is_due, "GOAWAY with {code}");
                assert!(frames.next_that(|_| false).is_none());
            }
            None => {}
        }
    }
}

/// Both ends say how they are, and hear that of the other.
fn settle(frames: &mut Frames) {
    frames.send(&[PREFACE, &settings(&[(INITIAL_WINDOW_SIZE, 65_535)]), &frame(SETTINGS, ACK, 0, [])].concat());
    check_settings(&frames.next().unwrap());
    let answer = frames.next_that(|frame| frame.kind == SETTINGS).unwrap();
    assert!(answer.has(ACK), "{answer:?}");
}

/// The proxy's own, as a client has to know them before it breaks them.
fn check_settings(frame: &Frame) {
    assert!(frame.kind == SETTINGS && !frame.has(ACK), "the first frame is {frame:?}");
    let parameter = |wanted: u16| {
        let mut all = frame.payload.chunks(6);
        all.find(|chunk| chunk[..2] == wanted.to_be_bytes()).map(|chunk| chunk[2..].to_vec())
    };
    assert_eq!(parameter(MAX_CONCURRENT_STREAMS), Some(STREAMS.to_be_bytes().to_vec()), "{frame:?}");
    let frame_size = u32::try_from(FRAME_SIZE).unwrap().to_be_bytes();
    assert!(parameter(MAX_FRAME_SIZE).is_none_or(|value| value == frame_size), "{frame:?}");
    assert_eq!(parameter(HEADER_TABLE_SIZE), None, "{frame:?}");
}

fn check_pong(pong: &Frame, data: [u8; 8]) {
    assert!(pong.has(ACK) && pong.payload == data, "{pong:?}");
}

/// A head that begins with `:status: 200` (index 8 of the static table), and content until the stream is over.
fn check_answer(frames: &mut Frames) {
    let head = frames.next_that(|frame| matches!(frame.kind, HEADERS | RST_STREAM | GOAWAY)).unwrap();
    assert!(head.kind == HEADERS && head.stream == 1 && head.payload.first() == Some(&0x88), "{head:?}");
    if !head.has(END_STREAM) {
        let over = frames.next_that(|frame| frame.stream == 1 && frame.has(END_STREAM)).unwrap();
        assert_eq!(over.kind, DATA, "{over:?}");
    }
}

/// A whole GET.
fn get_on(stream: u32) -> Vec<u8> {
    frame(HEADERS, WHOLE, stream, block(GET))
}

/// The head of a POST, whose content is still to come.
fn post_on(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, block(POST))
}

/// A whole GET with more fields.
fn get_with(fields: &[Field]) -> Vec<u8> {
    frame(HEADERS, WHOLE, 1, [block(GET), block(fields.iter().copied())].concat())
}

/// DATA that is the last of its stream.
fn last_data(stream: u32, content: &[u8]) -> Vec<u8> {
    frame(DATA, END_STREAM, stream, content)
}

/// The last piece of a header block: one field that nobody knows.
fn last_continuation(stream: u32) -> Vec<u8> {
    frame(CONTINUATION, END_HEADERS, stream, block([(&b"x-more"[..], &[b'x'; 400][..])]))
}

fn priority(stream: u32, depends_on: u32, weight: u8) -> Vec<u8> {
    frame(PRIORITY, 0, stream, [&depends_on.to_be_bytes()[..], &[weight]].concat())
}

fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, code.to_be_bytes())
}

fn ping(flags: u8, data: [u8; 8]) -> Vec<u8> {
    frame(PING, flags, 0, data)
}

fn window_update(stream: u32, increment: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, increment.to_be_bytes())
}

/// How the proxy is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Clear,
    Tls,
}

/// A proxy before an upstream that answers only whole requests.
struct Arena {
    recorder: Recorder,
    proxy: TestProxy,
    way: Way,
}

impl Arena {
    fn open(way: Way) -> Arena {
        let recorder = Recorder::answering(CONTENT);
        let limits = format!("streams_per_connection = {STREAMS}");
        let setup = Setup::before(&recorder.upstream).top("workers", "1").set("limits", &limits).tls();
        Arena { proxy: setup.start(), recorder, way }
    }

    fn connect(&self) -> Frames {
        match self.way {
            Way::Clear => Frames::connect(self.proxy.addr()),
            Way::Tls => Frames::connect_tls(self.proxy.tls_addr()),
        }
    }

    /// Plays a case and says who played it.
    fn play(&self, case: &Case) -> String {
        let first = self.recorder.count();
        let mut frames = self.connect();
        case.play(&mut frames);
        if let Some((name, value)) = &case.field {
            let read = self.recorder.since(first);
            let has_field = |message: &Message| message.header(name) == Some(value.as_str());
            assert!(!read.is_empty() && read.iter().all(has_field), "the upstream read {read:#?}");
        }
        frames.peer()
    }

    /// Everybody has left: what the log has to say of each.
    fn close(self) -> Log {
        assert_eq!(get(self.proxy.addr(), "/", "after-all").status(), 200);
        self.proxy.stop()
    }
}

/// A violation is told once or more, what is none is not; and each request that begins also ends.
fn check_log(case: &Case, way: Way, own: &Log) {
    let told = own.events("security_event").into_iter().filter(|event| event.text("reason") == "http2").count();
    // Before it was HTTP/2, it was a request line of HTTP/1.
    let is_http1 = way == Way::Clear && matches!(case.begin, Begin::Nothing) && told == 0;
    let told = if is_http1 { own.count("request_rejected") } else { told };
    assert_eq!(told > 0, case.is_violation(), "told {told} times: {own:#?}");
    assert_eq!(own.count("request_started"), own.count("request_completed"), "{own:#?}");
    assert_eq!(own.count("request_failed"), 0, "{own:#?}");
}

/// Plays cases on a way, as many with one proxy as its log tells of one by one.
fn run_on(way: Way, cases: &[Case]) -> Vec<String> {
    let attempt = |case: &Case, work: &mut dyn FnMut()| {
        let panic = catch_unwind(AssertUnwindSafe(work)).err()?;
        let literal = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let why = panic.downcast_ref::<String>().cloned().or(literal).unwrap_or_default();
        Some(format!("{} ({way:?}): {why}", case.name))
    };
    let mut failures = Vec::new();
    for some in cases.chunks(TOLD) {
        let arena = Arena::open(way);
        let mut played = Vec::new();
        for case in some {
            failures.extend(attempt(case, &mut || played.push((case, arena.play(case)))));
        }
        let log = arena.close();
        for (case, peer) in &played {
            failures.extend(attempt(case, &mut || check_log(case, way, &log.of_peer(peer))));
        }
    }
    failures
}

fn run(cases: &[Case]) {
    let failures = [run_on(Way::Clear, cases), run_on(Way::Tls, cases)].concat();
    assert!(failures.is_empty(), "{} of {} cases:\n\n{}", failures.len(), 2 * cases.len(), failures.join("\n\n"));
}

#[test]
fn connections_begin_as_rfc_9113_has_it() {
    run(&preface::cases());
}

#[test]
fn frames_have_the_format_of_rfc_9113() {
    run(&frame_format::cases());
}

#[test]
fn streams_live_as_rfc_9113_has_it() {
    run(&streams::cases());
}

#[test]
fn frames_of_messages_are_read_as_rfc_9113_has_it() {
    run(&frames_of_messages::cases());
}

#[test]
fn frames_of_control_are_read_as_rfc_9113_has_it() {
    run(&frames_of_control::cases());
}

#[test]
fn windows_are_kept_as_rfc_9113_has_it() {
    run(&flow_control::cases());
}

#[test]
fn requests_are_well_formed_as_rfc_9113_has_it() {
    run(&messages::cases());
}

#[test]
fn heads_are_decompressed_as_rfc_7541_has_it() {
    run(&hpack::cases());
}

#[test]
fn the_suite_is_as_large_as_promised_and_names_each_case_once() {
    let chapters = [
        preface::cases(),
        frame_format::cases(),
        streams::cases(),
        frames_of_messages::cases(),
        frames_of_control::cases(),
        flow_control::cases(),
        messages::cases(),
        hpack::cases(),
    ];
    let mut names: Vec<_> = chapters.iter().flatten().map(|case| case.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "a name stands for two cases");
    assert!(count >= 180, "{count} cases");
}
