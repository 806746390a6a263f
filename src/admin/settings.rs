//! What the user says about the admin listener: `[admin]`.

use std::net::{Ipv4Addr, SocketAddr};

use crate::secret::Secret;

/// `[admin]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `address`; `None` is off.
    pub address: Option<SocketAddr>,
    /// `token`: what whoever asks must show; there is one where `address` is not loopback.
    pub token: Option<Secret>,
    /// `hosts`: names by which it may be asked without a token, beside addresses and `localhost`. Lower case.
    pub hosts: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        let address = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9900)));
        Settings { address, token: None, hosts: Vec::new() }
    }
}
