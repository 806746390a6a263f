//! Values of DER one behind the other (X.690), for the few things that are read from certificates here; whether a
//! certificate is good is for rustls to say.

/// A tag of DER.
pub(super) const SEQUENCE: u8 = 0x30;

/// Values of DER, one behind the other.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// Tag and content of the next one.
    pub(super) fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, length) = (*self.0.first()?, *self.0.get(1)?);
        let (length, start) = match length {
            0..=0x7f => (usize::from(length), 2),
            0x81..=0x84 => {
                let count = usize::from(length & 0x7f);
                let bytes = self.0.get(2..2 + count)?;
                (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), 2 + count)
            }
            _ => return None,
        };
        let content = self.0.get(start..start.checked_add(length)?)?;
        self.0 = &self.0[start + length..];
        Some((tag, content))
    }

    /// The content of the next one, which has this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }
}
