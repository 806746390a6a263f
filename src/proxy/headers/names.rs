//! What becomes of a field on its way through a proxy, by its name (RFC 9110 §7.6).

use http::{HeaderMap, HeaderName, header};

use crate::exchange::{Settings, UserSource};

/// What becomes of a field of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes on as it is.
    Pass,
    /// It ends here, or is written anew.
    End,
    /// It goes on in another form, or on a condition.
    Special(Special),
}

/// Fields that are looked at before they go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Special {
    Cookie,
    Expect,
    Forwarded,
    ForwardedFor,
    ForwardedHost,
    ForwardedProto,
    MaxForwards,
    RealIp,
    TraceParent,
    TraceState,
    Trailers,
    Via,
}

impl Special {
    /// The name of a field that speaks of the client in the name of a proxy before us.
    pub(super) const fn forwarding_name(self) -> Option<&'static str> {
        match self {
            Special::Forwarded => Some("forwarded"),
            Special::ForwardedFor => Some("x-forwarded-for"),
            Special::ForwardedHost => Some("x-forwarded-host"),
            Special::ForwardedProto => Some("x-forwarded-proto"),
            Special::RealIp => Some("x-real-ip"),
            _ => None,
        }
    }
}

/// What becomes of a field of this name.
pub(super) fn fate(name: &str) -> Fate {
    match name {
        "host" | "content-length" => Fate::End,
        "cookie" => Fate::Special(Special::Cookie),
        "expect" => Fate::Special(Special::Expect),
        "forwarded" => Fate::Special(Special::Forwarded),
        "x-forwarded-for" => Fate::Special(Special::ForwardedFor),
        "x-forwarded-host" => Fate::Special(Special::ForwardedHost),
        "x-forwarded-proto" => Fate::Special(Special::ForwardedProto),
        "x-real-ip" => Fate::Special(Special::RealIp),
        "max-forwards" => Fate::Special(Special::MaxForwards),
        "traceparent" => Fate::Special(Special::TraceParent),
        "tracestate" => Fate::Special(Special::TraceState),
        "te" => Fate::Special(Special::Trailers),
        "via" => Fate::Special(Special::Via),
        name if is_hop_by_hop(name) => Fate::End,
        _ => Fate::Pass,
    }
}

/// RFC 9110 §7.6.1.
pub(super) fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "transfer-encoding"
            | "upgrade"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "http2-settings"
    )
}

/// Fields that `Connection` cannot take away, because somebody on the way relies on them.
pub(super) fn is_protected(name: &str) -> bool {
    name.starts_with("x-forwarded-")
        || matches!(
            name,
            "host" | "forwarded" | "content-length" | "content-type" | "authorization" | "cookie" | "x-real-ip" | "via"
        )
}

/// Fields that mean nothing good behind a body: they frame, route, authenticate or vouch (RFC 9110 §6.5.1).
pub(super) fn is_forbidden_in_trailers(name: &str) -> bool {
    is_protected(name)
        || is_hop_by_hop(name)
        || name.starts_with("content-")
        || matches!(name, "set-cookie" | "trailer" | "x-request-id" | "traceparent" | "tracestate" | "location" | "age")
}

/// CGI and WSGI cannot tell `X_Forwarded_For` from `X-Forwarded-For`: whoever sends such a twin of a field that frames a
/// message, or that this proxy vouches for, wants it to be mistaken for that.
pub(super) fn is_twin(name: &str, settings: &Settings) -> bool {
    // Without an early end the compiler makes vector code of it.
    if !name.bytes().fold(false, |found, byte| found | (byte == b'_')) {
        return false;
    }
    let twin = name.replace('_', "-");
    let vouched = |source: &UserSource| matches!(source, UserSource::RequestHeader { name, .. } if *name == *twin);
    settings.user.iter().any(vouched)
        || settings.request_id.header == *twin
        || is_protected(&twin)
        || is_hop_by_hop(&twin)
}

/// Connection options that are looked at: each is compared with every field.
const MAX_OPTIONS: usize = 64;

/// What `Connection` names beside itself; empty in the ordinary case.
pub(super) fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let tokens = values.flat_map(|value| value.split(',')).map(str::trim).take(MAX_OPTIONS);
    let options = ["", "close", "keep-alive"];
    let named = tokens.filter(|token| !options.iter().any(|option| token.eq_ignore_ascii_case(option)));
    let names = named.filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok());
    names.filter(|name| !is_protected(name.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn hop_by_hop_fields_end_here_and_others_go_on() {
        for name in ["connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-authorization", "host"] {
            assert_eq!(fate(name), Fate::End, "{name}");
        }
        assert_eq!(fate("accept"), Fate::Pass);
        assert_eq!(fate("te"), Fate::Special(Special::Trailers));
    }

    #[test]
    fn a_twin_is_known_by_what_it_would_be_mistaken_for() {
        let mut settings = Settings::default();
        settings.user.push(UserSource::RequestHeader { name: HeaderName::from_static("x-user"), trusted: true });
        for twin in ["x_forwarded_for", "x_request_id", "content_length", "transfer_encoding", "x_user"] {
            assert!(is_twin(twin, &settings), "{twin}");
        }
        assert!(!is_twin("x_custom", &settings) && !is_twin("x-forwarded-for", &settings));
    }

    #[test]
    fn connection_names_only_what_it_may_take_away() {
        let value = HeaderValue::from_static("close, X-Mine, Host, x-forwarded-for, Keep-Alive,");
        let headers = HeaderMap::from_iter([(header::CONNECTION, value)]);
        assert_eq!(named_by_connection(&headers), [HeaderName::from_static("x-mine")]);
    }
}
