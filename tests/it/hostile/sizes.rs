//! Too long, too many, too slow: at the default limits (`header_bytes` 32 KB, `header_count` 100, `uri_bytes` 16 KB).

use super::{Case, either, get_with, got, passed, refused};

const TOO_LARGE: &[u16] = &[431];

fn fields(count: usize) -> Vec<u8> {
    let lines: Vec<_> = (0..count).map(|index| format!("X-{index}: y")).collect();
    get_with(lines.join("\r\n"))
}

fn target(length: usize) -> Vec<u8> {
    format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "t".repeat(length - 1)).into_bytes()
}

fn slow(name: &str, bytes: impl AsRef<[u8]>) -> Case {
    refused(&format!("half a head: {name}"), bytes, &[408])
}

/// The table.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        passed("target of 15 KB", target(15_000), [got(format!("/{}", "t".repeat(14_999)))]),
        refused("target of 17 KB", target(17_000), &[414]),
        refused("target of 60 KB", target(60_000), &[414, 431]),
        refused("target of a megabyte", target(1 << 20), &[414, 431]),
        refused("target without end", format!("GET /{}", "t".repeat(1 << 20)), &[414, 431]),
        refused("query of 17 KB", format!("GET /?{} HTTP/1.1\r\nHost: a\r\n\r\n", "q".repeat(17_000)), &[414]),
        passed("field of 16 KB", get_with(format!("X-A: {}", "y".repeat(16_000))), [got("/")]),
        refused("field of 33 KB", get_with(format!("X-A: {}", "y".repeat(33_000))), TOO_LARGE),
        refused("field of a megabyte", get_with(format!("X-A: {}", "y".repeat(1 << 20))), TOO_LARGE),
        refused("field without end", format!("GET / HTTP/1.1\r\nHost: a\r\nX-A: {}", "y".repeat(1 << 20)), TOO_LARGE),
        refused("field name of 40 KB", get_with(format!("{}: y", "X".repeat(40_000))), &[400, 431]),
        refused("cookie of 100 KB", get_with(format!("Cookie: {}", "c=1; ".repeat(20_000))), TOO_LARGE),
        refused(
            "fields of 33 KB in all",
            get_with(format!("X-A: {}\r\n", "y".repeat(1000)).repeat(33).trim_end()),
            TOO_LARGE,
        ),
        passed("fields, 90", fields(90), [got("/")]),
        either("fields, 100", fields(99), TOO_LARGE, [got("/")]),
        refused("fields, 102", fields(101), TOO_LARGE),
        refused("fields, 1000", fields(1000), TOO_LARGE),
        refused("fields, 10000 of two bytes", get_with("a:\r\n".repeat(10_000) + "a:"), TOO_LARGE),
        refused(
            "fields without end",
            "GET / HTTP/1.1\r\nHost: a\r\n".to_owned() + &"a: b\r\n".repeat(50_000),
            TOO_LARGE,
        ),
        refused("spaces without end", format!("GET / HTTP/1.1\r\nHost: a\r\nX-A:{}", " ".repeat(1 << 20)), TOO_LARGE),
        slow("inside the method", "GE"),
        slow("inside the target", "GET /abc"),
        slow("inside the version", "GET / HTTP/1"),
        slow("inside a name", "GET / HTTP/1.1\r\nHost: a\r\nX-H"),
        slow("inside a value", "GET / HTTP/1.1\r\nHost: a\r\nX-H: hal"),
        slow("before the last line end", "GET / HTTP/1.1\r\nHost: a\r\n"),
        slow("inside the last line end", "GET / HTTP/1.1\r\nHost: a\r\n\r"),
    ]
}
