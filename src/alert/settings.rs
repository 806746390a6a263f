//! What the user says in `[alerts]`: rules, and who is told.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;

use crate::analyze::Measure;
use crate::filter::{Expression, Name};
use crate::net::Target;
use crate::pipeline::Look;
use crate::secret::Secret;

/// `[alerts]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// Where the section stands in the configuration.
    pub origin: usize,
    /// `[[alerts.rule]]`, or the defaults where there is none; at most [`MOST_RULES`], no two of one name.
    pub rules: Vec<Rule>,
    /// `[[alerts.channel]]`; no two of one name. Where there is none, alerts are records in the log only.
    pub channels: Vec<Channel>,
    /// `state`: a file in which it is kept what fires, who was told, and what is silenced; `None` is in memory only.
    pub state: Option<PathBuf>,
    /// `link`: where the dashboard is for those who get a notice; without it notices have no links.
    pub link: Option<Uri>,
}

impl Settings {
    /// Without what says where it stands in the file: lines that moved are no change.
    pub fn unplaced(&self) -> Settings {
        let mut settings = Settings { origin: 0, ..self.clone() };
        for channel in &mut settings.channels {
            match &mut channel.kind {
                ChannelKind::Email(email) => email.origin = 0,
                ChannelKind::Webhook(webhook) => webhook.origin = 0,
                ChannelKind::Command { .. } => {}
            }
        }
        settings
    }
}

/// Rules of a configuration.
pub const MOST_RULES: usize = 200;

/// One `[[alerts.rule]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// What it is called in records, notices and commands: 1 to 64 letters, digits, `_` and `-`.
    pub name: String,
    /// `severity`.
    pub severity: Severity,
    /// `description`: a sentence for whoever is woken.
    pub description: Option<String>,
    /// What is looked at.
    pub subject: Subject,
    /// When it is too much, or too little.
    pub bound: Bound,
    /// `clear`: what it has to come back to before it is over; the bound itself unless told otherwise.
    pub clear: f64,
    /// `for`: how long it has to be so before anybody is told.
    pub hold: Duration,
    /// `cooldown`: how long nobody is told again after somebody was.
    pub cooldown: Duration,
    /// `repeat`: how often it is told again while it goes on; `None` is never.
    pub repeat: Option<Duration>,
    /// `channels`: the places of those that are told, in [`Settings::channels`].
    pub channels: Vec<usize>,
}

impl Rule {
    /// What sightings of its records are called by: the same as long as name and subject are.
    pub fn id(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        format!("{} {:?}", self.name, self.subject).hash(&mut hasher);
        hasher.finish()
    }

    /// What is to be looked for in records.
    pub fn look(&self) -> Option<Look> {
        let Subject::Records(Records { filter, of, by, field, .. }) = &self.subject else { return None };
        let (filter, of, by, field) = (filter.clone(), of.clone(), by.clone(), field.clone());
        // A count can go beyond its bound with each record; a share of many moves slowly.
        let urgent = of.is_none() && field.is_none();
        Some(Look { id: self.id(), filter, of, by, field, urgent })
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Somebody should know.
    Info,
    /// Somebody should look.
    Warning,
    /// Somebody has to get up.
    Critical,
}

impl Severity {
    /// Every severity, the least first.
    pub const ALL: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Critical];

    /// The word of the configuration, records and notices.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

/// What a rule looks at.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there are few rules")]
pub enum Subject {
    /// Records as they are offered to the outputs.
    Records(Records),
    /// What gatelog knows of itself, asked each second.
    State(State),
}

/// Records, and what is measured of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Records {
    /// `filter`: those that are looked for.
    pub filter: Expression,
    /// `of`: those among which they are; `None` where nothing is a share of anything.
    pub of: Option<Expression>,
    /// `by`: a field whose values are each measured on their own.
    pub by: Option<Name>,
    /// `quantile.field`: of which the values are.
    pub field: Option<Name>,
    /// What is measured, over which window.
    pub measure: Measure,
}

/// `kind`: rules about gatelog itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// `upstream_down`: servers that are given no requests; by upstream.
    UpstreamDown,
    /// `log_loss`: records that any output has lost within this time; by output.
    LogLoss {
        /// `per`.
        per: Duration,
    },
    /// `certificate_expiring`: days that the first certificate to expire is valid for; by listener.
    CertificateExpiring,
    /// `requests_stuck`: requests that have run for longer than this.
    RequestsStuck {
        /// `after`.
        after: Duration,
    },
}

impl State {
    /// The word of the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::UpstreamDown => "upstream_down",
            State::LogLoss { .. } => "log_loss",
            State::CertificateExpiring => "certificate_expiring",
            State::RequestsStuck { .. } => "requests_stuck",
        }
    }
}

/// When it is time to tell somebody. Shares are from 0 to 1, durations in microseconds, burn rates times what is too much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// `above`.
    Above(f64),
    /// `below`.
    Below(f64),
}

impl Bound {
    /// The number.
    pub const fn value(self) -> f64 {
        match self {
            Bound::Above(value) | Bound::Below(value) => value,
        }
    }

    /// The same side of another number.
    pub const fn with(self, value: f64) -> Bound {
        match self {
            Bound::Above(_) => Bound::Above(value),
            Bound::Below(_) => Bound::Below(value),
        }
    }

    /// Whether a value is beyond it.
    pub fn is_beyond(self, value: f64) -> bool {
        match self {
            Bound::Above(bound) => value > bound,
            Bound::Below(bound) => value < bound,
        }
    }
}

/// One `[[alerts.channel]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    /// `name`; the type, with a number where there are more of it.
    pub name: String,
    /// How somebody is told.
    pub kind: ChannelKind,
    /// `timeout`: of one try.
    pub timeout: Duration,
    /// `rate`: notices an hour, beyond which they wait and are put together.
    pub rate: u32,
}

/// How somebody is told.
#[derive(Debug, Clone, PartialEq)]
pub enum ChannelKind {
    /// `email`.
    Email(EmailSettings),
    /// `webhook`.
    Webhook(WebhookSettings),
    /// `command`: a program and its arguments, never a shell; the notice is on its standard input as JSON.
    Command {
        /// `command`: not empty.
        argv: Vec<String>,
    },
}

impl ChannelKind {
    /// The `type` of the configuration.
    pub const fn as_str(&self) -> &'static str {
        match self {
            ChannelKind::Email(_) => "email",
            ChannelKind::Webhook(_) => "webhook",
            ChannelKind::Command { .. } => "command",
        }
    }
}

/// Mail by SMTP.
#[derive(Debug, Clone, PartialEq)]
pub struct EmailSettings {
    /// Where the channel stands in the configuration.
    pub origin: usize,
    /// Host and port of `smtp`, and how its certificate is checked where TLS is spoken.
    pub peer: Target,
    /// How TLS begins, by the scheme of `smtp` and `tls`.
    pub security: Security,
    /// `user` and `password`.
    pub login: Option<(String, Secret)>,
    /// `from`: an address, or a name and an address.
    pub from: String,
    /// `to`: at least one.
    pub to: Vec<String>,
    /// `subject_prefix`: `[gatelog]`.
    pub prefix: String,
}

/// How TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// `smtp://`: by STARTTLS, and not without.
    StartTls,
    /// `smtps://`: at once.
    Implicit,
    /// `smtp://` and `tls = false`: never.
    Plain,
}

/// A webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct WebhookSettings {
    /// Where the channel stands in the configuration.
    pub origin: usize,
    /// `url`: a secret, for whoever has it can post; `http` or `https`. Of Alertmanager the whole of `/api/v2/alerts`.
    pub url: Secret,
    /// Host and port of it, and how TLS is spoken where it is `https`.
    pub peer: Target,
    /// `format`.
    pub body: WebhookBody,
    /// `headers`.
    pub headers: Vec<(http::HeaderName, Secret)>,
}

/// How a notice is written.
#[derive(Debug, Clone, PartialEq)]
pub enum WebhookBody {
    /// `json`: all there is to say.
    Json,
    /// `slack`: for Slack, Mattermost and Rocket.Chat.
    Slack,
    /// `pagerduty`: Events API v2, with the key of the integration.
    PagerDuty {
        /// `routing_key`.
        routing_key: Secret,
    },
    /// `alertmanager`: API v2.
    Alertmanager,
}
