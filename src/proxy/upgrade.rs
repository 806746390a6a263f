//! Offers of another protocol (RFC 9110 §7.8), of WebSocket above all: what of a client's offer goes on to the server, and
//! whether what the server makes of it is an answer to that.
//!
//! Over HTTP/1.1 a client offers with `Upgrade`, over HTTP/2 with an extended CONNECT (RFC 8441). Servers are always offered
//! in the form of HTTP/1.1.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};
use ring::rand::{SecureRandom, SystemRandom};

use crate::net::websocket::accept;

/// Protocols that carry requests of their own: a tunnel would take them past the log, and past whoever trusts this proxy to
/// judge them (RFC 9113 §3.1 withdraws h2c for good).
const HTTP_INSIDE: [&str; 4] = ["h2c", "h2", "http", "tls"];

/// What a client offers, and a server may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgrade {
    /// As `Upgrade` names them, in the client's order.
    protocols: String,
    /// Asked for by extended CONNECT: HTTP/1.1 needs a key for it.
    connect: Option<Key>,
}

/// A key of our own, for a client whose protocol has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(String);

impl Upgrade {
    /// The offer of a request that has no body in front of it; `None` where there is none, or none that may go on.
    pub fn offered(head: &Parts) -> Option<Box<Upgrade>> {
        if head.method == Method::CONNECT {
            let protocol = head.extensions.get::<hyper::ext::Protocol>()?.as_str();
            let protocols = is_harmless(protocol).then(|| protocol.to_owned())?;
            return Some(Box::new(Upgrade { protocols, connect: Some(Key::random()) }));
        }
        let asks = head.version == Version::HTTP_11 && tokens(&head.headers, &header::CONNECTION).any(is_upgrade);
        let protocols: Vec<&str> =
            tokens(&head.headers, &header::UPGRADE).filter(|token| asks && is_harmless(token)).collect();
        (!protocols.is_empty()).then(|| Box::new(Upgrade { protocols: protocols.join(", "), connect: None }))
    }

    /// The value of `Upgrade`.
    pub fn protocols(&self) -> &str {
        &self.protocols
    }

    /// It came as an extended CONNECT, whose server needs this key in HTTP/1.1.
    pub fn key(&self) -> Option<&str> {
        self.connect.as_ref().map(|key| key.0.as_str())
    }

    /// Judges the fields of a 101.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn check(&self, answer: &HeaderMap) -> Result<(), &'static str> {
        let offered = |token: &str| self.protocols.split(", ").any(|protocol| protocol.eq_ignore_ascii_case(token));
        let mut taken = tokens(answer, &header::UPGRADE).peekable();
        if taken.peek().is_none() || !taken.all(offered) {
            return Err("101 to a protocol that was not offered");
        }
        let accept = answer.get(header::SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
        match &self.connect {
            Some(key) if self.is_websocket() && accept != Some(key.accept().as_bytes()) => {
                Err("101 without the Sec-WebSocket-Accept of its key")
            }
            _ => Ok(()),
        }
    }

    fn is_websocket(&self) -> bool {
        self.protocols.eq_ignore_ascii_case("websocket")
    }
}

impl Key {
    fn random() -> Key {
        let mut bytes = [0; 16];
        // It proves to us that the server knows WebSocket, and protects nothing: without randomness it does so, too.
        let _ = SystemRandom::new().fill(&mut bytes);
        Key(STANDARD.encode(bytes))
    }

    fn accept(&self) -> String {
        accept(&self.0)
    }
}

fn is_upgrade(option: &str) -> bool {
    option.eq_ignore_ascii_case("upgrade")
}

/// `protocol-name ["/" protocol-version]`, and no HTTP in it.
fn is_harmless(protocol: &str) -> bool {
    let name = protocol.split('/').next().unwrap_or_default();
    let is_token = |part: &str| HeaderName::from_bytes(part.as_bytes()).is_ok();
    protocol.split('/').count() <= 2
        && protocol.split('/').all(is_token)
        && !HTTP_INSIDE.iter().any(|http| name.eq_ignore_ascii_case(http))
}

fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn offered(connection: &str, upgrade: &str) -> Option<String> {
        let request = Request::builder().header("connection", connection).header("upgrade", upgrade).body(());
        Upgrade::offered(&request.expect("a request").into_parts().0).map(|upgrade| upgrade.protocols)
    }

    #[test]
    fn an_offer_needs_both_fields_and_goes_on_without_what_carries_http() {
        assert_eq!(offered("keep-alive, Upgrade", "websocket").as_deref(), Some("websocket"));
        assert_eq!(offered("upgrade", "h2c, foo/2, Bar").as_deref(), Some("foo/2, Bar"));
        for (connection, upgrade) in [
            ("keep-alive", "websocket"),
            ("upgrade", "h2c"),
            ("upgrade", "HTTP/2.0"),
            ("upgrade", "TLS/1.0"),
            ("upgrade", "a b"),
            ("upgrade", "a/b/c"),
            ("upgrade", ""),
        ] {
            assert_eq!(offered(connection, upgrade), None, "{connection} {upgrade}");
        }
    }

    #[test]
    fn an_older_client_offers_nothing() {
        let request = Request::builder().header("connection", "upgrade").header("upgrade", "websocket");
        let request = request.version(Version::HTTP_10).body(()).expect("a request");
        assert_eq!(Upgrade::offered(&request.into_parts().0), None);
    }

    #[test]
    fn an_extended_connect_is_an_offer_with_a_key_of_our_own() {
        let request = Request::builder().method("CONNECT").extension(hyper::ext::Protocol::from_static("websocket"));
        let offer = Upgrade::offered(&request.body(()).expect("a request").into_parts().0).expect("an offer");
        let mut answer = HeaderMap::new();
        answer.insert("upgrade", HeaderValue::from_static("WebSocket"));
        assert!(offer.check(&answer).is_err());
        let accepted = accept(offer.key().expect("a key"));
        answer.insert("sec-websocket-accept", accepted.parse().expect("a value"));
        assert_eq!(offer.check(&answer), Ok(()));
        let plain = Request::builder().method("CONNECT").uri("a:1").body(()).expect("a request");
        assert_eq!(Upgrade::offered(&plain.into_parts().0), None);
    }

    #[test]
    fn only_what_was_offered_may_be_taken() {
        let offer = Upgrade { protocols: "foo, bar/1".into(), connect: None };
        let check = |value: &'static str| {
            offer.check(&HeaderMap::from_iter([(header::UPGRADE, HeaderValue::from_static(value))])).is_ok()
        };
        assert!(check("FOO") && check("bar/1"));
        assert!(!check("baz") && !check("foo, baz") && !check(""));
        assert!(offer.check(&HeaderMap::new()).is_err());
    }
}
