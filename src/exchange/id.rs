//! The request id: the client's own where the policy believes it, else a new UUID.

use std::fmt;

use arrayvec::ArrayString;
use http::HeaderValue;
use uuid::{Builder, Uuid};

use super::glance::Given;
use super::settings::{Accept, IdFormat, RequestIdSettings};

/// Longest id that is taken from a client.
const MAX_LENGTH: usize = 128;

/// The id of one request.
#[derive(Clone)]
pub struct RequestId {
    text: Text,
    origin: Origin,
}

#[derive(Clone)]
enum Text {
    Minted(ArrayString<36>),
    Given(HeaderValue),
}

/// Where an id comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The client sent none.
    Generated,
    /// The client's own.
    Client,
    /// The client sent one that is not believed.
    Replaced,
}

impl Origin {
    /// The token of the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Origin::Generated => "generated",
            Origin::Client => "client",
            Origin::Replaced => "replaced",
        }
    }
}

impl RequestId {
    /// The id of a request with these headers, from a peer that is trusted or not. `wall` is now, in microseconds since
    /// the Unix epoch.
    pub(super) fn of(given: Given<'_>, settings: &RequestIdSettings, trusted: bool, wall: u64) -> RequestId {
        let believed = match settings.accept {
            Accept::Never => false,
            Accept::Trusted => trusted,
            Accept::Always => true,
        };
        match given {
            Given::Once(value) if believed && is_well_formed(value.as_bytes()) => {
                RequestId { text: Text::Given(value.clone()), origin: Origin::Client }
            }
            Given::Once(_) | Given::Repeatedly => RequestId::mint(settings.format, Origin::Replaced, wall),
            Given::Never => RequestId::mint(settings.format, Origin::Generated, wall),
        }
    }

    /// A new id.
    pub fn mint(format: IdFormat, origin: Origin, wall: u64) -> RequestId {
        let uuid = match format {
            IdFormat::Uuid4 => Uuid::new_v4(),
            IdFormat::Uuid7 => time_ordered(wall),
        };
        let mut text = [0; 36];
        let text = ArrayString::from(uuid.hyphenated().encode_lower(&mut text)).unwrap_or_default();
        RequestId { text: Text::Minted(text), origin }
    }

    /// The id itself: ASCII, 1 to 128 bytes.
    pub fn as_str(&self) -> &str {
        match &self.text {
            Text::Minted(text) => text,
            // It is ASCII by construction; an empty string would show at once that this has changed.
            Text::Given(value) => value.to_str().unwrap_or_default(),
        }
    }

    /// The id as a header's value.
    pub fn to_header(&self) -> HeaderValue {
        match &self.text {
            Text::Minted(text) => HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("")),
            Text::Given(value) => value.clone(),
        }
    }

    /// Where it comes from.
    pub fn origin(&self) -> Origin {
        self.origin
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.as_str(), self.origin.as_str())
    }
}

/// A version 7 UUID (RFC 9562 §5.7) of 74 random bits behind the millisecond. The library's own counts within the
/// millisecond, behind a lock that all threads would share.
fn time_ordered(wall: u64) -> Uuid {
    let random = *Uuid::new_v4().as_bytes();
    // Bytes 6 and 8 hold version and variant, and are not all random.
    let [a, b, c, d, e, f, _, g, _, h, i, j, ..] = random;
    Builder::from_unix_timestamp_millis(wall / 1000, &[a, b, c, d, e, f, g, h, i, j]).into_uuid()
}

/// 1 to 128 of `A-Z a-z 0-9 . _ -` (RECORD.md, `request_id`).
fn is_well_formed(id: &[u8]) -> bool {
    (1..=MAX_LENGTH).contains(&id.len())
        && id.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(given: &[&str], accept: Accept, trusted: bool) -> RequestId {
        let settings = RequestIdSettings { accept, ..RequestIdSettings::default() };
        let values: Vec<HeaderValue> =
            given.iter().map(|value| HeaderValue::from_bytes(value.as_bytes()).expect("a value")).collect();
        let mut given = Given::default();
        values.iter().for_each(|value| given.add(value));
        RequestId::of(given, &settings, trusted, 1_700_000_000_000_000)
    }

    #[test]
    fn a_trusted_peers_id_is_kept() {
        let id = id(&["abc-1.2_X"], Accept::Trusted, true);
        assert_eq!((id.as_str(), id.origin()), ("abc-1.2_X", Origin::Client));
    }

    #[test]
    fn what_is_not_believed_is_replaced() {
        let long = "x".repeat(129);
        for (given, accept, trusted) in [
            (vec!["abc"], Accept::Trusted, false),
            (vec!["abc"], Accept::Never, true),
            (vec!["a b"], Accept::Always, false),
            (vec![""], Accept::Always, false),
            (vec!["é"], Accept::Always, false),
            (vec![long.as_str()], Accept::Always, false),
            (vec!["one", "two"], Accept::Always, true),
        ] {
            let id = id(&given, accept, trusted);
            assert_eq!(id.origin(), Origin::Replaced, "{given:?}");
            assert!(Uuid::parse_str(id.as_str()).is_ok());
        }
    }

    #[test]
    fn without_one_a_time_ordered_uuid_is_minted() {
        let id = id(&[], Accept::Trusted, false);
        assert_eq!(id.origin(), Origin::Generated);
        let uuid = Uuid::parse_str(id.as_str()).expect("a UUID");
        assert_eq!(uuid.get_version_num(), 7);
        assert_eq!(uuid.get_timestamp().map(|time| time.to_unix().0), Some(1_700_000_000));
    }
}
