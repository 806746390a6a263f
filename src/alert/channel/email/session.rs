//! One conversation with a mail server: TLS, login, and a message for all who are left.
//!
//! The library speaks SMTP; what it would do differently is done here. It gives up with the first recipient that is refused.
//! And it would believe what somebody on the way has put behind the answer to `STARTTLS`, so that all up to TLS is said here,
//! in three lines; TLS itself is that of every other connection of gatelog.

use std::net::{IpAddr, Ipv4Addr};

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::Mechanism;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::alert::settings::Security;
use crate::alert::words::line;

use super::wire::Wire;
use super::{Email, Mail};

/// The best first.
const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];
/// Characters of what a server says that are shown.
const SAID: usize = 300;
/// Bytes of a line of an answer (RFC 5321 §4.5.3.1.5 has 512), and lines of it.
const LINE: u64 = 2048;
const LINES: usize = 100;

/// Why a try did not come to its end.
#[derive(Debug)]
pub(super) struct Failure {
    /// What was said, for people.
    pub(super) said: String,
    /// Whether another try would be the same.
    pub(super) is_permanent: bool,
}

impl Failure {
    /// It may work another time.
    pub(super) fn again(said: impl Into<String>) -> Failure {
        Failure { said: said.into(), is_permanent: false }
    }

    /// What the library says, with where it was.
    fn of(what: &str, error: &Error) -> Failure {
        Failure { said: line(&format!("{what}: {error}"), SAID), is_permanent: error.is_permanent() }
    }
}

impl Email {
    /// Says all; whoever has taken or refused the message then is not left any more. Gives the connection, which is still to be
    /// closed.
    pub(super) async fn talk(&self, mail: &mut Mail) -> Result<AsyncSmtpConnection, Failure> {
        let mut connection = self.open().await?;
        self.login(&mut connection).await?;
        let from = MailFrom::new(Some(self.from.email.clone()), Vec::new());
        connection.command(from).await.map_err(|error| Failure::of("the sender is refused", &error))?;
        let (taken, later, waits) = offer(&mut connection, mail).await?;
        if !taken.is_empty() {
            deliver(&mut connection, mail, taken).await?;
        }
        mail.left = later;
        match waits {
            Some(said) => Err(Failure::again(said)),
            None => Ok(connection),
        }
    }

    async fn open(&self) -> Result<AsyncSmtpConnection, Failure> {
        let (host, port) = self.dialer.target();
        let failed = |error: std::io::Error| Failure::again(line(&format!("{host}:{port}: {error}"), SAID));
        let wire = match self.security {
            Security::Plain | Security::Implicit => Wire::new(self.dialer.connect().await.map_err(failed)?),
            Security::StartTls => {
                let tcp = self.dialer.connect_in_the_clear().await.map_err(failed)?;
                let tcp = start_tls(tcp).await?;
                Wire::greeted(self.dialer.secure(tcp).await.map_err(failed)?)
            }
        };
        let hello = hello(wire.local_ip());
        let opened = AsyncSmtpConnection::connect_with_transport(Box::new(wire), &hello).await;
        opened.map_err(|error| Failure::of("the server does not greet", &error))
    }

    async fn login(&self, connection: &mut AsyncSmtpConnection) -> Result<(), Failure> {
        let Some(login) = &self.login else { return Ok(()) };
        if connection.server_info().get_auth_mechanism(&MECHANISMS).is_none() {
            return Err(Failure::again("the server offers no login by PLAIN or LOGIN"));
        }
        let done = connection.auth(&MECHANISMS, login).await;
        done.map(drop).map_err(|error| Failure::of("the login is refused", &error))
    }
}

/// Names everybody who is left. Gives who is taken, who is to be asked later, and what the last of those was told.
async fn offer(
    connection: &mut AsyncSmtpConnection,
    mail: &mut Mail,
) -> Result<(Vec<Address>, Vec<Address>, Option<String>), Failure> {
    let (mut taken, mut later, mut waits) = (Vec::new(), Vec::new(), None);
    for address in mail.left.clone() {
        match connection.command(Rcpt::new(address.clone(), Vec::new())).await {
            Ok(_) => taken.push(address),
            Err(error) if error.is_permanent() => {
                mail.left.retain(|left| *left != address);
                mail.refused.push(Failure::of(&format!("{address} is refused"), &error).said);
            }
            Err(error) if error.is_transient() => {
                waits = Some(Failure::of(&format!("{address} is not taken yet"), &error).said);
                later.push(address);
            }
            Err(error) => return Err(Failure::of("the conversation breaks off", &error)),
        }
    }
    Ok((taken, later, waits))
}

/// Sends the message to those that were taken.
async fn deliver(connection: &mut AsyncSmtpConnection, mail: &mut Mail, taken: Vec<Address>) -> Result<(), Failure> {
    let sent = match connection.command(Data).await {
        Ok(_) => connection.message(&mail.bytes).await,
        Err(error) => Err(error),
    };
    match sent {
        Ok(_) => mail.any = true,
        Err(error) if error.is_permanent() => {
            mail.refused.push(Failure::of("the message is refused", &error).said);
        }
        Err(error) => return Err(Failure::of("the message is not taken", &error)),
    }
    mail.left.retain(|left| !taken.contains(left));
    Ok(())
}

/// By the address that the server sees: a name that is not known in its network is worse than none.
fn hello(address: Option<IpAddr>) -> ClientId {
    match address {
        Some(IpAddr::V4(address)) => ClientId::Ipv4(address),
        Some(IpAddr::V6(address)) => ClientId::Ipv6(address),
        None => ClientId::Ipv4(Ipv4Addr::LOCALHOST),
    }
}

/// Says all that is to be said before TLS. A server that does not offer it is told nothing more, and neither is one that
/// says more before TLS than it was asked.
async fn start_tls(tcp: TcpStream) -> Result<TcpStream, Failure> {
    let hello = hello(tcp.local_addr().ok().map(|address| address.ip()));
    let mut lines = BufReader::new(tcp);
    answer(&mut lines, "the server does not greet").await?;
    say(&mut lines, &format!("EHLO {hello}\r\n")).await?;
    let offered = answer(&mut lines, "EHLO is refused").await?;
    if !offered.iter().any(|word| word.eq_ignore_ascii_case("STARTTLS")) {
        return Err(Failure::again("the server does not offer STARTTLS, and nothing is sent in the clear"));
    }
    say(&mut lines, "STARTTLS\r\n").await?;
    answer(&mut lines, "STARTTLS is refused").await?;
    if !lines.buffer().is_empty() {
        return Err(Failure::again("somebody says more in the clear than STARTTLS allows"));
    }
    Ok(lines.into_inner())
}

async fn say(lines: &mut BufReader<TcpStream>, command: &str) -> Result<(), Failure> {
    lines.write_all(command.as_bytes()).await.map_err(|error| Failure::again(format!("the connection breaks: {error}")))
}

/// The texts of an answer that says yes.
async fn answer(lines: &mut BufReader<TcpStream>, otherwise: &str) -> Result<Vec<String>, Failure> {
    let mut texts = Vec::new();
    for _ in 0..LINES {
        let mut bytes = Vec::new();
        let read = lines.take(LINE).read_until(b'\n', &mut bytes).await;
        read.map_err(|error| Failure::again(format!("{otherwise}: {error}")))?;
        let said = String::from_utf8_lossy(&bytes);
        let (code, text) = said.trim_end().split_at_checked(3).unwrap_or(("", ""));
        let failed =
            |is_permanent| Failure { said: line(&format!("{otherwise}: {}", said.trim_end()), SAID), is_permanent };
        match (code.as_bytes(), text.as_bytes().first()) {
            ([b'2', _, _], Some(b'-')) => texts.push(text[1..].to_owned()),
            ([b'2', _, _], _) => {
                texts.push(text.get(1..).unwrap_or_default().to_owned());
                return Ok(texts);
            }
            _ if bytes.is_empty() => return Err(Failure::again(format!("{otherwise}: the connection was closed"))),
            ([first, ..], _) => return Err(failed(*first == b'5')),
            _ => return Err(failed(false)),
        }
    }
    Err(Failure::again(format!("{otherwise}: an answer without end")))
}
