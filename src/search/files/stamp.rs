//! When a line was written, by a look at its first bytes: that is where our encoder puts it.

const BEGINNING: &[u8] = b"{\"timestamp\":\"";
const FORM: &[u8; 27] = b"0000-00-00T00:00:00.000000Z";

const SECOND: u64 = 1_000_000;
const DAY: u64 = 86_400;

/// Microseconds since the Unix epoch of a line that begins as ours do, and has the end that ours have. Whatever is written
/// otherwise has to be read as JSON.
pub(super) fn of_line(line: &[u8]) -> Option<u64> {
    let text = line.strip_prefix(BEGINNING)?.first_chunk::<27>()?;
    let quote = line.get(BEGINNING.len() + FORM.len());
    let is_whole = quote == Some(&b'"') && line.last() == Some(&b'}');
    let fits = |(byte, form): (&u8, &u8)| if *form == b'0' { byte.is_ascii_digit() } else { byte == form };
    if !is_whole || !text.iter().zip(FORM).all(fits) {
        return None;
    }
    let number =
        |from: usize, to: usize| text[from..to].iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    let [hour, minute, second] = [number(11, 13), number(14, 16), number(17, 19)];
    let day = days(number(0, 4), number(5, 7), number(8, 10))?;
    let is_time = hour < 24 && minute < 60 && second < 60;
    is_time.then(|| (day * DAY + hour * 3600 + minute * 60 + second) * SECOND + number(20, 26))
}

/// Days since the Unix epoch in the Gregorian calendar, years counted from March.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let last = match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year < 1970 || day == 0 || day > last {
        return None;
    }
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_year = (153 * month + 2) / 5 + day - 1;
    (year * 365 + year / 4 - year / 100 + year / 400 + of_year).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::filter::Span;

    fn line(timestamp: &str) -> Vec<u8> {
        format!("{{\"timestamp\":\"{timestamp}\"}}").into_bytes()
    }

    #[test]
    fn what_is_no_moment_or_not_in_our_form_is_left_to_json() {
        for timestamp in [
            "2026-02-29T00:00:00.000000Z",
            "2026-13-01T00:00:00.000000Z",
            "2026-00-01T00:00:00.000000Z",
            "2026-01-00T00:00:00.000000Z",
            "1969-12-31T23:59:59.999999Z",
            "2026-01-01T24:00:00.000000Z",
            "2026-01-01T00:60:00.000000Z",
            "2026-01-01T00:00:60.000000Z",
            "2026-01-01T00:00:00.000Z",
            "2026-01-01T00:00:00.000000+",
            "",
        ] {
            assert_eq!(of_line(&line(timestamp)), None, "{timestamp}");
        }
        assert_eq!(of_line(b"{\"timestamp\":\"2026-01-01T00:00:00.000000Z\""), None);
        assert_eq!(of_line(b"{ \"timestamp\":\"2026-01-01T00:00:00.000000Z\"}"), None);
    }

    proptest! {
        #[test]
        fn it_is_what_the_filter_reads(micros in 0u64..253_402_300_800_000_000) {
            let text = crate::record::timestamp(micros);
            prop_assert_eq!(of_line(&line(&text)), Some(micros));
            prop_assert_eq!(Span::parse(&text).map(|span| span.from), Some(micros));
        }
    }
}
