//! The numbers of the process as a whole, for `/metrics`: itself, its outputs, its connections, its reloads.

use std::path::Path;
use std::sync::Arc;

use crate::alert::lifecycle::Phase;
use crate::disk;
use crate::exchange::Tally;
use crate::listen::Crowd;
use crate::metrics::{Collect, Exposition, Kind};
use crate::net::server_tls::InForce;
use crate::pipeline::{Reason, Report};
use crate::store::Gauge;

use super::Control;
use super::alerts::Desk;
use super::listeners::SpokenTls;

/// The process itself, as every Prometheus client shows it, and which gatelog it is.
pub(super) struct Process {
    /// Microseconds since the Unix epoch.
    pub(super) started: u64,
    pub(super) workers: usize,
}

/// Files that the kernel makes up as they are read.
const STATUS: &str = "/proc/self/status";
const DESCRIPTORS: &str = "/proc/self/fd";
const MOST_BYTES: u64 = 64 * 1024;

impl Collect for Process {
    fn collect(&self, exposition: &mut Exposition) {
        let mut family = exposition.family("gatelog_build_info", Kind::Gauge, "Which gatelog this is; always 1.");
        family.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
        exposition.single("gatelog_workers", Kind::Gauge, "Threads that serve.", self.workers as u64);
        let help = "When the process began, in seconds since the Unix epoch.";
        exposition.family("process_start_time_seconds", Kind::Gauge, help).seconds(&[], self.started);
        if let Some(micros) = cpu_time() {
            exposition.family("process_cpu_seconds", Kind::Counter, "CPU time of all threads.").seconds(&[], micros);
        }
        let status = disk::read(Path::new(STATUS), MOST_BYTES).unwrap_or_default();
        let status = String::from_utf8_lossy(&status);
        let sizes = [
            ("process_resident_memory_bytes", "VmRSS:", "Memory that is resident."),
            ("process_virtual_memory_bytes", "VmSize:", "Memory that is mapped."),
        ];
        for (name, field, help) in sizes {
            if let Some(kilobytes) = number_of(&status, field) {
                exposition.single(name, Kind::Gauge, help, kilobytes * 1024);
            }
        }
        if let Some(threads) = number_of(&status, "Threads:") {
            exposition.single("process_threads", Kind::Gauge, "Threads of any kind.", threads);
        }
        collect_descriptors(exposition);
    }
}

fn collect_descriptors(exposition: &mut Exposition) {
    // The one that the folder itself is read by is among them.
    if let Ok(open) = disk::paths::names(Path::new(DESCRIPTORS)) {
        exposition.single(
            "process_open_fds",
            Kind::Gauge,
            "Open files and sockets.",
            open.len().saturating_sub(1) as u64,
        );
    }
    if let Some(most) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
        exposition.single("process_max_fds", Kind::Gauge, "Files and sockets that may be open.", most);
    }
}

/// Of all threads, in microseconds.
fn cpu_time() -> Option<u64> {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).ok()?;
    let micros = |time: nix::sys::time::TimeVal| u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec()).ok();
    Some(micros(usage.user_time())? + micros(usage.system_time())?)
}

/// The number in a line that begins with this.
fn number_of(status: &str, field: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(field))?.split_whitespace().next()?.parse().ok()
}

/// Connections of clients.
pub(super) struct Connections(pub(super) Arc<Crowd>);

impl Collect for Connections {
    fn collect(&self, exposition: &mut Exposition) {
        let now = self.0.len() as u64;
        exposition.single("gatelog_connections", Kind::Gauge, "Connections of clients that are open.", now);
    }
}

/// The certificates that are in force on all listeners; one that several have is shown once.
pub(super) struct Certificates(pub(super) SpokenTls);

impl Collect for Certificates {
    fn collect(&self, exposition: &mut Exposition) {
        let help = "When a listener's certificate ends, in seconds since the Unix epoch.";
        let name = "gatelog_tls_certificate_expiry_timestamp_seconds";
        let mut family = exposition.family(name, Kind::Gauge, help);
        let mut ends: Vec<_> = self.0.all().iter().flat_map(|tls| tls.in_force()).collect();
        ends.sort_by(|one, other| one.file.cmp(&other.file));
        ends.dedup_by(|one, other| one.file == other.file);
        for InForce { file, not_after, .. } in ends {
            if let Some(not_after) = not_after {
                family.seconds(&[("certificate", &file.to_string_lossy())], not_after);
            }
        }
    }
}

/// What the store holds; nothing where it cannot be looked at.
impl Collect for Gauge {
    fn collect(&self, exposition: &mut Exposition) {
        let Ok(held) = self.look() else { return };
        exposition.single("gatelog_store_records", Kind::Gauge, "Records in the store.", held.records);
        exposition.single("gatelog_store_segments", Kind::Gauge, "Segments of the store.", held.segments);
        exposition.single("gatelog_store_bytes", Kind::Gauge, "Bytes of the store's files.", held.bytes);
    }
}

/// What is in no record.
fn collect_unwritten(tally: &Tally, exposition: &mut Exposition) {
    let help = "Requests that log.sample left out.";
    exposition.single("gatelog_requests_sampled_out", Kind::Counter, help, tally.left_out());
    let help = "Records of business events.";
    let mut family = exposition.family("gatelog_business_events", Kind::Counter, help);
    tally.events().iter().for_each(|event| family.sample(&[("event", &event.name)], event.written()));
    let help = "Records of business events that lacked a field.";
    let mut family = exposition.family("gatelog_business_event_missing_fields", Kind::Counter, help);
    for event in tally.events() {
        event.missing().for_each(|(field, count)| family.sample(&[("event", &event.name), ("field", field)], count));
    }
}

/// What a control knows: what is counted under the configuration in force, outputs and reloads.
impl Collect for Control {
    fn collect(&self, exposition: &mut Exposition) {
        collect_unwritten(&self.tally(), exposition);
        collect_outputs(&self.reports(), exposition);
        collect_alerts(self.alerts(), exposition);
        let reloads = self.reloads();
        let mut family = exposition.family("gatelog_config_reloads", Kind::Counter, "Reloads of the configuration.");
        family.sample(&[("result", "taken")], reloads.taken);
        family.sample(&[("result", "refused")], reloads.refused);
        let help = "Which configuration is in force, counted from 1.";
        exposition.single("gatelog_config_generation", Kind::Gauge, help, self.generation());
        let help = "Whether the last reload was taken; 1 where there was none.";
        let successful = u64::from(reloads.last_was_taken);
        exposition.single("gatelog_config_last_reload_successful", Kind::Gauge, help, successful);
        let help = "When the configuration in force was taken, in seconds since the Unix epoch.";
        let mut family = exposition.family("gatelog_config_last_reload_success_timestamp_seconds", Kind::Gauge, help);
        family.seconds(&[], reloads.last_taken);
    }
}

/// A metric of each output: name, kind, help, value.
type Metric = (&'static str, Kind, &'static str, fn(&Report) -> u64);

const METRICS: [Metric; 5] = [
    ("gatelog_log_records_written", Kind::Counter, "Records that an output has written.", |report| report.written),
    ("gatelog_log_written_bytes", Kind::Counter, "Bytes that an output has written.", |report| report.bytes),
    ("gatelog_log_queue_bytes", Kind::Gauge, "Bytes that wait for an output.", |report| report.waiting_bytes),
    ("gatelog_log_queue_batches", Kind::Gauge, "Batches that wait for an output.", |report| report.waiting_batches),
    ("gatelog_log_output_failing", Kind::Gauge, "Whether the last attempt of an output went wrong.", |report| {
        u64::from(report.condition.failing)
    }),
];

/// What fires, and how telling of it goes; nothing where there are no rules.
fn collect_alerts(desk: &Desk, exposition: &mut Exposition) {
    let status = desk.alerts().status();
    if status.rules.is_empty() {
        return;
    }
    let mut family = exposition.family("gatelog_alerts_firing", Kind::Gauge, "Alerts of a rule that fire now.");
    for rule in &status.rules {
        let firing = rule.alerts.iter().filter(|alert| matches!(alert.phase, Phase::Firing(_))).count();
        family.sample(&[("rule", &rule.name)], firing as u64);
    }
    let help = "Records that rules could not look at.";
    exposition.single("gatelog_alerts_unseen_records", Kind::Counter, help, status.lost);
    let help = "Notices of alerts, by what became of them.";
    let mut family = exposition.family("gatelog_alerts_notices", Kind::Counter, help);
    for channel in desk.channels() {
        let counts = [("delivered", channel.delivered), ("failed", channel.failed), ("dropped", channel.dropped)];
        for (result, count) in counts {
            family.sample(&[("channel", &channel.name), ("result", result)], count);
        }
    }
}

fn collect_outputs(reports: &[Report], exposition: &mut Exposition) {
    for (name, kind, help, value) in METRICS {
        let mut family = exposition.family(name, kind, help);
        reports.iter().for_each(|report| family.sample(&[("output", &report.name)], value(report)));
    }
    let help = "Records that an output has lost, by the reason of its log_loss.";
    let mut family = exposition.family("gatelog_log_records_dropped", Kind::Counter, help);
    for report in reports {
        for (reason, count) in Reason::ALL.iter().zip(report.dropped) {
            family.sample(&[("output", &report.name), ("reason", reason.as_str())], count);
        }
    }
    let help = "When an output last failed, in seconds since the Unix epoch.";
    let mut family = exposition.family("gatelog_log_output_last_failure_timestamp_seconds", Kind::Gauge, help);
    for report in reports {
        if let Some(failure) = &report.condition.last_failure {
            family.seconds(&[("output", &report.name)], failure.at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_from_the_line_of_its_name() {
        let status = "Name:\tgatelog\nVmSize:\t  123456 kB\nVmRSS:\t 789 kB\nThreads:\t4\n";
        assert_eq!((number_of(status, "VmRSS:"), number_of(status, "Threads:")), (Some(789), Some(4)));
        assert_eq!((number_of(status, "VmSwap:"), number_of(status, "Name:")), (None, None));
    }
}
