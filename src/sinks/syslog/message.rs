//! A numbered line of the syslog layout as a message of RFC 5424:
//! `<134>1 2026-11-22T11:02:36.000123Z host gatelog 4711 request_completed [gatelog@32473 request_id="…" instance="…" seq="7"] …`.

/// Who names the parameters (RFC 5424 §7.2.2): the number that IANA keeps for examples, as gatelog has none of its own.
const SD_ID: &str = "gatelog@32473";

/// What is the same in all messages of this process.
#[derive(Debug)]
pub(super) struct Header {
    facility: u8,
    /// `HOSTNAME APP-NAME`, and a space.
    origin: String,
    instance: String,
    process: u32,
}

/// The words in front of a line: `seq instance severity timestamp msgid request_id`.
struct Words<'a> {
    seq: &'a [u8],
    instance: &'a [u8],
    severity: u8,
    timestamp: &'a [u8],
    msgid: &'a [u8],
    request_id: &'a [u8],
    text: &'a [u8],
}

impl Header {
    /// The header of a process. What RFC 5424 does not allow in a name becomes `?`.
    pub(super) fn new(facility: u8, hostname: &str, app_name: &str, instance: &str) -> Header {
        let origin = format!("{} {} ", name(hostname, 255), name(app_name, 48));
        Header { facility, origin, instance: instance.to_owned(), process: std::process::id() }
    }

    /// Appends the message of a line, which is cut at a character's beginning where it would be longer than `longest`.
    /// Says whether it was.
    pub(super) fn message(&self, line: &[u8], longest: usize, out: &mut Vec<u8>) -> bool {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let words = Words::split(line).unwrap_or_else(|| Words::unknown(line));
        let start = out.len();
        self.head(&words, out);
        let room = longest.saturating_sub(out.len() - start);
        let text = &words.text[..boundary(words.text, room)];
        out.extend_from_slice(text);
        text.len() < words.text.len()
    }

    fn head(&self, words: &Words<'_>, out: &mut Vec<u8>) {
        let priority = u32::from(self.facility) * 8 + u32::from(words.severity);
        out.extend_from_slice(format!("<{priority}>1 ").as_bytes());
        out.extend_from_slice(words.timestamp);
        out.push(b' ');
        out.extend_from_slice(self.origin.as_bytes());
        // A line that a former process has left behind is not this one's.
        let own = words.instance == self.instance.as_bytes();
        out.extend_from_slice(if own { self.process.to_string() } else { "-".to_owned() }.as_bytes());
        out.push(b' ');
        out.extend_from_slice(words.msgid);
        out.extend_from_slice(format!(" [{SD_ID}").as_bytes());
        for (name, value) in [("request_id", words.request_id), ("instance", words.instance), ("seq", words.seq)] {
            parameter(name, value, out);
        }
        out.extend_from_slice(b"] ");
    }
}

impl<'a> Words<'a> {
    fn split(line: &'a [u8]) -> Option<Words<'a>> {
        let mut words = line.splitn(7, |byte| *byte == b' ');
        let mut next = || words.next().filter(|word| !word.is_empty());
        let (seq, instance, severity, timestamp, msgid, request_id) =
            (next()?, next()?, next()?, next()?, next()?, next()?);
        let severity = match severity {
            [digit @ b'0'..=b'7'] => digit - b'0',
            _ => return None,
        };
        Some(Words { seq, instance, severity, timestamp, msgid, request_id, text: words.next()? })
    }

    /// A line of another layout, left in the spool: notice, and nothing else is known.
    fn unknown(line: &'a [u8]) -> Words<'a> {
        let nil: &[u8] = b"-";
        Words { seq: nil, instance: nil, severity: 5, timestamp: nil, msgid: nil, request_id: nil, text: line }
    }
}

/// A parameter, escaped (RFC 5424 §6.3.3); one that is not there is left out.
fn parameter(name: &str, value: &[u8], out: &mut Vec<u8>) {
    if value == b"-" {
        return;
    }
    out.extend_from_slice(format!(" {name}=\"").as_bytes());
    for byte in value {
        if matches!(byte, b'"' | b'\\' | b']') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

/// A name of the header: printable ASCII, bounded, never empty.
fn name(text: &str, longest: usize) -> String {
    let printable = |character: char| if character.is_ascii_graphic() { character } else { '?' };
    let name: String = text.chars().take(longest).map(printable).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

/// The last place at or before `at` where a character of UTF-8 begins.
fn boundary(text: &[u8], at: usize) -> usize {
    let is_inside = |at: &usize| text.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
    (0..=at.min(text.len())).rev().find(|at| !is_inside(at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(line: &str, longest: usize) -> (String, bool) {
        let mut out = Vec::new();
        let cut = Header::new(16, "web 1", "", "i1").message(line.as_bytes(), longest, &mut out);
        (String::from_utf8(out).unwrap(), cut)
    }

    const LINE: &str = "7 i1 3 2026-11-22T11:02:36.000123Z request_failed a-b {\"path\":\"/ä \"}\n";

    #[test]
    fn a_message_is_its_head_its_parameters_and_the_line() {
        let process = std::process::id();
        let expected = format!(
            "<131>1 2026-11-22T11:02:36.000123Z web?1 - {process} request_failed \
             [gatelog@32473 request_id=\"a-b\" instance=\"i1\" seq=\"7\"] {{\"path\":\"/ä \"}}"
        );
        assert_eq!(message(LINE, usize::MAX), (expected, false));
    }

    #[test]
    fn a_former_process_has_no_id_and_an_absent_request_id_no_parameter() {
        let (message, _) = message("1 i0 6 t server_stopping - text\n", usize::MAX);
        assert_eq!(message, "<134>1 t web?1 - - server_stopping [gatelog@32473 instance=\"i0\" seq=\"1\"] text");
    }

    #[test]
    fn parameters_are_escaped() {
        let (message, _) = message("1 i\"\\] 6 t e r x\n", usize::MAX);
        assert!(message.contains(r#"instance="i\"\\\]""#), "{message}");
    }

    #[test]
    fn a_long_message_is_cut_where_a_character_begins() {
        let (whole, _) = message(LINE, usize::MAX);
        let inside = whole.find('ä').unwrap() + 1;
        let (shorter, cut) = message(LINE, inside);
        assert!(cut && whole.starts_with(&shorter) && shorter.len() == inside - 1);
        assert_eq!(message(LINE, whole.len()), (whole, false));
    }

    #[test]
    fn a_line_of_another_layout_is_sent_all_the_same() {
        let (message, _) = message("{\"seq\": 1, \"some\": \"old line\"}\n", usize::MAX);
        assert_eq!(message, "<133>1 - web?1 - - - [gatelog@32473] {\"seq\": 1, \"some\": \"old line\"}");
    }
}
