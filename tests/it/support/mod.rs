//! The harness: a real proxy as a child process, raw clients, scripted upstreams, and the log they are judged by.

pub(crate) mod client;
pub(crate) mod collector;
pub(crate) mod corpus;
pub(crate) mod fault;
pub(crate) mod h2;
pub(crate) mod h2_upstream;
pub(crate) mod frames;
pub(crate) mod log;
pub(crate) mod metrics;
pub(crate) mod misbehave;
pub(crate) mod otlp;
pub(crate) mod proxy;
pub(crate) mod recorder;
pub(crate) mod syslog;
pub(crate) mod tls;
pub(crate) mod upstream;
pub(crate) mod wire;

use std::time::Duration;

pub(crate) use client::{Answer, Client, get, request};
pub(crate) use fault::Fault;
pub(crate) use frames::Frames;
pub(crate) use log::Log;
pub(crate) use proxy::{Setup, TestProxy};
pub(crate) use recorder::Recorder;
pub(crate) use upstream::{Conn, Upstream};
pub(crate) use wire::Ended;

/// How long anything may take before the test gives up; only ever reached by a failure.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// How many requests of a scenario run at once.
pub(crate) const PARALLEL: usize = 8;

/// Runs `work` on `count` threads at once and returns what each returned, in order.
pub(crate) fn in_parallel<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..count).map(|index| scope.spawn(move || work(index))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}
