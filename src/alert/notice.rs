//! What somebody is told: all that a channel may say, before it is put into the words of one.

use serde::{Deserialize, Serialize};

use super::service::From;
use super::settings::Severity;

/// What has become of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It is time to look.
    Fired,
    /// It still is.
    Repeated,
    /// It is over.
    Resolved,
    /// Nothing at all: somebody has asked whether notices arrive.
    Test,
}

/// One notice about one alert. Texts are as records have them: whoever shows them escapes them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Notice {
    /// What has become of it.
    pub kind: Kind,
    /// The rule's name.
    pub rule: String,
    /// `info`, `warning` or `critical`.
    pub severity: &'static str,
    /// What the rule's user says of it.
    pub description: Option<String>,
    /// The field that the rule tells apart by, and which value this is about (`None`: all for which there was no room);
    /// nothing where it does not tell apart.
    pub group: Option<Group>,
    /// What was measured, for people: `12 records in 1m, above 10`.
    pub summary: String,
    /// What was measured: a number, a share from 0 to 1, seconds, times too fast.
    pub value: f64,
    /// The bound that it is beyond, in the same unit.
    pub bound: f64,
    /// Since when it is so, in microseconds since the Unix epoch.
    pub since: u64,
    /// When this was said, in microseconds since the Unix epoch.
    pub at: u64,
    /// What tells this alert from any other, and is the same in all of its notices.
    pub key: String,
    /// `service` of the configuration.
    pub service: String,
    /// `environment` of the configuration.
    pub environment: String,
    /// Where to see more.
    pub link: Option<String>,
    /// What was seen.
    #[serde(flatten)]
    pub evidence: Evidence,
}

impl Notice {
    /// About a channel that fails, or works again, for the other ones.
    pub fn of_channel(kind: Kind, channel: &str, said: &str, from: &From, at: u64) -> Notice {
        let From { service, environment } = from.clone();
        Notice {
            kind,
            rule: "channel".to_owned(),
            severity: Severity::Warning.as_str(),
            description: Some("notices do not arrive through one of the channels".to_owned()),
            group: Some(Group { by: "channel".to_owned(), name: Some(channel.to_owned()) }),
            summary: said.to_owned(),
            value: f64::from(u8::from(kind != Kind::Resolved)),
            bound: 0.0,
            since: at,
            at,
            key: format!("gatelog/{service}/{environment}/channel={channel}"),
            service,
            environment,
            link: None,
            evidence: Evidence::default(),
        }
    }

    /// About nothing: whether notices arrive.
    pub fn of_test(channel: &str, link: Option<String>, from: &From, at: u64) -> Notice {
        let summary = "somebody has asked whether notices arrive: they do".to_owned();
        let description = Some("this is a test; nothing is wrong".to_owned());
        let key = format!("gatelog/{}/{}/test={channel}", from.service, from.environment);
        let (severity, rule) = (Severity::Info.as_str(), "test".to_owned());
        Notice {
            kind: Kind::Test,
            rule,
            severity,
            description,
            summary,
            key,
            link,
            ..Notice::of_channel(Kind::Test, channel, "", from, at)
        }
    }
}

/// Which of the alerts of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Group {
    /// The field, or what takes its place.
    pub by: String,
    /// Its value; `None`: all for which there was no room.
    pub name: Option<String>,
}

/// What was seen, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Evidence {
    /// The newest records that the rule means, the newest first, at most ten: JSON lines.
    pub records: Vec<String>,
    /// The routes with the most of them, and how many; at most five.
    pub routes: Vec<(String, u64)>,
    /// How many there were in each part of the time before, the oldest first; at most sixty parts.
    pub chart: Vec<u64>,
}
