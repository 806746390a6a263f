//! Alerts: what the log says often enough, or too seldom, wakes somebody up; once, with what they need.
//!
//! ```text
//! cores ── marks ──> Engine ── changes ──> Notice ──> one thread for each channel: mail, webhook, command
//!                      │                     └──────> alert_fired, alert_resolved in the log
//!                    each second: what gatelog knows of itself, what has come to its end
//! ```

pub mod channel;
pub mod engine;
pub mod lifecycle;
mod link;
pub mod memory;
pub mod notice;
pub mod replay;
pub mod saved;
pub mod service;
pub mod settings;
pub mod silence;
pub mod summary;
mod words;

pub use channel::{Dispatcher, Told};
pub use engine::{Change, Engine, Knows};
pub use notice::{Evidence, Group, Kind, Notice};
pub use service::{Alerts, Around, From, Messenger, Status, Witness};
pub use settings::{
    Bound, Channel, ChannelKind, EmailSettings, Records, Rule, Security, Settings, Severity, State, Subject,
    WebhookBody, WebhookSettings,
};

#[cfg(test)]
mod tests;
