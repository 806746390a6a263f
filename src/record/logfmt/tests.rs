//! Whole lines, and that a reader which knows nothing of the writer gets out what went in.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::record::tests::samples::{any_record, each};
use crate::record::tests::{flat, logfmt, native};

#[test]
fn lines_of_each_kind() {
    let mut lines = String::new();
    each(|name, record| {
        if matches!(name, "completed" | "failed" | "rejected" | "loss" | "server") {
            lines += &logfmt(false, record);
        }
    });
    assert_eq!(
        lines,
        r#"timestamp=2026-11-22T11:02:36.000123Z level=INFO event=request_completed message="Request completed" logger=gatelog.request schema=1 seq=7 instance=i1 service=shop environment=production request_id=01997f3e-0001-7000-8000-000000000001 request_id_origin=generated trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7 method=GET scheme=https host=shop.example:8443 path=/posts/42/ query="page=2&q=a+b" http_version=2 view_name="blog:post detail" view_kwargs.pk=42 view_kwargs.slug="a b" route=/posts/{pk}/ user_id=alice ip_address=203.0.113.7 peer_address=[2001:db8::1]:51234 user_agent="Mozilla/5.0 (X11; \"Linux\") \\o/" referer=https://shop.example/ content_type=text/plain content_length=12 request_size=12 status_code=200 response_size=1234 response_content_type=text/html cache_hit=unknown duration=0.053210 timing.queue=0.000010 timing.wait=0.052000 timing.receive=0.001200 server_timing.db=0.053000 outcome=success phase=done responder=upstream upstream=app upstream_address=127.0.0.1:8000 attempts=1 reused_connection=true slow=false sample_rate=0.1 tls.version=TLSv1.3 tls.cipher=TLS_AES_128_GCM_SHA256 tls.sni=shop.example tls.alpn=h2 tls.client_subject="CN=robot,O=Shop" grpc_status=0 labels.X-Tenant=a labels.region=eu-1
timestamp=2026-11-22T11:02:36.000123Z level=ERROR event=request_failed message="Request failed with exception" logger=gatelog.request schema=1 seq=7 instance=i1 service=shop environment=production request_id=f1 request_id_origin=client method=PURGE scheme=http path="/�\"" http_version=1.1 view_name=unknown request_size=0 status_code=502 response_size=0 duration=0.000310 outcome=upstream_refused phase=connect responder=gatelog upstream=app upstream_address=127.0.0.1:8000 exception_type=connection_refused exception_message="127.0.0.1:8000 refused\nthe connection" slow=false
timestamp=2026-11-22T11:02:36.000123Z level=WARNING event=request_rejected message="Request rejected" logger=gatelog.security schema=1 seq=7 instance=i1 service=shop environment=production request_id=r1 peer_address=192.0.2.1:999 status_code=400 reason=bare_lf detail="a line ends without CR" excerpt="GET /\\x1b[2J\\xff"
timestamp=2026-11-22T11:02:36.000123Z level=WARNING event=log_loss message="Log records lost" logger=gatelog.proxy schema=1 seq=7 instance=i1 service=shop environment=production output=stdout count=3 from_seq=4 to_seq=6 reason=queue_full
timestamp=2026-11-22T11:02:36.000123Z level=INFO event=server_started message="Server started" logger=gatelog.proxy schema=1 seq=7 instance=i1 service=shop environment=production message_="x y" listen.0=http://[::]:80 listen.1=https://[::]:443 workers=2
"#
    );
}

#[test]
fn values_stand_in_quotes_only_where_they_must() {
    for (value, written) in [
        ("", r#""""#),
        ("null", r#""null""#),
        ("nullable", "nullable"),
        (r"a\b", r"a\b"),
        ("a b", r#""a b""#),
        ("a=b", r#""a=b""#),
        ("a\"\\b", r#""a\"\\b""#),
        ("é", "é"),
        ("\u{85}", r#""\u0085""#),
        ("\t\n\r\x00\x7f", r#""\t\n\r\u0000\u007f""#),
    ] {
        let mut out = Vec::new();
        quoted_where_needed(value.as_bytes(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), written);
    }
}

/// A value as a reader takes it.
#[derive(Debug, PartialEq)]
enum Read {
    Bare(String),
    Quoted(String),
}

/// Reads a line as the format is described for readers: blanks separate pairs, a key ends at `=`, a value at a blank
/// unless it is quoted.
fn read(line: &str) -> Vec<(String, Read)> {
    let mut pairs = Vec::new();
    let mut rest = line.strip_suffix('\n').unwrap();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=').unwrap();
        let bad = |c: char| c <= ' ' || c == '"' || c == '\u{fffd}';
        assert!(!key.is_empty() && !key.contains(bad), "{key:?} in {line}");
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => read_quoted(quoted),
            None => {
                let (value, after) = after.split_at(after.find(' ').unwrap_or(after.len()));
                assert!(!value.is_empty() && !value.contains(['"', '=', '\u{fffd}']), "{value:?} in {line}");
                (Read::Bare(value.to_owned()), after)
            }
        };
        pairs.push((key.to_owned(), value));
        rest = after.strip_prefix(' ').unwrap_or(after);
        assert!(after.is_empty() || rest.len() < after.len(), "no blank before {rest:?}");
    }
    pairs
}

fn read_quoted(text: &str) -> (Read, &str) {
    let mut value = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next().unwrap() {
            '"' => return (Read::Quoted(value), chars.as_str()),
            '\\' => value.push(match chars.next().unwrap() {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'u' => {
                    let digits: String = chars.by_ref().take(4).collect();
                    char::from_u32(u32::from_str_radix(&digits, 16).unwrap()).unwrap()
                }
                same @ ('"' | '\\') => same,
                other => panic!("no escape: {other:?}"),
            }),
            c => value.push(c),
        }
    }
}

/// A name as a key can be, by go-logfmt's rules.
fn clean(name: &str) -> String {
    let bad = |c: char| c <= ' ' || c.is_control() || "=\"\u{2028}\u{2029}\u{fffd}".contains(c);
    let clean: String = name.chars().map(|c| if bad(c) { '_' } else { c }).collect();
    if clean.is_empty() { "_".into() } else { clean }
}

fn agrees(value: &Json, read: &Read) -> bool {
    match (value, read) {
        (Json::Null, Read::Bare(text)) => text == "null",
        (Json::Bool(truth), Read::Bare(text)) => *text == truth.to_string(),
        (Json::Number(_), Read::Bare(text)) => serde_json::from_str::<Json>(text).ok().as_ref() == Some(value),
        (Json::String(string), Read::Bare(text)) => string == text && text != "null",
        (Json::String(string), Read::Quoted(text)) => string == text,
        _ => false,
    }
}

proptest! {
    #[test]
    fn a_reader_gets_the_fields_of_the_native_line(any in any_record()) {
        any.with(|record| {
            let (line, fields) = (logfmt(any.nulls, record), flat(&native(any.nulls, record), clean));
            let pairs = read(&line);
            assert_eq!(pairs.len(), fields.len(), "{line}");
            for ((key, read), (name, value)) in pairs.iter().zip(&fields) {
                assert_eq!(key, name);
                assert!(agrees(value, read), "{key}: {read:?} is not {value}");
            }
        });
    }
}
