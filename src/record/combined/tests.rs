//! Lines as Apache and nginx write them, byte for byte, and what has none.

use proptest::prelude::*;

use super::*;
use crate::record::Level;
use crate::record::tests::samples::{any_record, each, facts, head, progress};

fn line(facts: &Facts<'_>, progress: &Progress<'_>) -> String {
    let head = head(Event::RequestCompleted, Level::Info);
    let mut out = Vec::new();
    let body = Body::Request { facts, progress: Some(progress) };
    assert!(Combined::default().record(&Record { head, body }, &mut out));
    String::from_utf8(out).unwrap()
}

#[test]
fn only_completed_requests_have_a_line() {
    let mut lines = String::new();
    each(|name, record| {
        let mut out = Vec::new();
        let written = Combined::default().record(record, &mut out);
        assert_eq!(written, name.starts_with("completed"), "{name}");
        assert_eq!(out.is_empty(), !written, "{name}");
        lines += &String::from_utf8(out).unwrap();
    });
    assert_eq!(
        lines,
        concat!(
            r#"203.0.113.7 - alice [22/Nov/2026:11:02:36 +0000] "GET /posts/42/?page=2&q=a+b HTTP/2.0" 200 1234 "#,
            r#""https://shop.example/" "Mozilla/5.0 (X11; \"Linux\") \\o/""#,
            "\n",
            r#"- - - [22/Nov/2026:11:02:36 +0000] "PURGE /\xff\" HTTP/1.1" 502 - "-" "-""#,
            "\n"
        )
    );
}

#[test]
fn a_client_that_left_is_499() {
    let left = Progress { status_code: Some(499), response_size: None, ..progress() };
    assert!(line(&facts(), &left).contains(r#" HTTP/2.0" 499 - ""#));
}

#[test]
fn a_tunnel_shows_the_host_it_asked_for() {
    let connect =
        Facts { method: "CONNECT", path: b"", query: None, host: Some(b"db:5432"), http_version: "1.1", ..facts() };
    assert!(line(&connect, &progress()).contains(r#"] "CONNECT db:5432 HTTP/1.1" 200"#));
}

#[test]
fn bytes_are_escaped_as_apache_does() {
    let agent = (0..=255).collect::<Vec<u8>>();
    let line = line(&Facts { user_agent: Some(&agent), ..facts() }, &progress());
    let (_, agent) = line.split_once("/\" \"").unwrap();
    assert!(agent.starts_with(r"\x00\x01\x02\x03\x04\x05\x06\x07\b\t\n\v\x0c\r\x0e\x0f\x10"), "{agent}");
    assert!(agent.contains("\\x1f !\\\"#$%&'()"), "{agent}");
    assert!(agent.contains(r"XYZ[\\]^_`abc") && agent.contains(r"{|}~\x7f\x80\x81"), "{agent}");
    assert!(agent.ends_with("\\xfe\\xff\"\n"), "{agent}");
}

#[test]
fn a_name_with_blanks_shifts_no_column() {
    let named = Progress { user_id: Some(b"a [b] \"c\" "), ..progress() };
    assert!(line(&facts(), &named).starts_with(r#"203.0.113.7 - a\x20\x5bb]\x20\"c\"\x20 [22/Nov/"#));
}

/// The columns of a line, read as Apache documents the format.
fn columns(line: &str) -> Vec<String> {
    let mut columns = Vec::new();
    let mut rest = line.strip_suffix('\n').unwrap();
    while !rest.is_empty() {
        let end = match rest.as_bytes()[0] {
            b'[' => rest.find(']').unwrap() + 1,
            b'"' => quoted_end(rest),
            _ => rest.find(' ').unwrap_or(rest.len()),
        };
        columns.push(rest[..end].to_owned());
        rest = rest[end..].strip_prefix(' ').unwrap_or_default();
    }
    columns
}

fn quoted_end(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.unwrap() + 2
}

proptest! {
    #[test]
    fn whatever_the_bytes_there_are_nine_columns(any in any_record()) {
        any.with(|record| {
            let Body::Request { facts, .. } = record.body else { return };
            let facts = Facts { ip_address: Some("203.0.113.7"), ..*facts };
            let mut out = Vec::new();
            if Combined::default().record(&Record { body: body(record, &facts), ..*record }, &mut out) {
                let line = String::from_utf8(out).unwrap();
                assert!(line.trim_end().bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line:?}");
                assert_eq!(columns(&line).len(), 9, "{line:?}");
            }
        });
    }
}

fn body<'a>(record: &Record<'a>, facts: &'a Facts<'a>) -> Body<'a> {
    match record.body {
        Body::Request { progress, .. } => Body::Request { facts, progress },
        body => body,
    }
}
