//! The chunked transfer coding (RFC 9112 §7.1), read strictly.
//!
//! [`Scanner`] takes bytes as they arrive and says of each stretch whether it is data, coding or trailer. It holds no
//! data. Whatever two readers could read differently is refused: bare LF, white space around a size, a size that does
//! not fit, anything but CRLF after a chunk. Chunk extensions are skipped, within a limit.

use thiserror::Error;

/// Bytes of extensions in a whole body: nobody uses them, and each costs more than its chunk.
const MAX_EXTENSIONS: u32 = 8 * 1024;
/// Bytes of a whole trailer section.
const MAX_TRAILERS: u32 = 16 * 1024;
/// Fields of a trailer section.
pub const MAX_TRAILER_FIELDS: usize = 64;
/// Hex digits of a size: more than 2⁶⁰ bytes is no chunk.
const MAX_SIZE_DIGITS: u8 = 15;

/// Why the coding was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ChunkedError {
    /// Not a hexadecimal number followed by CRLF or an extension.
    #[error("chunk size is not a hexadecimal number followed by CRLF")]
    Size,
    /// More digits than any body has bytes.
    #[error("chunk size is too large")]
    SizeTooLarge,
    /// A control character, a bare LF, or too long.
    #[error("chunk extension is malformed or too long")]
    Extension,
    /// No CRLF after the data.
    #[error("chunk data is not followed by CRLF")]
    DataEnd,
    /// Malformed or too long.
    #[error("trailer section is malformed or too long")]
    Trailers,
}

/// What the next stretch of the given bytes is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stretch {
    /// So many bytes of coding.
    Coding(usize),
    /// So many bytes of data.
    Data(usize),
    /// So many bytes of a trailer section; the last two of them are the empty line when the section is over.
    Trailer(usize),
    /// The body is over; nothing of the given bytes belongs to it.
    End,
}

/// Where a body in the chunked coding is.
#[derive(Debug, Clone)]
pub struct Scanner {
    state: State,
    size: u64,
    /// Digits of a size, or bytes of the trailer section.
    count: u32,
    extensions: u32,
    fields: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    SizeFirst,
    Size,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    LineStart,
    Name,
    Value,
    LineLf,
    LastLf,
    End,
}

impl Default for Scanner {
    fn default() -> Self {
        Scanner { state: State::SizeFirst, size: 0, count: 0, extensions: 0, fields: 0 }
    }
}

impl Scanner {
    /// Whether the body is over.
    pub fn is_end(&self) -> bool {
        self.state == State::End
    }

    /// Whether something for the recipient begins with these bytes: data, or a trailer field. The empty line that ends
    /// a body is none.
    pub fn is_at_content(&self, bytes: &[u8]) -> bool {
        match self.state {
            State::Data => true,
            State::LineStart => !b"\r\n".starts_with(&bytes[..bytes.len().min(2)]),
            _ => false,
        }
    }

    /// Says what the bytes begin with; `bytes` must not be empty unless the body is over.
    pub fn next(&mut self, bytes: &[u8]) -> Result<Stretch, ChunkedError> {
        match self.state {
            State::End => Ok(Stretch::End),
            State::Data => Ok(self.data(bytes.len())),
            State::LineStart | State::Name | State::Value | State::LineLf | State::LastLf => self.trailer(bytes),
            _ => self.coding(bytes),
        }
    }

    fn data(&mut self, available: usize) -> Stretch {
        let taken = usize::try_from(self.size).unwrap_or(usize::MAX).min(available);
        self.size -= taken as u64;
        if self.size == 0 {
            self.state = State::DataCr;
        }
        Stretch::Data(taken)
    }

    fn coding(&mut self, bytes: &[u8]) -> Result<Stretch, ChunkedError> {
        for (at, &byte) in bytes.iter().enumerate() {
            self.coding_byte(byte)?;
            if matches!(self.state, State::Data | State::LineStart) {
                return Ok(Stretch::Coding(at + 1));
            }
        }
        Ok(Stretch::Coding(bytes.len()))
    }

    fn coding_byte(&mut self, byte: u8) -> Result<(), ChunkedError> {
        self.state = match (self.state, byte) {
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::SizeFirst,
            (State::DataCr | State::DataLf, _) => return Err(ChunkedError::DataEnd),
            (State::SizeFirst, _) => self.first_digit(byte)?,
            (State::Size, b'\r') => State::SizeLf,
            (State::Size, b';') => State::Extension,
            (State::Size, _) => self.digit(byte)?,
            (State::Extension, b'\r') => State::SizeLf,
            (State::Extension, _) => self.extension(byte)?,
            (State::SizeLf, b'\n') => self.size_read(),
            _ => return Err(ChunkedError::Size),
        };
        Ok(())
    }

    fn first_digit(&mut self, byte: u8) -> Result<State, ChunkedError> {
        self.size = 0;
        self.count = 0;
        self.digit(byte)
    }

    fn digit(&mut self, byte: u8) -> Result<State, ChunkedError> {
        let digit = char::from(byte).to_digit(16).ok_or(ChunkedError::Size)?;
        self.count += 1;
        if self.count > u32::from(MAX_SIZE_DIGITS) {
            return Err(ChunkedError::SizeTooLarge);
        }
        self.size = self.size << 4 | u64::from(digit);
        Ok(State::Size)
    }

    fn extension(&mut self, byte: u8) -> Result<State, ChunkedError> {
        self.extensions += 1;
        if !is_field_byte(byte) || self.extensions > MAX_EXTENSIONS {
            return Err(ChunkedError::Extension);
        }
        Ok(State::Extension)
    }

    fn size_read(&mut self) -> State {
        self.count = 0;
        if self.size == 0 { State::LineStart } else { State::Data }
    }

    fn trailer(&mut self, bytes: &[u8]) -> Result<Stretch, ChunkedError> {
        for (at, &byte) in bytes.iter().enumerate() {
            self.count += 1;
            if self.count > MAX_TRAILERS {
                return Err(ChunkedError::Trailers);
            }
            self.state = self.trailer_byte(byte)?;
            if self.state == State::End {
                return Ok(Stretch::Trailer(at + 1));
            }
        }
        Ok(Stretch::Trailer(bytes.len()))
    }

    fn trailer_byte(&mut self, byte: u8) -> Result<State, ChunkedError> {
        match (self.state, byte) {
            (State::LineStart, b'\r') => Ok(State::LastLf),
            (State::LastLf, b'\n') => Ok(State::End),
            (State::LineStart, _) if is_token(byte) => {
                self.fields += 1;
                if self.fields > MAX_TRAILER_FIELDS { Err(ChunkedError::Trailers) } else { Ok(State::Name) }
            }
            (State::Name, b':') => Ok(State::Value),
            (State::Name, _) if is_token(byte) => Ok(State::Name),
            (State::Value, b'\r') => Ok(State::LineLf),
            (State::Value, _) if is_field_byte(byte) => Ok(State::Value),
            (State::LineLf, b'\n') => Ok(State::LineStart),
            _ => Err(ChunkedError::Trailers),
        }
    }
}

/// `tchar` of RFC 9110 §5.6.2.
pub const fn is_token(byte: u8) -> bool {
    TOKEN[byte as usize]
}

const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let c = byte as u8;
        table[byte] = c.is_ascii_alphanumeric()
            || matches!(
                c,
                b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
            );
        byte += 1;
    }
    table
};

fn is_field_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Data, trailer bytes and how many bytes the body took.
    fn read(mut bytes: &[u8], step: usize) -> Result<(Vec<u8>, Vec<u8>, bool), ChunkedError> {
        let (mut scanner, mut data, mut trailer) = (Scanner::default(), Vec::new(), Vec::new());
        while !bytes.is_empty() && !scanner.is_end() {
            let piece = &bytes[..step.min(bytes.len())];
            let taken = match scanner.next(piece)? {
                Stretch::Coding(taken) => taken,
                Stretch::Data(taken) => {
                    data.extend_from_slice(&piece[..taken]);
                    taken
                }
                Stretch::Trailer(taken) => {
                    trailer.extend_from_slice(&piece[..taken]);
                    taken
                }
                Stretch::End => 0,
            };
            bytes = &bytes[taken..];
        }
        Ok((data, trailer, scanner.is_end()))
    }

    #[test]
    fn reads_chunks_extensions_and_trailers() {
        let body = b"5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX-A: 1\r\n\r\n";
        let expected = (b"hello!".to_vec(), b"X-A: 1\r\n\r\n".to_vec(), true);
        for step in 1..body.len() {
            assert_eq!(read(body, step), Ok(expected.clone()));
        }
    }

    #[test]
    fn refuses_what_could_be_read_in_two_ways() {
        use ChunkedError::*;
        for (bytes, error) in [
            (&b"\r\n"[..], Size),
            (b"5\nhello", Size),
            (b" 5\r\nhello", Size),
            (b"5 \r\nhello", Size),
            (b"0x5\r\nhello", Size),
            (b"-5\r\nhello", Size),
            (b"5\rhello", Size),
            (b"fffffffffffffffff\r\n", SizeTooLarge),
            (b"5;a\nhello", Extension),
            (b"5;a\0\r\nhello", Extension),
            (b"5\r\nhelloX", DataEnd),
            (b"5\r\nhello\n", DataEnd),
            (b"0\r\n folded\r\n\r\n", Trailers),
            (b"0\r\nX: a\nY: b\r\n\r\n", Trailers),
            (b"0\r\n\n", Trailers),
            (b"0\r\nrubbish\r\n\r\n", Trailers),
            (b"0\r\nA : b\r\n\r\n", Trailers),
            (b"0\r\n: b\r\n\r\n", Trailers),
        ] {
            assert_eq!(read(bytes, 64), Err(error), "{}", bytes.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn the_cut_of_the_reads_changes_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..80), step in 1usize..9) {
            prop_assert_eq!(read(&bytes, step), read(&bytes, 1));
        }

        #[test]
        fn what_was_encoded_is_read_back(chunks in proptest::collection::vec("[a-z]{1,40}", 0..5), step in 1usize..50) {
            let mut body = Vec::new();
            for chunk in &chunks {
                body.extend_from_slice(format!("{:x}\r\n{chunk}\r\n", chunk.len()).as_bytes());
            }
            body.extend_from_slice(b"0\r\n\r\n");
            prop_assert_eq!(read(&body, step), Ok((chunks.concat().into_bytes(), b"\r\n".to_vec(), true)));
        }
    }
}
