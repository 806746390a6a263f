//! Secrets planted in every way that a server would read them, and what must be left alone.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn policy() -> Policy {
    Policy::new(&RedactSettings::default(), &key())
}

fn query(query: &str) -> String {
    String::from_utf8(policy().query(query.as_bytes()).into_owned()).unwrap()
}

fn referer(url: &str) -> String {
    String::from_utf8(policy().referer(url.as_bytes()).into_owned()).unwrap()
}

#[test]
fn values_of_listed_keys_are_replaced_and_keys_stay() {
    for (sent, written) in [
        ("token=x", "token=REDACTED"),
        ("a=b&token=x&c=d", "a=b&token=REDACTED&c=d"),
        ("a=b&&token=x", "a=b&&token=REDACTED"),
        ("token=x&token=y", "token=REDACTED&token=REDACTED"),
        ("Token=x&PASSWORD=y=z", "Token=REDACTED&PASSWORD=REDACTED"),
        ("%74oke%6E=x", "%74oke%6E=REDACTED"),
        ("%2574oken=x", "%2574oken=REDACTED"),
        (
            "api-key=1&api.key=2&api+key=3&+token=4",
            "api-key=REDACTED&api.key=REDACTED&api+key=REDACTED&+token=REDACTED",
        ),
        (
            "token[]=x&user[password]=y&user%5Bpassword%5D=z",
            "token[]=REDACTED&user[password]=REDACTED&user%5Bpassword%5D=REDACTED",
        ),
        ("user.password=x&token%00=y", "user.password=REDACTED&token%00=REDACTED"),
        ("X-Amz-Signature=x", "X-Amz-Signature=REDACTED"),
        ("token", "token"),
        ("token=", "token=REDACTED"),
    ] {
        assert_eq!(query(sent), written);
    }
}

#[test]
fn what_follows_a_semicolon_is_read_both_ways() {
    for (sent, written) in [
        ("a=1;token=x&b=2", "a=1;token=REDACTED&b=2"),
        ("token=x;y;z=1&b=2", "token=REDACTED&b=2"),
        ("token=x;password=y;b=2", "token=REDACTED;password=REDACTED"),
        ("next=/a?b=1;code=2&c=3", "next=/a?b=1;code=REDACTED&c=3"),
    ] {
        assert_eq!(query(sent), written);
    }
}

#[test]
fn a_query_within_a_value_is_looked_into() {
    for (sent, written) in [
        ("next=%2Fa%3Fcode%3D1&c=3", "next=REDACTED&c=3"),
        ("next=%252Fa%253Fb%253D1%2526token%253D1", "next=REDACTED"),
        ("next=%2Fa%3Fb%3D1", "next=%2Fa%3Fb%3D1"),
        ("q=%74oken", "q=%74oken"),
    ] {
        assert_eq!(query(sent), written);
    }
}

#[test]
fn a_query_with_nothing_to_hide_is_not_copied() {
    for sent in ["", "&", "=", "limit=20&sort=desc", "tokens=1&xtoken=2", "a[b]=c&d%20e=f", "a=token", "a;b&&c"] {
        assert!(matches!(policy().query(sent.as_bytes()), Cow::Borrowed(same) if same == sent.as_bytes()), "{sent}");
    }
}

#[test]
fn a_referer_loses_its_secrets_only() {
    for (sent, written) in [
        ("https://u:p@host/a?x=1", "https://REDACTED@host/a?x=1"),
        ("https://u:p@q@host", "https://REDACTED@host"),
        ("//u@host/", "//REDACTED@host/"),
        ("https://host/a?token=1&b=2#access_token=3", "https://host/a?token=REDACTED&b=2#access_token=REDACTED"),
        ("https://u@host?code=1", "https://REDACTED@host?code=REDACTED"),
        ("/a?sig=1", "/a?sig=REDACTED"),
        ("https://host/#/login?token=1", "https://host/#/login?token=REDACTED"),
    ] {
        assert_eq!(referer(sent), written);
    }
    for sent in ["", "https://host/@user/post?a=b#c", "android-app://com.example/", "a?", "#"] {
        assert!(matches!(policy().referer(sent.as_bytes()), Cow::Borrowed(_)), "{sent}");
        assert_eq!(referer(sent), sent);
    }
}

#[test]
fn headers_are_replaced_by_name() {
    let policy = policy();
    for name in ["authorization", "Authorization", "COOKIE", "x-api-key"] {
        assert_eq!(&*policy.header(name, b"secret"), REDACTED.as_bytes());
    }
    assert_eq!(&*policy.header("x-tenant", b"a"), b"a");
    assert_eq!(&*policy.header("Referer", b"http://h/?token=1"), b"http://h/?token=REDACTED");
}

#[test]
fn addresses_keep_their_leading_bits() {
    let policy = |v4, v6| Policy::new(&RedactSettings { ip_v4: v4, ip_v6: v6, ..RedactSettings::default() }, &key());
    for (v4, v6, sent, kept) in [
        (None, None, "203.0.113.7", "203.0.113.7"),
        (None, None, "2001:db8::1", "2001:db8::1"),
        (Some(24), Some(48), "203.0.113.7", "203.0.113.0"),
        (Some(24), Some(48), "2001:db8:1:2::3", "2001:db8:1::"),
        (Some(24), Some(48), "::ffff:203.0.113.7", "203.0.113.0"),
        (Some(0), Some(0), "203.0.113.7", "0.0.0.0"),
        (Some(0), Some(0), "2001:db8::1", "::"),
        (Some(32), Some(128), "203.0.113.7", "203.0.113.7"),
        (Some(200), Some(200), "2001:db8::1", "2001:db8::1"),
    ] {
        assert_eq!(policy(v4, v6).ip(sent.parse().unwrap()), kept.parse::<IpAddr>().unwrap());
    }
}

/// A key as somebody might send it: each byte as it is, in the other case, or percent-encoded (once or twice).
fn disguised(key: &str, ways: &[u8]) -> String {
    let byte = |(byte, way): (u8, &u8)| match way % 5 {
        0 => char::from(byte).to_string(),
        1 => char::from(byte.to_ascii_uppercase()).to_string(),
        2 => format!("%{byte:02x}"),
        3 => format!("%{byte:02X}"),
        _ => format!("%25{byte:02x}"),
    };
    key.bytes().zip(ways.iter().cycle()).map(byte).collect()
}

fn key_in_any_guise() -> impl Strategy<Value = String> {
    let frame = select(vec![
        ("", ""),
        ("", "[]"),
        ("user[", "]"),
        ("user%5b", "%5D"),
        ("a.", ""),
        ("+", ""),
        ("", "%20"),
        ("", "[0]"),
    ]);
    (select(RedactSettings::default().query), vec(any::<u8>(), 1..9), frame)
        .prop_map(|(key, ways, (before, after))| format!("{before}{}{after}", disguised(&key, &ways)))
}

/// Pairs that surround the secret, separators and emptiness included, none of the secret's alphabet.
fn surroundings() -> impl Strategy<Value = String> {
    "([a-f]{0,4}=?[a-f%+]{0,4}[&;]){0,4}"
}

proptest! {
    #[test]
    fn a_secret_under_a_listed_key_never_comes_out(
        before in surroundings(), key in key_in_any_guise(), secret in "[S-Z]{4}[S-Z=;?%+/]{0,8}", after in "(&[a-f]{0,3}=?[a-f]{0,3}){0,3}",
    ) {
        let sent = format!("{before}{key}={secret}{after}");
        let written = query(&sent);
        prop_assert!(!written.contains(&secret[..4]), "{} from {}", written, sent);
        prop_assert!(written.contains(&format!("{key}={REDACTED}")), "{} from {}", written, sent);
        prop_assert!(written.ends_with(&after));
    }

    #[test]
    fn a_secret_in_a_referer_never_comes_out(key in key_in_any_guise(), secret in "[S-Z]{6}", mark in select(vec!["?", "#", "?a=b&", "?a#", "#/a?", "?a=/b?"])) {
        let written = referer(&format!("https://{secret}:{secret}@host/path{mark}{key}={secret}"));
        prop_assert!(!written.contains(&secret), "{}", written);
    }

    #[test]
    fn nothing_else_is_changed(sent in "[b-f=&;%+.\\[\\]]{0,60}") {
        prop_assert_eq!(query(&sent), sent);
    }

    #[test]
    fn whatever_the_bytes_cleaning_twice_is_cleaning_once(sent in vec(any::<u8>(), 0..80)) {
        let policy = policy();
        let once = policy.query(&sent).into_owned();
        prop_assert_eq!(&*policy.query(&once), once.as_slice());
        let once = policy.referer(&sent).into_owned();
        prop_assert_eq!(&*policy.referer(&once), once.as_slice());
    }
}

fn key() -> ring::hmac::Key {
    ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"a key of the test")
}

#[test]
fn a_hashed_address_tells_clients_apart_and_nothing_else() {
    let policy = Policy::new(&RedactSettings { ip_hash: true, ..RedactSettings::default() }, &key());
    let text = |address: &str| policy.ip_text(address.parse().unwrap());
    assert_eq!(text("192.0.2.7"), text("::ffff:192.0.2.7"));
    assert_ne!(text("192.0.2.7"), text("192.0.2.8"));
    assert_eq!(text("192.0.2.7").len(), 16);
    assert!(!policy.shows("192.0.2.7".parse().unwrap()));
    assert_eq!(policy.address_text("192.0.2.7:80".parse().unwrap()), format!("{}:80", text("192.0.2.7")));
}
