//! What differs between two configurations: what a reload puts in force at once, and what waits for the next start.

use super::listeners::essence;
use crate::alert;
use crate::config::Config;
use crate::exchange;
use crate::listen::{ListenSettings, SocketAccess};
use crate::routes;
use crate::store;
use crate::upstream;

/// The keys whose new values are in force after a reload, beside the outputs.
pub(super) fn changed_now(before: &Config, after: &Config) -> Vec<&'static str> {
    // Taken apart as a whole: a setting that is added must be asked for here, or below.
    let Config {
        workers: _,
        shutdown_grace,
        listeners,
        limits,
        exchange,
        upstreams,
        routes,
        record,
        admin,
        pipeline,
        store: _,
        alerts,
    } = after;
    let (one, other) = (&before.record, record);
    differing([
        ("log.level", before.pipeline.level != pipeline.level),
        ("log.loggers", before.pipeline.loggers != pipeline.loggers),
        ("log.service", one.service != other.service),
        ("log.environment", one.environment != other.environment),
        ("log.schema", one.schema != other.schema),
        ("log.nulls", one.nulls != other.nulls),
        ("shutdown_grace", before.shutdown_grace != *shutdown_grace),
        ("listen", !before.listeners.iter().map(essence).eq(listeners.iter().map(essence))),
        ("limits", before.limits != *limits),
        ("identity", before.exchange != identity(&before.exchange, exchange)),
        ("log.start", before.exchange.start != exchange.start),
        ("log.slow", before.exchange.slow != exchange.slow),
        ("log.progress", before.exchange.progress != exchange.progress),
        ("log.labels", before.exchange.labels != exchange.labels),
        ("log.sample", before.exchange.sample != exchange.sample),
        ("log.capture", before.exchange.capture != exchange.capture),
        ("log.redact", one.redact != other.redact),
        ("upstream", unplaced_upstreams(&before.upstreams) != unplaced_upstreams(upstreams)),
        ("route", unplaced_routes(&before.routes) != unplaced_routes(routes)),
        ("event", before.exchange.events != exchange.events),
        ("alerts", unplaced_alerts(before.alerts.as_ref()) != unplaced_alerts(alerts.as_ref())),
        ("admin.token", before.admin.token != admin.token),
        ("admin.hosts", before.admin.hosts != admin.hosts),
    ])
}

/// The keys and tables whose new values are in force after the next start only.
pub(super) fn changed_later(before: &Config, after: &Config) -> Vec<&'static str> {
    differing([
        ("workers", before.workers != after.workers),
        ("listen.mode", access_differs(before, after, |access| access.mode)),
        ("listen.owner", access_differs(before, after, |access| access.owner.clone())),
        ("listen.group", access_differs(before, after, |access| access.group.clone())),
        ("store", unplaced_store(before) != unplaced_store(after)),
        ("admin.address", before.admin.address != after.admin.address),
    ])
}

/// The settings of before with what `[identity]` says of the others.
fn identity(before: &exchange::Settings, after: &exchange::Settings) -> exchange::Settings {
    exchange::Settings {
        start: before.start,
        slow: before.slow,
        progress: before.progress,
        labels: before.labels.clone(),
        sample: before.sample.clone(),
        events: before.events.clone(),
        capture: before.capture.clone(),
        ..after.clone()
    }
}

fn differing<const COUNT: usize>(keys: [(&'static str, bool); COUNT]) -> Vec<&'static str> {
    keys.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}

/// Whether a socket file that stays is to be another's.
fn access_differs<T: PartialEq>(before: &Config, after: &Config, of: impl Fn(&SocketAccess) -> T) -> bool {
    let access = |listener: &ListenSettings| of(&listener.access);
    after.listeners.iter().any(|listener| standing(before, listener).is_some_and(|it| access(it) != access(listener)))
}

/// The listener that this one goes on from.
pub(super) fn standing<'a>(before: &'a Config, listener: &ListenSettings) -> Option<&'a ListenSettings> {
    before.listeners.iter().find(|other| other.address == listener.address)
}

/// Settings without what says where they stand in the file: lines that moved are no change.
fn unplaced_upstreams(upstreams: &[upstream::Settings]) -> Vec<upstream::Settings> {
    upstreams.iter().map(|upstream| upstream::Settings { origin: 0, ..upstream.clone() }).collect()
}

fn unplaced_store(config: &Config) -> Option<store::Settings> {
    config.store.clone().map(|store| store::Settings { origin: 0, ..store })
}

fn unplaced_alerts(alerts: Option<&alert::Settings>) -> Option<alert::Settings> {
    alerts.map(alert::Settings::unplaced)
}

fn unplaced_routes(settings: &routes::Settings) -> routes::Settings {
    fn unplaced(route: &routes::RouteSettings) -> routes::RouteSettings {
        let nested = route.nested.iter().map(unplaced).collect();
        routes::RouteSettings { origin: 0, nested, ..route.clone() }
    }
    let converter =
        |converter: &routes::ConverterSettings| routes::ConverterSettings { origin: 0, ..converter.clone() };
    routes::Settings {
        converters: settings.converters.iter().map(converter).collect(),
        routes: settings.routes.iter().map(unplaced).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        let upstream = "[[upstream]]\nname = \"app\"\nservers = [\"http://127.0.0.1:1\"]\n";
        let loaded = crate::config::fuzz(format!("{text}\n{upstream}").as_bytes());
        loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.problems))
    }

    fn later(before: &str, after: &str) -> Vec<&'static str> {
        changed_later(&config(before), &config(after))
    }

    #[test]
    fn lines_that_moved_are_no_change() {
        let (routes, listen) =
            ("[[route]]\nprefix = \"x/\"\nroute = [{ path = \"a\" }]\n", "[[listen]]\naddress = \"127.0.0.1:1\"\n");
        let outputs = "[[log.output]]\ntype = \"file\"\npath = \"a\"\n";
        let (before, after) = (format!("{routes}{listen}"), format!("{outputs}{listen}{routes}"));
        assert!(later(&before, &after).is_empty() && now(&before, &after).is_empty());
    }

    fn now(before: &str, after: &str) -> Vec<&'static str> {
        changed_now(&config(before), &config(after))
    }

    #[test]
    fn what_waits_for_the_next_start_is_named() {
        let socket = "[[listen]]\naddress = \"unix:/a.sock\"\n";
        let access = format!("workers = 3\n{socket}mode = \"0660\"\ngroup = \"root\"");
        assert_eq!(later(socket, &access), ["workers", "listen.mode", "listen.group"]);
        assert!(now(socket, &access).is_empty() && later("", &access) == ["workers"]);
        assert_eq!(later("", "admin = \"off\""), ["admin.address"]);
        assert_eq!(later("[store]", "[store]\npath = \"x\""), ["store"]);
        assert!(later("[store]", "[log]\nnulls = true\n[store]").is_empty());
    }

    #[test]
    fn what_is_in_force_at_once_is_named() {
        let log = ["log.level", "log.service", "log.nulls"];
        assert_eq!(now("[log]\nlevel = \"debug\"", "[log]\nservice = \"s\"\nnulls = true"), log);
        let listen = "shutdown_grace = \"3s\"\n[[listen]]\naddress = \"127.0.0.1:7\"";
        assert_eq!(now("", listen), ["shutdown_grace", "listen"]);
        assert_eq!(now("", "[[event]]\nname = \"e\"\nwhen = \"path:/e\""), ["event"]);
        let admin = "[admin]\ntoken = \"0123456789abcdef\"\nhosts = [\"a.example\"]";
        assert_eq!(now("", admin), ["admin.token", "admin.hosts"]);
        assert_eq!(now("[identity]\ntrace = false", "[log]\nslow = \"3s\""), ["identity", "log.slow"]);
        assert_eq!(now("", "[limits]\nheader_count = 7\n[log]\nsample = [{ rate = 0.5 }]"), ["limits", "log.sample"]);
        assert_eq!(now("", "[log.capture]\nresponse_body = 100\nwhen = \"status:500\""), ["log.capture"]);
        assert_eq!(now("", "[alerts]"), ["alerts"]);
        assert_eq!(now("[alerts]", "[log]\nslow = \"1s\"\n[alerts]"), [""; 0]);
        assert_eq!(now("", "[[route]]\npath = \"a\"\n[log.redact]\nquery = [\"+x\"]"), ["log.redact", "route"]);
    }
}
