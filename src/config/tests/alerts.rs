//! What `[alerts]` means: defaults, the kinds of rules, channels and their secrets.

use super::*;
use crate::alert::{
    Bound, ChannelKind, EmailSettings, Records, Rule, Security, Settings, State, Subject, WebhookBody, WebhookSettings,
};
use crate::analyze::{Burn, Measure};

const UPSTREAM: &str = "[[upstream]]\nname = \"app\"\nservers = [\"http://127.0.0.1:8000\"]\n";

fn loaded(text: &str) -> Loaded {
    let variables = [("HOOK", "https://hooks.example.com/hunter2"), ("KEY", "hunter2")];
    with_variables(&format!("{text}\n{UPSTREAM}"), &variables)
}

/// What is settled without a word.
fn alerts(text: &str) -> Settings {
    let loaded = loaded(text);
    assert_eq!(shown(&loaded), "");
    loaded.config.unwrap().alerts.unwrap()
}

/// The one rule of these lines.
fn rule(lines: &str) -> Rule {
    alerts(&format!("[[alerts.rule]]\nname = \"it\"\n{lines}")).rules.remove(0)
}

fn records(rule: &Rule) -> &Records {
    match &rule.subject {
        Subject::Records(records) => records,
        Subject::State(_) => panic!("{rule:?}"),
    }
}

fn channel(lines: &str) -> ChannelKind {
    alerts(&format!("[[alerts.channel]]\n{lines}")).channels.remove(0).kind
}

fn names(settings: &Settings) -> Vec<&str> {
    settings.rules.iter().map(|rule| rule.name.as_str()).collect()
}

const DEFAULTS: [&str; 7] =
    ["errors", "slow_requests", "critical", "upstream_down", "log_loss", "certificate_expiring", "requests_stuck"];

#[test]
fn without_the_table_and_off_there_are_none() {
    for text in ["", "alerts = \"off\""] {
        assert_eq!(loaded(text).config.unwrap().alerts, None);
    }
    let off = with_variables(&format!("[alerts]\n{UPSTREAM}"), &[("GATELOG_ALERTS", "off")]);
    assert_eq!((shown(&off).as_str(), off.config.unwrap().alerts), ("", None));
}

#[test]
fn the_default_rules_are_there_unless_others_are() {
    assert_eq!(names(&alerts("[alerts]")), DEFAULTS);
    let own = "[[alerts.rule]]\nname = \"log_loss\"\nkind = \"log_loss\"\nabove = 5\n";
    assert_eq!(names(&alerts(own)), ["log_loss"]);
    let both = alerts(&format!("[alerts]\ndefaults = true\n{own}"));
    assert_eq!((both.rules.len(), both.rules[0].bound), (7, Bound::Above(5.0)));
    assert!(loaded("[alerts]\ndefaults = false").config.unwrap().alerts.unwrap().rules.is_empty());
}

#[test]
fn defaults_are_as_the_reference_says() {
    let settings = alerts("[alerts]\ncooldown = \"7m\"");
    let by_name = |name: &str| settings.rules.iter().find(|rule| rule.name == name).unwrap();
    let errors = by_name("errors");
    assert_eq!(records(errors).filter, "level>=error -event:request_failed".parse().unwrap());
    assert_eq!((records(errors).measure, errors.bound), (Measure::Count { per: 60 }, Bound::Above(10.0)));
    assert_eq!((errors.cooldown, errors.repeat), (Duration::from_secs(420), Some(Duration::from_secs(14_400))));
    let critical = by_name("critical");
    assert_eq!((critical.severity.as_str(), critical.cooldown), ("critical", Duration::ZERO));
    let stuck = Subject::State(State::RequestsStuck { after: Duration::from_secs(300) });
    assert_eq!(
        (&by_name("requests_stuck").subject, by_name("certificate_expiring").bound),
        (&stuck, Bound::Below(14.0))
    );
}

#[test]
fn the_state_is_beside_the_store_where_there_is_one() {
    let state = |text: &str| alerts(text).state.map(|path| path.to_string_lossy().into_owned());
    assert_eq!(state("[alerts]").as_deref(), Some("gatelog-alerts.json"));
    assert_eq!(state("[store]\npath = \"kept\"\n[alerts]").as_deref(), Some("kept/alerts.json"));
    assert_eq!(state("[alerts]\nstate = \"a/b.json\"").as_deref(), Some("a/b.json"));
    assert_eq!(state("[alerts]\nstate = \"off\""), None);
    let files = Environment::with_files([], |_| Err(std::io::ErrorKind::NotFound.into()));
    let text = format!("[alerts]\n{UPSTREAM}").into_bytes();
    let elsewhere = load_bytes("etc/gatelog.toml", text, &files).config.unwrap().alerts.unwrap();
    assert_eq!(elsewhere.state, Some("etc/gatelog-alerts.json".into()));
}

#[test]
fn counts_and_shares() {
    let count = rule("filter = \"status:404\"\nabove = 100\nclear = 20\nper = \"1d\"\nby = \"ip\"\nfor = \"30s\"");
    assert_eq!((records(&count).measure, count.clear), (Measure::Count { per: 86_400 }, 20.0));
    assert_eq!((records(&count).by.as_ref().unwrap().field.name, count.hold.as_secs()), ("ip_address", 30));
    let below = rule("filter = \"event:request_completed\"\nbelow = 1\nper = \"1h\"\nrepeat = \"off\"");
    assert_eq!((below.bound, below.clear, below.repeat), (Bound::Below(1.0), 1.0, None));
    for written in ["\"5%\"", "\" 5 %\"", "0.05"] {
        let share = rule(&format!("filter = \"status>=500\"\nof = \"event:request_completed\"\nabove = {written}"));
        assert_eq!(share.bound, Bound::Above(0.05));
        assert_eq!(records(&share).measure, Measure::Ratio { per: 60, at_least: 10 });
    }
    let preset = rule("kind = \"error_ratio\"\nof = \"event:request_completed route:shop\"\nper = \"10m\"");
    let Records { filter, of, measure, .. } = records(&preset);
    assert_eq!((filter, preset.bound), (&"status>=500".parse().unwrap(), Bound::Above(0.05)));
    assert_eq!(of.as_ref().unwrap(), &"event:request_completed route:shop".parse().unwrap());
    assert_eq!(*measure, Measure::Ratio { per: 600, at_least: 50 });
}

#[test]
fn quantiles_have_the_unit_of_their_field_and_count_a_request_once() {
    let p95 = rule("quantile = { field = \"duration\", q = 0.99 }\nfilter = \"route:checkout\"\nabove = \"800ms\"");
    assert_eq!(
        (p95.bound, records(&p95).measure),
        (Bound::Above(800_000.0), Measure::Quantile { q: 0.99, per: 60, at_least: 10 },)
    );
    assert_eq!(records(&p95).filter, "route:checkout event:request_completed".parse().unwrap());
    let either = rule("quantile = { field = \"duration\", q = 0.5 }\nfilter = \"path:/a OR path:/b\"\nabove = \"1s\"");
    assert_eq!(records(&either).filter, "(path:/a OR path:/b) event:request_completed".parse().unwrap());
    let size = rule("quantile = { field = \"response_size\", q = 0.5 }\nbelow = \"10KB\"\nat_least = 3");
    assert_eq!(
        (size.bound, &records(&size).filter),
        (Bound::Below(10_240.0), &"event:request_completed".parse().unwrap())
    );
    let slow = rule("quantile = { field = \"timing.wait\", q = 0.5 }\nfilter = \"event:request_slow\"\nabove = \"1s\"");
    assert_eq!(records(&slow).filter, "event:request_slow".parse().unwrap());
    assert_eq!(records(&slow).field.as_ref().unwrap().part.as_deref(), Some("wait"));
    let preset = rule("kind = \"p95\"\nabove = \"2s\"");
    assert_eq!(preset.bound, Bound::Above(2_000_000.0));
    assert_eq!(records(&preset).measure, Measure::Quantile { q: 0.95, per: 300, at_least: 50 });
}

#[test]
fn service_levels_have_all_defaults() {
    let slo = rule("slo = { target = 99.9 }");
    let Measure::Burn(Burn { allowed, window }) = records(&slo).measure else { panic!("{slo:?}") };
    assert!((allowed - 0.001).abs() < 1e-9 && window == 30 * 86_400, "{allowed}");
    assert_eq!((slo.bound, slo.clear), (Bound::Above(1.0), 1.0));
    let own = rule("slo = { target = \"95%\", window = \"7d\" }\nfilter = \"duration>1s\"\nabove = 2\nclear = 0.5");
    assert_eq!(
        (&records(&own).filter, own.bound, own.clear),
        (&"duration>1s".parse().unwrap(), Bound::Above(2.0), 0.5)
    );
}

#[test]
fn gatelog_is_asked_of_itself() {
    let state = |lines: &str| (rule(lines).subject, rule(lines).bound);
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let stuck = Subject::State(State::RequestsStuck { after: minutes(10) });
    assert_eq!(state("kind = \"requests_stuck\"\nafter = \"10m\"\nabove = 3"), (stuck, Bound::Above(3.0)));
    let loss = Subject::State(State::LogLoss { per: minutes(60) });
    assert_eq!(state("kind = \"log_loss\"\nper = \"1h\""), (loss, Bound::Above(0.0)));
    for written in ["30", "\"30d\""] {
        let expiring = state(&format!("kind = \"certificate_expiring\"\nbelow = {written}"));
        assert_eq!(expiring, (Subject::State(State::CertificateExpiring), Bound::Below(30.0)));
    }
    assert_eq!(state("kind = \"upstream_down\""), (Subject::State(State::UpstreamDown), Bound::Above(0.0)));
}

#[test]
fn rules_tell_all_channels_or_those_that_they_name() {
    let channels = "[[alerts.channel]]\ntype = \"command\"\ncommand = [\"/bin/a\"]\n[[alerts.channel]]\nname = \"b\"\n\
                    type = \"command\"\ncommand = [\"/bin/b\"]\n[[alerts.channel]]\ntype = \"command\"\n\
                    command = [\"/bin/c\", \"\"]\n";
    let rules = "[[alerts.rule]]\nname = \"all\"\nkind = \"log_loss\"\n[[alerts.rule]]\nname = \"some\"\n\
                 kind = \"log_loss\"\nchannels = [\"command-2\", \"b\", \"b\"]\n[[alerts.rule]]\nname = \"none\"\n\
                 kind = \"log_loss\"\nchannels = []\n";
    let settings = alerts(&format!("{channels}{rules}"));
    let called: Vec<&str> = settings.channels.iter().map(|channel| channel.name.as_str()).collect();
    assert_eq!(called, ["command", "b", "command-2"]);
    let told: Vec<&[usize]> = settings.rules.iter().map(|rule| rule.channels.as_slice()).collect();
    assert_eq!(told, [&[0, 1, 2][..], &[1, 2], &[]]);
    let idle = loaded(&format!("{channels}[[alerts.rule]]\nname = \"x\"\nkind = \"log_loss\"\nchannels = [\"b\"]"));
    assert_eq!(idle.problems.len(), 2, "{}", shown(&idle));
    assert!(idle.config.is_some() && shown(&idle).contains("no rule tells the channel `command-2` anything"));
}

#[test]
fn mail_goes_by_starttls_unless_told_otherwise() {
    let email = |lines: &str| match channel(&format!("type = \"email\"\nfrom = \"a@b.c\"\nto = [\"d@e.f\"]\n{lines}")) {
        ChannelKind::Email(email) => email,
        other => panic!("{other:?}"),
    };
    let by = |lines: &str| {
        let EmailSettings { peer, security, .. } = email(lines);
        (peer.host, peer.port, peer.tls.is_some(), security)
    };
    let host = || "mail.example.com".to_owned();
    assert_eq!(by("smtp = \"smtp://Mail.example.com\""), (host(), 587, true, Security::StartTls));
    assert_eq!(by("smtp = \"smtps://mail.example.com\""), (host(), 465, true, Security::Implicit));
    assert_eq!(by("smtp = \"smtp://mail.example.com:25/\"\ntls = false"), (host(), 25, false, Security::Plain));
    let login = email(
        "smtp = \"smtp://[::1]\"\ntls = false\nuser = \"u\"\npassword = { env = \"KEY\" }\nsubject_prefix = \"\"",
    );
    assert_eq!(login.login.as_ref().map(|(user, password)| (user.as_str(), password.expose())), Some(("u", "hunter2")));
    assert_eq!((login.prefix.as_str(), login.peer.host.as_str()), ("", "::1"));
    assert!(!format!("{login:?}").contains("hunter2"));
}

#[test]
fn webhooks_are_secrets() {
    let webhook = |lines: &str| match channel(&format!("type = \"webhook\"\n{lines}")) {
        ChannelKind::Webhook(webhook) => webhook,
        other => panic!("{other:?}"),
    };
    let slack =
        webhook("url = { env = \"HOOK\" }\nformat = \"slack\"\nheaders = { X-A = { env = \"KEY\" }, X-B = \"b\" }");
    assert_eq!((slack.url.expose(), slack.peer.port), ("https://hooks.example.com/hunter2", 443));
    let headers: Vec<_> = slack.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(headers, [("x-a", "hunter2"), ("x-b", "b")]);
    assert!(!format!("{slack:?}").contains("hunter2"));
    let url = |lines: &str| {
        let WebhookSettings { url, peer, .. } = webhook(lines);
        (url.expose().to_owned(), peer.host, peer.port, peer.tls.is_some())
    };
    let alertmanager = |url: &str| format!("url = \"{url}\"\nformat = \"alertmanager\"");
    let expected = ("http://am:9093/api/v2/alerts".to_owned(), "am".to_owned(), 9093, false);
    assert_eq!(url(&alertmanager("http://am:9093")), expected);
    assert_eq!(url(&alertmanager("http://am/x/api/v2/alerts")).0, "http://am/x/api/v2/alerts");
    let pager = webhook("format = \"pagerduty\"\nrouting_key = { env = \"KEY\" }");
    assert_eq!((pager.url.expose(), pager.peer.port), ("https://events.pagerduty.com/v2/enqueue", 443));
    assert_eq!(pager.body, WebhookBody::PagerDuty { routing_key: crate::secret::Secret::new("hunter2") });
}

#[test]
fn no_complaint_about_a_webhook_shows_it() {
    let header = "headers = { A = { env = \"KEY\" }, B = \"hunter2\\u0000\" }";
    for lines in [
        "url = \"ftp://h/hunter2\"".to_owned(),
        "url = \"https://u:hunter2@h/a\"".to_owned(),
        "url = \"https://h/hunter2#x\"".to_owned(),
        "url = 'https://h/hunter2 x'\nformt = 3".to_owned(),
        "url = [\"https://h/hunter2\"]".to_owned(),
        format!("url = \"https://h/hunter2\"\n{header}"),
    ] {
        let loaded = loaded(&format!("[[alerts.channel]]\ntype = \"webhook\"\n{lines}"));
        assert!(loaded.config.is_none() && !shown(&loaded).contains("hunter2"), "{}", shown(&loaded));
    }
    let variable = [("GATELOG_ALERTS__CHANNEL__0__URL", "ftp://h/hunter2")];
    let text = format!("[[alerts.channel]]\ntype = \"webhook\"\n{UPSTREAM}");
    let loaded = with_variables(&text, &variable);
    assert!(loaded.config.is_none() && !shown(&loaded).contains("hunter2"), "{}", shown(&loaded));
}

#[test]
fn variables_override_rules_and_channels() {
    let text = format!("[[alerts.rule]]\nname = \"a\"\nkind = \"error_ratio\"\n{UPSTREAM}");
    let variables = [
        ("GATELOG_ALERTS__COOLDOWN", "1m"),
        ("GATELOG_ALERTS__STATE", "x.json"),
        ("GATELOG_ALERTS__DEFAULTS", "true"),
        ("GATELOG_ALERTS__RULE__0__ABOVE", "7%"),
        ("GATELOG_ALERTS__RULE__0__AT_LEAST", "9"),
        ("GATELOG_ALERTS__RULE__1__NAME", "b"),
        ("GATELOG_ALERTS__RULE__1__SLO", "{ target = 99.5 }"),
        ("GATELOG_ALERTS__CHANNEL__0__TYPE", "email"),
        ("GATELOG_ALERTS__CHANNEL__0__SMTP", "smtp://mail"),
        ("GATELOG_ALERTS__CHANNEL__0__FROM", "a@b.c"),
        ("GATELOG_ALERTS__CHANNEL__0__TO", "d@e.f, g@h.i"),
    ];
    let loaded = with_variables(&text, &variables);
    assert_eq!(shown(&loaded), "");
    let settings = loaded.config.unwrap().alerts.unwrap();
    assert_eq!((settings.rules.len(), settings.rules[0].bound), (9, Bound::Above(0.07)));
    assert_eq!((settings.rules[0].cooldown.as_secs(), settings.state), (60, Some("x.json".into())));
    assert!(matches!(&settings.channels[0].kind, ChannelKind::Email(email) if email.to == ["d@e.f", "g@h.i"]));
}

#[test]
fn too_many_rules_and_channels_are_refused() {
    let rules: String =
        (0..201).map(|at| format!("[[alerts.rule]]\nname = \"r{at}\"\nkind = \"log_loss\"\n")).collect();
    let channel = "[[alerts.channel]]\ntype = \"command\"\ncommand = [\"/bin/a\"]\n";
    for (text, message) in [(rules, "201 rules are too many"), (channel.repeat(33), "33 channels are too many")] {
        let loaded = loaded(&format!("[alerts]\n{text}"));
        assert!(loaded.config.is_none() && shown(&loaded).contains(message), "{}", shown(&loaded));
    }
}

#[test]
fn lines_that_moved_are_no_change() {
    let channel = "[[alerts.channel]]\ntype = \"webhook\"\nurl = \"https://h/\"\n";
    let (one, other) =
        (alerts(&format!("[alerts]\n{channel}")), alerts(&format!("[log]\nslow = \"3s\"\n\n[alerts]\n{channel}")));
    assert_eq!(one.unplaced(), other.unplaced());
    assert_ne!(one.unplaced(), alerts(&format!("[alerts]\ncooldown = \"1m\"\n{channel}")).unplaced());
}
