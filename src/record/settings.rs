//! What the user says about the record's content.

use super::Schema;

/// `[log]`: what is written into records, whoever writes them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// `log.service`.
    pub service: Option<String>,
    /// `log.environment`.
    pub environment: Option<String>,
    /// `log.schema`: the names in JSON lines.
    pub schema: Schema,
    /// `log.nulls`: absent fields are written as `null`.
    pub nulls: bool,
    /// `log.redact`.
    pub redact: RedactSettings,
}

/// `log.redact`: what must not be read back from a record. `Default` is the documented default list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedactSettings {
    /// Header names, lower case; their values become `REDACTED`.
    pub headers: Vec<String>,
    /// Query keys; compared without case, after percent-decoding.
    pub query: Vec<String>,
    /// Leading bits of an IPv4 address that are kept; `None` keeps all.
    pub ip_v4: Option<u8>,
    /// Leading bits of an IPv6 address that are kept; `None` keeps all.
    pub ip_v6: Option<u8>,
    /// In place of an address a keyed hash of it is written: the same client is known again, and nothing else.
    pub ip_hash: bool,
}

/// RECORD.md, "Redaction".
impl Default for RedactSettings {
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
        RedactSettings {
            headers: owned(&["authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"]),
            query: owned(&[
                "x-amz-signature",
                "x-amz-credential",
                "x-amz-security-token",
                "awsaccesskeyid",
                "signature",
                "sig",
                "x-goog-signature",
                "password",
                "passwd",
                "token",
                "access_token",
                "refresh_token",
                "id_token",
                "secret",
                "client_secret",
                "api_key",
                "apikey",
                "session",
                "sessionid",
                "csrf",
                "csrftoken",
                "code",
            ]),
            ip_v4: None,
            ip_v6: None,
            ip_hash: false,
        }
    }
}
