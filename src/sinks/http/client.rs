//! The client that the settings of a collector mean.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::net::TargetError;
use crate::net::post::Client;
use crate::pipeline::{Auth, RequestSettings};

/// A client without a connection yet; `timeout` is for each request, connecting included.
///
/// # Errors
///
/// When a file or a name cannot be used.
pub fn client(settings: &RequestSettings, timeout: Duration) -> Result<Client, TargetError> {
    let dialer = settings.peer.dialer()?;
    Ok(Client::new(dialer, &settings.endpoint, headers(&settings.auth), timeout).gzip(settings.gzip))
}

/// How it shows who it is. A value that no header can hold was refused with the configuration.
fn headers(auth: &Auth) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut insert = |name: HeaderName, value: &str| {
        if let Ok(mut value) = HeaderValue::from_str(value) {
            value.set_sensitive(true);
            headers.insert(name, value);
        }
    };
    match auth {
        Auth::None => {}
        Auth::Bearer(token) => insert(AUTHORIZATION, &format!("Bearer {}", token.expose())),
        Auth::Basic { user, password } => {
            let pair = STANDARD.encode(format!("{user}:{}", password.expose()));
            insert(AUTHORIZATION, &format!("Basic {pair}"));
        }
        Auth::Header { name, value } => insert(name.clone(), value.expose()),
    }
    headers
}
