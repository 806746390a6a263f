//! Numbers as JSON (RFC 8259 §6).

use std::io::Write;

/// Two digits each, `00` to `99`.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut n = 0;
    while n < 100 {
        pairs[n] = [b'0' + (n / 10) as u8, b'0' + (n % 10) as u8];
        n += 1;
    }
    pairs
};

/// A whole number.
#[inline]
pub(in crate::record) fn whole(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Microseconds, as seconds with exactly six decimals.
#[inline]
pub(in crate::record) fn seconds(micros: u64, out: &mut Vec<u8>) {
    match micros / 1_000_000 {
        whole @ 0..10 => out.push(b'0' + whole as u8),
        more => whole(more, out),
    }
    fraction((micros % 1_000_000) as u32, out);
}

/// A dot and the six digits of a number below a million.
#[inline]
pub(super) fn fraction(micros: u32, out: &mut Vec<u8>) {
    let [a, b] = pair(micros / 10_000);
    let [c, d] = pair(micros / 100 % 100);
    let [e, f] = pair(micros % 100);
    out.extend_from_slice(&[b'.', a, b, c, d, e, f]);
}

/// The two digits of a number below a hundred.
#[inline]
pub(super) fn pair(value: u32) -> [u8; 2] {
    PAIRS[value as usize % 100]
}

/// A finite fraction, in the shortest form that reads back as the same; always with a dot or an exponent, so that it
/// does not look whole one day and not the next.
pub(in crate::record) fn float(value: f64, out: &mut Vec<u8>) {
    // Writing into a `Vec` cannot fail.
    let _ = write!(out, "{value:?}");
}

/// Whether these digits are a JSON number as they stand.
pub(super) fn is_whole(digits: &str) -> bool {
    match digits.strip_prefix('-').unwrap_or(digits).as_bytes() {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn seconds_have_six_decimals() {
        for (micros, expected) in [
            (0, "0.000000"),
            (7, "0.000007"),
            (53_210, "0.053210"),
            (9_999_999, "9.999999"),
            (10_000_000, "10.000000"),
            (u64::MAX, "18446744073709.551615"),
        ] {
            assert_eq!(text(|out| seconds(micros, out)), expected);
        }
    }

    #[test]
    fn a_fraction_never_looks_whole() {
        assert_eq!(text(|out| float(1.0, out)), "1.0");
        assert_eq!(text(|out| float(0.1, out)), "0.1");
        assert_eq!(text(|out| float(1e300, out)), "1e300");
    }

    #[test]
    fn digits_that_json_refuses_are_no_number() {
        for digits in ["0", "7", "-7", "-0", "123456789012345678901234567890"] {
            assert!(is_whole(digits), "{digits}");
        }
        for digits in ["", "-", "007", "--7", "1.5", "1e5", "+1", " 1", "٣"] {
            assert!(!is_whole(digits), "{digits}");
        }
    }

    proptest! {
        #[test]
        fn seconds_read_back_as_the_same_microseconds(micros in 0u64..1 << 50) {
            let (whole, fraction) = text(|out| seconds(micros, out)).split_once('.').map(|(whole, fraction)| {
                (whole.parse::<u64>().unwrap(), fraction.parse::<u64>().unwrap())
            }).unwrap();
            prop_assert_eq!(whole * 1_000_000 + fraction, micros);
        }

        #[test]
        fn a_finite_fraction_reads_back_as_the_same(value in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO) {
            let parsed: f64 = text(|out| float(value, out)).parse().unwrap();
            prop_assert_eq!(parsed.to_bits(), value.to_bits());
            prop_assert!(serde_json::from_str::<serde_json::Value>(&text(|out| float(value, out))).unwrap().is_f64());
        }
    }
}
