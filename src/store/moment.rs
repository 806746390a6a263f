//! The moments of lines: read from their text, the day looked up once for all lines of it.

use crate::filter::Span;

/// Reads moments, and keeps the last day.
#[derive(Debug, Default)]
pub(super) struct Moments {
    /// `2026-11-22`, and the microseconds since the Unix epoch at its beginning.
    day: Option<([u8; 10], u64)>,
}

impl Moments {
    /// Microseconds since the Unix epoch, and whether the text is just how we write them: `2026-11-22T11:02:36.000123Z`.
    pub(super) fn read(&mut self, text: &str) -> Option<(u64, bool)> {
        match self.canonical(text.as_bytes()) {
            Some(at) => Some((at, true)),
            None => Span::parse(text).map(|span| (span.from, false)),
        }
    }

    fn canonical(&mut self, text: &[u8]) -> Option<u64> {
        let text: &[u8; 27] = text.try_into().ok()?;
        let marks = [(10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (26, b'Z')];
        if marks.iter().any(|(at, mark)| text[*at] != *mark) {
            return None;
        }
        let number = |from: usize, to: usize| digits(&text[from..to]);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let seconds = (hour * 60 + minute) * 60 + second;
        Some(self.day(text.first_chunk()?)? + seconds * 1_000_000 + number(20, 26)?)
    }

    fn day(&mut self, text: &[u8; 10]) -> Option<u64> {
        match &self.day {
            Some((day, from)) if day == text => Some(*from),
            _ => {
                let from = Span::parse(std::str::from_utf8(text).ok()?)?.from;
                self.day = Some((*text, from));
                Some(from)
            }
        }
    }
}

fn digits(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::timestamp;
    use proptest::prelude::*;

    #[test]
    fn other_ways_to_write_a_moment_are_read_too() {
        let mut moments = Moments::default();
        assert_eq!(moments.read("2026-11-22T11:02:36.000123Z"), Some((1_795_345_356_000_123, true)));
        assert_eq!(moments.read("2026-11-22T12:02:36.000123+01:00"), Some((1_795_345_356_000_123, false)));
        assert_eq!(moments.read("2026-11-22T24:02:36.000123Z"), None);
        assert_eq!(moments.read("2026-02-30T11:02:36.000123Z"), None);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(at in 0u64..253_402_300_800_000_000) {
            prop_assert_eq!(Moments::default().read(&timestamp(at)), Some((at, true)));
        }
    }
}
