//! The ways of a channel, seen from outside: a message is written once, and tried until somebody has it.

use crate::alert::settings::{Channel, ChannelKind};
use crate::alert::words::Batch;
use crate::net::TargetError;

use super::command::{Command, Input};
use super::email::{Email, Mail};
use super::webhook::{Posts, Webhook};

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is there; `but` not with everybody, and never will be.
    Delivered {
        /// Who has refused it, and what was said.
        but: Option<String>,
    },
    /// Nobody has it, and nobody ever will.
    Refused {
        /// What was said.
        said: String,
    },
    /// Not everybody has it; the same may work later.
    Again {
        /// What was said.
        said: String,
        /// What the other side asks to wait.
        after: Option<std::time::Duration>,
    },
}

impl Verdict {
    /// One that is worth another try.
    pub(super) fn again(said: impl Into<String>) -> Verdict {
        Verdict::Again { said: said.into(), after: None }
    }

    /// What came of all parts of a message, none of which is left: whether any part has arrived, and what was said to the
    /// others.
    pub(super) fn of_all(any: bool, refused: &[String]) -> Verdict {
        match (any, refused) {
            (_, []) => Verdict::Delivered { but: None },
            (true, _) => Verdict::Delivered { but: Some(refused.join("; ")) },
            (false, _) => Verdict::Refused { said: refused.join("; ") },
        }
    }
}

/// Why a channel cannot be used as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// A file of TLS, or the name of the server.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Not an address of mail.
    #[error("{0:?} is no address of mail, such as `ops@example.com` or `Operators <ops@example.com>`")]
    Address(String),
    /// TLS is asked for, and nothing says how to check it.
    #[error("TLS is asked for, and there are no settings of it")]
    NoTls,
    /// Not a URL; what it is instead is a secret.
    #[error("its `url` is not an HTTP URL")]
    Url,
    /// A header that no request can carry; its value is a secret.
    #[error("the value of its header `{0}` cannot be sent")]
    Header(http::HeaderName),
    /// No program.
    #[error("its `command` is empty")]
    NoProgram,
}

/// A way to tell people.
pub(super) enum Means {
    Email(Box<Email>),
    Webhook(Box<Webhook>),
    Command(Command),
}

/// A message on its way.
pub(super) enum Message {
    Mail(Mail),
    Posts(Posts),
    Input(Input),
}

impl Means {
    /// Of a channel as it is configured.
    pub(super) fn new(channel: &Channel) -> Result<Means, Unusable> {
        Ok(match &channel.kind {
            ChannelKind::Email(settings) => Means::Email(Box::new(Email::new(settings, channel.timeout)?)),
            ChannelKind::Webhook(settings) => Means::Webhook(Box::new(Webhook::new(settings, channel.timeout)?)),
            ChannelKind::Command { argv } => Means::Command(Command::new(argv, channel.timeout)?),
        })
    }

    /// Puts a batch into the words of this way; `now` is in microseconds since the Unix epoch.
    pub(super) fn write(&self, batch: &Batch, now: u64) -> Message {
        match self {
            Means::Email(email) => Message::Mail(email.write(batch, now)),
            Means::Webhook(webhook) => Message::Posts(webhook.write(batch)),
            Means::Command(_) => Message::Input(Input::new(batch)),
        }
    }

    /// One try, bounded in time.
    pub(super) async fn send(&mut self, message: &mut Message) -> Verdict {
        match (self, message) {
            (Means::Email(email), Message::Mail(mail)) => email.send(mail).await,
            (Means::Webhook(webhook), Message::Posts(posts)) => webhook.send(posts).await,
            (Means::Command(command), Message::Input(input)) => command.run(input).await,
            _ => Verdict::Refused { said: "a message of another channel".to_owned() },
        }
    }
}
