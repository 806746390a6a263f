//! The upstreams of a configuration, and what is told of their servers.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;

use super::StartError;
use crate::config::Config;
use crate::net::tls::{self, TlsFileError};
use crate::pipeline::Announcer;
use crate::pipeline::announce::PROXY_LOGGER;
use crate::record::{Body, Event, Head, Level, Record, Value};
use crate::time;
use crate::upstream::status::State;
use crate::upstream::supervise::{Change, Herald, NameChange, Supervisor};
use crate::upstream::{Cluster, Settings};

/// All upstreams, in the order of the configuration. Those that are as they were are taken from the ones before: certificates
/// and authorities are read again all the same, so that an upstream with files of its own is always a new one.
pub(super) fn clusters(config: &Config, before: &[Arc<Cluster>]) -> Result<Arc<[Arc<Cluster>]>, StartError> {
    let cluster = |settings: &Settings| {
        let known = before.iter().find(|cluster| !has_files(settings) && is_same(&cluster.settings, settings));
        match known {
            Some(known) => Ok(Arc::clone(known)),
            None => Ok(Cluster::new(settings.clone(), client_tls(settings)?.as_ref())?),
        }
    };
    config.upstreams.iter().map(cluster).collect()
}

/// But for where it is written.
fn is_same(before: &Settings, after: &Settings) -> bool {
    Settings { origin: after.origin, ..before.clone() } == *after
}

fn has_files(settings: &Settings) -> bool {
    settings.tls.ca.is_some() || settings.tls.identity.is_some()
}

/// Has them looked after, and tells what becomes of their servers.
pub(super) fn supervise(upstreams: &[Arc<Cluster>], announcer: &Arc<Announcer>) -> io::Result<Supervisor> {
    Supervisor::start(upstreams, Arc::new(Told(Arc::clone(announcer))))
}

/// How an upstream's `https` servers are spoken to, where it has any.
fn client_tls(upstream: &Settings) -> Result<Option<Arc<ClientConfig>>, TlsFileError> {
    if !upstream.servers.iter().any(|server| server.protocol.is_tls()) {
        return Ok(None);
    }
    let identity = upstream.tls.identity.as_ref();
    let identity = identity.map(|(certificate, key)| (certificate.as_path(), key.as_path()));
    tls::client_config(upstream.tls.ca.as_deref(), identity).map(Some)
}

/// Makes records of changes: `upstream_down` and `upstream_up`, and a diagnostic of names. They do not go through `tracing`,
/// because the first names are asked for before anybody listens there.
struct Told(Arc<Announcer>);

impl Herald for Told {
    fn tell(&self, change: &Change<'_>) {
        let (event, level, lasted) = match change.state {
            State::Up => (Event::UpstreamUp, Level::Info, "down_for"),
            // With nobody left, requests fail.
            _ if change.up == 0 => (Event::UpstreamDown, Level::Error, "up_for"),
            _ => (Event::UpstreamDown, Level::Warning, "up_for"),
        };
        let mut fields = vec![
            ("upstream", Value::Text(change.upstream.as_bytes())),
            ("upstream_address", Value::Text(change.address.as_bytes())),
            ("reason", Value::Text(change.reason.as_bytes())),
            (lasted, Value::Float((change.lasted.as_secs_f64() * 1e6).round() / 1e6)),
        ];
        fields.extend(change.error.map(|error| ("error", Value::Text(error.as_bytes()))));
        fields.push(("servers_up", Value::Unsigned(change.up as u64)));
        fields.push(("servers", Value::Unsigned(change.servers as u64)));
        self.0.announce(event, level, &fields);
    }

    fn tell_name(&self, change: &NameChange<'_>) {
        let (level, message) = match change.lost {
            Some(_) => (Level::Warning, "the name of a server does not resolve"),
            None => (Level::Info, "the name of a server resolves again"),
        };
        let kept = change.lost.map(|(_, kept)| kept.to_string());
        let mut fields =
            vec![("upstream", Value::Text(change.upstream.as_bytes())), ("host", Value::Text(change.host.as_bytes()))];
        fields.extend(kept.as_ref().map(|kept| ("kept", Value::Text(kept.as_bytes()))));
        fields.extend(change.lost.map(|(why, _)| ("error", Value::Text(why.as_bytes()))));
        let event = Event::Diagnostic;
        let head = Head { timestamp: time::wall_now(), level, event, message, logger: PROXY_LOGGER };
        self.0.record(&Record { head, body: Body::Fields(&fields) });
    }
}
