//! `GET /api/outputs` and `GET /api/status`: where the log goes and what was lost on the way; and which process this is.

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::record;

use super::answer::{Answer, json as json_answer};
use super::query::Query;
use super::refused::Refused;
use super::server::Sources;

/// Outputs that can be seen.
const MOST: usize = 1000;

/// How an output does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputStatus {
    /// What it is called.
    pub name: String,
    /// In which format it is written.
    pub format: &'static str,
    /// Whether the last attempt to write went wrong.
    pub failing: bool,
    /// Records that were written, and their bytes.
    pub written: u64,
    /// See `written`.
    pub bytes: u64,
    /// Records that were lost, by reason.
    pub dropped: Vec<(&'static str, u64)>,
    /// Batches that wait, and their bytes.
    pub waiting_batches: u64,
    /// See `waiting_batches`.
    pub waiting_bytes: u64,
    /// When it failed last, in microseconds since the Unix epoch, and what was said.
    pub last_failure: Option<(u64, String)>,
}

/// What a process says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessStatus {
    /// When it was started, in microseconds since the Unix epoch.
    pub started: u64,
    /// As in its records.
    pub instance: String,
    /// As in its records.
    pub service: Option<String>,
    /// As in its records.
    pub environment: Option<String>,
    /// Of the configuration: 1, and one more with each reload.
    pub generation: u64,
    /// Threads that serve.
    pub cores: usize,
    /// Requests that run.
    pub in_flight: u64,
    /// Records and bytes of the store; `None` where the newest records are in memory alone.
    pub store: Option<(u64, u64)>,
}

/// Says how all of it does.
pub trait Condition: Send {
    /// The outputs, in the order of the configuration.
    fn outputs(&self) -> Vec<OutputStatus>;

    /// The process.
    fn process(&self) -> ProcessStatus;
}

/// One page of the outputs.
pub(super) fn list(sources: &Sources, query: Option<&str>) -> Result<Answer, Refused> {
    let page = Query::read(query, &["page", "per_page"])?.page(MOST)?;
    let outputs = sources.condition.outputs();
    Ok(page.of("outputs", outputs.iter().map(output), outputs.len(), json!({})))
}

/// What the head of a page shows.
pub(super) fn status(sources: &Sources, query: Option<&str>, now: u64) -> Result<Answer, Refused> {
    Query::read(query, &[])?;
    Ok(json_answer(StatusCode::OK, &process(&sources.condition.process(), now)))
}

fn output(output: &OutputStatus) -> Value {
    let dropped: Map<String, Value> =
        output.dropped.iter().map(|(reason, count)| ((*reason).to_owned(), (*count).into())).collect();
    let (at, error) = output.last_failure.clone().unzip();
    json!({
        "name": output.name,
        "format": output.format,
        "status": if output.failing { "failing" } else { "ok" },
        "written": output.written,
        "bytes": output.bytes,
        "dropped": dropped,
        "queue": output.waiting_batches,
        "queue_bytes": output.waiting_bytes,
        "last_error": error,
        "last_error_at": at.map(record::timestamp),
    })
}

fn process(process: &ProcessStatus, now: u64) -> Value {
    let store = match process.store {
        Some((records, bytes)) => json!({ "kind": "store", "records": records, "bytes": bytes }),
        None => json!({ "kind": "memory" }),
    };
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "started": record::timestamp(process.started),
        "uptime": now.saturating_sub(process.started) as f64 / 1e6,
        "instance": process.instance,
        "service": process.service,
        "environment": process.environment,
        "generation": process.generation,
        "cores": process.cores,
        "in_flight": process.in_flight,
        "store": store,
        "now": record::timestamp(now),
    })
}
