//! Apache's `combined`: one line for each completed request, as every reader of access logs knows it.
//!
//! `%h - %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"`, escaped as Apache does: `\"`, `\\`, `\n`, `\r`, `\t`, `\b`, `\v`,
//! and `\xhh` for every other byte that is no printable ASCII. Two choices where the servers differ: the time is that of the
//! record, the end of the request (as in nginx), in UTC; and no bytes are `-` (as in Apache). HTTP/2 is `HTTP/2.0` as both
//! have it. A blank or an opening bracket in the user's name is escaped too, which Apache does not do: a name must not be able
//! to shift the columns behind it, nor to look like the time.
//!
//! Only `request_completed` has a line, since readers of this format take every line for a request. So a `log_loss` is not
//! told here, but by the output's counters and by any output of another format.

use super::json::Clock;
use super::{Body, Event, Facts, Progress, Record};

/// Writes completed requests in Apache's format. One for each core: it remembers the text of the current second.
#[derive(Debug, Default)]
pub struct Combined {
    clock: Clock,
}

impl Combined {
    /// Appends the line of a record, line feed included; returns whether it has one.
    pub fn record(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> bool {
        match record.body {
            Body::Request { facts, progress: Some(progress) } if record.head.event == Event::RequestCompleted => {
                self.line(record.head.timestamp, facts, progress, out);
                true
            }
            _ => false,
        }
    }

    fn line(&mut self, timestamp: u64, facts: &Facts<'_>, progress: &Progress<'_>, out: &mut Vec<u8>) {
        word(facts.ip_address.map(str::as_bytes), out);
        out.extend_from_slice(b" - ");
        word(progress.user_id.or(facts.user_id), out);
        out.extend_from_slice(b" [");
        date(self.clock.second(timestamp), out);
        out.extend_from_slice(b" +0000] \"");
        request_line(facts, out);
        out.extend_from_slice(b"\" ");
        number(progress.status_code.map(u64::from), out);
        out.push(b' ');
        number(progress.response_size.filter(|size| *size > 0), out);
        quoted(facts.referer, out);
        quoted(facts.user_agent, out);
        out.push(b'\n');
    }
}

/// `2000-10-10T13:55:36` as `10/Oct/2000:13:55:36`.
fn date(text: &[u8; 19], out: &mut Vec<u8>) {
    const MONTHS: [&[u8; 3]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    let month = usize::from(text[5] - b'0') * 10 + usize::from(text[6] - b'0');
    out.extend_from_slice(&text[8..10]);
    out.push(b'/');
    out.extend_from_slice(MONTHS[(month + 11) % 12]);
    out.push(b'/');
    out.extend_from_slice(&text[..4]);
    out.push(b':');
    out.extend_from_slice(&text[11..]);
}

/// As the client sent it. The target of CONNECT is the host.
fn request_line(facts: &Facts<'_>, out: &mut Vec<u8>) {
    escape(facts.method.as_bytes(), out);
    out.push(b' ');
    let target = if facts.path.is_empty() { facts.host.unwrap_or_default() } else { facts.path };
    escape(target, out);
    if let Some(query) = facts.query {
        out.push(b'?');
        escape(query, out);
    }
    out.extend_from_slice(b" HTTP/");
    escape(facts.http_version.as_bytes(), out);
    if !facts.http_version.contains('.') {
        out.extend_from_slice(b".0");
    }
}

/// A column that a blank ends.
fn word(text: Option<&[u8]>, out: &mut Vec<u8>) {
    match text {
        None | Some([]) => out.push(b'-'),
        Some(text) => text.split_inclusive(|byte| matches!(byte, b' ' | b'[')).for_each(|part| match part {
            [part @ .., b' '] => hidden(part, b"\\x20", out),
            [part @ .., b'['] => hidden(part, b"\\x5b", out),
            part => escape(part, out),
        }),
    }
}

fn hidden(part: &[u8], last: &[u8], out: &mut Vec<u8>) {
    escape(part, out);
    out.extend_from_slice(last);
}

fn quoted(text: Option<&[u8]>, out: &mut Vec<u8>) {
    out.extend_from_slice(b" \"");
    escape(text.unwrap_or(b"-"), out);
    out.push(b'"');
}

fn number(value: Option<u64>, out: &mut Vec<u8>) {
    match value {
        Some(value) => out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
        None => out.push(b'-'),
    }
}

fn escape(mut text: &[u8], out: &mut Vec<u8>) {
    let needs_escape = |byte: &u8| !matches!(byte, b' '..=b'~') || matches!(byte, b'"' | b'\\');
    while let Some(at) = text.iter().position(needs_escape) {
        out.extend_from_slice(&text[..at]);
        byte(text[at], out);
        text = &text[at + 1..];
    }
    out.extend_from_slice(text);
}

fn byte(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let letter = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0b => b'v',
        b'\r' => b'r',
        _ => {
            return out.extend_from_slice(&[b'\\', b'x', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    };
    out.extend_from_slice(&[b'\\', letter]);
}

#[cfg(test)]
mod tests;
