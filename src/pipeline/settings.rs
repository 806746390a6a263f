//! What the user says about which records are written, and where to.

mod file;
mod http;
mod network;
mod syslog;

pub use file::{Compression, FileSettings, Rotate};
pub use http::{Auth, HttpBody, HttpSettings, OtlpSettings, RequestSettings};
pub use network::{BatchSettings, DeliverySettings, SpoolSettings};
pub use syslog::{SyslogAddress, SyslogSettings};

use std::time::Duration;

use crate::filter::Expression;
use crate::record::Level;

/// The routing part of `[log]` and all `[[log.output]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `log.level`; `None` is off.
    pub level: Option<Level>,
    /// `log.loggers`: by dotted name, nearest wins; `None` is off.
    pub loggers: Vec<(String, Option<Level>)>,
    /// `[[log.output]]`; never empty.
    pub outputs: Vec<OutputSettings>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { level: Some(Level::Info), loggers: Vec::new(), outputs: vec![OutputSettings::default()] }
    }
}

/// One `[[log.output]]`: what every output has, and what only its kind has.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputSettings {
    /// What it is called in `log_loss` records, counters and diagnostics; no two outputs share a name.
    pub name: String,
    /// Where it writes to.
    pub kind: OutputKind,
    /// How it looks.
    pub format: Format,
    /// Records below it are not this output's; `None`: whatever its logger lets through.
    pub level: Option<Level>,
    /// Of the others, those that it means; `None`: all.
    pub filter: Option<Expression>,
    /// What happens when its queue is full.
    pub when_full: WhenFull,
    /// Bytes that may wait for it.
    pub queue: usize,
}

impl OutputSettings {
    /// Whether both are the same output, wherever they stand in their configurations.
    pub fn is_same(&self, other: &OutputSettings) -> bool {
        let unplaced = |output: &OutputSettings| OutputSettings { kind: output.kind.unplaced(), ..output.clone() };
        unplaced(self) == unplaced(other)
    }
}

impl Default for OutputSettings {
    fn default() -> Self {
        OutputSettings {
            name: "stdout".into(),
            kind: OutputKind::Stdout,
            format: Format::Auto,
            level: None,
            filter: None,
            when_full: WhenFull::Drop,
            queue: 8 << 20,
        }
    }
}

/// Where an output writes to, with what only this kind of output is told.
#[derive(Debug, Clone, PartialEq)]
pub enum OutputKind {
    /// Standard output; there is one at most.
    Stdout,
    /// A file of our own; no two outputs share a path.
    File(FileSettings),
    /// A syslog receiver.
    Syslog(SyslogSettings),
    /// An HTTP collector.
    Http(HttpSettings),
    /// An OpenTelemetry collector.
    Otlp(OtlpSettings),
}

impl OutputKind {
    /// The `type` of the configuration, and the name of an output that was given none.
    pub const fn as_str(&self) -> &'static str {
        match self {
            OutputKind::Stdout => "stdout",
            OutputKind::File(_) => "file",
            OutputKind::Syslog(_) => "syslog",
            OutputKind::Http(_) => "http",
            OutputKind::Otlp(_) => "otlp",
        }
    }

    /// The file, where it is one.
    pub fn file(&self) -> Option<&FileSettings> {
        match self {
            OutputKind::File(file) => Some(file),
            _ => None,
        }
    }

    /// How it delivers, where it does so over a network.
    pub fn delivery(&self) -> Option<&DeliverySettings> {
        match self {
            OutputKind::Syslog(syslog) => Some(&syslog.delivery),
            OutputKind::Http(http) => Some(&http.delivery),
            OutputKind::Otlp(otlp) => Some(&otlp.delivery),
            OutputKind::Stdout | OutputKind::File(_) => None,
        }
    }

    /// Without what says where it stands in the configuration.
    fn unplaced(&self) -> OutputKind {
        match self {
            OutputKind::Stdout => OutputKind::Stdout,
            OutputKind::File(file) => OutputKind::File(FileSettings { origin: 0, ..file.clone() }),
            OutputKind::Syslog(syslog) => OutputKind::Syslog(SyslogSettings { origin: 0, ..syslog.clone() }),
            OutputKind::Http(http) => {
                OutputKind::Http(HttpSettings { request: http.request.unplaced(), ..http.clone() })
            }
            OutputKind::Otlp(otlp) => {
                OutputKind::Otlp(OtlpSettings { request: otlp.request.unplaced(), ..otlp.clone() })
            }
        }
    }
}

/// How records are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `pretty` on a terminal, `json` elsewhere.
    Auto,
    /// One JSON object a line, in the schema of `log.schema`.
    Json,
    /// `key=value`, in the native schema.
    Logfmt,
    /// Apache's; only completed requests have lines, and losses are not told in it.
    Combined,
    /// For people, coloured.
    Pretty,
    /// Django's standard formatter `verbose`.
    Verbose,
    /// Django's standard formatter `simple`.
    Simple,
    /// One JSON object a line in the native schema, whatever `log.schema` says: for outputs that write it in a form of
    /// their own.
    Native,
    /// The same in OpenTelemetry's.
    Otel,
    /// Another format, with what the head of a syslog message tells in front of each line.
    Syslog(&'static Format),
}

impl Format {
    /// The same lines with what the head of a syslog message tells in front.
    pub const fn for_syslog(self) -> Format {
        Format::Syslog(match self {
            Format::Logfmt => &Format::Logfmt,
            Format::Combined => &Format::Combined,
            Format::Verbose => &Format::Verbose,
            Format::Simple => &Format::Simple,
            Format::Pretty => &Format::Pretty,
            _ => &Format::Json,
        })
    }
}

/// What happens to records that find the queue full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// They are dropped and counted.
    Drop,
    /// The request waits, at most this long; then they are dropped and counted.
    Block(Duration),
}
