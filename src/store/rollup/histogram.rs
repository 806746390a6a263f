//! Durations as an HDR histogram of two significant digits: every power of two of microseconds in 128 equal steps.
//!
//! A quantile is the upper end of the step that it falls into, so that it is never less than the exact one and at most
//! 1/128 (0.8 %) more; what is below 256 µs, and the greatest, is exact. Steps are kept by octaves, and of those only the
//! ones that something fell into: the durations of a route lie in six or seven of them, which is 7 KiB.
//!
//! `hdrhistogram` keeps one array from nothing to the greatest value, 20 KiB for what lasts up to a minute, and what it has
//! written cannot be added to another without being made into such an array first.

use super::bytes::{Bytes, Corrupt, put};

/// Steps of an octave.
const STEPS: usize = 128;
const BITS: u32 = STEPS.trailing_zeros();
/// Steps of all values that 64 bits hold: those below [`STEPS`] have a page of their own.
const PAGES: usize = 65 - BITS as usize;

type Page = Option<Box<[u64; STEPS]>>;

/// How often each duration was seen. Sums stop at the greatest number rather than begin anew.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    pages: Vec<Page>,
    count: u64,
    sum: u64,
    max: u64,
}

impl Histogram {
    /// Counts one, in microseconds.
    #[inline]
    pub fn note(&mut self, micros: u64) {
        self.count = self.count.saturating_add(1);
        self.sum = self.sum.saturating_add(micros);
        self.max = self.max.max(micros);
        self.add(step(micros), 1);
    }

    /// Takes over all of another.
    pub fn merge(&mut self, other: &Histogram) {
        self.add_totals(other.count, other.sum, other.max);
        for (at, page) in other.pages.iter().enumerate() {
            let Some(page) = page else { continue };
            self.page(at).iter_mut().zip(&**page).for_each(|(count, more)| *count = count.saturating_add(*more));
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The greatest, in microseconds; 0 where there is none.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// All together, in microseconds.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The arithmetic mean, in microseconds.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// The least duration that `share` of all are not longer than, in microseconds: 0.5 is the median, 1 the greatest.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        match share {
            1.0.. => (self.count > 0).then_some(self.max),
            _ => self.quantiles([share])[0],
        }
    }

    /// The same of several shares, the least first.
    pub fn quantiles<const N: usize>(&self, shares: [f64; N]) -> [Option<u64>; N] {
        let (mut steps, mut seen, mut last) = (self.steps(), 0_u64, None);
        shares.map(|share| {
            let rank = ((self.count as f64 * share.clamp(0.0, 1.0)).ceil() as u64).max(1);
            while seen < rank {
                let (step, count) = steps.next()?;
                seen = seen.saturating_add(count);
                last = Some(upper(step).min(self.max));
            }
            last
        })
    }

    /// How many there are in each step that has any: its greatest value in microseconds, and their number; the least first.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        self.steps().map(|(step, count)| (upper(step), count))
    }

    /// Writes it: totals, and each step as its distance from the one before.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put(self.count, out);
        if self.count == 0 {
            return;
        }
        put(self.sum, out);
        put(self.max, out);
        put(self.steps().count() as u64, out);
        let mut next = 0;
        for (step, count) in self.steps() {
            put((step - next) as u64, out);
            put(count - 1, out);
            next = step + 1;
        }
    }

    /// Adds one that was written.
    pub(super) fn absorb(&mut self, bytes: &mut Bytes<'_>) -> Result<(), Corrupt> {
        let count = bytes.number()?;
        if count == 0 {
            return Ok(());
        }
        let (sum, max) = (bytes.number()?, bytes.number()?);
        self.add_totals(count, sum, max);
        let mut next = 0_usize;
        for _ in 0..bytes.number()? {
            let step = next.checked_add(bytes.small()?).filter(|step| *step < PAGES * STEPS).ok_or(Corrupt)?;
            self.add(step, bytes.number()?.saturating_add(1));
            next = step + 1;
        }
        Ok(())
    }

    fn add_totals(&mut self, count: u64, sum: u64, max: u64) {
        self.count = self.count.saturating_add(count);
        self.sum = self.sum.saturating_add(sum);
        self.max = self.max.max(max);
    }

    #[inline]
    fn add(&mut self, step: usize, count: u64) {
        let slot = &mut self.page(step / STEPS)[step % STEPS];
        *slot = slot.saturating_add(count);
    }

    #[inline]
    fn page(&mut self, at: usize) -> &mut [u64; STEPS] {
        if self.pages.len() <= at {
            self.pages.resize(at + 1, None);
        }
        self.pages[at].get_or_insert_with(|| Box::new([0; STEPS]))
    }

    /// The steps that have any, and how many.
    fn steps(&self) -> impl Iterator<Item = (usize, u64)> {
        let pages = self.pages.iter().enumerate().filter_map(|(at, page)| Some((at, page.as_deref()?)));
        let steps = pages.flat_map(|(at, page)| page.iter().enumerate().map(move |(step, n)| (at * STEPS + step, *n)));
        steps.filter(|(_, count)| *count > 0)
    }
}

impl PartialEq for Histogram {
    fn eq(&self, other: &Histogram) -> bool {
        (self.count, self.sum, self.max) == (other.count, other.sum, other.max) && self.steps().eq(other.steps())
    }
}

/// Which step a value falls into.
#[inline]
fn step(value: u64) -> usize {
    let octave = (u64::BITS - value.leading_zeros()).saturating_sub(BITS + 1);
    octave as usize * STEPS + (value >> octave) as usize
}

/// The greatest value of a step.
fn upper(step: usize) -> u64 {
    if step < 2 * STEPS {
        return step as u64;
    }
    let octave = step / STEPS - 1;
    let first = (step % STEPS + STEPS) as u64;
    (first << octave) | ((1 << octave) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        values.iter().for_each(|value| histogram.note(*value));
        histogram
    }

    fn encoded(histogram: &Histogram) -> Vec<u8> {
        let mut out = Vec::new();
        histogram.encode(&mut out);
        out
    }

    /// As durations lie: every order of magnitude alike.
    fn durations() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec((0_u32..64, any::<u64>()).prop_map(|(shift, value)| value >> shift), 0..300)
    }

    proptest! {
        #[test]
        fn quantiles_agree_with_a_sort_within_the_stated_error(mut values in durations(), share in 0.0..=1.0_f64) {
            let histogram = of(&values);
            values.sort_unstable();
            let rank = ((values.len() as f64 * share).ceil() as usize).max(1);
            match values.get(rank - 1) {
                None => prop_assert_eq!(histogram.quantile(share), None),
                Some(&exact) => {
                    let told = histogram.quantile(share).unwrap();
                    prop_assert!(told >= exact && told - exact <= exact / 128, "{} for {}", told, exact);
                    prop_assert_eq!(histogram.quantile(1.0), values.last().copied());
                    let both = histogram.quantiles([share / 2.0, share]);
                    prop_assert_eq!(both, [histogram.quantile(share / 2.0), Some(told)]);
                }
            }
        }

        #[test]
        fn merged_is_as_if_all_had_been_noted_in_one(one in durations(), two in durations(), three in durations()) {
            let [a, b, c] = [&one, &two, &three].map(|values| of(values));
            let all = of(&[one.clone(), two.clone(), three.clone()].concat());
            let sum = |parts: [&Histogram; 3]| {
                let mut sum = parts[0].clone();
                parts[1..].iter().for_each(|part| sum.merge(part));
                sum
            };
            prop_assert_eq!(&sum([&a, &b, &c]), &all);
            prop_assert_eq!(&sum([&c, &a, &b]), &all);
            let mut right = b.clone();
            right.merge(&c);
            right.merge(&a);
            prop_assert_eq!(&right, &all);
        }

        #[test]
        fn what_is_written_adds_up(one in durations(), two in durations()) {
            let mut sum = of(&one);
            let bytes = encoded(&of(&two));
            let mut bytes = Bytes::new(&bytes);
            sum.absorb(&mut bytes).unwrap();
            prop_assert!(bytes.is_empty());
            prop_assert_eq!(sum, of(&[one, two].concat()));
        }

        #[test]
        fn any_bytes_are_taken_or_refused(noise: Vec<u8>) {
            let _either = Histogram::default().absorb(&mut Bytes::new(&noise));
        }
    }

    #[test]
    fn every_value_lies_in_a_step_no_wider_than_stated() {
        assert_eq!((step(0), step(255), step(256), step(257), step(258)), (0, 255, 256, 256, 257));
        assert_eq!(step(u64::MAX), PAGES * STEPS - 1);
        for shift in 0..64 {
            for value in [1_u64 << shift, (1 << shift) + 1, (1 << shift) - 1, u64::MAX >> shift] {
                let end = upper(step(value));
                assert!(end >= value && end - value <= value / 128, "{value} in a step to {end}");
                assert_eq!(step(end), step(value));
            }
        }
    }

    #[test]
    fn nothing_has_no_quantile_and_costs_a_byte() {
        let nothing = Histogram::default();
        assert_eq!((nothing.quantile(0.5), nothing.mean(), nothing.max()), (None, None, 0));
        assert_eq!(encoded(&nothing), [0]);
    }
}
