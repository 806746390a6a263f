//! RFC 7541: every representation of a field, the dynamic table, and what cannot be decoded. The strings with Huffman
//! coding are those of its appendix C.

use super::{COMPRESSION_ERROR, CONTENT, Case, Due, GET, HEADERS, WHOLE, Wait, answered, block, case, frame};
use crate::support::frames::literal;

/// Size updates (§6.3).
const SIZE_0: &[u8] = &[0x20];
const SIZE_128: &[u8] = &[0x3f, 0x61];
const SIZE_4096: &[u8] = &[0x3f, 0xe1, 0x1f];
const SIZE_4097: &[u8] = &[0x3f, 0xe2, 0x1f];
/// Index 62, the first of the dynamic table, as an indexed field.
const NEWEST: &[u8] = &[0x80 | 62];
/// `custom-key` and `custom-value` with Huffman coding.
const KEY: [u8; 8] = [0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xa9, 0x7d, 0x7f];
const VALUE: [u8; 9] = [0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xb8, 0xe8, 0xb4, 0xbf];

pub(super) fn cases() -> Vec<Case> {
    [indexed(), literals(), table(), undecodable(), bad_strings()].into_iter().flatten().collect()
}

/// A string with Huffman coding.
fn huffman(coded: &[u8]) -> Vec<u8> {
    let length = u8::try_from(coded.len()).unwrap();
    [&[0x80 | length], coded].concat()
}

/// A whole GET with this before its fields and that after them.
fn around(stream: u32, before: &[u8], after: &[u8]) -> Vec<u8> {
    frame(HEADERS, WHOLE, stream, [before, &block(GET), after].concat())
}

fn after(bytes: &[u8]) -> Vec<u8> {
    around(1, &[], bytes)
}

fn indexed() -> Vec<Case> {
    // Index 16 of the static table has a value, index 58 has none.
    vec![
        answered("an indexed field", after(&[0x80 | 16])).with_field("accept-encoding", "gzip, deflate"),
        answered("an indexed field without a value", after(&[0x80 | 58])),
    ]
}

/// Each kind of literal: its first bytes where the name is `user-agent` of the static table, and where it is new.
fn literals() -> Vec<Case> {
    let known = |name, first: &[u8], value: Vec<u8>| {
        answered(name, after(&[first, &value].concat())).with_field("user-agent", "custom-value")
    };
    let new = |name, first: u8, key: Vec<u8>, value: Vec<u8>| {
        answered(name, after(&[vec![first], key, value].concat())).with_field("custom-key", "custom-value")
    };
    let (key, value) = (|| literal(b"custom-key"), || literal(b"custom-value"));
    let (short_key, short_value) = (|| huffman(&KEY), || huffman(&VALUE));
    vec![
        known("incremental indexing, known name", &[0x40 | 58], value()),
        known("incremental indexing, known name, Huffman", &[0x40 | 58], short_value()),
        new("incremental indexing, new name", 0x40, key(), value()),
        new("incremental indexing, new name, Huffman", 0x40, short_key(), short_value()),
        known("no indexing, known name", &[0x0f, 58 - 15], value()),
        known("no indexing, known name, Huffman", &[0x0f, 58 - 15], short_value()),
        new("no indexing, new name", 0x00, key(), value()),
        new("no indexing, new name, Huffman", 0x00, short_key(), short_value()),
        known("never indexed, known name", &[0x1f, 58 - 15], value()),
        known("never indexed, known name, Huffman", &[0x1f, 58 - 15], short_value()),
        new("never indexed, new name", 0x10, key(), value()),
        new("never indexed, new name, Huffman", 0x10, short_key(), short_value()),
    ]
}

fn table() -> Vec<Case> {
    let added = [&[0x40][..], &literal(b"custom-key"), &literal(b"custom-value")].concat();
    vec![
        answered("a size update", around(1, SIZE_128, &[])),
        answered("two size updates", around(1, &[SIZE_128, SIZE_4096].concat(), &[])),
        case("a field of the dynamic table", after(&added), Due::Data(CONTENT.len()))
            .then(Wait::End, around(3, &[], NEWEST))
            .with_field("custom-key", "custom-value"),
        fails(
            "a field that a size update has evicted",
            [after(&added), around(3, &[SIZE_0, SIZE_4096].concat(), NEWEST)].concat(),
        ),
        fails("a size update over SETTINGS_HEADER_TABLE_SIZE", around(1, SIZE_4097, &[])),
        fails("a size update after a field", after(&[0x21])),
    ]
}

/// A decoding error is an error of the connection.
fn fails(name: &'static str, sent: Vec<u8>) -> Case {
    case(name, sent, Due::ConnectionError(&[COMPRESSION_ERROR])).or_protocol_error()
}

fn undecodable() -> Vec<Case> {
    vec![
        fails("index 0", after(&[0x80])),
        fails("an index beyond both tables", after(&[0x80 | 70])),
        fails("a name's index beyond both tables", after(&[0x7f, 70 - 63, 0])),
        fails("an integer without end", after(&[0xff; 12])),
        fails("a string that ends too soon", after(&[0x00, 0x0a, b'c'])),
    ]
}

fn bad_strings() -> Vec<Case> {
    let value = |coded: &[u8]| after(&[vec![0], literal(b"x-test"), huffman(coded)].concat());
    let mut with_zeros = KEY;
    // Its last byte has one bit of a symbol and seven of padding; five zeros are a symbol of their own, two are left.
    with_zeros[7] = 0;
    vec![
        fails("Huffman padding of more than 7 bits", value(&[&VALUE[..], &[0xff]].concat())),
        fails("Huffman padding with zeros", value(&with_zeros)),
        fails("Huffman coding of EOS", value(&[0xff; 4])),
    ]
}
