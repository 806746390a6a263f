//! Fields that an intermediary acts on: Connection, Expect, TE, Upgrade, Max-Forwards, and those it writes itself.

use super::{Case, either, get_with, got, passed, post_with, posted, refused, seen};

/// The table.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = connection();
    cases.extend(upgrade());
    cases.extend(expect());
    cases.extend(max_forwards());
    cases.extend(own_fields());
    cases
}

fn connection() -> Vec<Case> {
    vec![
        either("connection names host", get_with("Connection: host"), &[400], [got("/").with("host", "a")]),
        either(
            "connection names content-length",
            post_with("Connection: content-length\r\nContent-Length: 5", "hello"),
            &[400],
            [posted("hello")],
        ),
        either(
            "connection names transfer-encoding",
            post_with("Connection: transfer-encoding\r\nTransfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
            &[400],
            [posted("hello")],
        ),
        passed(
            "connection names x-forwarded-for",
            get_with("Connection: close, x-forwarded-for\r\nX-Forwarded-For: 1.2.3.4"),
            [got("/").with("x-forwarded-for", "127.0.0.1")],
        ),
        passed("connection names via", get_with("Connection: via"), [got("/").without("connection")]),
        passed("connection names itself", get_with("Connection: connection"), [got("/").without("connection")]),
        passed(
            "connection names many",
            get_with("Connection: x-a, x-b\r\nConnection: x-c\r\nX-A: 1\r\nX-B: 2\r\nX-C: 3"),
            [got("/").without("x-a").without("x-b").without("x-c")],
        ),
        passed("connection names with odd case", get_with("CONNECTION: X-a\r\nx-A: 1"), [got("/").without("x-a")]),
        passed("connection of commas", get_with("Connection: ,,, ,"), [got("/")]),
        passed("connection empty", get_with("Connection:"), [got("/")]),
        passed(
            "connection with no token",
            get_with("Connection: @, \"close\", x-a\r\nX-A: 1"),
            [got("/").without("x-a")],
        ),
        passed("keep-alive with a timeout", get_with("Keep-Alive: timeout=999999"), [got("/").without("keep-alive")]),
        passed("proxy-connection", get_with("Proxy-Connection: close"), [got("/").without("proxy-connection")]),
        passed("te gzip", get_with("TE: gzip, deflate;q=0.5"), [got("/").without("te")]),
        passed("te rubbish", get_with("TE: ;;;,\"\r\nConnection: TE"), [got("/").without("te")]),
        passed("te trailers named", get_with("TE: trailers\r\nConnection: TE"), [got("/")]),
        refused("connection with a nul", get_with(b"Connection: clo\x00se"), &[400]),
    ]
}

fn upgrade() -> Vec<Case> {
    vec![
        passed("upgrade not named by connection", get_with("Upgrade: websocket"), [got("/").without("upgrade")]),
        passed(
            "upgrade to h2c",
            get_with("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"),
            [got("/").without("upgrade").without("http2-settings")],
        ),
        passed(
            "upgrade to h2c, settings not named",
            get_with("Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"),
            [got("/").without("upgrade")],
        ),
        passed("upgrade of rubbish", get_with("Upgrade: ,;\"(\r\nConnection: foo"), [got("/").without("upgrade")]),
        passed(
            "upgrade in HTTP/1.0",
            "GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            [got("/").without("upgrade")],
        ),
    ]
}

fn expect() -> Vec<Case> {
    let expecting = |value: &str| post_with(format!("Expect: {value}\r\nContent-Length: 5"), "hello");
    vec![
        passed("expect with the body sent at once", expecting("100-continue"), [posted("hello")]),
        passed("expect in capitals", expecting("100-CONTINUE"), [posted("hello")]),
        passed("expect without a body", get_with("Expect: 100-continue"), [got("/")]),
        either("expect of nonsense", expecting("nonsense"), &[400, 417], [posted("hello")]),
        either("expect of a list", expecting("100-continue, x"), &[400, 417], [posted("hello")]),
        either("expect twice", expecting("100-continue\r\nExpect: 100-continue"), &[400, 417], [posted("hello")]),
        either("expect with a word before", expecting("y 100-continue"), &[400, 417], [posted("hello")]),
        either("expect empty", expecting(""), &[400, 417], [posted("hello")]),
        either("expect 200-ok", expecting("200-ok"), &[400, 417], [posted("hello")]),
        passed(
            "expect in HTTP/1.0",
            "POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
            [posted("hello")],
        ),
    ]
}

fn max_forwards() -> Vec<Case> {
    let options = |value: &str| format!("OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: {value}\r\n\r\n");
    let odd = |name: &str, value: &str| {
        either(&format!("max-forwards {name}"), options(value), &[400], [seen("OPTIONS", "/", "")])
    };
    vec![
        passed("max-forwards one", options("1"), [seen("OPTIONS", "/", "").with("max-forwards", "0")]),
        odd("negative", "-1"),
        odd("rubbish", "many"),
        odd("empty", ""),
        odd("huge", "99999999999999999999999"),
        passed("max-forwards zero with GET", get_with("Max-Forwards: 0"), [got("/")]),
    ]
}

/// Twins that CGI and WSGI cannot tell from the fields that gatelog writes.
fn own_fields() -> Vec<Case> {
    let twin = |name: &'static str| {
        let case = format!("{name} as a twin");
        either(&case, get_with(format!("{name}: 1.2.3.4")), &[400], [got("/").without(lower(name))])
    };
    vec![
        passed(
            "x-forwarded-for spoofed",
            get_with("X-Forwarded-For: 1.2.3.4"),
            [got("/").with("x-forwarded-for", "127.0.0.1")],
        ),
        passed(
            "x-forwarded-for spoofed twice",
            get_with("x-forwarded-for: 1.2.3.4\r\nX-FORWARDED-FOR: 5.6.7.8"),
            [got("/").with("x-forwarded-for", "127.0.0.1")],
        ),
        passed(
            "x-forwarded-host spoofed",
            get_with("X-Forwarded-Host: evil"),
            [got("/").with("x-forwarded-host", "a")],
        ),
        passed(
            "x-forwarded-proto spoofed",
            get_with("X-Forwarded-Proto: https"),
            [got("/").with("x-forwarded-proto", "http")],
        ),
        twin("X_Forwarded_For"),
        twin("X_Forwarded_Host"),
        twin("X_Forwarded_Proto"),
        twin("X_Request_ID"),
    ]
}

fn lower(name: &'static str) -> &'static str {
    match name {
        "X_Forwarded_For" => "x_forwarded_for",
        "X_Forwarded_Host" => "x_forwarded_host",
        "X_Forwarded_Proto" => "x_forwarded_proto",
        _ => "x_request_id",
    }
}
