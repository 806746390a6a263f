//! Whatever bytes as the inside of a JSON string: valid UTF-8, on one line for any reader.
//!
//! Beside what RFC 8259 §7 demands, everything is escaped that some reader takes for the end of a line or a terminal for
//! a command: DEL, the C1 controls (U+0085 is one), U+2028 and U+2029. Invalid UTF-8 becomes U+FFFD, one for each maximal
//! subpart, as `String::from_utf8_lossy` has it.

const HEX: &[u8; 16] = b"0123456789abcdef";

/// What a byte below 0x80 needs: nothing, a letter behind a backslash, or four hex digits.
const ESCAPES: [u8; 128] = {
    let mut table = [CLEAN; 128];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = b'u';
        byte += 1;
    }
    table[0x7f] = b'u';
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0a] = b'n';
    table[0x0c] = b'f';
    table[0x0d] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};
const CLEAN: u8 = 0;

/// Appends the inside of a JSON string.
#[inline]
pub(super) fn text(bytes: &[u8], out: &mut Vec<u8>) {
    let clean = clean_run(bytes);
    out.extend_from_slice(&bytes[..clean]);
    if clean < bytes.len() {
        dirty(&bytes[clean..], out);
    }
}

/// Appends the inside of a JSON string from which each byte can be read back: a byte that is no printable ASCII stands
/// as `\xNN`, or `\r`, `\n`, `\t`, and a backslash as two (each backslash being escaped once more, for JSON).
pub(super) fn visible(bytes: &[u8], out: &mut Vec<u8>) {
    for &byte in bytes {
        match byte {
            b'\r' => out.extend_from_slice(b"\\\\r"),
            b'\n' => out.extend_from_slice(b"\\\\n"),
            b'\t' => out.extend_from_slice(b"\\\\t"),
            b'\\' => out.extend_from_slice(b"\\\\\\\\"),
            b'"' => out.extend_from_slice(b"\\\""),
            b' '..=b'~' => out.push(byte),
            _ => {
                out.extend_from_slice(b"\\\\x");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
        }
    }
}

/// How many bytes from the beginning can be copied as they are.
#[inline]
fn clean_run(bytes: &[u8]) -> usize {
    // Without an early end the compiler makes vector code of the inner loop.
    let dirty = |found: u8, byte: &u8| {
        found | u8::from(*byte < 0x20) | u8::from(*byte >= 0x7f) | u8::from(*byte == b'"') | u8::from(*byte == b'\\')
    };
    let mut run = 0;
    for block in bytes.as_chunks::<32>().0 {
        if block.iter().fold(0, dirty) != 0 {
            break;
        }
        run += 32;
    }
    for word in bytes[run..].chunks_exact(8) {
        let marks = unclean(word.try_into().map_or(u64::MAX, u64::from_le_bytes));
        if marks != 0 {
            return run + marks.trailing_zeros() as usize / 8;
        }
        run += 8;
    }
    if unclean(last_word(bytes)) == 0 {
        return bytes.len();
    }
    run + bytes[run..].iter().take_while(|&&byte| is_clean(byte)).count()
}

/// The last eight bytes; of a shorter text all of it, some bytes twice. That is quicker than byte by byte.
#[inline]
fn last_word(bytes: &[u8]) -> u64 {
    if let Some(word) = bytes.last_chunk() {
        return u64::from_le_bytes(*word);
    }
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last)),
        _ => bytes.iter().fold(u64::from_le_bytes([b'a'; 8]), |word, &byte| word << 8 | u64::from(byte)),
    }
}

#[inline]
fn is_clean(byte: u8) -> bool {
    ESCAPES.get(usize::from(byte)) == Some(&CLEAN)
}

/// Marks in eight bytes those that need a look, by their high bit. The lowest mark is right; those above it may be wrong,
/// by a borrow.
#[inline]
fn unclean(word: u64) -> u64 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let below = |word: u64, bound: u8| word.wrapping_sub(LOW * u64::from(bound));
    let equal = |byte: u8| below(word ^ (LOW * u64::from(byte)), 1) & !(word ^ (LOW * u64::from(byte)));
    ((below(word, 0x20) & !word) | equal(b'"') | equal(b'\\') | equal(0x7f) | word) & HIGH
}

/// Bytes of which the first is not clean.
#[cold]
fn dirty(mut bytes: &[u8], out: &mut Vec<u8>) {
    while let Some(&byte) = bytes.first() {
        let run = match ESCAPES.get(usize::from(byte)) {
            Some(&CLEAN) => {
                let run = clean_run(bytes);
                out.extend_from_slice(&bytes[..run]);
                run
            }
            Some(&escape) => {
                control(byte, escape, out);
                1
            }
            None => {
                // Cutting at ASCII changes no subpart: an ASCII byte never belongs to one.
                let run = bytes.iter().take_while(|byte| !byte.is_ascii()).count();
                beyond_ascii(&bytes[..run], out);
                run
            }
        };
        bytes = &bytes[run..];
    }
}

fn control(byte: u8, escape: u8, out: &mut Vec<u8>) {
    match escape {
        b'u' => code_unit(u16::from(byte), out),
        letter => out.extend_from_slice(&[b'\\', letter]),
    }
}

fn beyond_ascii(bytes: &[u8], out: &mut Vec<u8>) {
    for chunk in bytes.utf8_chunks() {
        characters(chunk.valid(), out);
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

fn characters(mut text: &str, out: &mut Vec<u8>) {
    while let Some(at) = text.find(|c| matches!(c, '\u{80}'..='\u{9f}' | '\u{2028}' | '\u{2029}')) {
        let (plain, rest) = text.split_at(at);
        out.extend_from_slice(plain.as_bytes());
        let mut rest = rest.chars();
        // Whatever is escaped here lies in the basic plane.
        rest.next().into_iter().for_each(|c| code_unit(c as u32 as u16, out));
        text = rest.as_str();
    }
    out.extend_from_slice(text.as_bytes());
}

fn code_unit(unit: u16, out: &mut Vec<u8>) {
    let digit = |shift: u16| HEX[usize::from(unit >> shift & 15)];
    out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        text(bytes, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn parsed(inside: &str) -> String {
        serde_json::from_str(&format!("\"{inside}\"")).unwrap()
    }

    #[test]
    fn each_byte_at_each_place_of_a_word() {
        for byte in 0..=255 {
            for at in 0..20 {
                let mut bytes = *b"abcdefghijklmnopqrst";
                bytes[at] = byte;
                assert_eq!(parsed(&escaped(&bytes)), String::from_utf8_lossy(&bytes), "{byte:#x} at {at}");
            }
        }
    }

    #[test]
    fn whatever_ends_a_line_or_drives_a_terminal_is_escaped() {
        assert_eq!(escaped(b"a\r\n\x1b\x7f\0\"\\"), r#"a\r\n\u001b\u007f\u0000\"\\"#);
        assert_eq!(escaped("\u{85}é\u{9b}\u{2028}…\u{2029}".as_bytes()), r"\u0085é\u009b\u2028…\u2029");
    }

    #[test]
    fn a_broken_sequence_is_one_replacement_for_each_maximal_subpart() {
        assert_eq!(escaped(b"\xf0\x9f\x92a\xff\xc0\x80\xe2\x80"), "\u{fffd}a\u{fffd}\u{fffd}\u{fffd}\u{fffd}");
    }

    #[test]
    fn visible_bytes_can_be_told_apart() {
        let mut out = Vec::new();
        visible(b"GET \\x00\0\"\xff\r\n", &mut out);
        assert_eq!(parsed(std::str::from_utf8(&out).unwrap()), "GET \\\\x00\\x00\"\\xff\\r\\n");
    }

    proptest! {
        #[test]
        fn any_bytes_read_back_as_the_lossy_text(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let escaped = escaped(&bytes);
            let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
            prop_assert!(!escaped.contains(breaks));
            prop_assert_eq!(parsed(&escaped), String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn any_text_reads_back_as_it_was(text in "\\PC{0,40}[\\x00-\\x1f\\u{80}-\\u{9f}\\u{2028}\"\\\\]?\\PC{0,40}") {
            prop_assert_eq!(parsed(&escaped(text.as_bytes())), text);
        }
    }
}
