//! Notices by mail.
//!
//! A message is written once, so that a second try of it has the same `Message-ID`, and sent to each of its recipients until
//! that one has taken or refused it for good: those that take it do not wait for the others. What a server says with 4xx
//! is tried again, what it says with 5xx is not.

mod message;
mod session;
mod wire;

use std::time::Duration;

use lettre::Address;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;

use crate::alert::settings::{EmailSettings, Security};
use crate::alert::words::Batch;
use crate::net::Dialer;

use super::means::{Unusable, Verdict};

/// How long it is waited that a server says goodbye: what was to be said is said.
const GOODBYE: Duration = Duration::from_secs(1);

/// An account at a mail server.
pub(super) struct Email {
    dialer: Dialer,
    security: Security,
    login: Option<Credentials>,
    from: Mailbox,
    to: Vec<Mailbox>,
    prefix: String,
    timeout: Duration,
}

/// A message to several people.
#[derive(Debug)]
pub(super) struct Mail {
    bytes: Vec<u8>,
    /// Who neither has it nor has refused it.
    left: Vec<Address>,
    /// Whether anybody has it.
    any: bool,
    /// Who has refused it, and what was said.
    refused: Vec<String>,
}

impl Email {
    pub(super) fn new(settings: &EmailSettings, timeout: Duration) -> Result<Email, Unusable> {
        if settings.security != Security::Plain && settings.peer.tls.is_none() {
            return Err(Unusable::NoTls);
        }
        let login = settings.login.as_ref();
        Ok(Email {
            dialer: settings.peer.dialer_of_no_protocol()?,
            security: settings.security,
            login: login.map(|(user, password)| Credentials::new(user.clone(), password.expose().to_owned())),
            from: mailbox(&settings.from)?,
            to: settings.to.iter().map(|address| mailbox(address)).collect::<Result<_, _>>()?,
            prefix: settings.prefix.clone(),
            timeout,
        })
    }

    /// Writes a batch; `now` is in microseconds since the Unix epoch.
    pub(super) fn write(&self, batch: &Batch, now: u64) -> Mail {
        let left = self.to.iter().map(|mailbox| mailbox.email.clone()).collect();
        let (bytes, refused) = match message::write(batch, &self.from, &self.to, &self.prefix, now) {
            Ok(bytes) => (bytes, Vec::new()),
            Err(error) => (Vec::new(), vec![format!("cannot write the message: {error}")]),
        };
        Mail { bytes, left, any: false, refused }
    }

    /// One try for all who are left.
    pub(super) async fn send(&self, mail: &mut Mail) -> Verdict {
        if mail.bytes.is_empty() {
            return Verdict::of_all(false, &mail.refused);
        }
        let tried = tokio::time::timeout(self.timeout, self.talk(mail)).await;
        let failure = match tried {
            Ok(Ok(mut connection)) => {
                // They have it, whatever happens to the connection now.
                let _ = tokio::time::timeout(GOODBYE, connection.quit()).await;
                None
            }
            Ok(Err(failure)) => Some(failure),
            Err(_) => Some(session::Failure::again(format!("not done within {:?}", self.timeout))),
        };
        mail.settle(failure)
    }
}

impl Mail {
    fn settle(&mut self, failure: Option<session::Failure>) -> Verdict {
        match failure {
            _ if self.left.is_empty() => Verdict::of_all(self.any, &self.refused),
            Some(failure) if failure.is_permanent => {
                self.left.clear();
                self.refused.push(failure.said);
                Verdict::of_all(self.any, &self.refused)
            }
            Some(failure) => Verdict::again(failure.said),
            None => Verdict::again("not all recipients were taken"),
        }
    }
}

/// An address, or a name and an address. The parser of the library stops where it does not understand any more; here all of it
/// has to be one.
pub fn mailbox(text: &str) -> Result<Mailbox, Unusable> {
    let unusable = || Unusable::Address(text.to_owned());
    if text.chars().any(char::is_control) || text.len() > LONGEST_ADDRESS {
        return Err(unusable());
    }
    let mailbox: Mailbox = text.trim().parse().map_err(|_| unusable())?;
    let (user, domain) = (mailbox.email.user(), mailbox.email.domain());
    let address = format!("{user}@{domain}");
    let is_whole = text.trim().trim_end_matches('>').ends_with(address.as_str());
    if is_whole && AsRef::<str>::as_ref(&mailbox.email).is_ascii() { Ok(mailbox) } else { Err(unusable()) }
}

/// Characters of an address with its name; the address alone has less by its own rules.
const LONGEST_ADDRESS: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_may_have_names() {
        for (text, name, address) in [
            ("ops@example.com", None, "ops@example.com"),
            ("Operators <ops@example.com>", Some("Operators"), "ops@example.com"),
            ("\"Ops, night\" <ops@example.com>", Some("Ops, night"), "ops@example.com"),
            ("Jürgen <j@example.com>", Some("Jürgen"), "j@example.com"),
        ] {
            let mailbox = mailbox(text).unwrap();
            assert_eq!((mailbox.name.as_deref(), AsRef::<str>::as_ref(&mailbox.email)), (name, address), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "ops",
            "ops@",
            "@example.com",
            "a@b.c\r\nBcc: d@e.f",
            "A\n <a@b.c>",
            "a@b.c, d@e.f",
            "a@b.c> RCPT TO:<d@e.f",
            "<a@b.c>, <d@e.f>",
            "jürgen@example.com",
            "a b@example.com",
        ] {
            assert!(mailbox(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_address_breaks_out_of_its_command(text in "[a-z@.<> \\r\\n\"(),:]{0,30}") {
            if let Ok(mailbox) = mailbox(&text) {
                prop_assert!(!mailbox.email.to_string().contains(['\r', '\n', '>', '<', ' ']), "{mailbox:?}");
            }
        }
    }
}
