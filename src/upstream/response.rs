//! The head of a response, read strictly (RFC 9112 §4 to §6).
//!
//! What a strict recipient could read differently is refused: both framings, several lengths, a coding other than one
//! `chunked`, bare line ends, folded fields. Everything after the head is framed by what this module decided.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode, Version};

use super::error::UpstreamError;

/// Largest response head.
pub const MAX_HEAD: usize = 64 * 1024;
/// The last status code that means something (RFC 9110 §15).
pub(super) const LAST_STATUS: u16 = 599;
/// Most fields of a response head.
const MAX_FIELDS: usize = 128;

/// A response head and how its body is framed. Its fields are where the reader wants them: a map is large, and a head
/// passes through many hands.
#[derive(Debug)]
pub struct ResponseHead {
    /// The status.
    pub status: StatusCode,
    /// What the server speaks.
    pub version: Version,
    /// The fields of an interim one (1xx).
    pub interim: Option<Box<HeaderMap>>,
    /// How the body is framed.
    pub framing: Framing,
    /// Whether the connection may serve again after the body.
    pub keep_alive: bool,
}

/// How a response's body is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    None,
    /// So many bytes.
    Length(u64),
    /// In the chunked coding.
    Chunked,
    /// Until the connection ends.
    Close,
}

/// Takes one whole head off the front of the buffer; `None` while it is not whole. The fields of a final one take the place
/// of those in `fields`: all, as sent, but for a `Connection` that only says whether the connection stays.
pub fn take_head(
    buffer: &mut BytesMut,
    method: &Method,
    fields: &mut HeaderMap,
) -> Result<Option<ResponseHead>, UpstreamError> {
    check_beginning(buffer)?;
    let Some(end) = end(buffer)? else {
        return if buffer.len() > MAX_HEAD { Err(UpstreamError::HeadTooLarge) } else { Ok(None) };
    };
    if end > MAX_HEAD {
        return Err(UpstreamError::HeadTooLarge);
    }
    let head = buffer.split_to(end).freeze();
    parse(&head, method, fields).map(Some)
}

/// Where the head ends: after its empty line. httparse takes a bare LF for a line end; here it is refused. A CR or a NUL
/// inside a line httparse refuses itself.
fn end(bytes: &[u8]) -> Result<Option<usize>, UpstreamError> {
    let mut line = 0;
    for at in memchr::memchr_iter(b'\n', bytes) {
        match &bytes[line..at] {
            b"\r" => return Ok(Some(at + 1)),
            [.., b'\r'] => line = at + 1,
            _ => return Err(UpstreamError::Head("a line is ended by a bare LF")),
        }
    }
    Ok(None)
}

/// Garbage is recognised by its first bytes: nobody waits for the end of a head that is none.
fn check_beginning(buffer: &[u8]) -> Result<(), UpstreamError> {
    let expected = b"HTTP/1.";
    let compared = buffer.len().min(expected.len());
    if buffer[..compared] == expected[..compared] { Ok(()) } else { Err(UpstreamError::Head("no status line")) }
}

fn parse(head: &Bytes, method: &Method, fields: &mut HeaderMap) -> Result<ResponseHead, UpstreamError> {
    let mut lines = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let parser = httparse::ParserConfig::default();
    match parser.parse_response_with_uninit_headers(&mut response, head, &mut lines) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Ok(_) => return Err(UpstreamError::Head("fields after the empty line")),
        Err(httparse::Error::TooManyHeaders) => return Err(UpstreamError::HeadTooLarge),
        Err(error) => return Err(UpstreamError::Head(complaint(error))),
    }
    let code = response.code.unwrap_or_default();
    let status = StatusCode::from_u16(code).map_err(|_| UpstreamError::Head("no such status"))?;
    if !(100..=LAST_STATUS).contains(&code) {
        return Err(UpstreamError::Head("no such status"));
    }
    let minor = response.version.unwrap_or_default();
    let notes = Notes::of(response.headers)?;
    let framing = notes.framing(status, method, minor)?;
    let mut interim = status.is_informational().then(Box::default);
    fill(interim.as_deref_mut().unwrap_or(fields), head, response.headers, &notes)?;
    let version = if minor == 0 { Version::HTTP_10 } else { Version::HTTP_11 };
    let keep_alive = notes.keeps_alive(minor) && framing != Framing::Close;
    Ok(ResponseHead { status, version, keep_alive, interim, framing })
}

/// What is wrong with it, for who has to find the fault in the server.
fn complaint(error: httparse::Error) -> &'static str {
    match error {
        httparse::Error::HeaderName => "a field's name holds what none may",
        httparse::Error::HeaderValue => "a field's value holds a control character",
        httparse::Error::NewLine => "a line ends in something other than CRLF",
        httparse::Error::Status => "the status line is malformed",
        _ => "not a response",
    }
}

/// Room for the fields that are added on the way, so that adding them moves nothing.
const ADDED: usize = 3;

/// Values are slices of the head's bytes, not copies.
fn fill(
    headers: &mut HeaderMap,
    head: &Bytes,
    fields: &[httparse::Header<'_>],
    notes: &Notes,
) -> Result<(), UpstreamError> {
    headers.clear();
    headers.reserve(fields.len() + ADDED);
    for field in fields {
        if !notes.names_fields && is_connection(field) {
            continue;
        }
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| UpstreamError::Head("a field name"))?;
        let value = HeaderValue::from_maybe_shared(head.slice_ref(field.value))
            .map_err(|_| UpstreamError::Head("a field value"))?;
        headers.append(name, value);
    }
    Ok(())
}

fn is_connection(field: &httparse::Header<'_>) -> bool {
    field.name.eq_ignore_ascii_case("connection")
}

/// What the fields say of the message and the connection it came on.
#[derive(Default)]
struct Notes {
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    /// `Connection` names other fields.
    names_fields: bool,
}

impl Notes {
    fn of(fields: &[httparse::Header<'_>]) -> Result<Notes, UpstreamError> {
        let mut notes = Notes::default();
        for field in fields {
            match field.name.len() {
                14 if field.name.eq_ignore_ascii_case("content-length") => notes.note_length(field.value)?,
                17 if field.name.eq_ignore_ascii_case("transfer-encoding") => notes.note_coding(field.value)?,
                10 if is_connection(field) => notes.note_connection(field.value),
                _ => {}
            }
        }
        Ok(notes)
    }

    fn note_length(&mut self, value: &[u8]) -> Result<(), UpstreamError> {
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let length = std::str::from_utf8(value).ok().filter(|_| digits).and_then(|text| text.parse().ok());
        // hyper keeps marks of its own in the two largest numbers.
        let length = length.filter(|length| *length < u64::MAX - 2 && self.length.is_none());
        self.length = length;
        length.map(|_| ()).ok_or(UpstreamError::Head("Content-Length is malformed or given twice"))
    }

    fn note_coding(&mut self, value: &[u8]) -> Result<(), UpstreamError> {
        if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(UpstreamError::Head("Transfer-Encoding is not exactly \"chunked\""));
        }
        self.chunked = true;
        Ok(())
    }

    fn note_connection(&mut self, value: &[u8]) {
        for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            match option.len() {
                5 if option.eq_ignore_ascii_case(b"close") => self.close = true,
                10 if option.eq_ignore_ascii_case(b"keep-alive") => self.keep_alive = true,
                _ => self.names_fields = true,
            }
        }
    }

    fn framing(&self, status: StatusCode, method: &Method, minor_version: u8) -> Result<Framing, UpstreamError> {
        if self.chunked && (self.length.is_some() || minor_version == 0) {
            return Err(UpstreamError::Head("Content-Length and Transfer-Encoding contradict each other"));
        }
        let bodiless =
            status.is_informational() || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
        if bodiless || *method == Method::HEAD {
            return Ok(Framing::None);
        }
        Ok(match self.length {
            _ if self.chunked => Framing::Chunked,
            Some(length) => Framing::Length(length),
            None => Framing::Close,
        })
    }

    fn keeps_alive(&self, minor_version: u8) -> bool {
        !self.close && (self.keep_alive || minor_version != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn take(head: &str) -> Result<Option<ResponseHead>, UpstreamError> {
        take_head(&mut BytesMut::from(head), &Method::GET, &mut HeaderMap::new())
    }

    #[test]
    fn a_head_is_taken_once_it_is_whole() {
        let whole = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        for cut in 0..whole.len() - 2 {
            assert!(take(&whole[..cut]).expect("a beginning").is_none(), "{cut}");
        }
        let mut buffer = BytesMut::from(whole);
        let head = take_head(&mut buffer, &Method::GET, &mut HeaderMap::new()).expect("a head").expect("whole");
        assert_eq!((head.status.as_u16(), head.framing, head.keep_alive), (200, Framing::Length(2), true));
        assert_eq!(&buffer[..], b"hi");
    }

    #[test]
    fn the_framing_follows_the_rules_in_their_order() {
        let framing = |head: &str, method: Method| {
            take_head(&mut BytesMut::from(head), &method, &mut HeaderMap::new())
                .expect("a head")
                .expect("whole")
                .framing
        };
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(framing(chunked, Method::GET), Framing::Chunked);
        assert_eq!(framing(chunked, Method::HEAD), Framing::None);
        assert_eq!(framing("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", Method::GET), Framing::None);
        assert_eq!(framing("HTTP/1.1 304 No\r\n\r\n", Method::GET), Framing::None);
        assert_eq!(framing("HTTP/1.0 200 OK\r\n\r\n", Method::GET), Framing::Close);
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for head in [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: \0\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 999 No\r\n\r\n",
            "HTTP/2 200\r\n\r\n",
            "SSH-2.0-OpenSSH\r\n",
            "<html>",
            "\r\nHTTP/1.1 200 OK\r\n\r\n",
        ] {
            assert!(take(head).is_err(), "{}", head.escape_debug());
        }
    }

    #[test]
    fn a_head_without_end_is_refused_at_the_limit() {
        let head = format!("HTTP/1.1 200 OK\r\nA: {}", "b".repeat(MAX_HEAD));
        assert!(matches!(take(&head), Err(UpstreamError::HeadTooLarge)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_head_or_an_error(tail in proptest::collection::vec(any::<u8>(), 0..120)) {
            let mut buffer = BytesMut::from(&b"HTTP/1.1 200 OK\r\n"[..]);
            buffer.extend_from_slice(&tail);
            buffer.extend_from_slice(b"\r\n\r\n");
            let _ = take_head(&mut buffer, &Method::GET, &mut HeaderMap::new());
        }
    }
}
