//! The records that there can be, as far as that is settled before the first of them: which events, of which levels and
//! loggers, with which fields, and which of them are written at all under this configuration.

use std::collections::BTreeSet;

use crate::exchange::{self, EventSettings};
use crate::filter::{Field, Name};
use crate::pipeline::{self, Levels};
use crate::record::{Event, Level};
use crate::routes::{RouteSettings, StartMode};

/// What the rest of the configuration says about which records are written.
#[derive(Clone, Copy)]
pub(in crate::config) struct Scene<'c> {
    /// `log.level` and `log.loggers`.
    pub(in crate::config) pipeline: &'c pipeline::Settings,
    /// `log.start`, `log.slow`, `log.progress` and `[[event]]`.
    pub(in crate::config) exchange: &'c exchange::Settings,
    /// What routes say in place of it.
    pub(in crate::config) routes: &'c [RouteSettings],
}

/// Records of one event, one level and one logger.
#[derive(Debug)]
pub(super) struct World<'c> {
    pub(super) event: &'c str,
    pub(super) level: Level,
    /// `None`: any.
    pub(super) logger: Option<&'static str>,
    pub(super) body: Body<'c>,
    /// Why no rule ever sees one of them.
    pub(super) barred: Option<Barred>,
}

/// What decides which fields a record has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Body<'c> {
    /// The head of a request.
    Started,
    /// A request that is under way, or over.
    Progress,
    /// Bytes that are no request, and what is suspicious about one.
    Rejected,
    /// A business event.
    Business(&'c EventSettings),
    /// Any other: its fields are its own.
    Free,
}

/// Why records that there could be are not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Barred {
    /// `log.level` or `log.loggers` leave them out.
    Level,
    /// This key is off, for every route.
    Off(&'static str),
    /// Each output writes them into its own stream.
    Own,
}

/// Whether a field is in records like these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Never,
    Maybe,
}

/// gatelog's own events: name, levels, logger, body.
const OWN: [(&str, &[Level], Option<&str>, Body<'static>); 19] = {
    use Level::*;
    const REQUEST: Option<&str> = Some("gatelog.request");
    const SECURITY: Option<&str> = Some(exchange::SECURITY_LOGGER);
    const PROXY: Option<&str> = Some(pipeline::announce::PROXY_LOGGER);
    const ALL: &[Level] = &Level::ALL;
    [
        (Event::RequestStarted.as_str(), &[Info], REQUEST, Body::Started),
        (Event::RequestSlow.as_str(), &[Warning], REQUEST, Body::Progress),
        (Event::RequestUpgraded.as_str(), &[Info], REQUEST, Body::Progress),
        (Event::RequestProgress.as_str(), &[Info], REQUEST, Body::Progress),
        (Event::RequestFailed.as_str(), &[Error, Critical], REQUEST, Body::Progress),
        (Event::RequestCompleted.as_str(), ALL, REQUEST, Body::Progress),
        (Event::RequestRejected.as_str(), &[Warning], SECURITY, Body::Rejected),
        (Event::SecurityEvent.as_str(), &[Warning], SECURITY, Body::Rejected),
        (Event::LogLoss.as_str(), ALL, PROXY, Body::Free),
        (Event::LogSampled.as_str(), &[Info], PROXY, Body::Free),
        (Event::ServerStarted.as_str(), &[Info], PROXY, Body::Free),
        (Event::ServerStopping.as_str(), &[Info], PROXY, Body::Free),
        (Event::ConfigReloaded.as_str(), &[Info], PROXY, Body::Free),
        (Event::ConfigRefused.as_str(), &[Error], PROXY, Body::Free),
        (Event::UpstreamDown.as_str(), &[Warning, Error], PROXY, Body::Free),
        (Event::UpstreamUp.as_str(), &[Info], PROXY, Body::Free),
        (Event::Diagnostic.as_str(), ALL, None, Body::Free),
        ("alert_fired", ALL, Some("gatelog.alert"), Body::Free),
        ("alert_resolved", ALL, Some("gatelog.alert"), Body::Free),
    ]
};

impl<'c> Scene<'c> {
    /// All records that there can be.
    pub(super) fn worlds(&self) -> Vec<World<'c>> {
        let levels = Levels::new(self.pipeline);
        let business = self.exchange.events.iter().map(|event| {
            let logger = Some(exchange::business::LOGGER);
            (event.name.as_str(), std::slice::from_ref(&event.level), logger, Body::Business(event))
        });
        let kinds = OWN.into_iter().chain(business);
        let worlds = kinds.flat_map(|(event, of_event, logger, body)| {
            let barred = self.barred(event);
            let levels = &levels;
            of_event.iter().map(move |level| {
                let silent = !self.is_allowed(levels, logger, *level);
                let barred = barred.or(silent.then_some(Barred::Level));
                World { event, level: *level, logger, body, barred }
            })
        });
        worlds.collect()
    }

    /// The names of all events.
    pub(super) fn events(&self) -> BTreeSet<&'c str> {
        let own = OWN.iter().map(|(name, ..)| *name);
        own.chain(self.exchange.events.iter().map(|event| event.name.as_str())).collect()
    }

    /// Whether records of a logger, or of any logger there may be, are written.
    fn is_allowed(&self, levels: &Levels, logger: Option<&str>, level: Level) -> bool {
        match logger {
            Some(logger) => levels.allow(logger, level),
            None => {
                let named = self.pipeline.loggers.iter().any(|(name, _)| levels.allow(name, level));
                named || self.pipeline.level.is_some_and(|threshold| level >= threshold)
            }
        }
    }

    /// What keeps all records of an event from being written, or from being seen.
    fn barred(&self, event: &str) -> Option<Barred> {
        let exchange = self.exchange;
        let off = |key, is_off: bool, route: fn(&RouteSettings) -> bool| {
            (is_off && !any(self.routes, route)).then_some(Barred::Off(key))
        };
        match event {
            "log_loss" => Some(Barred::Own),
            "request_started" => off("log.start", exchange.start == StartMode::Never, |route| {
                route.start.is_some_and(|start| start != StartMode::Never)
            }),
            "request_slow" => off("log.slow", exchange.slow.is_none(), |route| route.slow.flatten().is_some()),
            "request_progress" => off("log.progress", exchange.progress.is_none(), |_| false),
            _ => None,
        }
    }
}

/// Whether any route, nested ones too, is so.
fn any(routes: &[RouteSettings], is_so: fn(&RouteSettings) -> bool) -> bool {
    routes.iter().any(|route| is_so(route) || any(&route.nested, is_so))
}

impl Body<'_> {
    /// Whether a record has this field, or this part of one.
    pub(super) fn presence(self, name: &Name) -> Presence {
        let field = name.field.name;
        let is_there = match self {
            Body::Started => is_of_head(name.field) || ["user_id", "in_flight"].contains(&field),
            Body::Progress => !OF_OTHERS.contains(&field),
            Body::Rejected => HEAD.contains(&field) || OF_REJECTED.contains(&field),
            Body::Business(event) => is_in_business(event, name),
            Body::Free => true,
        };
        if is_there { Presence::Maybe } else { Presence::Never }
    }
}

/// What the head of a record, or of its request, tells.
fn is_of_head(field: &Field) -> bool {
    use crate::filter::Known;
    HEAD.contains(&field.name) || matches!(field.known, Known::ByRecord | Known::AtRequest)
}

fn is_in_business(event: &EventSettings, name: &Name) -> bool {
    let is_own = |wanted: &str| event.fields.iter().any(|(field, _)| field == wanted);
    let (field, part) = (name.field.name, name.part.as_deref());
    match (field, part) {
        // A reserved name is written with a line under it.
        ("fields", Some(part)) => is_own(part) || part.ends_with('_'),
        (_, Some(_)) => false,
        (field, None) => [HEAD.as_slice(), &JOINING].concat().contains(&field) || is_own(field),
    }
}

/// In every record.
const HEAD: [&str; 6] = ["timestamp", "level", "event", "message", "logger", "schema"];
/// By these a business event is joined to the records of its request.
const JOINING: [&str; 4] = ["request_id", "trace_id", "view_name", "route"];
const OF_REJECTED: [&str; 8] =
    ["request_id", "ip_address", "peer_address", "status_code", "reason", "detail", "excerpt", "suppressed"];
/// In no record of a request.
const OF_OTHERS: [&str; 9] =
    ["reason", "detail", "excerpt", "suppressed", "output", "count", "from_seq", "to_seq", "fields"];
