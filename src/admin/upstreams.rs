//! `GET /api/upstreams`: each upstream, its servers, whether they are up, and what is done with them.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::metrics::Server;

use super::answer::Answer;
use super::query::Query;
use super::refused::Refused;
use super::server::Sources;

/// Upstreams that can be seen: as many as servers are told apart.
const MOST: usize = 2000;

/// One page of the upstreams, in the order of the configuration.
pub(super) fn list(sources: &Sources, query: Option<&str>) -> Result<Answer, Refused> {
    let page = Query::read(query, &["page", "per_page"])?.page(MOST)?;
    let mut upstreams: Vec<(String, Vec<Arc<Server>>)> = Vec::new();
    for server in sources.servers.all() {
        match upstreams.iter_mut().find(|(name, _)| *name == server.upstream) {
            Some((_, servers)) => servers.push(server),
            None => upstreams.push((server.upstream.clone(), vec![server])),
        }
    }
    Ok(page.of("upstreams", upstreams.iter().map(upstream), upstreams.len(), json!({})))
}

fn upstream((name, servers): &(String, Vec<Arc<Server>>)) -> Value {
    let up = servers.iter().filter(|server| server.is_up()).count();
    let servers: Vec<Value> = servers.iter().map(|server| self::server(server)).collect();
    json!({ "name": name, "servers_up": up, "servers": servers })
}

fn server(server: &Server) -> Value {
    let totals = server.totals();
    json!({
        "address": server.address,
        "up": server.is_up(),
        "requests": totals.requests,
        "in_flight": totals.in_flight,
        "connects": totals.connects,
        "reuses": totals.requests.saturating_sub(totals.connects),
        "idle_connections": totals.idle,
        "retries": totals.retries,
        "failures": totals.failures,
    })
}
