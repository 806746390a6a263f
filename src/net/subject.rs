//! The name in a certificate as a line of text (RFC 4514), the form in which nginx shows it too.

use std::fmt::Write as _;

use super::der::{Reader, SEQUENCE};

/// Tags of DER.
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8: u8 = 0x0c;
const PRINTABLE: u8 = 0x13;
const T61: u8 = 0x14;
const IA5: u8 = 0x16;
const BMP: u8 = 0x1e;

/// Longest name that is shown, in bytes; what is longer is cut, as names are not made for records.
const LONGEST: usize = 1024;

/// Attribute types by their object identifiers: those of RFC 4514 §3, and two more that certificates of clients have.
const TYPES: [(&[u8], &str); 11] = [
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 9], "STREET"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], "DC"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], "UID"),
    (&[0x55, 4, 5], "serialNumber"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1], "emailAddress"),
];

/// The subject of a certificate in DER, the most special part first; `None` where it is none or its name is empty.
pub fn of_certificate(certificate: &[u8]) -> Option<String> {
    let certificate = certificate.into();
    let certificate = webpki::EndEntityCert::try_from(&certificate).ok()?;
    distinguished_name(certificate.subject()).filter(|name| !name.is_empty())
}

/// The content of a `Name` (RFC 5280 §4.1.2.4): a list of sets of attributes.
fn distinguished_name(content: &[u8]) -> Option<String> {
    let mut names = Reader(content);
    let mut relative = Vec::new();
    while !names.0.is_empty() {
        relative.push(relative_name(names.expect(SET)?)?);
    }
    relative.reverse();
    let mut text = relative.join(",");
    let end = (0..=LONGEST.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or_default());
    Some(text)
}

fn relative_name(content: &[u8]) -> Option<String> {
    let mut attributes = Reader(content);
    let mut text = String::new();
    while !attributes.0.is_empty() {
        let mut attribute = Reader(attributes.expect(SEQUENCE)?);
        let kind = attribute.expect(OBJECT_IDENTIFIER)?;
        let whole = attribute.0;
        let (tag, value) = attribute.next()?;
        if !text.is_empty() {
            text.push('+');
        }
        let known = TYPES.iter().find(|(identifier, _)| *identifier == kind).map(|(_, name)| *name);
        match known.zip(string(tag, value)) {
            Some((name, value)) => {
                text.push_str(name);
                text.push('=');
                escape(&value, &mut text);
            }
            None => write_encoded(kind, whole, &mut text),
        }
    }
    Some(text)
}

/// A string of a type that names are written in.
fn string(tag: u8, value: &[u8]) -> Option<String> {
    match tag {
        UTF8 | PRINTABLE | IA5 => Some(String::from_utf8_lossy(value).into_owned()),
        T61 => Some(value.iter().copied().map(char::from).collect()),
        BMP => {
            let units = value.chunks(2).map(|unit| unit.iter().fold(0, |sum, byte| sum << 8 | u16::from(*byte)));
            Some(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
        }
        _ => None,
    }
}

/// RFC 4514 §2.4: so that the parts of a name stay apart.
fn escape(value: &str, text: &mut String) {
    let last = value.chars().count().saturating_sub(1);
    for (at, character) in value.chars().enumerate() {
        let special = match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => true,
            ' ' => at == 0 || at == last,
            '#' => at == 0,
            _ => false,
        };
        match character {
            '\0' => text.push_str("\\00"),
            _ if special => text.extend(['\\', character]),
            _ => text.push(character),
        }
    }
}

/// RFC 4514 §2.4: an attribute without a name, by its numbers and in hexadecimal.
fn write_encoded(kind: &[u8], value: &[u8], text: &mut String) {
    let mut numbers = Vec::new();
    let mut number: u64 = 0;
    for byte in kind {
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            // The first one is two in one (X.690 §8.19.4).
            let first = (number / 40).min(2);
            match numbers.is_empty() {
                true => numbers.extend([first, number - first * 40]),
                false => numbers.push(number),
            }
            number = 0;
        }
    }
    let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
    text.push_str(&numbers.join("."));
    text.push_str("=#");
    for byte in value {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair};

    fn certificate(name: &[(DnType, DnValue)]) -> Vec<u8> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        name.iter().for_each(|(kind, value)| params.distinguished_name.push(kind.clone(), value.clone()));
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn shown(name: &[(DnType, &str)]) -> Option<String> {
        let name: Vec<_> =
            name.iter().map(|(kind, value)| (kind.clone(), DnValue::Utf8String((*value).into()))).collect();
        of_certificate(&certificate(&name))
    }

    #[test]
    fn the_most_special_part_comes_first() {
        let name = [(DnType::CountryName, "DE"), (DnType::OrganizationName, "Shop"), (DnType::CommonName, "robot")];
        assert_eq!(shown(&name).as_deref(), Some("CN=robot,O=Shop,C=DE"));
        assert_eq!(shown(&[]), None);
    }

    /// As `openssl x509 -nameopt RFC2253` shows them.
    #[test]
    fn parts_cannot_be_forged_by_their_values() {
        let shown = |value: &str| shown(&[(DnType::CommonName, value)]).unwrap();
        assert_eq!(shown("a,O=b"), "CN=a\\,O=b");
        assert_eq!(shown("#a+\"\\ "), "CN=\\#a\\+\\\"\\\\\\ ");
        assert_eq!(shown(" ü;<>"), "CN=\\ ü\\;\\<\\>");
        assert_eq!(shown(&"x".repeat(5000)).len(), LONGEST);
    }

    #[test]
    fn types_without_a_name_are_numbers() {
        let name = [(DnType::CustomDnType(vec![2, 5, 4, 12]), DnValue::Utf8String("x".into()))];
        assert_eq!(of_certificate(&certificate(&name)).as_deref(), Some("2.5.4.12=#0c0178"));
    }

    proptest! {
        #[test]
        fn bytes_that_are_no_name_are_survived(bytes: Vec<u8>, at in any::<prop::sample::Index>(), byte: u8) {
            let _ = distinguished_name(&bytes);
            let mut bytes = certificate(&[(DnType::CommonName, DnValue::Utf8String("robot".into()))]);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = of_certificate(&bytes);
        }
    }
}
