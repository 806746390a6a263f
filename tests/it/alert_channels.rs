//! The channels of alerts before peers that misbehave: who is told, who is not, and what is said about that.

use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use gatelog::alert::channel::{Dispatcher, Pace, SendError, Status, Told, send_once};
use gatelog::alert::notice::{Evidence, Kind, Notice};
use gatelog::alert::settings::{Channel, ChannelKind, EmailSettings, Security, WebhookBody, WebhookSettings};
use gatelog::net::{Target, TlsFiles};
use gatelog::secret::Secret;
use serde_json::Value;

use crate::support::smtp::{Mail, Reply, SmtpServer, Tls};
use crate::support::tls::Authority;
use crate::support::{Conn, DEADLINE, Upstream, until};

/// Nothing is waited for but what fails.
const QUICK: Pace =
    Pace { gather: Duration::ZERO, retry_at_most: Duration::from_millis(20), give_up: Duration::from_secs(3600) };
/// Of a peer that does not answer.
const SHORT: Duration = Duration::from_millis(300);

fn notice(kind: Kind, key: &str) -> Arc<Notice> {
    Arc::new(Notice {
        kind,
        rule: "errors".to_owned(),
        severity: "critical",
        description: None,
        group: None,
        summary: "3 records in 1m, above 2".to_owned(),
        value: 3.0,
        bound: 2.0,
        since: 1_785_585_540_000_000,
        at: 1_785_585_600_000_000,
        key: key.to_owned(),
        service: "shop".to_owned(),
        environment: "test".to_owned(),
        link: None,
        evidence: Evidence { records: vec![r#"{"message":".\r\n.\r\nQUIT"}"#.to_owned()], ..Evidence::default() },
    })
}

fn fired() -> Arc<Notice> {
    notice(Kind::Fired, "errors")
}

fn channel(kind: ChannelKind, timeout: Duration) -> Channel {
    Channel { name: "night".to_owned(), kind, timeout, rate: 3600 }
}

fn email(port: u16, security: Security, ca: Option<&Path>) -> EmailSettings {
    let tls = TlsFiles { ca: ca.map(Path::to_owned), ..TlsFiles::default() };
    let tls = (security != Security::Plain).then_some(tls);
    EmailSettings {
        origin: 0,
        peer: Target { host: "localhost".to_owned(), port, tls },
        security,
        login: None,
        from: "gatelog <log@example.com>".to_owned(),
        to: vec!["ann@example.com".to_owned(), "Bob <bob@example.com>".to_owned()],
        prefix: "[gatelog]".to_owned(),
    }
}

/// In the clear.
fn plain(server: &SmtpServer) -> Channel {
    channel(ChannelKind::Email(email(server.port(), Security::Plain, None)), DEADLINE)
}

fn webhook(upstream: &Upstream, timeout: Duration) -> Channel {
    let address = upstream.addr();
    let settings = WebhookSettings {
        origin: 0,
        url: Secret::new(format!("http://{address}/hook/s3cret-path")),
        peer: Target { host: address.ip().to_string(), port: address.port(), tls: None },
        body: WebhookBody::Json,
        headers: vec![(http::header::AUTHORIZATION, Secret::new("Bearer t0ken"))],
    };
    channel(ChannelKind::Webhook(settings), timeout)
}

/// Remembers what is told of channels.
#[derive(Default)]
struct Ear(Mutex<Vec<String>>);

impl Ear {
    fn heard(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Told for Ear {
    fn channel_failed(&self, channel: &str, said: &str) {
        self.0.lock().unwrap().push(format!("{channel} failed: {said}"));
    }

    fn channel_works(&self, channel: &str) {
        self.0.lock().unwrap().push(format!("{channel} works"));
    }
}

fn start(channel: Channel) -> (Dispatcher, Arc<Ear>) {
    let ear = Arc::new(Ear::default());
    (Dispatcher::start_at(&[channel], Arc::clone(&ear) as Arc<dyn Told>, QUICK).unwrap(), ear)
}

/// The status, once it is so.
fn status(dispatcher: &Dispatcher, what: &str, is_so: impl Fn(&Status) -> bool) -> Status {
    until(what, || is_so(&dispatcher.status()[0]));
    dispatcher.status().remove(0)
}

fn refused(result: Result<(), SendError>) -> String {
    match result {
        Err(SendError::Refused(said)) => said,
        other => panic!("{other:?}"),
    }
}

fn not_now(result: Result<(), SendError>) -> String {
    match result {
        Err(SendError::NotNow(said)) => said,
        other => panic!("{other:?}"),
    }
}

fn say(text: &str) -> Option<Reply> {
    Some(Reply::Say(text.to_owned()))
}

/// A server with a certificate, and where its authority is.
fn with_tls(
    tls: fn(Arc<rustls::ServerConfig>) -> Tls,
    script: impl Fn(usize, &str) -> Option<Reply> + Send + Sync + 'static,
) -> (SmtpServer, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    Authority::shared().write_to(folder.path());
    (SmtpServer::script(tls(Authority::shared().issue("localhost").server()), script), folder)
}

fn starttls(server: &SmtpServer, folder: &tempfile::TempDir) -> EmailSettings {
    email(server.port(), Security::StartTls, Some(&folder.path().join("ca.pem")))
}

#[test]
fn a_mail_arrives_over_starttls_and_with_a_login() {
    let (server, folder) = with_tls(Tls::WhenAsked, |_, _| None);
    let mut settings = starttls(&server, &folder);
    settings.login = Some(("ann".to_owned(), Secret::new("s3cret")));
    send_once(&channel(ChannelKind::Email(settings), DEADLINE), &[fired()]).unwrap();
    let mail = server.mails(1).remove(0);
    assert_eq!((mail.tls, mail.login.as_deref()), (true, Some("AUTH PLAIN AGFubgBzM2NyZXQ=")));
    assert_eq!(mail.to, ["ann@example.com", "bob@example.com"]);
    assert!(mail.content.contains("Subject: [gatelog] FIRING critical: errors,"), "{}", mail.content);
}

#[test]
fn a_mail_arrives_over_tls_from_the_first_byte_and_in_the_clear() {
    let (server, folder) = with_tls(Tls::AtOnce, |_, _| None);
    let settings = email(server.port(), Security::Implicit, Some(&folder.path().join("ca.pem")));
    send_once(&channel(ChannelKind::Email(settings), DEADLINE), &[fired()]).unwrap();
    assert!(server.mails(1)[0].tls);
    let server = SmtpServer::script(Tls::Never, |_, _| None);
    send_once(&plain(&server), &[fired()]).unwrap();
    assert!(!server.mails(1)[0].tls);
}

#[test]
fn a_server_that_only_knows_login_gets_it_in_three_steps() {
    let steps = |_, command: &str| match command {
        "AUTH LOGIN" => say("334 VXNlcm5hbWU6"),
        "YW5u" => say("334 UGFzc3dvcmQ6"),
        "czNjcmV0" => say("235 welcome"),
        _ if command.starts_with("EHLO") => say("250-mail.example\r\n250 AUTH LOGIN"),
        _ => None,
    };
    let server = SmtpServer::script(Tls::Never, steps);
    let mut settings = email(server.port(), Security::Plain, None);
    settings.login = Some(("ann".to_owned(), Secret::new("s3cret")));
    send_once(&channel(ChannelKind::Email(settings), DEADLINE), &[fired()]).unwrap();
    assert_eq!(server.mails(1).len(), 1);
}

#[test]
fn without_starttls_nothing_is_sent() {
    let no_tls = |_, command: &str| if command.starts_with("EHLO") { say("250 mail.example") } else { None };
    let (server, folder) = with_tls(Tls::WhenAsked, no_tls);
    let mut settings = starttls(&server, &folder);
    settings.login = Some(("ann".to_owned(), Secret::new("s3cret")));
    let said = not_now(send_once(&channel(ChannelKind::Email(settings), DEADLINE), &[fired()]));
    assert_eq!(said, "the server does not offer STARTTLS, and nothing is sent in the clear");
    assert_eq!(server.said(), ["EHLO [127.0.0.1]"]);
}

#[test]
fn what_is_put_behind_the_answer_to_starttls_is_not_believed() {
    let inject = |_, command: &str| if command == "STARTTLS" { say("220 now\r\n250 mail.example") } else { None };
    let (server, folder) = with_tls(Tls::WhenAsked, inject);
    let said = not_now(send_once(&channel(ChannelKind::Email(starttls(&server, &folder)), DEADLINE), &[fired()]));
    assert_eq!(said, "somebody says more in the clear than STARTTLS allows");
}

#[test]
fn a_certificate_of_somebody_else_is_refused_before_anything_is_said() {
    let folder = tempfile::tempdir().unwrap();
    Authority::shared().write_to(folder.path());
    let other = || Authority::new().issue("localhost").server();
    for (tls, security) in [(Tls::WhenAsked(other()), Security::StartTls), (Tls::AtOnce(other()), Security::Implicit)] {
        let server = SmtpServer::script(tls, |_, _| None);
        let settings = email(server.port(), security, Some(&folder.path().join("ca.pem")));
        let said = not_now(send_once(&channel(ChannelKind::Email(settings), DEADLINE), &[fired()]));
        assert!(said.contains("certificate"), "{said}");
        assert!(!server.said().iter().any(|command| command.starts_with("MAIL")), "{:?}", server.said());
    }
}

#[test]
fn a_wrong_password_is_told_at_once_and_not_tried_again() {
    let wrong = |_, command: &str| if command.starts_with("AUTH") { say("535 5.7.8 wrong password") } else { None };
    let (server, folder) = with_tls(Tls::WhenAsked, wrong);
    let mut settings = starttls(&server, &folder);
    settings.login = Some(("ann".to_owned(), Secret::new("s3cret")));
    let (dispatcher, ear) = start(channel(ChannelKind::Email(settings), DEADLINE));
    dispatcher.tell(0, fired());
    let status = status(&dispatcher, "the refusal", |status| status.failed == 1);
    assert_eq!(status.last_error.as_deref(), Some("the login is refused: permanent error (535): 5.7.8 wrong password"));
    assert!(status.failing && status.waiting == 0);
    dispatcher.tell(0, fired());
    until("the second refusal", || dispatcher.status()[0].failed == 2);
    assert_eq!(ear.heard(), ["night failed: the login is refused: permanent error (535): 5.7.8 wrong password"]);
    assert_eq!(server.said().iter().filter(|command| command.starts_with("AUTH")).count(), 2);
}

#[test]
fn one_that_wants_to_be_asked_again_is_and_nobody_hears_of_it() {
    let greylists = |number, command: &str| match number {
        0..2 if command.starts_with("RCPT") => say("450 4.2.0 greylisted"),
        _ => None,
    };
    let server = SmtpServer::script(Tls::Never, greylists);
    let (dispatcher, ear) = start(plain(&server));
    dispatcher.tell(0, fired());
    let mail = server.mails(1).remove(0);
    assert_eq!(mail.to, ["ann@example.com", "bob@example.com"]);
    let status = status(&dispatcher, "the delivery", |status| status.delivered == 1);
    assert!(!status.failing && status.last_delivered_at.is_some());
    assert_eq!(
        status.last_error.as_deref(),
        Some("bob@example.com is not taken yet: transient error (450): 4.2.0 greylisted")
    );
    assert_eq!(ear.heard(), Vec::<String>::new());
}

#[test]
fn one_that_fails_longer_is_told_of_once_and_once_more_when_it_works() {
    let busy = |number, command: &str| if number < 12 && command.is_empty() { say("421 busy") } else { None };
    let server = SmtpServer::script(Tls::Never, busy);
    let (dispatcher, ear) = start(plain(&server));
    dispatcher.tell(0, fired());
    server.mails(1);
    until("both words", || ear.heard().len() == 2);
    let failed = "night failed: the server does not greet: transient error (421): busy";
    assert_eq!(ear.heard(), [failed, "night works"]);
}

#[test]
fn of_two_recipients_one_may_be_refused_for_good_or_for_now() {
    let refuses = |number, command: &str| match command {
        "RCPT TO:<ann@example.com>" if number == 0 => say("450 later"),
        "RCPT TO:<bob@example.com>" => say("550 5.1.1 no such user"),
        _ => None,
    };
    let server = SmtpServer::script(Tls::Never, refuses);
    let (dispatcher, ear) = start(plain(&server));
    dispatcher.tell(0, fired());
    let to = server.mails(1).remove(0).to;
    assert_eq!(to, ["ann@example.com"]);
    until("the word", || !ear.heard().is_empty());
    let said = "bob@example.com is refused: permanent error (550): 5.1.1 no such user";
    assert_eq!(ear.heard(), [format!("night failed: {said}")]);
    assert_eq!(dispatcher.status()[0].delivered, 1);
    let asked = server.said().iter().filter(|command| command.contains("bob@")).count();
    assert_eq!(asked, 1, "he has refused it for good");
    let server =
        SmtpServer::script(Tls::Never, |_, command| if command.contains("bob@") { say("550 no") } else { None });
    assert!(matches!(send_once(&plain(&server), &[fired()]), Err(SendError::Partly(_))));
}

#[test]
fn where_all_refuse_there_is_no_message() {
    let server =
        SmtpServer::script(Tls::Never, |_, command| if command.starts_with("RCPT") { say("550 no") } else { None });
    let said = refused(send_once(&plain(&server), &[fired()]));
    assert!(said.contains("ann@example.com") && said.contains("bob@example.com"), "{said}");
    assert!(!server.said().contains(&"DATA".to_owned()));
}

#[test]
fn a_message_that_is_refused_as_a_whole_is_not_sent_again() {
    let server =
        SmtpServer::script(Tls::Never, |_, command| if command == "." { say("554 spam\x1b[2J") } else { None });
    assert_eq!(
        refused(send_once(&plain(&server), &[fired()])),
        "the message is refused: permanent error (554): spam␛[2J"
    );
}

#[test]
fn a_connection_that_is_closed_at_any_stage_is_tried_again() {
    for stage in ["", "EHLO", "MAIL", "RCPT", "DATA", "."] {
        let closes = move |number, command: &str| {
            let is_stage = if stage.is_empty() { command.is_empty() } else { command.starts_with(stage) };
            (number == 0 && is_stage).then_some(Reply::Close)
        };
        let server = SmtpServer::script(Tls::Never, closes);
        let (dispatcher, _) = start(plain(&server));
        dispatcher.tell(0, fired());
        assert_eq!(server.mails(1).len(), 1, "{stage}");
        status(&dispatcher, stage, |status| status.delivered == 1 && status.last_error.is_some());
    }
}

#[test]
fn one_that_hangs_is_left_and_one_that_hangs_after_it_has_taken_it_is_not_asked_again() {
    for stage in ["", "EHLO", "RCPT", "."] {
        let hangs = move |_, command: &str| {
            let is_stage = if stage.is_empty() { command.is_empty() } else { command.starts_with(stage) };
            is_stage.then_some(Reply::Hang)
        };
        let server = SmtpServer::script(Tls::Never, hangs);
        let mut channel = plain(&server);
        channel.timeout = SHORT;
        assert_eq!(not_now(send_once(&channel, &[fired()])), "not done within 300ms", "{stage}");
    }
    let server = SmtpServer::script(Tls::Never, |_, command| (command == "QUIT").then_some(Reply::Hang));
    send_once(&plain(&server), &[fired()]).unwrap();
    assert_eq!(server.mails(1).len(), 1);
}

#[test]
fn one_that_is_slow_to_greet_is_waited_for() {
    let (go, wait) = std::sync::mpsc::sync_channel(1);
    let wait = Mutex::new(wait);
    let slow = move |_, command: &str| {
        if command.is_empty() {
            wait.lock().unwrap().recv_timeout(DEADLINE).unwrap();
        }
        None
    };
    let server = SmtpServer::script(Tls::Never, slow);
    let (dispatcher, _) = start(plain(&server));
    dispatcher.tell(0, fired());
    until("the connection", || server.connections() == 1);
    go.send(()).unwrap();
    status(&dispatcher, "the delivery", |status| status.delivered == 1 && status.last_error.is_none());
}

#[test]
fn one_that_never_stops_talking_is_left() {
    let endless = format!("250-{}\r\n", "x".repeat(500)).repeat(1000);
    let server = SmtpServer::script(Tls::Never, move |_, command| {
        command.starts_with("EHLO").then(|| Reply::Say(endless.clone()))
    });
    let said = not_now(send_once(&plain(&server), &[fired()]));
    assert!(said.ends_with("the server says more than a mail server does"), "{said}");
    let (server, folder) =
        with_tls(Tls::WhenAsked, |_, command| command.is_empty().then(|| Reply::Say("220-x\r\n".repeat(1000))));
    let said = not_now(send_once(&channel(ChannelKind::Email(starttls(&server, &folder)), DEADLINE), &[fired()]));
    assert_eq!(said, "the server does not greet: an answer without end");
}

#[test]
fn a_greeting_of_many_lines_is_one() {
    let (server, folder) = with_tls(Tls::WhenAsked, |_, command| {
        if command.is_empty() { say("220-mail.example\r\n220-no spam\r\n220 please") } else { None }
    });
    send_once(&channel(ChannelKind::Email(starttls(&server, &folder)), DEADLINE), &[fired()]).unwrap();
    assert_eq!(server.mails(1).len(), 1);
}

#[test]
fn dots_of_records_do_not_end_a_message() {
    let server = SmtpServer::script(Tls::Never, |_, _| None);
    send_once(&plain(&server), &[fired()]).unwrap();
    let Mail { content, .. } = server.mails(1).remove(0);
    assert!(content.trim_end().ends_with("--"), "{content}");
    assert_eq!(server.said().last().map(String::as_str), Some("QUIT"));
}

#[test]
fn several_notices_are_one_mail() {
    let server = SmtpServer::script(Tls::Never, |_, _| None);
    let ear = Arc::new(Ear::default());
    let pace = Pace { gather: DEADLINE, ..QUICK };
    let dispatcher = Dispatcher::start_at(&[plain(&server)], ear, pace).unwrap();
    for key in ["a", "b", "c"] {
        dispatcher.tell(0, notice(Kind::Fired, key));
    }
    let last = dispatcher.finish(Instant::now() + DEADLINE).remove(0);
    assert_eq!((last.delivered, last.dropped, last.waiting), (3, 0, 0));
    let mails = server.mails(1);
    assert!(mails.len() == 1 && mails[0].content.contains("Subject: [gatelog] 3 notices:"), "{mails:?}");
}

#[test]
fn who_is_replaced_still_sends_what_it_has() {
    let server = SmtpServer::script(Tls::Never, |_, _| None);
    let pace = Pace { gather: DEADLINE, ..QUICK };
    let dispatcher: Arc<dyn Send + Sync> = {
        let dispatcher = Dispatcher::start_at(&[plain(&server)], Arc::new(Ear::default()), pace).unwrap();
        dispatcher.tell(0, fired());
        Arc::new(dispatcher)
    };
    drop(dispatcher);
    assert_eq!(server.mails(1).len(), 1);
}

#[test]
fn what_there_is_no_time_for_is_counted() {
    let server = SmtpServer::script(Tls::Never, |_, command| command.is_empty().then_some(Reply::Hang));
    let (dispatcher, _) = start(plain(&server));
    dispatcher.tell(0, fired());
    until("the try", || server.said().is_empty() && dispatcher.status()[0].waiting == 1);
    let last = dispatcher.finish(Instant::now() + SHORT).remove(0);
    assert_eq!((last.delivered, last.failed + last.dropped, last.waiting), (0, 1, 0));
}

/// Answers the first requests with these heads, and all others with 200; says how many there were.
fn scripted(heads: &'static [&'static str]) -> (Upstream, Arc<Mutex<Vec<Value>>>) {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&bodies);
    let upstream = Upstream::script(move |conn: &mut Conn| {
        while let Some(request) = conn.request() {
            assert_eq!(request.header("authorization"), Some("Bearer t0ken"));
            assert_eq!(request.header("content-type"), Some("application/json"));
            let mut bodies = into.lock().unwrap();
            bodies.push(serde_json::from_slice(&request.body).unwrap());
            match heads.get(bodies.len() - 1) {
                Some(head) => conn.send(format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n")),
                None => conn.ok("ok"),
            }
        }
    });
    (upstream, bodies)
}

#[test]
fn a_webhook_that_fails_for_now_gets_the_same_again() {
    let (upstream, bodies) = scripted(&["500 Broken", "429 Slow\r\nRetry-After: 0", "408 Late"]);
    let (dispatcher, _) = start(webhook(&upstream, DEADLINE));
    dispatcher.tell(0, fired());
    let status = status(&dispatcher, "the delivery", |status| status.delivered == 1);
    assert_eq!(status.last_error.as_deref(), Some("408 Request Timeout"));
    let bodies = bodies.lock().unwrap();
    assert_eq!(bodies.len(), 4);
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    assert_eq!((&bodies[0]["version"], &bodies[0]["notices"][0]["rule"]), (&Value::from(1), &Value::from("errors")));
}

#[test]
fn what_a_webhook_asks_to_wait_is_waited() {
    let (upstream, bodies) = scripted(&["503 Busy\r\nRetry-After: 1"]);
    let (dispatcher, _) = start(webhook(&upstream, DEADLINE));
    let before = Instant::now();
    dispatcher.tell(0, fired());
    status(&dispatcher, "the delivery", |status| status.delivered == 1);
    // Without the header there would be another try within 20 ms.
    assert!(before.elapsed() >= Duration::from_secs(1));
    assert_eq!(bodies.lock().unwrap().len(), 2);
}

#[test]
fn a_webhook_that_refuses_is_told_of_and_not_asked_again() {
    let upstream = Upstream::script(|conn| {
        while conn.request().is_some() {
            let body = "no /hook/s3cret-path here";
            conn.send(format!("HTTP/1.1 400 Bad Request\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        }
    });
    let (dispatcher, ear) = start(webhook(&upstream, DEADLINE));
    dispatcher.tell(0, fired());
    let status = status(&dispatcher, "the refusal", |status| status.failed == 1);
    assert_eq!(status.last_error.as_deref(), Some("400 Bad Request: no *** here"));
    until("the word", || ear.heard() == ["night failed: 400 Bad Request: no *** here"]);
}

#[test]
fn a_webhook_that_hangs_or_is_not_there_is_left() {
    let upstream = Upstream::script(|conn| drop(conn.stall()));
    let said = not_now(send_once(&webhook(&upstream, SHORT), &[fired()]));
    assert_eq!(said, "no whole answer within 300ms");
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let mut channel = webhook(&upstream, DEADLINE);
    if let ChannelKind::Webhook(settings) = &mut channel.kind {
        settings.peer.port = free.port();
    }
    let said = not_now(send_once(&channel, &[fired()]));
    assert!(said.starts_with("cannot connect to 127.0.0.1:"), "{said}");
}

#[test]
fn events_that_were_taken_are_not_sent_again() {
    let (upstream, bodies) = scripted(&["202 Accepted", "500 Broken", "400 Bad"]);
    let mut channel = webhook(&upstream, DEADLINE);
    if let ChannelKind::Webhook(settings) = &mut channel.kind {
        settings.body = WebhookBody::PagerDuty { routing_key: Secret::new("R0UT1NGKEY") };
    }
    let ear = Arc::new(Ear::default());
    let told = Arc::clone(&ear) as Arc<dyn Told>;
    // They are one message, unless this machine is very slow; which changes nothing of what is sent.
    let pace = Pace { gather: SHORT, ..QUICK };
    let dispatcher = Dispatcher::start_at(&[channel], told, pace).unwrap();
    for (kind, key) in [(Kind::Fired, "a"), (Kind::Fired, "b"), (Kind::Resolved, "a")] {
        dispatcher.tell(0, notice(kind, key));
    }
    status(&dispatcher, "the end", |status| status.delivered + status.failed == 3);
    let bodies = bodies.lock().unwrap();
    let sent: Vec<(&str, &str)> = bodies
        .iter()
        .map(|body| (body["event_action"].as_str().unwrap(), body["dedup_key"].as_str().unwrap()))
        .collect();
    assert_eq!(sent, [("trigger", "a"), ("trigger", "b"), ("trigger", "b"), ("resolve", "a")]);
    until("the word", || ear.heard().first().is_some_and(|said| said == "night failed: 400 Bad Request"));
}

#[test]
fn a_channel_that_is_stuck_holds_up_nobody() {
    let stuck = SmtpServer::script(Tls::Never, |_, command| command.is_empty().then_some(Reply::Hang));
    let (upstream, bodies) = scripted(&[]);
    let channels = [plain(&stuck), webhook(&upstream, DEADLINE)];
    let dispatcher = Dispatcher::start_at(&channels, Arc::new(Ear::default()), QUICK).unwrap();
    (0..500).for_each(|number| dispatcher.tell(0, notice(Kind::Fired, &number.to_string())));
    dispatcher.tell(1, fired());
    until("the delivery", || dispatcher.status()[1].delivered == 1);
    let stuck = dispatcher.status().remove(0);
    assert!(stuck.waiting + stuck.dropped == 500 && stuck.waiting <= 128, "{stuck:?}");
    assert_eq!(bodies.lock().unwrap().len(), 1);
}

/// Tells of each channel that fails through the other one, as the program does.
#[derive(Default)]
struct Gossip {
    dispatcher: OnceLock<Weak<Dispatcher>>,
    heard: Ear,
}

impl Told for Gossip {
    fn channel_failed(&self, channel: &str, said: &str) {
        self.heard.channel_failed(channel, said);
        let dispatcher = self.dispatcher.get().and_then(Weak::upgrade).unwrap();
        dispatcher.tell(usize::from(channel == "night"), notice(Kind::Fired, channel));
    }

    fn channel_works(&self, channel: &str) {
        self.heard.channel_works(channel);
    }
}

#[test]
fn two_channels_that_tell_of_each_others_failures_come_to_rest() {
    let server =
        SmtpServer::script(Tls::Never, |_, command| if command.starts_with("RCPT") { say("550 no") } else { None });
    let day = Channel { name: "day".to_owned(), ..plain(&server) };
    let gossip = Arc::new(Gossip::default());
    let told = Arc::clone(&gossip) as Arc<dyn Told>;
    let dispatcher = Arc::new(Dispatcher::start_at(&[plain(&server), day], told, QUICK).unwrap());
    gossip.dispatcher.set(Arc::downgrade(&dispatcher)).unwrap();
    dispatcher.tell(0, fired());
    let failed = || dispatcher.status().iter().map(|status| status.failed).collect::<Vec<_>>();
    until("the last of them", || failed() == [2, 1]);
    let heard: Vec<String> = gossip.heard.heard().iter().map(|said| said[..3].to_owned()).collect();
    assert_eq!(heard, ["nig", "day"]);
}

#[test]
fn a_channel_that_cannot_be_used_is_refused_at_the_start() {
    let server = SmtpServer::script(Tls::Never, |_, _| None);
    let mut settings = email(server.port(), Security::StartTls, Some(Path::new("/nowhere/ca.pem")));
    let error = |settings: &EmailSettings| {
        let channels = [channel(ChannelKind::Email(settings.clone()), DEADLINE)];
        Dispatcher::start_at(&channels, Arc::new(Ear::default()), QUICK).err().unwrap().to_string()
    };
    assert!(error(&settings).starts_with("channel `night`: it cannot be read: "), "{}", error(&settings));
    settings.peer.tls = None;
    assert_eq!(error(&settings), "channel `night`: TLS is asked for, and there are no settings of it");
    settings.security = Security::Plain;
    settings.to.push("nobody".to_owned());
    assert!(error(&settings).starts_with("channel `night`: \"nobody\" is no address of mail"), "{}", error(&settings));
}
