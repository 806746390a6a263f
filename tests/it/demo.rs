//! `gatelog demo` as a process: a shop that is killed by hand is told of in the log, in the API and at the webhook, and so is
//! its return.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::Value;

use crate::support::collector::{Misbehaved, ndjson};
use crate::support::command::{Started, command};
use crate::support::get;
use crate::support::metrics::{ask, eventually, json};

/// The next record of an event.
fn record(demo: &Started, event: &str) -> Value {
    loop {
        let record: Value = serde_json::from_str(&demo.line()).expect("a record");
        if record["event"] == event {
            return record;
        }
    }
}

fn address(url: &Value) -> SocketAddr {
    url.as_str().and_then(|url| url.strip_prefix("http://")).expect("a URL").parse().expect("an address")
}

/// The process that the announcement says to kill.
fn shop(demo: &Started) -> String {
    loop {
        if let Some(rest) = demo.error().strip_prefix("  kill ") {
            return rest.split(' ').next().unwrap_or_default().to_owned();
        }
    }
}

fn is_firing(admin: SocketAddr) -> bool {
    let answer = json(&ask(admin, "GET", "/api/alerts", ""));
    let alerts = answer["alerts"].as_array().cloned().unwrap_or_default();
    alerts.iter().any(|alert| alert["rule"] == "refused" && alert["state"] == "firing")
}

#[test]
fn a_shop_that_is_killed_is_told_everywhere_and_so_is_its_return() {
    let (hook, accepted) = ndjson(|_, _| Misbehaved::No);
    let mut demo = command(&["demo", "--webhook", &format!("{}/hook", hook.url())]);
    demo.env("GATELOG_ADMIN__ADDRESS", "127.0.0.1:0");
    // A window that is over sooner than that of the rules that are there by themselves.
    for (key, value) in
        [("NAME", "refused"), ("FILTER", "outcome:upstream_refused"), ("ABOVE", "2"), ("PER", "5s"), ("COOLDOWN", "0s")]
    {
        demo.env(format!("GATELOG_ALERTS__RULE__0__{key}"), value);
    }
    let demo = Started::new(demo);
    let started = record(&demo, "server_started");
    let (proxy, admin) = (address(&started["listen"][0]), address(&started["admin"]));
    assert!(Command::new("kill").args(["-9", &shop(&demo)]).status().expect("kill").success());
    eventually("it is away", || (get(proxy, "/", "away").status() == 502).then_some(()));
    (0..3).for_each(|at| assert_eq!(get(proxy, "/", &format!("k{at}")).status(), 502));
    eventually("the API says so", || is_firing(admin).then_some(()));
    assert_eq!(record(&demo, "alert_fired")["rule"], "refused");
    eventually("it is back", || (get(proxy, "/products/teapot/", "back").status() == 200).then_some(()));
    assert_eq!(record(&demo, "alert_resolved")["rule"], "refused");
    let kinds = |bodies: &[Value]| -> Vec<Value> {
        bodies
            .iter()
            .flat_map(|body| body["notices"].as_array().cloned().unwrap_or_default())
            .map(|it| it["kind"].clone())
            .collect()
    };
    accepted.wait_for("both are posted", |bodies| kinds(bodies) == ["fired", "resolved"]);
    demo.interrupt();
    assert_eq!(demo.ended().0, Some(0));
}
