//! The trigrams of texts, as the search index of a sealed segment has them ([`super::postings`]): three bytes in a row, each
//! of one of a few kinds, so that a table of all trigrams is small. A text that has another one within it has its trigrams;
//! the other way round it need not be so.

/// Kinds of bytes: letters of either case, digits, what parts words of paths; all other bytes share these.
const KINDS: u16 = 40;
/// So many trigrams there are; their numbers are below.
pub(super) const TRIGRAMS: u16 = KINDS * KINDS * KINDS;

/// Part of the format: another table needs another version of it.
const KIND: [u8; 256] = kinds();

const fn kinds() -> [u8; 256] {
    let mut kinds = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let letter = byte as u8;
        kinds[byte] = match letter.to_ascii_lowercase() {
            lower @ b'a'..=b'z' => lower - b'a',
            digit @ b'0'..=b'9' => 26 + digit - b'0',
            b'/' => 36,
            b'-' => 37,
            b' ' => 38,
            b'.' => 39,
            other => other % KINDS as u8,
        };
        byte += 1;
    }
    kinds
}

/// The trigrams of a text, in its order.
pub(super) fn of(text: &str) -> impl Iterator<Item = u16> {
    let kind = |byte: u8| u16::from(KIND[usize::from(byte)]);
    text.as_bytes().windows(3).map(move |three| (kind(three[0]) * KINDS + kind(three[1])) * KINDS + kind(three[2]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn letters_of_either_case_are_one_and_digits_differ() {
        let all = |text: &str| of(text).collect::<Vec<_>>();
        assert_eq!(all("Section7"), all("sECTION7"));
        assert_ne!(all("/19"), all("/18"));
        assert_eq!((all("ab"), all("")), (vec![], vec![]));
    }

    proptest! {
        #[test]
        fn a_text_has_the_trigrams_of_what_is_within_it(before: String, within: String, after: String) {
            let all: Vec<u16> = of(&format!("{before}{within}{after}")).collect();
            prop_assert!(of(&within).all(|trigram| all.contains(&trigram)));
            prop_assert!(all.iter().all(|trigram| *trigram < TRIGRAMS));
        }
    }
}
