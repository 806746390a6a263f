//! How what is counted becomes bytes: whole numbers of seven bits a byte (LEB128), texts with their lengths before them.

/// Bytes that are no counts of ours, or not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not what was written")]
pub struct Corrupt;

/// Writes a number.
pub(super) fn put(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Writes a text.
pub(super) fn put_text(text: &str, out: &mut Vec<u8>) {
    put(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

/// Writes what may be absent.
pub(super) fn put_option(text: Option<&str>, out: &mut Vec<u8>) {
    out.push(u8::from(text.is_some()));
    if let Some(text) = text {
        put_text(text, out);
    }
}

/// Bytes that are read from the front. They may be of any origin: nothing is made as large as they say before it is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Bytes<'a> {
        Bytes(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, Corrupt> {
        let (first, rest) = self.0.split_first().ok_or(Corrupt)?;
        self.0 = rest;
        Ok(*first)
    }

    #[inline]
    pub(super) fn number(&mut self) -> Result<u64, Corrupt> {
        let first = self.byte()?;
        if first < 0x80 { Ok(first.into()) } else { self.long_number(first) }
    }

    fn long_number(&mut self, first: u8) -> Result<u64, Corrupt> {
        let mut number = u64::from(first & 0x7f);
        for shift in (7..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Corrupt);
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Corrupt)
    }

    /// A number that fits.
    pub(super) fn small<T: TryFrom<u64>>(&mut self) -> Result<T, Corrupt> {
        T::try_from(self.number()?).map_err(|_| Corrupt)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Corrupt> {
        std::str::from_utf8(self.take()?).map_err(|_| Corrupt)
    }

    pub(super) fn option(&mut self) -> Result<Option<&'a str>, Corrupt> {
        match self.byte()? {
            0 => Ok(None),
            1 => self.text().map(Some),
            _ => Err(Corrupt),
        }
    }

    /// Bytes with their length before them.
    pub(super) fn take(&mut self) -> Result<&'a [u8], Corrupt> {
        let length = self.small::<usize>()?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Corrupt)?;
        self.0 = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(number: u64, text: String, option: Option<String>) {
            let mut out = Vec::new();
            put(number, &mut out);
            put_text(&text, &mut out);
            put_option(option.as_deref(), &mut out);
            let mut bytes = Bytes::new(&out);
            prop_assert_eq!(bytes.number(), Ok(number));
            prop_assert_eq!(bytes.text(), Ok(&*text));
            prop_assert_eq!(bytes.option(), Ok(option.as_deref()));
            prop_assert!(bytes.is_empty());
        }

        #[test]
        fn any_bytes_are_read_or_refused(noise: Vec<u8>) {
            let mut bytes = Bytes::new(&noise);
            while bytes.number().is_ok() {}
            while bytes.text().is_ok() && !bytes.is_empty() {}
        }
    }

    #[test]
    fn a_number_past_64_bits_is_refused() {
        assert_eq!(Bytes::new(&[0xff; 12]).number(), Err(Corrupt));
        let mut most = [0xff; 10];
        most[9] = 1;
        assert_eq!(Bytes::new(&most).number(), Ok(u64::MAX));
        most[9] = 2;
        assert_eq!(Bytes::new(&most).number(), Err(Corrupt));
    }
}
