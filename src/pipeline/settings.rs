//! What the user says about which records are written, and where to.

use std::time::Duration;

use crate::record::Level;

/// The routing part of `[log]` and all `[[log.output]]`.
#[derive(Debug, Clone)]
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

/// One `[[log.output]]`.
#[derive(Debug, Clone)]
pub struct OutputSettings {
    /// How it looks.
    pub format: Format,
    /// What happens when its queue is full.
    pub when_full: WhenFull,
    /// Bytes that may wait for it.
    pub queue: usize,
}

impl Default for OutputSettings {
    fn default() -> Self {
        OutputSettings { format: Format::Auto, when_full: WhenFull::Drop, queue: 8 << 20 }
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
}

/// What happens to records that find the queue full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// They are dropped and counted.
    Drop,
    /// The request waits, at most this long; then they are dropped and counted.
    Block(Duration),
}
