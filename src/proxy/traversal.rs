//! Paths that leave their folder: `..` in any disguise, backslashes, and what ends a string in C.
//!
//! The path goes on as it came; this only looks at it. Ordinary paths cost a search for three bytes.

use memchr::{memchr_iter, memchr2, memchr3};
use percent_encoding::percent_decode;

/// How often a path is decoded: somebody behind us may do it more than once.
const DECODINGS: usize = 3;

/// What is wrong with a path, in a sentence.
#[inline]
pub(super) fn suspicion(path: &[u8]) -> Option<&'static str> {
    memchr3(b'%', b'\\', b'.', path).and_then(|at| look(path, at))
}

/// Looks closer, from the first byte that can be part of it.
fn look(path: &[u8], at: usize) -> Option<&'static str> {
    if let Some(what) = plain(path, at.saturating_sub(1)) {
        return Some(what);
    }
    let coded = path[at..].windows(3).any(|code| code[0] == b'%' && is_telling(code[1], code[2]));
    if coded { disguised(path) } else { None }
}

/// What a path is that needs no decoding; nothing is wrong before `from`.
fn plain(path: &[u8], from: usize) -> Option<&'static str> {
    let rest = &path[from..];
    if memchr2(b'\\', 0, rest).is_some() {
        return Some(if rest.contains(&0) { "a NUL in the path" } else { "a backslash in the path" });
    }
    has_dot_dot(rest).then_some("a .. segment in the path")
}

/// A segment `..`, perhaps with parameters behind it, which some servers cut off before they resolve it.
fn has_dot_dot(path: &[u8]) -> bool {
    memchr_iter(b'.', path).any(|at| {
        let begins = at == 0 || path[at - 1] == b'/';
        begins && path.get(at + 1) == Some(&b'.') && matches!(path.get(at + 2), None | Some(b'/' | b';'))
    })
}

/// Codes of `.`, `/`, `\`, NUL, and of the mark itself.
fn is_telling(high: u8, low: u8) -> bool {
    matches!((high, low), (b'2', b'e' | b'E' | b'f' | b'F' | b'5') | (b'5', b'c' | b'C') | (b'0', b'0'))
}

fn disguised(path: &[u8]) -> Option<&'static str> {
    let mut decoded = path.to_vec();
    for _ in 0..DECODINGS {
        let next: Vec<u8> = percent_decode(&decoded).collect();
        if next == decoded {
            return None;
        }
        decoded = next;
        if plain(&decoded, 0).is_some() {
            return Some("an encoded NUL, backslash or .. segment in the path");
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn attempts_are_recognised_in_any_disguise() {
        for path in [
            "/..",
            "/../",
            "/a/../b",
            "/a/..;x=1/b",
            "/a/%2e%2e/b",
            "/a/.%2E/b",
            "/a%2f..%2fb",
            "/%252e%252e/a",
            "/a/%25252e./b",
            "/a\\b",
            "/..\\a",
            "/a%5cb",
            "/a%255Cb",
            "/a%00.png",
            "/a/..%00/",
            "..",
            "/a/..%2f",
        ] {
            assert!(suspicion(path.as_bytes()).is_some(), "{path}");
        }
    }

    #[test]
    fn ordinary_paths_are_not() {
        for path in [
            "/",
            "",
            "/index.html",
            "/a/./b",
            "/a..b",
            "/a/...",
            "/..a/b../c",
            "/v1.0/..hidden",
            "/caf%C3%A9/1%2C2",
            "/group%2Fproject",
            "/100%25",
            "/file%2etxt",
            "/%",
            "/a%2",
            "/.well-known/x",
            "*",
        ] {
            assert_eq!(suspicion(path.as_bytes()), None, "{path}");
        }
    }

    /// Every byte of `..` as it is, or encoded once or twice.
    fn dot() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![".", "%2e", "%2E", "%252e", "%25252E"])
    }

    proptest! {
        #[test]
        fn a_dot_dot_segment_is_found_wherever_it_is(
            before in "(/[a-z.]{0,3}[a-z]){0,3}", one in dot(), other in dot(), after in "(/[a-z]{0,3}){0,3}",
            slash in prop::sample::select(vec!["/", "%2f", "%252F"]),
        ) {
            let path = format!("{before}{slash}{one}{other}{after}");
            prop_assert!(suspicion(path.as_bytes()).is_some(), "{}", path);
        }

        #[test]
        fn names_without_dots_at_both_ends_are_left_alone(path in "(/[a-z]([a-z.]|%C3%A9|%20|%2e){0,6}[a-z]){0,5}/?") {
            prop_assert_eq!(suspicion(path.as_bytes()), None);
        }
    }
}
