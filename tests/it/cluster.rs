//! Several servers of one upstream, judged by the records: which of them a request went to, how often it was tried, who
//! was told to be down.

/// Which server is next.
mod balance;
/// Which upstream a request is for.
mod choice;
/// Servers that die and come back.
mod failover;
/// Health checks.
mod health;
/// Names whose addresses change, and unix sockets.
mod places;
/// Servers with as many requests as they may have.
mod queue;
/// What is sent again, and what never is.
mod retries;

use std::collections::BTreeMap;

use crate::support::{Log, TestProxy, Upstream, get};

/// Answers every request with its own address.
fn named() -> Upstream {
    Upstream::ok()
}

/// How many completed requests each server answered.
fn shares(log: &Log) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for record in log.events("request_completed") {
        *shares.entry(record.text("upstream_address").to_owned()).or_default() += 1;
    }
    shares
}

/// Sends so many GETs one after another; each has to be answered with 200.
fn ask(proxy: &TestProxy, name: &str, count: usize) {
    for index in 0..count {
        get(proxy.addr(), "/", &format!("{name}-{index}")).ok();
    }
}
