//! `[[log.output]]` of type `syslog`.

use std::path::PathBuf;

use super::DeliverySettings;
use crate::net::Target;

/// A syslog receiver (RFC 5424).
#[derive(Debug, Clone, PartialEq)]
pub struct SyslogSettings {
    /// Where it stands in the configuration.
    pub origin: usize,
    /// `address`.
    pub address: SyslogAddress,
    /// `facility`, 0 to 23.
    pub facility: u8,
    /// `hostname`; `None`: the machine's own.
    pub hostname: Option<String>,
    /// `app_name`.
    pub app_name: String,
    /// `max_message`: bytes of a datagram; what is longer is cut.
    pub max_message: usize,
    /// How it is sent.
    pub delivery: DeliverySettings,
}

/// How a receiver is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyslogAddress {
    /// A socket in the file system: datagrams, or a stream where the receiver has one.
    Unix(PathBuf),
    /// RFC 5426.
    Udp(Target),
    /// RFC 6587 with counted octets; RFC 5425 over TLS.
    Tcp(Target),
}
