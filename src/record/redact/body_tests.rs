//! Bodies with a secret in them, in many forms, cut at every byte.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use ring::hmac;

use super::*;
use crate::record::RedactSettings;

fn policy() -> Policy {
    Policy::new(&RedactSettings::default(), &hmac::Key::new(hmac::HMAC_SHA256, b"a key of the test"))
}

fn clean(media_type: &str, body: &str) -> String {
    String::from_utf8(policy().body(media_type, body.as_bytes())).unwrap()
}

#[test]
fn values_under_listed_keys_of_json_are_replaced_whatever_they_are() {
    for (sent, written) in [
        (r#"{"token":"x","a":1}"#, r#"{"token":"REDACTED","a":1}"#),
        (r#"{ "Password" : "x\"y" }"#, r#"{ "Password" : "REDACTED" }"#),
        (r#"{"\u0070assword":"x"}"#, r#"{"\u0070assword":"REDACTED"}"#),
        (r#"{"user.password":1234.5e6,"b":[true]}"#, r#"{"user.password":"REDACTED","b":[true]}"#),
        (r#"{"session":{"a":["}",{}]},"b":null}"#, r#"{"session":"REDACTED","b":null}"#),
        (r#"[{"code":[1,2]},"code"]"#, r#"[{"code":"REDACTED"},"code"]"#),
        (r#"{"token":null,"authorization":"Bearer x"}"#, r#"{"token":"REDACTED","authorization":"REDACTED"}"#),
        (r#"{"url":"https://h/a?token=x&b=1"}"#, r#"{"url":"https://h/a?token=REDACTED&b=1"}"#),
        (r#"{"sent":"{\"token\":\"x\"}"}"#, r#"{"sent":"{\"token\":\"REDACTED\"}"}"#),
        ("{\"token\":\"x\"}\n{\"token\":2}\n", "{\"token\":\"REDACTED\"}\n{\"token\":\"REDACTED\"}\n"),
    ] {
        assert_eq!(clean("application/json", sent), written);
    }
}

#[test]
fn json_may_end_anywhere() {
    for (sent, written) in [
        (r#"{"token":"x"#, r#"{"token":"REDACTED""#),
        (r#"{"token":"x\"#, r#"{"token":"REDACTED""#),
        (r#"{"token": 12"#, r#"{"token": "REDACTED""#),
        (r#"{"token":["x","#, r#"{"token":"REDACTED""#),
        (r#"{"token":"#, r#"{"token":"#),
        (r#"{"token""#, r#"{"token""#),
        (r#"{"to"#, r#"{"to"#),
        (r#"{"a":"see ?token=x"#, r#"{"a":"see ?token=REDACTED"#),
        (r#"{"a":tr"#, r#"{"a":tr"#),
    ] {
        assert_eq!(clean("application/problem+json", sent), written);
    }
}

#[test]
fn keys_and_values_are_found_in_text() {
    for (sent, written) in [
        ("no way in: token=x y\nnext", "no way in: token=REDACTED\nnext"),
        ("Password: my, secret\r\nb: 2", "Password: REDACTED\r\nb: 2"),
        ("{'password': 'x', 'b': 2}", "{'password': REDACTED, 'b': 2}"),
        ("{token: \"x\", b: 2}", "{token: REDACTED, b: 2}"),
        ("your API key: x", "your API key: REDACTED"),
        ("Authorization: Bearer x", "Authorization: REDACTED"),
        ("at /a?b=1&code=x&c=2 now", "at /a?b=1&code=REDACTED&c=2 now"),
        ("<a><password>x</password>\n</a>", "<a><password>REDACTED\n</a>"),
        ("body was {\\\"token\\\": \\\"x y\\\"} indeed", "body was {\\\"token\\\": REDACTED} indeed"),
        ("the token is gone", "the token is gone"),
        ("", ""),
    ] {
        assert_eq!(clean("text/plain", sent), written);
    }
}

#[test]
fn a_form_is_read_as_a_query() {
    let sent = "user=bob&%70assword=x+y%26z&c=3";
    assert_eq!(clean("application/x-www-form-urlencoded", sent), "user=bob&%70assword=REDACTED&c=3");
}

/// A JSON string of a secret: of `Q` alone and whatever confuses, escaped in one way or another.
fn secret_string() -> impl Strategy<Value = String> {
    let part = select(vec![
        "Q",
        "QQ",
        r"\u0051",
        r"Q\\",
        r#"Q\""#,
        r"\nQ",
        "Q ",
        "Q,",
        "Q}",
        "Q]",
        "Q{",
        "Q:",
        "Q=",
        "Q&",
        "Q'",
        "é",
        r"\ud83d\ude00Q",
    ]);
    vec(part, 1..6).prop_map(|parts| format!("\"Q{}\"", parts.concat()))
}

/// Any JSON value that is nothing but secrets.
fn secret_value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![secret_string(), "-?[79]{1,5}(\\.9)?(e9)?".prop_map(|number| number)];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|values| format!("[{}]", values.join(", "))),
            vec((select(vec!["a", "token", "b}", "c]"]), inner), 0..4).prop_map(|pairs| {
                let pairs: Vec<_> = pairs.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", pairs.join(","))
            }),
        ]
    })
}

/// A listed key as JSON may have it: in any case, with letters escaped, as a part of a longer one.
fn secret_key() -> impl Strategy<Value = String> {
    let frame = select(vec![("", ""), ("user.", ""), ("", "[]"), (" ", " "), ("a[", "]")]);
    (select(RedactSettings::default().query), vec(0..3_u8, 1..9), frame).prop_map(|(key, ways, (before, after))| {
        let letter = |(letter, way): (char, &u8)| match way {
            0 => letter.to_string(),
            1 => letter.to_ascii_uppercase().to_string(),
            _ => format!("\\u{:04x}", u32::from(letter)),
        };
        let key: String = key.chars().zip(ways.iter().cycle()).map(letter).collect();
        format!("\"{before}{key}{after}\"")
    })
}

/// Values that are no secret, without its alphabet, and some that look like structure.
fn harmless() -> impl Strategy<Value = &'static str> {
    select(vec![
        "1",
        "true",
        "null",
        "\"x\"",
        "\"a:b\"",
        "\"\\\"}\"",
        "[]",
        "{\"a\":[1]}",
        "\"\"",
        "\"https://h/?a=1\"",
    ])
}

/// A document with secrets under listed keys, in JSON of any layout.
fn document() -> impl Strategy<Value = String> {
    let member = prop_oneof![
        (secret_key(), select(vec![":", " : ", ":\n  "]), secret_value())
            .prop_map(|(key, colon, value)| format!("{key}{colon}{value}")),
        harmless().prop_map(|value| format!("\"h\":{value}")),
    ];
    (vec(member, 1..5), select(vec![("{", "}"), ("[{", "}]"), ("{\"o\": {", "}}"), (" {\n", "\n}\n")]))
        .prop_map(|(members, (open, close))| format!("{open}{}{close}", members.join(", ")))
}

fn is_leak(text: &str) -> bool {
    text.contains(['Q', '7', '9']) || text.contains("\\u0051")
}

/// Cuts the body at every byte; nothing of a secret may ever be left.
fn assert_hidden_however_cut(media_type: &str, body: &str) -> Result<(), TestCaseError> {
    let policy = policy();
    for end in 0..=body.len() {
        let cut = &body.as_bytes()[..end];
        let written = String::from_utf8_lossy(&policy.body(media_type, cut)).into_owned();
        // Keys may be escaped with these digits: they are names, not values.
        let values = (0..128_u32).fold(written.clone(), |text, code| match char::from_u32(code) {
            Some('Q') | None => text,
            Some(_) => text.replace(&format!("\\u{code:04x}"), "").replace(&format!("\\u{code:04X}"), ""),
        });
        let values =
            values.rsplit_once("\\u00").filter(|(_, rest)| rest.len() < 2).map_or(values.as_str(), |(rest, _)| rest);
        prop_assert!(!is_leak(values), "{written}\nfrom {}", String::from_utf8_lossy(cut));
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_secret_in_json_survives_wherever_it_is_cut(body in document()) {
        serde_json::from_str::<serde_json::Value>(&body).expect("JSON");
        assert_hidden_however_cut("application/json", &body)?;
    }

    #[test]
    fn nor_where_json_is_within_a_string_of_json(body in document()) {
        let outer = serde_json::json!({ "sent": body, "b": 1 }).to_string();
        let policy = policy();
        for end in 0..=outer.len() {
            let written = String::from_utf8_lossy(&policy.body("text/plain", &outer.as_bytes()[..end])).into_owned();
            prop_assert!(!written.contains("QQ") && !written.contains("Q\\"), "{written}\nfrom {}", &outer[..end.min(outer.len())]);
        }
    }

    #[test]
    fn nor_in_a_text_of_lines(
        before in "[a-f ]{0,8}", key in select(RedactSettings::default().query), separator in select(vec!["=", ": ", " = ", "\": ", "' => "]),
        secret in "Q[Q ,;=\"'{}/?%+-]{0,10}", after in "\n[a-f]{0,8}",
    ) {
        assert_hidden_however_cut("text/plain", &format!("{before} {key}{separator}{secret}{after}"))?;
    }

    #[test]
    fn nor_in_a_form(before in "([a-f]{1,3}=[a-f%]{0,3}&){0,3}", key in select(RedactSettings::default().query), secret in "Q[Q+%=;?]{0,8}") {
        assert_hidden_however_cut("application/x-www-form-urlencoded", &format!("{before}{key}={secret}&b=1"))?;
    }

    #[test]
    fn json_without_secrets_is_left_as_it_is(members in vec(harmless(), 0..6), end in 0..200_usize) {
        let body = format!("[{}]", members.join(", "));
        let cut = &body[..end.min(body.len())];
        prop_assert_eq!(clean("application/json", cut), cut);
    }

    #[test]
    fn what_was_whole_json_stays_json(body in document()) {
        let written = clean("application/json", &body);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&written).is_ok(), "{}", written);
    }

    #[test]
    fn whatever_the_bytes_it_ends(bytes in vec(select(b"\"\\{}[]:,=&%'token x\n\xff0".to_vec()), 0..300)) {
        policy().body("application/json", &bytes);
        policy().body("text/plain", &bytes);
    }
}
