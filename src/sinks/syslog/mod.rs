//! A syslog receiver: RFC 5424 over a unix socket, UDP (RFC 5426), TCP (RFC 6587, counted octets) and TLS (RFC 5425).
//!
//! The head of a message needs what a line in a text format may not tell (severity, event, request id), so that the layout
//! writes it in front of each line on the request's core ([`crate::record::syslog`]); `message` makes the rest.
//!
//! Syslog acknowledges nothing: a message counts as delivered once the system has taken it. What lay in the buffers of a
//! connection that breaks is lost without anybody knowing; only datagrams to a unix socket are refused while nobody reads.

mod message;
mod transport;

use std::path::Path;
use std::time::{Duration, Instant};

use crate::disk;
use crate::pipeline::{Port, Stamp, SyslogSettings};
use crate::time;

use super::delivery::{self, Collector, Verdict};
use super::handover::Started;
use super::lines::Lines;
use super::peer::NetworkError;

use message::Header;
use transport::Transport;

/// Starts the thread of an output of type `syslog`; `taken` as for [`delivery::start`].
///
/// # Errors
///
/// What is in the way.
pub fn start(port: &Port, stamp: &Stamp, settings: &SyslogSettings, taken: bool) -> Result<Started, NetworkError> {
    let hostname = settings.hostname.clone().unwrap_or_else(machine_name);
    let collector = SyslogCollector {
        transport: Transport::new(&settings.address)?,
        header: Header::new(settings.facility, &hostname, &settings.app_name, &stamp.instance),
        longest: settings.max_message,
        timeout: settings.delivery.timeout,
        cut: Cut::default(),
        messages: Vec::new(),
    };
    Ok(delivery::start(port, stamp, &settings.delivery, vec![collector], taken)?)
}

/// The name of this machine, as the kernel knows it.
fn machine_name() -> String {
    let name = disk::read(Path::new("/proc/sys/kernel/hostname"), 1024).unwrap_or_default();
    String::from_utf8_lossy(name.trim_ascii()).into_owned()
}

/// Sends lines as messages, in their order.
struct SyslogCollector {
    transport: Transport,
    header: Header,
    /// Bytes of a message, where it is one datagram.
    longest: usize,
    timeout: Duration,
    cut: Cut,
    messages: Vec<Vec<u8>>,
}

impl Collector for SyslogCollector {
    async fn deliver(&mut self, lines: &Lines) -> Verdict {
        self.write(lines);
        let mut sent = 0;
        let sending = self.transport.send(&self.messages, &mut sent);
        let said = match tokio::time::timeout(self.timeout, sending).await {
            Ok(Ok(())) => return Verdict::Accepted,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("the receiver takes nothing for {:?}", self.timeout),
        };
        self.transport.disconnect();
        match sent {
            0 => Verdict::Again { said, after: None },
            sent => Verdict::Partly { rejected: Vec::new(), again: (sent..lines.len()).collect(), said },
        }
    }
}

impl SyslogCollector {
    fn write(&mut self, lines: &Lines) {
        let longest = if self.transport.is_datagram() { self.longest } else { usize::MAX };
        self.messages.resize_with(lines.len(), Vec::new);
        let mut cut = 0;
        for (line, message) in lines.iter().zip(&mut self.messages) {
            message.clear();
            cut += u64::from(self.header.message(line, longest, message));
        }
        self.cut.count(cut);
    }
}

/// Messages that did not fit into a datagram.
#[derive(Default)]
struct Cut {
    untold: u64,
    told: Option<Instant>,
}

impl Cut {
    fn count(&mut self, messages: u64) {
        self.untold += messages;
        if self.untold > 0 && self.told.is_none_or(|told| told.elapsed() >= INTERVAL) {
            tracing::warn!(target: "gatelog.proxy", messages = self.untold, "syslog messages were cut: they do not fit into a datagram");
            (self.untold, self.told) = (0, Some(time::monotonic()));
        }
    }
}

/// How often cut messages are told of.
const INTERVAL: Duration = Duration::from_secs(60);
