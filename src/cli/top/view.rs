//! What is known of the proxy at the moment: the counters of the last minute, and its pages.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value as Json;

use super::sample::Sample;
use crate::cli::running::{NoAnswer, Running};
use crate::time::monotonic;

/// Samples are kept so long: what percentiles are of.
const WINDOW: Duration = Duration::from_secs(60);
/// Rates are of so long a time, or of the last two samples where these are farther apart.
const PACE: Duration = Duration::from_secs(3);
/// Requests that run and are shown, at most.
const MOST: usize = 50;
/// Of the last quarter of an hour.
const HOURS: &str = "0.25";

/// What is known.
#[derive(Debug, Default)]
pub(super) struct View {
    name: String,
    samples: VecDeque<Sample>,
    /// What runs, the oldest first.
    pub(super) inflight: Vec<Json>,
    /// The slowest of the last minutes.
    pub(super) slow: Vec<Json>,
    /// The newest errors of the last minutes.
    pub(super) errors: Vec<Json>,
    /// Why the proxy did not answer, when it did not.
    pub(super) trouble: Option<String>,
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

    /// Looks again.
    ///
    /// # Errors
    /// When the proxy does not answer; what was known stays.
    pub(super) fn look(&mut self, running: &Running) -> Result<(), NoAnswer> {
        let metrics = running.text("/metrics")?;
        self.add(Sample::read(&metrics, monotonic()));
        self.inflight = list(&running.json(&format!("/api/inflight?per_page={MOST}"))?, "requests");
        // A proxy may be without these pages, or be too busy for them: the rest is worth showing.
        let page = |path: &str| running.json(&format!("{path}?hours={HOURS}")).unwrap_or_default();
        let (slow, errors) = (page("/api/performance"), page("/api/errors"));
        self.slow = list(&slow, "slow_requests");
        self.errors = list(&errors, "error_timeline");
        self.trouble = None;
        Ok(())
    }

    /// The same, and keeps why there was no answer.
    pub(super) fn try_look(&mut self, running: &Running) {
        if let Err(error) = self.look(running) {
            self.trouble = Some(error.to_string());
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
        self.samples.push_back(sample);
    }
}

fn list(page: &Json, name: &str) -> Vec<Json> {
    page[name].as_array().cloned().unwrap_or_default()
}
