//! Lines one behind the other, as parcels and the spool carry them.

/// Whole lines, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    bytes: Vec<u8>,
    /// Where each line ends.
    ends: Vec<usize>,
}

/// How much is put into one parcel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Lines.
    pub records: usize,
    /// Bytes; a first line is taken however long it is.
    pub bytes: usize,
}

impl Lines {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All of them, one behind the other.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// One after the other, line feed included.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.line(index))
    }

    /// One of them; empty where there is none.
    pub fn line(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.ends.get(index).map_or(&[], |end| &self.bytes[start..*end])
    }

    /// Adds a line.
    pub fn push(&mut self, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        self.ends.push(self.bytes.len());
    }

    /// Whether a further line of this length stays within the limits.
    pub fn has_room(&self, limits: Limits, line: usize) -> bool {
        self.is_empty() || self.len() < limits.records && self.bytes.len().saturating_add(line) <= limits.bytes
    }

    /// Whether no parcel would hold more.
    pub fn is_full(&self, limits: Limits) -> bool {
        self.len() >= limits.records || self.bytes.len() >= limits.bytes
    }

    /// Takes the first ones out, as many as the limits allow.
    pub fn split(&mut self, limits: Limits) -> Lines {
        let within = |(index, end): (usize, &usize)| index == 0 || index < limits.records && *end <= limits.bytes;
        let count = self.ends.iter().enumerate().take_while(|entry| within(*entry)).count();
        let end = count.checked_sub(1).map_or(0, |last| self.ends[last]);
        let first = Lines { bytes: self.bytes[..end].to_vec(), ends: self.ends[..count].to_vec() };
        self.bytes.drain(..end);
        self.ends.drain(..count);
        self.ends.iter_mut().for_each(|rest| *rest -= end);
        first
    }

    /// Those with these places, in order.
    pub fn select(&self, places: &[usize]) -> Lines {
        let mut selected = Lines::default();
        places.iter().for_each(|place| selected.push(self.line(*place)));
        selected
    }

    /// Forgets them, keeps the memory up to a limit.
    pub fn clear(&mut self, keep: usize) {
        self.bytes.clear();
        self.bytes.shrink_to(keep);
        self.ends.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parcels_hold_all_lines_in_order_and_keep_to_their_limits(
            lines in prop::collection::vec("[a-z]{0,30}\n", 0..30), records in 1usize..8, bytes in 1usize..100,
        ) {
            let limits = Limits { records, bytes };
            let mut rest = Lines::default();
            lines.iter().for_each(|line| rest.push(line.as_bytes()));
            let mut seen = Vec::new();
            while !rest.is_empty() {
                let parcel = rest.split(limits);
                prop_assert!(parcel.len() <= records);
                prop_assert!(parcel.len() == 1 || parcel.bytes().len() <= bytes);
                prop_assert!(rest.is_empty() || !parcel.has_room(limits, rest.line(0).len()));
                seen.extend(parcel.iter().map(|line| String::from_utf8(line.to_vec()).unwrap()));
            }
            prop_assert_eq!(seen, lines);
        }
    }
}
