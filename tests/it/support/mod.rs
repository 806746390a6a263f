//! The harness: a real proxy as a child process, raw clients, scripted upstreams, and the log they are judged by.

pub(crate) mod client;
pub(crate) mod collector;
pub(crate) mod command;
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
pub(crate) mod small_disk;
pub(crate) mod smtp;
pub(crate) mod syslog;
pub(crate) mod tls;
pub(crate) mod upstream;
pub(crate) mod wire;

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

pub(crate) use client::{Answer, Client, get, request};
pub(crate) use fault::Fault;
pub(crate) use frames::Frames;
pub(crate) use log::Log;
pub(crate) use proxy::{Setup, TestProxy};
pub(crate) use recorder::Recorder;
pub(crate) use small_disk::SmallDisk;
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

/// Waits for something to become so.
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} does not come");
        std::thread::yield_now();
    }
}

/// What `gatelog verify` says of these logs, in which it has to find nothing.
pub(crate) fn verified(files: &[PathBuf], options: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_gatelog")).arg("verify").args(options).args(files).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{files:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}
