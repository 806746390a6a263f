//! One meter for each name that a field has, for the first so many; the others are measured together.
//!
//! A name whose window has run empty makes room for another one. So whoever makes up names all the time can keep others from
//! being told apart, and neither take memory nor hide: what they do counts in the rest.

use std::collections::HashMap;

use super::meter::{Mark, Measure, Meter, Reading};

/// Names that are told apart.
pub const MOST: usize = 100;
/// Bytes of a name; longer ones are cut.
pub const LONGEST: usize = 128;

/// Meters by name.
#[derive(Debug)]
pub struct Groups {
    measure: Measure,
    meters: HashMap<Box<str>, Meter>,
    /// Of names for which there was no room.
    rest: Meter,
    /// When it was looked last for names that have gone.
    looked: u64,
}

impl Groups {
    /// None yet.
    pub fn new(measure: Measure) -> Groups {
        Groups { measure, meters: HashMap::new(), rest: Meter::new(measure), looked: 0 }
    }

    /// Takes a mark of that second, of whoever is called so.
    pub fn see(&mut self, name: &str, second: u64, mark: Mark) {
        if let Some(meter) = self.meters.get_mut(name) {
            return meter.see(second, mark);
        }
        if self.meters.len() >= MOST && self.looked != second {
            self.looked = second;
            self.meters.retain(|_, meter| !meter.is_empty(second));
        }
        if self.meters.len() >= MOST {
            return self.rest.see(second, mark);
        }
        self.meters.entry(name.into()).or_insert_with(|| Meter::new(self.measure)).see(second, mark);
    }

    /// Counts so many hits of whoever is called so.
    pub fn add(&mut self, name: &str, second: u64, hits: u32) {
        if hits > 0 {
            self.see(name, second, Mark { hit: false, value: 0 });
            let meter = self.meters.get_mut(name).unwrap_or(&mut self.rest);
            meter.add(second, hits);
        }
    }

    /// The meter of a name, or of the rest.
    pub fn meter(&mut self, name: Option<&str>) -> Option<&mut Meter> {
        match name {
            Some(name) => self.meters.get_mut(name),
            None => Some(&mut self.rest),
        }
    }

    /// What there is to say of each, and of the rest under no name; what has run empty is forgotten.
    pub fn read(&mut self, second: u64) -> impl Iterator<Item = (Option<&str>, Reading)> {
        self.meters.retain(|_, meter| !meter.is_empty(second));
        let named = self.meters.iter_mut().map(move |(name, meter)| (Some(&**name), meter.read(second)));
        let rest = (!self.rest.is_empty(second)).then(|| (None, self.rest.read(second)));
        named.chain(rest)
    }
}
