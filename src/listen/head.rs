//! The head of an HTTP/1 request, judged before hyper sees it.
//!
//! hyper answers a malformed head itself and tells nobody, and it takes `Content-Length` silently away beside
//! `Transfer-Encoding`. So every head passes here first: what two readers could read differently is refused, with a reason
//! for the log, and what passes has exactly one reading. The rules are those of RFC 9112 §2.2, §3, §5 and §6.

use thiserror::Error;

use crate::net::chunked::is_token;

/// What one head may measure.
#[derive(Debug, Clone, Copy)]
pub struct HeadLimits {
    /// All of it, in bytes.
    pub head_bytes: usize,
    /// Its fields.
    pub fields: usize,
    /// The request target, in bytes.
    pub target_bytes: usize,
}

/// How the body after a head is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes; 0 for none.
    Length(u64),
    /// In the chunked coding.
    Chunked,
    /// There is none, and the client offers another protocol: what comes next is its first words in whichever is chosen.
    Upgrade,
}

/// Why a head was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HeadError {
    /// Larger than `limits.header_bytes`.
    #[error("the head is larger than limits.header_bytes")]
    TooLarge,
    /// More fields than `limits.header_count`.
    #[error("the head has more fields than limits.header_count")]
    TooManyFields,
    /// A target longer than `limits.uri_bytes`.
    #[error("the request target is longer than limits.uri_bytes")]
    TargetTooLong,
    /// No `METHOD SP TARGET SP HTTP/x.y`.
    #[error("the request line is malformed")]
    RequestLine,
    /// A version other than 1.0 and 1.1.
    #[error("the HTTP version is not supported")]
    Version,
    /// A line ended by LF alone.
    #[error("a line is ended by a bare LF")]
    BareLf,
    /// CR that is not followed by LF.
    #[error("a CR is not followed by LF")]
    BareCr,
    /// A line that begins with white space (obs-fold, RFC 9112 §5.2).
    #[error("a field is folded over several lines")]
    ObsFold,
    /// A field name that is no token, or white space before the colon.
    #[error("a field name is malformed")]
    FieldName,
    /// A control character in a field value.
    #[error("a field value holds a control character")]
    FieldValue,
    /// `Content-Length` that is no number, or several that differ.
    #[error("Content-Length is malformed or contradicts itself")]
    ContentLength,
    /// A `Transfer-Encoding` other than exactly one `chunked`.
    #[error("Transfer-Encoding is not exactly \"chunked\"")]
    TransferEncoding,
    /// Both (RFC 9112 §6.1: an attempt at request smuggling).
    #[error("Content-Length and Transfer-Encoding contradict each other")]
    FramingConflict,
    /// None in HTTP/1.1, or several, or one that names no host.
    #[error("Host is missing, given twice, or malformed")]
    Host,
}

impl HeadError {
    /// The status to answer with.
    pub const fn status(self) -> u16 {
        match self {
            HeadError::TooLarge | HeadError::TooManyFields => 431,
            HeadError::TargetTooLong => 414,
            HeadError::Version => 505,
            HeadError::TransferEncoding => 501,
            _ => 400,
        }
    }

    /// The token of the record.
    pub const fn reason(self) -> &'static str {
        match self {
            HeadError::TooLarge => "header_bytes",
            HeadError::TooManyFields => "header_count",
            HeadError::TargetTooLong => "uri_bytes",
            HeadError::RequestLine => "request_line",
            HeadError::Version => "http_version",
            HeadError::BareLf => "bare_lf",
            HeadError::BareCr => "bare_cr",
            HeadError::ObsFold => "obs_fold",
            HeadError::FieldName => "field_name",
            HeadError::FieldValue => "field_value",
            HeadError::ContentLength => "content_length",
            HeadError::TransferEncoding => "transfer_encoding",
            HeadError::FramingConflict => "framing_conflict",
            HeadError::Host => "host",
        }
    }
}

/// Where the head that `bytes` begin with ends: after its empty line. Lines before the request line count to it
/// (RFC 9112 §2.2). A bare LF ends a line here too, so that [`check`] sees and refuses it.
pub fn end(bytes: &[u8]) -> Option<usize> {
    let mut line = skip_empty_lines(bytes);
    loop {
        let length = memchr::memchr(b'\n', &bytes[line..])?;
        if matches!(&bytes[line..line + length], b"" | b"\r") {
            return Some(line + length + 1);
        }
        line += length + 1;
    }
}

/// The end and the framing of a head that is whole and plainly good, found in one pass over it. Whatever is not ordinary,
/// bad or good, is left to [`end`] and [`check`].
pub fn plain(bytes: &[u8], limits: &HeadLimits) -> Option<(usize, Framing)> {
    let mut at = plain_request_line(bytes, limits)?;
    let mut fields = Fields::default();
    while !bytes[at..].starts_with(b"\r\n") {
        let rest = &bytes[at..];
        let colon = rest.iter().position(|byte| !is_token(*byte)).filter(|at| *at > 0 && rest[*at] == b':')?;
        let end = colon + 1 + clean_run(&rest[colon + 1..]);
        if rest.get(end..end + 2)? != b"\r\n" {
            return None;
        }
        fields.note(&rest[..colon], trim_ows(&rest[colon + 1..end]), limits).ok()?;
        at += end + 2;
    }
    let end = at + 2;
    if end > limits.head_bytes {
        return None;
    }
    Some((end, fields.framing(1).ok()?))
}

/// Where an HTTP/1.1 request line with a plain target in origin-form ends.
fn plain_request_line(bytes: &[u8], limits: &HeadLimits) -> Option<usize> {
    let method = bytes.iter().position(|byte| !is_token(*byte)).filter(|at| *at > 0)?;
    let target = bytes.get(method..)?.strip_prefix(b" ").filter(|rest| rest.starts_with(b"/"))?;
    let length = target.iter().position(|byte| !PLAIN_TARGET[usize::from(*byte)])?;
    let version = b" HTTP/1.1\r\n";
    let whole = target[length..].starts_with(version) && length <= limits.target_bytes;
    whole.then_some(method + 1 + length + version.len())
}

/// How many bytes from the beginning may surely stand in a field value; eight at a time, so perhaps a few too few.
fn clean_run(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let mut run = 0;
    for word in bytes.chunks_exact(8) {
        let word = word.try_into().map_or(0, u64::from_le_bytes);
        // The lowest mark is right; those above it may be wrong, by a borrow.
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let delete = (word ^ (ONES * 0x7f)).wrapping_sub(ONES) & !(word ^ (ONES * 0x7f));
        let marks = (control | delete) & HIGH;
        if marks != 0 {
            return run + marks.trailing_zeros() as usize / 8;
        }
        run += 8;
    }
    run + bytes[run..].iter().take_while(|byte| !is_forbidden_in_value(**byte)).count()
}

/// Judges a whole head, from its first byte to the end of its empty line.
pub fn check(head: &[u8], limits: &HeadLimits) -> Result<Framing, HeadError> {
    if head.len() > limits.head_bytes {
        return Err(HeadError::TooLarge);
    }
    let mut lines = Lines { rest: &head[skip_empty_lines(head)..] };
    let request_line = lines.next_line()?.ok_or(HeadError::RequestLine)?;
    let version = check_request_line(request_line, limits)?;
    let mut fields = Fields::default();
    while let Some(line) = lines.next_line()?.filter(|line| !line.is_empty()) {
        let (name, value) = split_field(line)?;
        fields.note(name, value, limits)?;
    }
    fields.framing(version)
}

fn skip_empty_lines(bytes: &[u8]) -> usize {
    let mut at = 0;
    while bytes[at..].starts_with(b"\r\n") {
        at += 2;
    }
    at
}

struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    fn next_line(&mut self) -> Result<Option<&'a [u8]>, HeadError> {
        let Some(length) = memchr::memchr(b'\n', self.rest) else { return Ok(None) };
        let line = self.rest[..length].strip_suffix(b"\r").ok_or(HeadError::BareLf)?;
        self.rest = &self.rest[length + 1..];
        Ok(Some(line))
    }
}

/// The minor version: 0 or 1.
fn check_request_line(line: &[u8], limits: &HeadLimits) -> Result<u8, HeadError> {
    let method = memchr::memchr(b' ', line).ok_or(HeadError::RequestLine)?;
    let target = memchr::memrchr(b' ', line).filter(|at| *at > method).ok_or(HeadError::RequestLine)?;
    let (method, target, version) = (&line[..method], &line[method + 1..target], &line[target + 1..]);
    if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) || !is_target(method, target) {
        return Err(if line.contains(&b'\r') { HeadError::BareCr } else { HeadError::RequestLine });
    }
    if target.len() > limits.target_bytes {
        return Err(HeadError::TargetTooLong);
    }
    match version {
        b"HTTP/1.1" => Ok(1),
        b"HTTP/1.0" => Ok(0),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit() => {
            Err(HeadError::Version)
        }
        _ => Err(HeadError::RequestLine),
    }
}

/// A target in one of the four forms of RFC 9112 §3.2, without a fragment. What is not plain origin-form is given to the
/// parser that hyper will use, so that hyper has nothing left to refuse. Valid UTF-8 may stand raw in it, as browsers
/// and curl send it.
fn is_target(method: &[u8], target: &[u8]) -> bool {
    if target.first() == Some(&b'/') && target.iter().fold(true, |all, byte| all & PLAIN_TARGET[*byte as usize]) {
        return true;
    }
    if target.iter().any(|byte| matches!(byte, b'#' | 0..=0x20 | 0x7f)) {
        return false;
    }
    let Ok(uri) = http::Uri::try_from(target) else { return false };
    match uri.scheme_str() {
        Some(scheme) => scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"),
        None if method == b"CONNECT" => uri.authority().is_some(),
        None => target.first() == Some(&b'/') || target == b"*" && method == b"OPTIONS",
    }
}

/// Bytes that every reader takes in a path and in a query.
const PLAIN_TARGET: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0x21;
    while byte < 0x7f {
        table[byte] = !matches!(byte as u8, b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}');
        byte += 1;
    }
    table
};

/// What the fields say that matters for the framing.
#[derive(Default)]
struct Fields {
    count: usize,
    length: Option<u64>,
    chunked: bool,
    hosts: usize,
    /// `Connection` is there, and `Upgrade` is.
    connection: bool,
    upgrade: bool,
}

impl Fields {
    fn note(&mut self, name: &[u8], value: &[u8], limits: &HeadLimits) -> Result<(), HeadError> {
        self.count += 1;
        if self.count > limits.fields {
            return Err(HeadError::TooManyFields);
        }
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.note_host(value),
            // One look at a byte tells `Referer` and `User-Agent` from them, which are in most heads.
            7 if name[0] | 0x20 == b'u' => {
                self.upgrade |= name.eq_ignore_ascii_case(b"upgrade");
                Ok(())
            }
            10 if name[0] | 0x20 == b'c' => {
                self.connection |= name.eq_ignore_ascii_case(b"connection");
                Ok(())
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => self.note_length(value),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.note_coding(value),
            _ => Ok(()),
        }
    }

    fn note_host(&mut self, value: &[u8]) -> Result<(), HeadError> {
        self.hosts += 1;
        if self.hosts > 1 || !is_host(value) { Err(HeadError::Host) } else { Ok(()) }
    }

    fn note_length(&mut self, value: &[u8]) -> Result<(), HeadError> {
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let length = std::str::from_utf8(value).ok().filter(|_| digits).and_then(|text| text.parse::<u64>().ok());
        // hyper keeps its own marks in the two largest numbers, and no body is that long.
        let length = length.filter(|length| *length < u64::MAX - 2).ok_or(HeadError::ContentLength)?;
        match self.length.replace(length) {
            Some(_) => Err(HeadError::ContentLength),
            None => Ok(()),
        }
    }

    fn note_coding(&mut self, value: &[u8]) -> Result<(), HeadError> {
        if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(HeadError::TransferEncoding);
        }
        self.chunked = true;
        Ok(())
    }

    fn framing(&self, minor_version: u8) -> Result<Framing, HeadError> {
        match (self.chunked, self.length) {
            (true, Some(_)) => return Err(HeadError::FramingConflict),
            (true, None) if minor_version == 0 => return Err(HeadError::FramingConflict),
            _ => {}
        }
        if self.hosts == 0 && minor_version == 1 {
            return Err(HeadError::Host);
        }
        Ok(match self.length.unwrap_or(0) {
            _ if self.chunked => Framing::Chunked,
            // Both are needed, and HTTP/1.0 knows neither (RFC 9110 §7.8).
            0 if self.upgrade && self.connection && minor_version == 1 => Framing::Upgrade,
            length => Framing::Length(length),
        })
    }
}

fn split_field(line: &[u8]) -> Result<(&[u8], &[u8]), HeadError> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(HeadError::ObsFold);
    }
    let colon = memchr::memchr(b':', line).ok_or(HeadError::FieldName)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if name.is_empty() || !name.iter().fold(true, |all, byte| all & is_token(*byte)) {
        return Err(HeadError::FieldName);
    }
    // Without an early end the compiler makes vector code of it.
    if value.iter().fold(false, |found, byte| found | is_forbidden_in_value(*byte)) {
        return Err(if value.contains(&b'\r') { HeadError::BareCr } else { HeadError::FieldValue });
    }
    Ok((name, trim_ows(value)))
}

/// Optional white space is SP and HTAB, nothing else: a vertical tab in a framing field is an attack.
fn trim_ows(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

const fn is_forbidden_in_value(byte: u8) -> bool {
    byte < 0x20 && byte != b'\t' || byte == 0x7f
}

/// `uri-host [ ":" port ]` of RFC 9110 §7.2: no userinfo, no path, no white space. Empty is allowed where the target has
/// no authority (RFC 9112 §3.2).
pub fn is_host(value: &[u8]) -> bool {
    let (host, port) = match value {
        [b'[', ..] => match value.iter().position(|byte| *byte == b']') {
            Some(end) => value.split_at(end + 1),
            None => return false,
        },
        _ => value.split_at(value.iter().position(|byte| *byte == b':').unwrap_or(value.len())),
    };
    let host = match host {
        [b'[', inner @ .., b']'] => is_ip_literal(inner),
        name => name.iter().all(|byte| is_reg_name(*byte)),
    };
    host && (port.is_empty() || port[0] == b':' && is_port(&port[1..]))
}

/// Empty is allowed by the grammar.
fn is_port(digits: &[u8]) -> bool {
    let number = std::str::from_utf8(digits).ok().and_then(|text| text.parse::<u16>().ok());
    digits.is_empty() || digits.iter().all(u8::is_ascii_digit) && number.is_some()
}

fn is_ip_literal(inner: &[u8]) -> bool {
    std::str::from_utf8(inner).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok())
}

/// Unreserved, percent and sub-delims, less what starts trouble in other readers (comma, semicolon, quote, parentheses).
const fn is_reg_name(byte: u8) -> bool {
    REG_NAME[byte as usize]
}

const REG_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let c = byte as u8;
        table[byte] = c.is_ascii_alphanumeric()
            || matches!(c, b'-' | b'.' | b'_' | b'~' | b'%' | b'!' | b'$' | b'&' | b'+' | b'=');
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: HeadLimits = HeadLimits { head_bytes: 4096, fields: 10, target_bytes: 100 };

    fn judge(fields: &str) -> Result<Framing, HeadError> {
        check(format!("GET / HTTP/1.1\r\n{fields}\r\n").as_bytes(), &LIMITS)
    }

    #[test]
    fn one_framing_is_read() {
        assert_eq!(judge("Host: a\r\n"), Ok(Framing::Length(0)));
        assert_eq!(judge("Host: a\r\ncontent-LENGTH: \t 42 \r\n"), Ok(Framing::Length(42)));
        assert_eq!(judge("Host: a:80\r\nTransfer-Encoding: Chunked\r\n"), Ok(Framing::Chunked));
        assert_eq!(check(b"\r\nGET / HTTP/1.0\r\n\r\n", &LIMITS), Ok(Framing::Length(0)));
    }

    #[test]
    fn an_offer_of_another_protocol_is_read_where_no_body_comes_first() {
        let offer = "Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
        assert_eq!(judge(offer), Ok(Framing::Upgrade));
        assert_eq!(judge(&format!("{offer}Content-Length: 0\r\n")), Ok(Framing::Upgrade));
        assert_eq!(judge(&format!("{offer}Content-Length: 1\r\n")), Ok(Framing::Length(1)));
        assert_eq!(judge(&format!("{offer}Transfer-Encoding: chunked\r\n")), Ok(Framing::Chunked));
        assert_eq!(judge("Host: a\r\nUpgrade: websocket\r\n"), Ok(Framing::Length(0)));
        assert_eq!(check(format!("GET / HTTP/1.0\r\n{offer}\r\n").as_bytes(), &LIMITS), Ok(Framing::Length(0)));
    }

    #[test]
    fn whatever_has_two_readings_is_refused() {
        use HeadError::*;
        for (fields, error) in [
            ("Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n", FramingConflict),
            ("Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n", FramingConflict),
            ("Host: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n", ContentLength),
            ("Host: a\r\nContent-Length: 1, 1\r\n", ContentLength),
            ("Host: a\r\nContent-Length: +1\r\n", ContentLength),
            ("Host: a\r\nContent-Length: \r\n", ContentLength),
            ("Host: a\r\nContent-Length: 99999999999999999999\r\n", ContentLength),
            ("Host: a\r\nContent-Length : 1\r\n", FieldName),
            ("Host: a\r\nTransfer-Encoding: xchunked\r\n", TransferEncoding),
            ("Host: a\r\nTransfer-Encoding: gzip, chunked\r\n", TransferEncoding),
            ("Host: a\r\nTransfer-Encoding: \x0bchunked\r\n", FieldValue),
            ("Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", TransferEncoding),
            ("Host: a\r\nX: 1\r\n y\r\n", ObsFold),
            ("Host: a\r\nX: 1\nY: 2\r\n", BareLf),
            ("Host: a\r\nX: 1\rY: 2\r\n", BareCr),
            ("Host: a\r\nX: \0\r\n", FieldValue),
            ("Host: a\r\nX\u{e9}: 1\r\n", FieldName),
            ("Host: a\r\nno colon\r\n", FieldName),
            ("", Host),
            ("Host: a\r\nHost: a\r\n", Host),
            ("Host: user@a\r\n", Host),
            ("Host: a/b\r\n", Host),
            ("Host: a b\r\n", Host),
            ("Host: a:8x\r\n", Host),
            ("Host: [::1\r\n", Host),
        ] {
            assert_eq!(judge(fields), Err(error), "{}", fields.escape_debug());
        }
    }

    #[test]
    fn request_lines_are_read_in_one_way_only() {
        use HeadError::*;
        for (line, error) in [
            ("GET  / HTTP/1.1", RequestLine),
            ("GET / HTTP/1.1 ", RequestLine),
            (" GET / HTTP/1.1", RequestLine),
            ("GET /a b HTTP/1.1", RequestLine),
            ("GET\t/ HTTP/1.1", RequestLine),
            ("GET /", RequestLine),
            ("G\u{e9}T / HTTP/1.1", RequestLine),
            ("GET example.com/x HTTP/1.1", RequestLine),
            ("GET example.com:80 HTTP/1.1", RequestLine),
            ("GET foo HTTP/1.1", RequestLine),
            ("GET * HTTP/1.1", RequestLine),
            ("GET ftp://example.com/ HTTP/1.1", RequestLine),
            ("GET /<x> HTTP/1.1", RequestLine),
            ("GET /#x HTTP/1.1", RequestLine),
            ("GET / HTTP/1.1\rX: y", BareCr),
            ("GET /\r HTTP/1.1", BareCr),
            ("GET / HTTP/2.0", Version),
            ("GET / HTTP/1.2", Version),
            ("GET / http/1.1", RequestLine),
        ] {
            let head = format!("{line}\r\nHost: a\r\n\r\n");
            assert_eq!(check(head.as_bytes(), &LIMITS), Err(error), "{}", line.escape_debug());
        }
    }

    #[test]
    fn limits_are_told_apart() {
        assert_eq!(judge(&format!("Host: a\r\n{}", "A: b\r\n".repeat(10))), Err(HeadError::TooManyFields));
        assert_eq!(judge(&format!("Host: a\r\nA: {}\r\n", "b".repeat(5000))), Err(HeadError::TooLarge));
        let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "b".repeat(100));
        assert_eq!(check(long.as_bytes(), &LIMITS), Err(HeadError::TargetTooLong));
    }

    #[test]
    fn a_host_is_a_name_or_an_address_with_a_port_at_most() {
        for good in ["", "a", "a.b:80", "127.0.0.1", "[::1]", "[::1]:8080", "xn--bcher-kva.example", "a_b"] {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        for bad in ["a:b", "a:1:2", "[::1]x", "[zz]", "a,b", "a\"", "é", "a#b", "a?b", "a:65536", ":99999999"] {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_passes_hyper_could_read_too(head in "[ -~\r\n\t]{0,120}") {
            let head = format!("{head}\r\n\r\n");
            let Some(end) = end(head.as_bytes()) else { return Ok(()) };
            if check(&head.as_bytes()[..end], &LIMITS).is_ok() {
                let mut fields = [httparse::EMPTY_HEADER; 10];
                let read = httparse::Request::new(&mut fields).parse(head.as_bytes());
                prop_assert_eq!(read, Ok(httparse::Status::Complete(end)));
            }
        }

        #[test]
        fn hyper_has_no_target_left_to_refuse(target in "[/*a-z]?[!-~é€]{0,20}") {
            let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
            if check(head.as_bytes(), &LIMITS).is_ok() {
                let mut fields = [httparse::EMPTY_HEADER; 10];
                let mut request = httparse::Request::new(&mut fields);
                prop_assert!(request.parse(head.as_bytes()).is_ok());
                prop_assert!(http::Uri::try_from(request.path.unwrap_or_default()).is_ok());
            }
        }

        #[test]
        fn what_is_plainly_good_is_good(
            head in "(GET|POST) /[a-z?]{0,9} HTTP/1.[01]\r\n((Host|X|Content-Length|Transfer-Encoding): ?[ -~\t\u{e9}\u{1}\u{7f}\r]{0,20}\r?\n){0,3}\r\n",
        ) {
            if let Some((at, framing)) = plain(head.as_bytes(), &LIMITS) {
                prop_assert_eq!(end(head.as_bytes()), Some(at));
                prop_assert_eq!(check(&head.as_bytes()[..at], &LIMITS), Ok(framing));
            }
        }

        #[test]
        fn any_bytes_are_judged(head in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = end(&head).map(|end| check(&head[..end], &LIMITS));
        }
    }
}
