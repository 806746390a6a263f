//! The path of a request as Django's resolver gets to see it.
//!
//! Under WSGI the server percent-decodes the path into bytes (`PATH_INFO`), and Django reads those as UTF-8; bytes that
//! are no UTF-8 it writes back as `%XX` (RFC 3987 §3.2). So `%2F` is a slash, `%25` a percent sign, and `%FF` stays `%FF`.

use std::borrow::Cow;

/// Decodes a path as sent. Nothing is copied unless it holds an escape.
///
/// Characters beyond ASCII that were sent bare are taken as they are. An empty path is `/`.
pub(super) fn decode(path: &str) -> Cow<'_, str> {
    if path.is_empty() {
        return Cow::Borrowed("/");
    }
    if memchr::memchr(b'%', path.as_bytes()).is_none() {
        return Cow::Borrowed(path);
    }
    match percent_encoding::percent_decode_str(path).into() {
        Cow::Borrowed(_) => Cow::Borrowed(path),
        Cow::Owned(bytes) => Cow::Owned(text(bytes)),
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| escape_broken(error.as_bytes()))
}

fn escape_broken(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(percent_encoding::percent_encode(chunk.invalid(), percent_encoding::NON_ALPHANUMERIC));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths_are_borrowed() {
        assert!(matches!(decode("/posts/42/"), Cow::Borrowed("/posts/42/")));
        assert!(matches!(decode("/100%/"), Cow::Borrowed("/100%/")));
        assert_eq!(decode(""), "/");
    }

    #[test]
    fn escapes_are_decoded_once() {
        assert_eq!(decode("/a%2Fb%252F/caf%c3%a9/%0A%00"), "/a/b%2F/café/\n\0");
        assert_eq!(decode("/%zz/%4"), "/%zz/%4");
    }

    #[test]
    fn broken_utf8_is_escaped_again() {
        assert_eq!(decode("/%ff%c3/%c3%28/%ed%a0%80/%F0%9F%98"), "/%FF%C3/%C3(/%ED%A0%80/%F0%9F%98");
    }
}
