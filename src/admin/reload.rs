//! `POST /api/reload`: the configuration read again, as on SIGHUP, and what came of it.

use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::answer::{Answer, json, problem, problem_with};
use super::server::Sources;

/// A wish that the configuration be read again, for whoever reads it.
#[derive(Debug)]
pub struct ReloadRequest {
    answer: oneshot::Sender<ReloadReport>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadReport {
    /// How it went.
    pub outcome: ReloadOutcome,
    /// The generation in force.
    pub generation: u64,
    /// What is wrong with the configuration, or surely not meant.
    pub problems: Vec<ReloadProblem>,
}

/// How a reload went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReloadOutcome {
    /// The new configuration is in force.
    Taken,
    /// The one before stays.
    Refused,
    /// The process is about to end.
    Ignored,
}

/// One problem of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadProblem {
    /// `error` or `warning`.
    pub severity: &'static str,
    /// File, line and column.
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

impl ReloadRequest {
    /// Tells what came of it.
    pub fn answer(self, report: ReloadReport) {
        // Who asked may have gone meanwhile.
        let _ = self.answer.send(report);
    }
}

/// Has the configuration read again. One that is asked for while another is under way comes after it.
pub(super) async fn reload(sources: &Sources) -> Answer {
    let (answer, answered) = oneshot::channel();
    match sources.reloads.try_send(ReloadRequest { answer }) {
        Ok(()) => {}
        Err(mpsc::error::TrySendError::Full(_)) => {
            return problem(StatusCode::SERVICE_UNAVAILABLE, "other reloads are waiting already");
        }
        Err(mpsc::error::TrySendError::Closed(_)) => return nothing_to_read(),
    }
    answered.await.map_or_else(|_| nothing_to_read(), |report| render(&report))
}

fn nothing_to_read() -> Answer {
    problem(StatusCode::CONFLICT, "this process has no configuration to read again, or is about to end")
}

fn render(report: &ReloadReport) -> Answer {
    let problems: Vec<Value> = report.problems.iter().map(told).collect();
    let more = json!({ "generation": report.generation, "problems": problems });
    match report.outcome {
        ReloadOutcome::Taken => json(
            StatusCode::OK,
            &json!({ "status": "reloaded", "generation": report.generation, "problems": problems }),
        ),
        ReloadOutcome::Refused => {
            problem_with(StatusCode::UNPROCESSABLE_ENTITY, "the configuration is refused: the one before stays", more)
        }
        ReloadOutcome::Ignored => problem_with(StatusCode::CONFLICT, "the process is about to end", more),
    }
}

fn told(problem: &ReloadProblem) -> Value {
    let ReloadProblem { severity, place, message, hint } = problem;
    json!({ "severity": severity, "place": place, "message": message, "hint": hint })
}
