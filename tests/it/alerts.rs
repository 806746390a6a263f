//! Alerts of the real process: records in, one notice out, the same in the log, in the API and at the webhook; silences, reloads,
//! restarts, and the commands.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::support::collector::{Accepted, Misbehaved, ndjson};
use crate::support::command::{gatelog, said, text};
use crate::support::metrics::{ask, eventually, json};
use crate::support::{Setup, TestProxy, Upstream, get};

/// An application that can be broken, and mended.
struct Application {
    upstream: Upstream,
    broken: Arc<AtomicBool>,
}

impl Application {
    fn new() -> Application {
        let broken = Arc::new(AtomicBool::new(false));
        let is_broken = Arc::clone(&broken);
        let upstream = Upstream::script(move |conn| {
            while conn.request().is_some() {
                match is_broken.load(Ordering::Relaxed) {
                    true => conn.send("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"),
                    false => conn.ok("fine"),
                }
            }
        });
        Application { upstream, broken }
    }

    fn fail(&self, proxy: &TestProxy, times: usize) {
        self.broken.store(true, Ordering::Relaxed);
        (0..times)
            .for_each(|at| assert_eq!(get(proxy.addr(), &format!("/orders/{at}"), &format!("a{at}")).status(), 503));
        self.broken.store(false, Ordering::Relaxed);
    }
}

const RULE: &str =
    "[[alerts.rule]]\nname = \"failures\"\nfilter = \"status>=500\"\nabove = 2\nper = \"5s\"\ncooldown = \"0s\"\n";

/// A webhook, and the part of a file that names it.
fn webhook() -> (Upstream, Accepted, String) {
    let (upstream, accepted) = ndjson(|_, _| Misbehaved::No);
    let channel =
        format!("[[alerts.channel]]\nname = \"hook\"\ntype = \"webhook\"\nurl = \"{}/hook\"\n", upstream.url());
    (upstream, accepted, channel)
}

/// The notices that have come, each with its kind and its rule.
fn notices(bodies: &[Value]) -> Vec<(String, String)> {
    let all = bodies.iter().flat_map(|body| body["notices"].as_array().cloned().unwrap_or_default());
    let word = |notice: &Value, name: &str| notice[name].as_str().unwrap_or_default().to_owned();
    all.map(|notice| (word(&notice, "kind"), word(&notice, "rule"))).collect()
}

fn state(proxy: &TestProxy, rule: &str) -> Value {
    let answer = json(&ask(proxy.admin(), "GET", "/api/alerts", ""));
    let alerts = answer["alerts"].as_array().cloned().unwrap_or_default();
    alerts.into_iter().find(|alert| alert["rule"] == rule).unwrap_or_default()
}

#[test]
fn what_fails_too_often_is_told_once_and_so_is_its_end() {
    let (application, (_hook, accepted, channel)) = (Application::new(), webhook());
    let proxy = Setup::before(&application.upstream).admin().routes(&format!("{RULE}{channel}")).start();
    application.fail(&proxy, 5);
    let firing = eventually("it fires", || Some(state(&proxy, "failures")).filter(|alert| alert["state"] == "firing"));
    let summary = firing["summary"].as_str().unwrap();
    assert!(summary.ends_with(" records in 5s, above 2") && firing["severity"] == "warning", "{firing}");
    let pair = |kind: &str| (kind.to_owned(), "failures".to_owned());
    accepted.wait_for("the end is told", |bodies| notices(bodies) == [pair("fired"), pair("resolved")]);
    let bodies = accepted.records();
    let fired =
        bodies.iter().flat_map(|body| body["notices"].as_array().unwrap()).find(|it| it["kind"] == "fired").unwrap();
    assert!(fired["records"].as_array().unwrap().iter().any(|line| line.to_string().contains("/orders/")), "{fired}");
    eventually("it is quiet", || (state(&proxy, "failures")["state"] == "quiet").then_some(()));
    let log = proxy.stop();
    let (fired, resolved) = (log.only("alert_fired"), log.only("alert_resolved"));
    assert_eq!([fired.text("rule"), fired.text("notice"), fired.text("level")], ["failures", "notified", "WARNING"]);
    assert_eq!(
        [resolved.text("rule"), resolved.text("logger"), resolved.text("level")],
        ["failures", "gatelog.alert", "INFO"]
    );
    log.check_promises();
}

#[test]
fn an_application_that_is_killed_is_told_and_so_is_its_return() {
    let (application, (_hook, accepted, channel)) = (Upstream::ok(), webhook());
    let addr = application.addr();
    let setup =
        Setup::before(&application).admin().set("alerts", "state = \"state.json\"").routes(&format!("{RULE}{channel}"));
    let state_file = setup.dir().join("state.json");
    let proxy = setup.start();
    assert_eq!(get(proxy.addr(), "/", "before").status(), 200);
    drop(application);
    (0..4).for_each(|at| assert_eq!(get(proxy.addr(), "/", &format!("k{at}")).status(), 502));
    accepted.wait_for("it is told", |bodies| notices(bodies).first().is_some_and(|(kind, _)| kind == "fired"));
    let remembered: Value = serde_json::from_slice(&std::fs::read(&state_file).unwrap()).unwrap();
    assert_eq!(remembered["version"], 1);
    let _again = Upstream::script_at(addr, |conn| {
        while conn.request().is_some() {
            conn.ok("again");
        }
    });
    assert_eq!(get(proxy.addr(), "/", "after").status(), 200);
    accepted
        .wait_for("its return is told", |bodies| notices(bodies).last().is_some_and(|(kind, _)| kind == "resolved"));
    let log = proxy.stop();
    assert_eq!((log.count("alert_fired"), log.count("alert_resolved")), (1, 1));
    log.check_promises();
}

#[test]
fn what_sampling_leaves_out_counts_as_well() {
    let (application, (_hook, _, channel)) = (Application::new(), webhook());
    let rules = "[[alerts.rule]]\nname = \"traffic\"\nfilter = \"event:request_completed\"\nabove = 22\nper = \"1h\"\n\
                 [[alerts.rule]]\nname = \"starts\"\nfilter = \"event:request_started\"\nabove = 22\nper = \"1h\"\n\
                 [[alerts.rule]]\nname = \"share\"\nfilter = \"status>=500\"\nof = \"event:request_completed\"\n\
                 above = \"50%\"\nper = \"1h\"\nat_least = 1\n";
    let setup = Setup::before(&application.upstream).admin().routes(&format!("{rules}{channel}"));
    let proxy = setup.set("log", "sample = [{ filter = \"outcome:success\", rate = 0 }]").start();
    (0..20).for_each(|at| assert_eq!(get(proxy.addr(), "/", &format!("s{at}")).status(), 200));
    application.fail(&proxy, 3);
    for rule in ["traffic", "starts"] {
        eventually(rule, || (state(&proxy, rule)["state"] == "firing").then_some(()));
    }
    let share = state(&proxy, "share");
    assert_eq!((&share["state"], &share["value"]), (&"quiet".into(), &(3.0 / 23.0).into()), "{share}");
    let log = proxy.stop();
    assert_eq!((log.count("request_completed"), log.count("request_started")), (3, 3));
    log.check_promises();
}

#[test]
fn a_silenced_rule_is_in_the_log_and_nobody_is_told() {
    let (application, (_hook, accepted, channel)) = (Application::new(), webhook());
    let setup = Setup::before(&application.upstream).admin().routes(&format!("{RULE}{channel}"));
    let proxy = setup.start();
    let admin = proxy.admin().to_string();
    let quiet = said(&["alerts", "silence", "failures", "--for", "1h", "--comment", "a deploy", "--admin", &admin]);
    assert!(quiet.starts_with("nobody is told of failures until 20") && quiet.ends_with(": a deploy\n"), "{quiet}");
    eventually("it is silenced", || (state(&proxy, "failures")["silenced"] == true).then_some(()));
    application.fail(&proxy, 4);
    proxy.wait_for("it is over", |log| log.count("alert_resolved") == 1);
    let shown = said(&["alerts", "list", "--admin", &admin]);
    assert!(
        shown.starts_with("quiet  failures") && shown.contains("(silenced)") && shown.contains(": a deploy"),
        "{shown}"
    );
    let log = proxy.stop();
    assert_eq!([log.only("alert_fired").text("notice"), log.only("alert_resolved").text("notice")], ["silenced"; 2]);
    assert_eq!(accepted.records(), Vec::<Value>::new());
}

#[test]
fn wrong_silences_say_what_is_wrong() {
    let application = Application::new();
    let proxy = Setup::before(&application.upstream).admin().routes(RULE).start();
    for (target, status, said) in [
        ("?for=1h", 400, "say which `rule`"),
        ("?rule=failures", 400, "say for how long"),
        ("?rule=failures&for=soon", 400, "`for` is no duration"),
        ("?rule=failures&for=31d", 400, "`for` is no duration"),
        ("?rule=failure&for=1h", 404, "did you mean `failures`?"),
    ] {
        let answer = ask(proxy.admin(), "POST", &format!("/api/alerts/silences{target}"), "");
        let detail = json(&answer)["detail"].to_string();
        assert_eq!(answer.status(), status, "{target}");
        assert!(detail.contains(said), "{target}: {detail}");
    }
    proxy.stop();
}

#[test]
fn a_reload_changes_rules_and_channels() {
    let (application, (_hook, accepted, channel)) = (Application::new(), webhook());
    let setup = Setup::before(&application.upstream).admin();
    let config = setup.dir().join("gatelog.toml");
    let proxy = setup.start();
    let before = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{before}\n{RULE}{channel}")).unwrap();
    proxy.signal("HUP");
    proxy.wait_for("it is taken", |log| log.count("config_reloaded") == 1);
    application.fail(&proxy, 3);
    accepted.wait_for("it is told", |bodies| !notices(bodies).is_empty());
    std::fs::write(&config, before).unwrap();
    proxy.signal("HUP");
    proxy.wait_for("it is taken", |log| log.count("config_reloaded") == 2);
    eventually("there are no rules", || state(&proxy, "failures").is_null().then_some(()));
    let log = proxy.stop();
    assert!(
        log.events("config_reloaded")
            .iter()
            .all(|record| record.get("changed").is_some_and(|it| it.to_string().contains("alerts")))
    );
    log.check_promises();
}

#[test]
fn a_channel_is_tested_from_the_command_line() {
    let (_hook, accepted, channel) = webhook();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gatelog.toml");
    std::fs::write(&file, format!("[[upstream]]\nname = \"app\"\nservers = [\"http://127.0.0.1:1\"]\n{channel}"))
        .unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(said(&["alerts", "test", "hook", "--config", file]), "hook: the notice was taken\n");
    assert_eq!(notices(&accepted.records()), [("test".to_owned(), "test".to_owned())]);
    let wrong = gatelog(&["alerts", "test", "hok", "--config", file]);
    let expected = "gatelog: `hok` is no channel: did you mean `hook`? there are hook\n";
    assert_eq!((wrong.status.code(), text(&wrong.stderr)), (Some(2), expected.to_owned()));
}

#[test]
fn what_rules_would_have_done_is_told_from_a_log() {
    let (application, (_hook, _, channel)) = (Application::new(), webhook());
    let proxy = Setup::before(&application.upstream).start();
    application.fail(&proxy, 4);
    let log = proxy.stop_raw();
    let folder = tempfile::tempdir().unwrap();
    let (file, lines) = (folder.path().join("gatelog.toml"), folder.path().join("log.json"));
    let upstream = "[[upstream]]\nname = \"app\"\nservers = [\"http://127.0.0.1:1\"]\n";
    std::fs::write(&file, format!("{upstream}{RULE}{channel}")).unwrap();
    // A record of a minute later shows that it was over by then.
    let later = "{\"timestamp\":\"2099-01-01T00:00:00.000000Z\",\"level\":\"INFO\",\"event\":\"server_started\"}\n";
    std::fs::write(&lines, format!("{log}{later}no record\n")).unwrap();
    let (file, lines) = (file.to_str().unwrap(), lines.to_str().unwrap());
    let told = said(&["alerts", "replay", lines, "--config", file]);
    let told: Vec<&str> = told.lines().collect();
    assert!(told[0].contains("fired     failures: 3 records in 5s, above 2  (notified)"), "{told:?}");
    assert!(told[1].contains("resolved  failures: 0 records in 5s, no longer above 2  (notified)"), "{told:?}");
    assert!(told[2].ends_with("1 rules: 1 alerts, 2 notices") && told[3] == "1 lines are no records", "{told:?}");
}
