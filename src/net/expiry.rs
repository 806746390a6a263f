//! When a certificate ends: the one date in it that operators watch.
//!
//! Walks DER to `tbsCertificate.validity.notAfter` (RFC 5280 §4.1) and reads nothing else; whether a certificate is good is
//! for rustls to say.

use super::der::{Reader, SEQUENCE};

/// Tags of DER.
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The last moment at which a certificate (DER) is valid, in microseconds since the Unix epoch; `None` where it is none, or
/// ended before 1970.
pub fn not_after(certificate: &[u8]) -> Option<u64> {
    let mut whole = Reader(certificate);
    let mut certificate = Reader(whole.expect(SEQUENCE)?);
    let mut tbs = Reader(certificate.expect(SEQUENCE)?);
    if tbs.0.first() == Some(&VERSION) {
        tbs.next()?;
    }
    // Serial number, signature algorithm, issuer.
    (0..3).try_for_each(|_| tbs.next().map(drop))?;
    let mut validity = Reader(tbs.expect(SEQUENCE)?);
    validity.next()?;
    let (tag, text) = validity.next()?;
    let seconds = match tag {
        // RFC 5280 §4.1.2.5.1: two digits up to 49 are of this century.
        UTC_TIME => {
            let year = digits(text.get(..2)?)?;
            moment(if year < 50 { 2000 + year } else { 1900 + year }, text.get(2..)?)
        }
        GENERALIZED_TIME => moment(digits(text.get(..4)?)?, text.get(4..)?),
        _ => None,
    };
    seconds?.checked_mul(1_000_000)
}

/// `MMDDHHMMSSZ` of a year, in seconds since the Unix epoch.
fn moment(year: u64, rest: &[u8]) -> Option<u64> {
    if rest.len() != 11 || rest[10] != b'Z' {
        return None;
    }
    let pair = |at: usize| digits(&rest[at..at + 2]);
    let (month, day, hour, minute, second) = (pair(0)?, pair(2)?, pair(4)?, pair(6)?, pair(8)?);
    let is_date = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 61;
    (is_date && year >= 1970).then(|| ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
}

/// Days since the Unix epoch in the Gregorian calendar, its years beginning in March so that a leap day comes last.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_years = year * 365 + year / 4 - year / 100 + year / 400;
    of_years + (month * 153 + 2) / 5 + day - 1 - BEFORE_1970
}

/// From the first of March of the year 0 to 1970.
const BEFORE_1970: u64 = 719_468;

fn digits(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ending(year: i32, month: u8, day: u8) -> Vec<u8> {
        let mut parameters = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).expect("a name");
        parameters.not_before = rcgen::date_time_ymd(1975, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(year, month, day);
        let key = rcgen::KeyPair::generate().expect("a key");
        parameters.self_signed(&key).expect("a certificate").der().to_vec()
    }

    #[test]
    fn the_end_is_read_in_either_form_of_time() {
        // Seconds as `date -u -d DATE +%s` says them; from 2050 on it is a GeneralizedTime.
        for ((year, month, day), seconds) in [
            ((1999, 12, 31), 946_598_400),
            ((2024, 2, 29), 1_709_164_800),
            ((2049, 12, 31), 2_524_521_600),
            ((2050, 1, 1), 2_524_608_000),
            ((4096, 3, 1), 67_095_302_400),
        ] {
            assert_eq!(not_after(&ending(year, month, day)), Some(seconds * 1_000_000), "{year}");
        }
    }

    proptest! {
        /// Cut off, or with any byte changed, it is read or not, and nothing else happens.
        #[test]
        fn what_is_no_certificate_is_survived(at in any::<prop::sample::Index>(), byte: u8, junk: Vec<u8>) {
            let mut certificate = ending(2030, 1, 1);
            let at = at.index(certificate.len());
            prop_assert_eq!(not_after(&certificate[..at]), None);
            certificate[at] = byte;
            let _ = not_after(&certificate);
            let _ = not_after(&junk);
        }
    }
}
