//! A log as a stream of bytes, however it is stored: plain, gzip or zstd, told apart by how the file begins.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

/// RFC 1952 §2.3.1.
const GZIP: &[u8] = &[0x1f, 0x8b];
/// RFC 8878 §3.1.1.
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Opens a log; `-` is standard input. Several gzip members or zstd frames behind one another are one log, as rotation
/// and `cat` leave them.
///
/// # Errors
/// When it cannot be opened, or its beginning not be read. What is torn shows as an error of the reader.
#[expect(clippy::disallowed_methods, reason = "a log is read as a stream, however long it is")]
pub fn open(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    match path.to_str() {
        Some("-") => plain(io::stdin()),
        _ => plain(File::open(path)?),
    }
}

/// Opens a log as it is stored, for those who seek in it or look at it again.
///
/// # Errors
/// When it cannot be opened.
#[expect(clippy::disallowed_methods, reason = "this is where logs are opened")]
pub fn stored(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Whether bytes that begin so are compressed.
pub fn is_compressed(beginning: &[u8]) -> bool {
    beginning.starts_with(GZIP) || beginning.starts_with(ZSTD)
}

/// The bytes that a source holds, decompressed where it is compressed.
///
/// # Errors
/// When its beginning cannot be read.
pub fn plain(mut source: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut magic = Vec::with_capacity(ZSTD.len());
    source.by_ref().take(ZSTD.len() as u64).read_to_end(&mut magic)?;
    let (gzip, zstd) = (magic.starts_with(GZIP), magic.starts_with(ZSTD));
    let whole = io::Cursor::new(magic).chain(source);
    Ok(match (gzip, zstd) {
        (true, _) => Box::new(MultiGzDecoder::new(whole)),
        (_, true) => Box::new(zstd::Decoder::new(whole)?),
        _ => Box::new(whole),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    const TEXT: &[u8] = b"{\"seq\":1}\n{\"seq\":2}\n";

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).unwrap()
    }

    fn read(bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        plain(io::Cursor::new(bytes))?.read_to_end(&mut text)?;
        Ok(text)
    }

    #[test]
    fn each_form_gives_the_same_text() {
        assert_eq!(read(TEXT.to_vec()).unwrap(), TEXT);
        assert_eq!(read(gzip(TEXT)).unwrap(), TEXT);
        assert_eq!(read(zstd(TEXT)).unwrap(), TEXT);
    }

    #[test]
    fn pieces_behind_one_another_are_one_log() {
        for pieces in [[gzip(TEXT), gzip(TEXT)], [zstd(TEXT), zstd(TEXT)]] {
            assert_eq!(read(pieces.concat()).unwrap(), [TEXT, TEXT].concat());
        }
    }

    #[test]
    fn short_and_empty_files_are_plain() {
        for bytes in [&b""[..], b"{", b"\x1f", b"\x28\xb5\x2f"] {
            assert_eq!(read(bytes.to_vec()).unwrap(), bytes);
        }
    }

    #[test]
    fn what_is_torn_is_an_error() {
        for mut whole in [gzip(TEXT), zstd(TEXT)] {
            whole.truncate(whole.len() - 5);
            assert!(read(whole).is_err());
        }
    }
}
