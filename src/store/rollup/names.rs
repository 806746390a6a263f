//! Something for each name, of names that may be too many: the first ones of the alphabet are kept, all others are one.
//!
//! Which are kept must not hang on the order in which they came, or parts added up in one order would differ from those
//! added up in another. Names are routes, loggers and the like, of which a configuration has fewer than the bound; it is
//! there for types of errors that an application makes up.

use super::bytes::{Bytes, Corrupt, put, put_text};

/// What all names beyond the bound are together.
pub const OTHER: &str = "other";

/// What can be added up, in any order.
pub(super) trait Sum: Default {
    fn add(&mut self, more: &Self);
    fn encode(&self, out: &mut Vec<u8>);
    /// Adds one that was written.
    fn absorb(&mut self, bytes: &mut Bytes<'_>) -> Result<(), Corrupt>;
}

impl Sum for u64 {
    fn add(&mut self, more: &u64) {
        *self = self.saturating_add(*more);
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put(*self, out);
    }

    fn absorb(&mut self, bytes: &mut Bytes<'_>) -> Result<(), Corrupt> {
        self.add(&bytes.number()?);
        Ok(())
    }
}

/// At most `MOST` names, each with something, and something for all others.
#[derive(Debug, Clone, PartialEq)]
pub struct Names<T, const MOST: usize> {
    /// In the order of the alphabet.
    named: Vec<(Box<str>, T)>,
    rest: Option<Box<T>>,
}

impl<T, const MOST: usize> Default for Names<T, MOST> {
    fn default() -> Self {
        Names { named: Vec::new(), rest: None }
    }
}

impl<T, const MOST: usize> Names<T, MOST> {
    /// In the order of the alphabet; [`OTHER`] last, where there were too many.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        let named = self.named.iter().map(|(name, value)| (&**name, value));
        named.chain(self.rest.iter().map(|rest| (OTHER, &**rest)))
    }

    /// What this name has; for [`OTHER`], also what all have that were too many, if nothing is called so.
    pub fn get(&self, name: &str) -> Option<&T> {
        let named = self.place(name).ok().map(|at| &self.named[at].1);
        named.or(self.rest.as_deref().filter(|_| name == OTHER))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.named.len() + usize::from(self.rest.is_some())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.named.binary_search_by(|(known, _)| (**known).cmp(name))
    }
}

impl<T, const MOST: usize> Names<T, MOST> {
    /// What this name has, or what it shares with all that are too many.
    #[inline]
    pub(super) fn at(&mut self, name: &str) -> &mut T
    where
        T: Sum,
    {
        match self.place(name) {
            Ok(at) => &mut self.named[at].1,
            Err(at) => self.new_at(at, name),
        }
    }

    pub(super) fn merge(&mut self, other: &Self)
    where
        T: Sum,
    {
        other.named.iter().for_each(|(name, value)| self.at(name).add(value));
        if let Some(rest) = &other.rest {
            self.rest.get_or_insert_default().add(rest);
        }
    }

    /// Each is written with its length, so that it can be passed over.
    pub(super) fn encode(&self, out: &mut Vec<u8>)
    where
        T: Sum,
    {
        put(self.named.len() as u64, out);
        let mut part = Vec::new();
        for (name, value) in &self.named {
            put_text(name, out);
            put_part(value, &mut part, out);
        }
        out.push(u8::from(self.rest.is_some()));
        if let Some(rest) = &self.rest {
            put_part(&**rest, &mut part, out);
        }
    }

    /// Adds those that were written; where one is `wanted`, only that.
    pub(super) fn absorb(&mut self, bytes: &mut Bytes<'_>, wanted: Option<&str>) -> Result<(), Corrupt>
    where
        T: Sum,
    {
        let is_wanted = |name: &str| wanted.is_none_or(|wanted| wanted == name);
        for _ in 0..bytes.number()? {
            let (name, part) = (bytes.text()?, bytes.take()?);
            if is_wanted(name) {
                absorb_part(self.at(name), part)?;
            }
        }
        if bytes.byte()? == 1 {
            let part = bytes.take()?;
            if is_wanted(OTHER) {
                absorb_part(&mut **self.rest.get_or_insert_default(), part)?;
            }
        }
        Ok(())
    }

    /// A name that has nothing yet: where there is no room, the last of the alphabet makes place, be it this one.
    #[cold]
    fn new_at(&mut self, at: usize, name: &str) -> &mut T
    where
        T: Sum,
    {
        if at >= MOST {
            return self.rest.get_or_insert_default();
        }
        if self.named.len() >= MOST
            && let Some((_, value)) = self.named.pop()
        {
            self.rest.get_or_insert_default().add(&value);
        }
        self.named.insert(at, (name.into(), T::default()));
        &mut self.named[at].1
    }
}

fn put_part(value: &impl Sum, part: &mut Vec<u8>, out: &mut Vec<u8>) {
    part.clear();
    value.encode(part);
    put(part.len() as u64, out);
    out.extend_from_slice(part);
}

fn absorb_part(value: &mut impl Sum, part: &[u8]) -> Result<(), Corrupt> {
    let mut bytes = Bytes::new(part);
    value.absorb(&mut bytes)?;
    if bytes.is_empty() { Ok(()) } else { Err(Corrupt) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Few = Names<u64, 3>;

    fn of(names: &[String]) -> Few {
        let mut few = Few::default();
        names.iter().for_each(|name| few.at(name).add(&1));
        few
    }

    fn names() -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec("[a-g]", 0..12)
    }

    #[test]
    fn the_first_of_the_alphabet_are_kept_and_the_rest_is_counted_together() {
        let few = of(&["e", "d", "e", "b", "a", "f"].map(str::to_owned));
        assert_eq!(few.iter().collect::<Vec<_>>(), [("a", &1), ("b", &1), ("d", &1), (OTHER, &3)]);
        assert_eq!((few.get("d"), few.get("e"), few.get(OTHER), few.len()), (Some(&1), None, Some(&3), 4));
    }

    proptest! {
        #[test]
        fn which_are_kept_does_not_hang_on_the_order(one in names(), two in names(), three in names()) {
            let all = of(&[one.clone(), two.clone(), three.clone()].concat());
            let [a, b, c] = [one, two, three].map(|names| of(&names));
            let mut left = a.clone();
            left.merge(&b);
            left.merge(&c);
            let mut right = c;
            right.merge(&b);
            let mut right_first = a;
            right_first.merge(&right);
            prop_assert_eq!(&left, &all);
            prop_assert_eq!(&right_first, &all);
        }

        #[test]
        fn what_is_written_adds_up(one in names(), two in names()) {
            let mut out = Vec::new();
            of(&two).encode(&mut out);
            let mut sum = of(&one);
            let mut bytes = Bytes::new(&out);
            sum.absorb(&mut bytes, None).unwrap();
            prop_assert!(bytes.is_empty());
            prop_assert_eq!(sum, of(&[one, two].concat()));
        }
    }

    #[test]
    fn one_can_be_read_alone() {
        let mut out = Vec::new();
        of(&["a", "b", "b", "c", "d"].map(str::to_owned)).encode(&mut out);
        for (wanted, expected) in [("b", vec![("b", &2)]), (OTHER, vec![(OTHER, &1)]), ("x", vec![])] {
            let mut few = Few::default();
            few.absorb(&mut Bytes::new(&out), Some(wanted)).unwrap();
            assert_eq!(few.iter().collect::<Vec<_>>(), expected);
        }
    }
}
