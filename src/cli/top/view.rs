//! What is known of the proxy at the moment: the counters of the last minute, and its pages.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value as Json;

use super::head::Texts;
use super::sample::{Counts, Sample};
use crate::cli::running::{NoAnswer, Running};
use crate::search::paint::{Colour, harmless};
use crate::time::monotonic;

/// Samples are kept so long: what percentiles are of.
const WINDOW: Duration = Duration::from_secs(60);
/// Rates are of so long a time, or of the last two samples where these are farther apart.
const PACE: Duration = Duration::from_secs(3);
/// Requests that run and are shown, at most.
const MOST: usize = 200;
/// Of the last quarter of an hour.
const HOURS: &str = "0.25";
/// Rates that are kept to be drawn.
const DRAWN: usize = 240;
/// Things that are wrong of which each is named.
const NAMED: usize = 8;

/// What one look at the proxy shows.
#[derive(Debug)]
pub(super) struct Look {
    sample: Sample,
    inflight: Vec<Json>,
    slow: Vec<Json>,
    errors: Vec<Json>,
    alarms: Texts,
}

/// What is known.
#[derive(Debug, Default)]
pub(super) struct View {
    name: String,
    samples: VecDeque<Sample>,
    /// Requests a second between two looks, the newest last.
    pub(super) rates: VecDeque<u64>,
    /// What runs, the oldest first.
    pub(super) inflight: Vec<Json>,
    /// The slowest of the last minutes.
    pub(super) slow: Vec<Json>,
    /// The newest errors of the last minutes.
    pub(super) errors: Vec<Json>,
    /// Rules that fire, and servers that are down.
    pub(super) alarms: Texts,
    /// Why the proxy did not answer, when it did not.
    pub(super) trouble: Option<String>,
}

impl Look {
    /// Looks at it now.
    ///
    /// # Errors
    /// When the proxy does not answer.
    pub(super) fn at(running: &Running) -> Result<Look, NoAnswer> {
        let metrics = running.text("/metrics")?;
        let sample = Sample::read(&metrics, monotonic());
        let inflight = list(&running.json(&format!("/api/inflight?per_page={MOST}"))?, "requests");
        // A proxy may be without these pages, or be too busy for them: the rest is worth showing.
        let page = |path: &str| running.json(path).unwrap_or_default();
        let slow = list(&page(&format!("/api/performance?hours={HOURS}")), "slow_requests");
        let errors = list(&page(&format!("/api/errors?hours={HOURS}")), "error_timeline");
        let alarms = alarms(&page("/api/alerts"), &page("/api/upstreams"));
        Ok(Look { sample, inflight, slow, errors, alarms })
    }
}

impl View {
    /// Nothing is known yet of the proxy at this address.
    pub(super) fn of(address: SocketAddr) -> View {
        View { name: address.to_string(), ..View::default() }
    }

    /// The proxy that is shown.
    pub(super) fn name(&self) -> String {
        self.name.clone()
    }

    /// Takes what a look has shown; where there was no answer, what was known stays.
    pub(super) fn take(&mut self, look: Result<Look, NoAnswer>) {
        match look {
            Ok(look) => {
                self.add(look.sample);
                (self.inflight, self.slow, self.errors) = (look.inflight, look.slow, look.errors);
                (self.alarms, self.trouble) = (look.alarms, None);
            }
            Err(error) => self.trouble = Some(error.to_string()),
        }
    }

    /// The newest sample.
    pub(super) fn newest(&self) -> Option<&Sample> {
        self.samples.back()
    }

    /// The newest sample, that from which rates are counted, and the oldest; nothing until there are two.
    pub(super) fn moments(&self) -> Option<(&Sample, &Sample, &Sample)> {
        let newest = self.newest()?;
        let mut older = self.samples.iter().rev().skip(1);
        let before = older.next()?;
        let pace = older.take_while(|sample| newest.at.duration_since(sample.at) <= PACE).last();
        Some((newest, pace.unwrap_or(before), self.samples.front()?))
    }

    /// Takes a sample; one of a process that was started anew is the first.
    pub(super) fn add(&mut self, sample: Sample) {
        if self.newest().is_some_and(|newest| newest.started != sample.started) {
            self.samples.clear();
        }
        while self.samples.front().is_some_and(|oldest| sample.at.duration_since(oldest.at) > WINDOW) {
            self.samples.pop_front();
        }
        if let Some(before) = self.newest() {
            let (routes, seconds) = sample.since(before);
            let requests: u64 = routes.values().map(Counts::requests).sum();
            let rate = (requests as f64 / seconds).round() as u64;
            self.rates.push_back(rate);
        }
        self.rates.drain(..self.rates.len().saturating_sub(DRAWN));
        self.samples.push_back(sample);
    }
}

/// Rules that fire, then servers that are down.
fn alarms(alerts: &Json, upstreams: &Json) -> Texts {
    let text = |object: &Json, name: &str| object[name].as_str().map(harmless).unwrap_or_default();
    let fires = |alert: &Json| {
        let colour = if alert["severity"] == "critical" { Colour::Alarm } else { Colour::Red };
        let group = [text(alert, "rule"), text(alert, "group")].join(" ");
        (alert["state"] == "firing").then(|| (format!("firing: {}", group.trim_end()), colour))
    };
    let mut alarms: Texts = list(alerts, "alerts").iter().filter_map(fires).collect();
    for upstream in list(upstreams, "upstreams") {
        let down = list(&upstream, "servers").into_iter().filter(|server| server["up"] == false);
        let named = |server: &Json| format!("down: {} {}", text(&upstream, "name"), text(server, "address"));
        alarms.extend(down.map(|server| (named(&server), Colour::Red)));
    }
    let more = alarms.len().saturating_sub(NAMED);
    alarms.truncate(NAMED);
    alarms.extend((more > 0).then(|| (format!("and {more} more"), Colour::Red)));
    alarms
}

fn list(page: &Json, name: &str) -> Vec<Json> {
    page[name].as_array().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_fires_and_who_is_down_is_told() {
        let alerts = json!({"alerts": [
            {"rule": "errors", "state": "firing", "severity": "critical", "group": "home"},
            {"rule": "slow", "state": "firing", "severity": "warning"},
            {"rule": "quiet", "state": "quiet", "severity": "warning"},
        ]});
        let servers: Vec<Json> =
            (0..9).map(|port| json!({"address": format!("10.0.0.9:{port}"), "up": port > 7})).collect();
        let upstreams = json!({"upstreams": [{"name": "app", "servers": servers}]});
        let told = alarms(&alerts, &upstreams);
        assert_eq!(told[0], ("firing: errors home".to_owned(), Colour::Alarm));
        assert_eq!(told[1], ("firing: slow".to_owned(), Colour::Red));
        assert_eq!(told[2].0, "down: app 10.0.0.9:0");
        assert_eq!((told.len(), told[8].0.as_str()), (9, "and 2 more"));
        assert!(alarms(&Json::Null, &Json::Null).is_empty());
    }
}
