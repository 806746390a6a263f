//! A strict HTTP/1.1 reader for both directions: what it accepts, every recipient reads the same way.
//!
//! RFC 9112 without any of its leniencies: CRLF only, one space, tokens as names, one framing header.

use std::io::{self, Read};

/// How reading a message ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The message is whole.
    Complete,
    /// The peer closed before the message began.
    Closed,
    /// The peer closed (or reset) inside the message.
    Cut,
    /// Nothing came within the read timeout.
    Silent,
    /// The bytes are not strictly valid HTTP.
    Invalid(String),
}

/// A request or a response, as far as it could be read.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// The three words of the first line.
    pub(crate) start: [String; 3],
    /// Names in lower case, in order; values byte for byte as Latin-1.
    pub(crate) headers: Vec<(String, String)>,
    /// As far as it came.
    pub(crate) body: Vec<u8>,
    /// The trailer section of a chunked message.
    pub(crate) trailers: Vec<(String, String)>,
    /// How it ended.
    pub(crate) ended: Ended,
}

impl Message {
    fn empty(ended: Ended) -> Message {
        Message { start: Default::default(), headers: Vec::new(), body: Vec::new(), trailers: Vec::new(), ended }
    }

    /// The only value of a header; panics when it is there twice.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.all(name);
        let first = values.next();
        assert!(values.next().is_none(), "{name} is there twice: {self:?}");
        first
    }

    /// All values of a header.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether the message is whole.
    pub(crate) fn is_complete(&self) -> bool {
        self.ended == Ended::Complete
    }

    /// The whole body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A response's status; 0 when there was no head.
    pub(crate) fn status(&self) -> u16 {
        self.start[1].parse().unwrap_or(0)
    }
}

/// Which end of the conversation is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Requests, as a server reads them.
    Requests,
    /// The answer to a request with this method.
    AnswerTo(&'static str),
}

/// Reads messages one after another from a stream.
pub(crate) struct Reader<S> {
    stream: S,
    buffer: Vec<u8>,
    at: usize,
}

type Step<T> = Result<T, Ended>;

impl<S: Read> Reader<S> {
    /// A reader at the beginning of a stream.
    pub(crate) fn new(stream: S) -> Reader<S> {
        Reader { stream, buffer: Vec::new(), at: 0 }
    }

    /// The stream itself, to write to.
    pub(crate) fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Bytes read from the stream but not yet part of a message.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    /// The next head alone: `body` is left on the stream.
    pub(crate) fn head(&mut self, side: Side) -> Message {
        let mut message = Message::empty(Ended::Closed);
        message.ended = match self.fill_head(side, &mut message) {
            Ok(()) => Ended::Complete,
            Err(ended) => ended,
        };
        message
    }

    /// The next whole message.
    pub(crate) fn message(&mut self, side: Side) -> Message {
        let mut message = self.head(side);
        if message.is_complete() {
            self.body(side, &mut message);
        }
        message
    }

    /// The body that belongs to a head that was just read; its end is noted in `message`.
    pub(crate) fn body(&mut self, side: Side, message: &mut Message) {
        message.ended = match framing(side, message).and_then(|framing| self.fill_body(framing, message)) {
            Ok(()) => Ended::Complete,
            Err(ended) => ended,
        };
    }

    /// What was read already, or the next bytes that come.
    pub(crate) fn some(&mut self) -> Vec<u8> {
        if self.unread().is_empty() {
            let _ = self.more();
        }
        let bytes = self.unread().to_vec();
        self.at = self.buffer.len();
        bytes
    }

    /// So many bytes; panics when the peer closes before.
    pub(crate) fn exactly(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.take(length, &mut bytes).unwrap_or_else(|ended| panic!("{ended:?} after {} bytes", bytes.len()));
        bytes
    }

    /// So many bytes; `None` when the peer closes before.
    pub(crate) fn try_exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        self.take(length, &mut bytes).ok().map(|()| bytes)
    }

    /// Everything until the peer closes.
    pub(crate) fn rest(&mut self) -> (Vec<u8>, Ended) {
        let mut bytes = Vec::new();
        let ended = loop {
            bytes.extend_from_slice(&self.buffer[self.at..]);
            self.at = self.buffer.len();
            if let Err(ended) = self.more() {
                break ended;
            }
        };
        (bytes, ended)
    }

    fn fill_head(&mut self, side: Side, message: &mut Message) -> Step<()> {
        let fresh = self.at == self.buffer.len();
        let line = match self.line() {
            Err(Ended::Cut) if fresh && self.unread().is_empty() => return Err(Ended::Closed),
            other => other?,
        };
        message.start = start_line(side, &line)?;
        message.headers = self.fields()?;
        if side == Side::Requests {
            check_request(message)?;
        }
        Ok(())
    }

    fn fill_body(&mut self, framing: Framing, message: &mut Message) -> Step<()> {
        match framing {
            Framing::None => Ok(()),
            Framing::Length(length) => self.take(length, &mut message.body),
            Framing::Chunked => self.chunks(message),
            Framing::Close => {
                let (body, ended) = self.rest();
                message.body = body;
                if ended == Ended::Closed { Ok(()) } else { Err(ended) }
            }
        }
    }

    fn chunks(&mut self, message: &mut Message) -> Step<()> {
        loop {
            let line = self.line()?;
            if line.is_empty() || line.len() > 16 || !line.iter().all(u8::is_ascii_hexdigit) {
                return invalid("chunk size", &line);
            }
            let size = usize::from_str_radix(&String::from_utf8_lossy(&line), 16).unwrap_or(usize::MAX);
            if size == 0 {
                message.trailers = self.fields()?;
                return Ok(());
            }
            self.take(size, &mut message.body)?;
            let end = self.line()?;
            if !end.is_empty() {
                return invalid("end of chunk", &end);
            }
        }
    }

    fn fields(&mut self) -> Step<Vec<(String, String)>> {
        let mut fields = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(fields);
            }
            fields.push(field(&line)?);
        }
    }

    /// A line without its CRLF; a CR or LF anywhere else is a violation.
    fn line(&mut self) -> Step<Vec<u8>> {
        let mut seen = 0;
        loop {
            if let Some(length) = self.unread()[seen..].iter().position(|&byte| byte == b'\n') {
                let line = self.unread()[..seen + length].to_vec();
                self.at += line.len() + 1;
                return match line.split_last() {
                    Some((b'\r', line)) if !line.contains(&b'\r') => Ok(line.to_vec()),
                    _ => invalid("line end", &line),
                };
            }
            seen = self.unread().len();
            self.more().map_err(|ended| if ended == Ended::Closed { Ended::Cut } else { ended })?;
        }
    }

    fn take(&mut self, length: usize, into: &mut Vec<u8>) -> Step<()> {
        while into.capacity() < length.min(1 << 20) {
            into.reserve(length.min(1 << 20));
        }
        let mut missing = length;
        loop {
            let here = missing.min(self.unread().len());
            into.extend_from_slice(&self.buffer[self.at..self.at + here]);
            self.at += here;
            missing -= here;
            if missing == 0 {
                return Ok(());
            }
            self.more().map_err(|ended| if ended == Ended::Closed { Ended::Cut } else { ended })?;
        }
    }

    /// Reads once; `Closed` at the end of the stream, `Cut` at a reset.
    fn more(&mut self) -> Step<()> {
        if self.at == self.buffer.len() {
            self.buffer.clear();
            self.at = 0;
        }
        let mut piece = [0; 16 * 1024];
        let read = loop {
            match self.stream.read(&mut piece) {
                // A process that was stopped and goes on hears so from a socket with a deadline.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        match read {
            Ok(0) => Err(Ended::Closed),
            Ok(count) => {
                self.buffer.extend_from_slice(&piece[..count]);
                Ok(())
            }
            Err(error) => Err(match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Ended::Silent,
                _ => Ended::Cut,
            }),
        }
    }
}

/// What tells where a body ends.
enum Framing {
    None,
    Length(usize),
    Chunked,
    Close,
}

fn framing(side: Side, message: &Message) -> Step<Framing> {
    let coding: Vec<_> = message.all("transfer-encoding").collect();
    let length: Vec<_> = message.all("content-length").collect();
    let bodiless = match side {
        Side::Requests => false,
        Side::AnswerTo(method) => method == "HEAD" || matches!(message.status(), 100..200 | 204 | 304),
    };
    if matches!(side, Side::AnswerTo(_))
        && matches!(message.status(), 100..200 | 204)
        && !(coding.is_empty() && length.is_empty())
    {
        return Err(Ended::Invalid(format!("framing in a {}: {:?}", message.status(), message.headers)));
    }
    let framing = match (&coding[..], &length[..]) {
        ([], []) if side == Side::Requests => Framing::None,
        ([], []) => Framing::Close,
        (["chunked"], []) => Framing::Chunked,
        ([], [length]) => Framing::Length(digits(length)?),
        _ => return Err(Ended::Invalid(format!("conflicting framing: {coding:?} {length:?}"))),
    };
    Ok(if bodiless { Framing::None } else { framing })
}

fn digits(text: &str) -> Step<usize> {
    if !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(length) = text.parse()
    {
        return Ok(length);
    }
    invalid("length", text.as_bytes())
}

fn start_line(side: Side, line: &[u8]) -> Step<[String; 3]> {
    let mut words = line.splitn(3, |&byte| byte == b' ').map(latin1);
    let mut word = || words.next().unwrap_or_default();
    let words = [word(), word(), word()];
    let valid = match side {
        Side::Requests => {
            is_token(&words[0]) && is_target(&words[1]) && matches!(words[2].as_str(), "HTTP/1.1" | "HTTP/1.0")
        }
        Side::AnswerTo(_) => {
            matches!(words[0].as_str(), "HTTP/1.1" | "HTTP/1.0")
                && words[1].len() == 3
                && words[1].bytes().all(|byte| byte.is_ascii_digit())
                && words[2].chars().all(is_value_char)
        }
    };
    if valid { Ok(words) } else { invalid("start line", line) }
}

fn field(line: &[u8]) -> Step<(String, String)> {
    let Some(colon) = line.iter().position(|&byte| byte == b':') else { return invalid("field", line) };
    let (name, value) = (latin1(&line[..colon]), latin1(&line[colon + 1..]));
    if !is_token(&name) || !value.chars().all(is_value_char) {
        return invalid("field", line);
    }
    Ok((name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned()))
}

/// What RFC 9110 §7.6.1 and RFC 9112 §3.2 ask of a request beyond its syntax.
fn check_request(message: &Message) -> Step<()> {
    if message.all("host").count() != 1 {
        return Err(Ended::Invalid(format!("not one Host: {:?}", message.headers)));
    }
    for name in ["keep-alive", "proxy-connection"] {
        if message.all(name).count() > 0 {
            return Err(Ended::Invalid(format!("{name} was passed on")));
        }
    }
    match message.all("te").collect::<Vec<_>>()[..] {
        [] | ["trailers"] => Ok(()),
        _ => Err(Ended::Invalid(format!("TE was passed on: {:?}", message.headers))),
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Bytes above ASCII are no valid URI, but no recipient frames a message by them.
fn is_target(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|char| char > ' ' && char != '\x7f')
}

fn is_value_char(char: char) -> bool {
    char == '\t' || (char >= ' ' && char != '\x7f')
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

fn invalid<T>(what: &str, bytes: &[u8]) -> Step<T> {
    Err(Ended::Invalid(format!("{what}: {}", bytes.escape_ascii())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(side: Side, bytes: &[u8]) -> Message {
        Reader::new(bytes).message(side)
    }

    #[test]
    fn whole_messages_are_read() {
        let request = read(Side::Requests, b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok");
        assert_eq!((request.ended, request.body), (Ended::Complete, b"ok".to_vec()));
        let chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: y\r\n\r\n";
        let answer = read(Side::AnswerTo("GET"), chunks);
        assert_eq!((answer.status(), answer.text().as_str(), answer.trailers.len()), (200, "ok", 1));
        let until_close = read(Side::AnswerTo("GET"), b"HTTP/1.1 200 OK\r\n\r\nok");
        assert_eq!((until_close.ended.clone(), until_close.text().as_str()), (Ended::Complete, "ok"));
        let to_head = read(Side::AnswerTo("HEAD"), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
        assert!(to_head.is_complete() && to_head.body.is_empty());
    }

    #[test]
    fn half_messages_are_cut() {
        let whole = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
        assert_eq!(read(Side::Requests, b"").ended, Ended::Closed);
        for length in 1..whole.len() {
            assert_eq!(read(Side::Requests, &whole[..length]).ended, Ended::Cut, "{length}");
        }
    }

    #[test]
    fn whatever_could_be_read_in_two_ways_is_invalid() {
        let lines = [
            "Host: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked",
            "Host: a\r\nContent-Length: 2\r\nContent-Length: 2",
            "Host: a\r\nContent-Length: +2",
            "Host: a\r\nTransfer-Encoding: gzip, chunked",
            "Host: a\r\nTransfer-Encoding : chunked",
            "Host: a\r\nX: y\r\n z",
            "Host: a\nX: y",
            "Host: a\r\nX: y\rz",
            "Host: a\r\nX: y\0",
            "Host: a\r\nHost: a",
            "Host: a\r\nTE: gzip",
            "Host: a\r\nKeep-Alive: 5",
            "X: y",
        ];
        for lines in lines {
            let bytes = format!("POST / HTTP/1.1\r\n{lines}\r\n\r\nok");
            let ended = read(Side::Requests, bytes.as_bytes()).ended;
            assert!(matches!(ended, Ended::Invalid(_)), "{lines:?}: {ended:?}");
        }
        for line in ["GET  / HTTP/1.1", "GET / HTTP/1.2", "G@T / HTTP/1.1", "GET /\tHTTP/1.1", "GET /"] {
            let ended = read(Side::Requests, format!("{line}\r\nHost: a\r\n\r\n").as_bytes()).ended;
            assert!(matches!(ended, Ended::Invalid(_)), "{line:?}: {ended:?}");
        }
        for chunk in ["x\r\n", "2 \r\nok\r\n", "2;a\r\nok\r\n", "2\nok\r\n", "2\r\nok0\r\n", "+2\r\nok\r\n"] {
            let bytes = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}0\r\n\r\n");
            let ended = read(Side::Requests, bytes.as_bytes()).ended;
            assert!(matches!(ended, Ended::Invalid(_)), "{chunk:?}: {ended:?}");
        }
    }
}
