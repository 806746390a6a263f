//! What differs between two configurations: what a reload puts in force at once, and what waits for the next start.

use crate::config::Config;
use crate::exchange;
use crate::listen::ListenSettings;
use crate::record;
use crate::routes;
use crate::upstream;

/// The keys whose new values are in force after a reload, beside the outputs.
pub(super) fn changed_now(before: &Config, after: &Config) -> Vec<&'static str> {
    let (one, other) = (&before.record, &after.record);
    differing([
        ("log.level", before.pipeline.level != after.pipeline.level),
        ("log.loggers", before.pipeline.loggers != after.pipeline.loggers),
        ("log.service", one.service != other.service),
        ("log.environment", one.environment != other.environment),
        ("log.schema", one.schema != other.schema),
        ("log.nulls", one.nulls != other.nulls),
        ("admin.token", before.admin.token != after.admin.token),
        ("admin.hosts", before.admin.hosts != after.admin.hosts),
    ])
}

/// The keys and tables whose new values are in force after the next start only.
pub(super) fn changed_later(before: &Config, after: &Config) -> Vec<&'static str> {
    // Taken apart as a whole: a setting that is added must be asked for here.
    let Config { workers, shutdown_grace, listeners, limits, exchange, upstreams, routes, record, admin, pipeline: _ } =
        after;
    let identity = |exchange: &exchange::Settings| exchange::Settings {
        start: before.exchange.start,
        slow: before.exchange.slow,
        labels: before.exchange.labels.clone(),
        sample: before.exchange.sample.clone(),
        events: before.exchange.events.clone(),
        capture: before.exchange.capture.clone(),
        ..exchange.clone()
    };
    differing([
        ("workers", before.workers != *workers),
        ("shutdown_grace", before.shutdown_grace != *shutdown_grace),
        ("listen", unplaced_listeners(&before.listeners) != unplaced_listeners(listeners)),
        ("limits", before.limits != *limits),
        ("identity", before.exchange != identity(exchange)),
        ("log.start", before.exchange.start != exchange.start),
        ("log.slow", before.exchange.slow != exchange.slow),
        ("log.labels", before.exchange.labels != exchange.labels),
        ("log.sample", before.exchange.sample != exchange.sample),
        ("event", before.exchange.events != exchange.events),
        ("log.capture", before.exchange.capture != exchange.capture),
        ("log.redact", before.record.redact != record.redact),
        ("upstream", unplaced_upstreams(&before.upstreams) != unplaced_upstreams(upstreams)),
        ("route", unplaced_routes(&before.routes) != unplaced_routes(routes)),
        ("admin.address", before.admin.address != admin.address),
    ])
}

/// What every record carries: as the new configuration says, but for what is settled when a request is captured.
pub(super) fn record_settings(before: &Config, after: &Config) -> record::Settings {
    record::Settings { redact: before.record.redact.clone(), ..after.record.clone() }
}

fn differing<const COUNT: usize>(keys: [(&'static str, bool); COUNT]) -> Vec<&'static str> {
    keys.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}

/// Settings without what says where they stand in the file: lines that moved are no change.
fn unplaced_listeners(listeners: &[ListenSettings]) -> Vec<ListenSettings> {
    let unplaced = |listener: &ListenSettings| {
        let mut listener = ListenSettings { origin: 0, ..listener.clone() };
        listener.tls.iter_mut().flat_map(|tls| &mut tls.certificates).for_each(|pair| pair.origin.0 = 0);
        listener
    };
    listeners.iter().map(unplaced).collect()
}

fn unplaced_upstreams(upstreams: &[upstream::Settings]) -> Vec<upstream::Settings> {
    upstreams.iter().map(|upstream| upstream::Settings { origin: 0, ..upstream.clone() }).collect()
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
        assert!(later(&format!("{routes}{listen}"), &format!("{outputs}{listen}{routes}")).is_empty());
    }

    #[test]
    fn what_waits_for_the_next_start_is_named() {
        assert_eq!(later("", "workers = 3\n[limits]\nheader_count = 7"), ["workers", "limits"]);
        assert_eq!(later("[identity]\ntrace = false", "[log]\nslow = \"3s\""), ["identity", "log.slow"]);
        assert_eq!(
            later("", "[log]\nsample = [{ rate = 0.5 }]\n[[event]]\nname = \"e\"\nwhen = \"path:/e\""),
            ["log.sample", "event"]
        );
        assert_eq!(later("", "admin = \"off\""), ["admin.address"]);
        assert_eq!(later("", "[log.capture]\nresponse_body = 100\nwhen = \"status:500\""), ["log.capture"]);
        assert_eq!(later("", "[[route]]\npath = \"a\"\nsample = [{ rate = 0.5 }]"), ["route"]);
        assert_eq!(later("", "[[route]]\npath = \"a\"\n[log.redact]\nquery = [\"+x\"]"), ["log.redact", "route"]);
    }

    #[test]
    fn what_is_in_force_at_once_is_named() {
        let now = changed_now(&config("[log]\nlevel = \"debug\""), &config("[log]\nservice = \"s\"\nnulls = true"));
        assert_eq!(now, ["log.level", "log.service", "log.nulls"]);
        let admin = "[admin]\ntoken = \"0123456789abcdef\"\nhosts = [\"a.example\"]";
        assert_eq!(changed_now(&config(""), &config(admin)), ["admin.token", "admin.hosts"]);
    }

    #[test]
    fn what_is_captured_stays_as_it_was() {
        let (before, after) = (config(""), config("[log]\nservice = \"s\"\nredact = { query = [\"+x\"] }"));
        let settled = record_settings(&before, &after);
        assert_eq!((settled.service.as_deref(), settled.redact), (Some("s"), before.record.redact.clone()));
    }
}
