//! `GET /api/upstreams`: each upstream, its servers, whether they are up, and what is done with them.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::upstream::status::State;
use crate::upstream::{Cluster, Member};

use super::answer::Answer;
use super::query::Query;
use super::refused::Refused;
use super::server::Sources;

/// Upstreams that can be seen.
const MOST: usize = 2000;

/// One page of the upstreams, in the order of the configuration.
pub(super) fn list(sources: &Sources, query: Option<&str>) -> Result<Answer, Refused> {
    let page = Query::read(query, &["page", "per_page"])?.page(MOST)?;
    let upstreams = sources.upstreams.all();
    Ok(page.of("upstreams", upstreams.iter().map(upstream), upstreams.len(), json!({})))
}

fn upstream(cluster: &Arc<Cluster>) -> Value {
    let members = cluster.members();
    let servers: Vec<Value> = members.servers.iter().map(|member| server(member)).collect();
    json!({
        "name": cluster.name(),
        "servers_up": members.servers.iter().filter(|member| is_up(member)).count(),
        "retries": cluster.status.retries(),
        "retries_denied": cluster.status.retries_denied(),
        "waiting": cluster.status.waiting(),
        "limited": cluster.status.limited(),
        "servers": servers,
    })
}

fn is_up(member: &Member) -> bool {
    member.status.state() == State::Up
}

fn server(member: &Member) -> Value {
    let status = &member.status;
    json!({
        "address": *member.address,
        "up": is_up(member),
        "state": status.state().as_str(),
        "changed": moment(status.changed()),
        "weight": member.weight,
        "effective_weight": f64::from(member.effective_weight()) / 100.0,
        "backup": member.backup,
        "requests": status.requests(),
        "in_flight": status.in_flight(),
        "connects": status.connects(),
        "reuses": status.reuses(),
        "open_connections": status.open_connections(),
        "idle_connections": status.idle_connections(),
        "failures": status.failures(),
        "consecutive_failures": status.consecutive_failures(),
        "ejections": status.ejections(),
        "last_error": status.last_error().as_deref(),
    })
}

/// As records have it; `null` where it never was.
fn moment(micros: u64) -> Option<String> {
    (micros > 0).then(|| crate::record::json::timestamp(micros))
}
