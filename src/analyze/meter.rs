//! What one rule measures, mark by mark.

use super::quantile::Sizes;
use super::window::Window;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measure {
    /// How many hits there were.
    Count {
        /// Seconds of the window.
        per: u64,
    },
    /// The share of hits among all marks, from 0 to 1.
    Ratio {
        /// Seconds of the window.
        per: u64,
        /// Marks below which it says nothing.
        at_least: u64,
    },
    /// The value that a share of all hits' values are not greater than.
    Quantile {
        /// The share, from 0 to 1.
        q: f64,
        /// Seconds of the window.
        per: u64,
        /// Hits below which it says nothing.
        at_least: u64,
    },
    /// How many times faster than allowed the share of hits uses up what a service level leaves to them: the greater of two
    /// pairs of windows, each pair being the lesser of its two; as in the workbook on reliability (Google, "Alerting on
    /// SLOs", 2018). 1 is where it becomes too much.
    Burn(Burn),
}

/// A service level objective.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Burn {
    /// The share of marks that may be hits, such as 0.001.
    pub allowed: f64,
    /// Seconds over which that is meant, such as 30 days.
    pub window: u64,
}

impl Burn {
    /// Long and short window in seconds, and the share of all that is allowed in [`Burn::window`] which, used up within the
    /// long one, is too much.
    const PAIRS: [(u64, u64, f64); 2] = [(3600, 300, 0.02), (6 * 3600, 1800, 0.05)];

    /// What is measured when every mark is a hit: nothing is ever above it.
    pub fn most(&self) -> f64 {
        let of_pair = |(long, _, share): (u64, u64, f64)| 1.0 / self.allowed / self.limit(long, share);
        Burn::PAIRS.map(of_pair).into_iter().fold(0.0, f64::max)
    }

    /// How fast all that is allowed may be used up in a window of these: 1 is evenly.
    fn limit(&self, long: u64, share: f64) -> f64 {
        share * self.window as f64 / long as f64
    }
}

impl Measure {
    /// Seconds of the window.
    pub const fn window(&self) -> u64 {
        match self {
            Measure::Count { per } | Measure::Ratio { per, .. } | Measure::Quantile { per, .. } => *per,
            Measure::Burn(_) => Burn::PAIRS[1].0,
        }
    }
}

/// What a record means to a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Whether it is one of those that are looked for, or only one of all.
    pub hit: bool,
    /// What it measures, where quantiles are asked.
    pub value: u64,
}

/// What a meter says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reading {
    /// This, from so many marks.
    Value {
        /// A number, a share, a factor, or whatever the values are.
        value: f64,
        /// Marks of the window.
        sample: u64,
    },
    /// There is too little to say anything.
    TooFew {
        /// Marks of the window.
        sample: u64,
    },
}

impl Reading {
    /// The number, if there is one.
    pub fn value(self) -> Option<f64> {
        match self {
            Reading::Value { value, .. } => Some(value),
            Reading::TooFew { .. } => None,
        }
    }

    /// From how many marks.
    pub fn sample(self) -> u64 {
        match self {
            Reading::Value { sample, .. } | Reading::TooFew { sample } => sample,
        }
    }
}

/// What is measured now.
#[derive(Debug, Clone)]
pub struct Meter(Inner);

#[derive(Debug, Clone)]
enum Inner {
    Count(Window),
    Ratio { hits: Window, all: Window, at_least: u64 },
    Quantile { q: f64, sizes: Sizes, at_least: u64 },
    Burn { slo: Burn, pairs: Box<[[Share; 2]; 2]> },
}

/// Hits among all.
#[derive(Debug, Clone)]
struct Share {
    hits: Window,
    all: Window,
}

impl Meter {
    /// One that has seen nothing.
    pub fn new(measure: Measure) -> Meter {
        Meter(match measure {
            Measure::Count { per } => Inner::Count(Window::new(per)),
            Measure::Ratio { per, at_least } => {
                Inner::Ratio { hits: Window::new(per), all: Window::new(per), at_least: at_least.max(1) }
            }
            Measure::Quantile { q, per, at_least } => {
                Inner::Quantile { q, sizes: Sizes::new(per), at_least: at_least.max(1) }
            }
            Measure::Burn(slo) => {
                let pairs = Burn::PAIRS.map(|(long, short, _)| [Share::new(long), Share::new(short)]);
                Inner::Burn { slo, pairs: Box::new(pairs) }
            }
        })
    }

    /// Takes a mark of that second.
    pub fn see(&mut self, second: u64, mark: Mark) {
        let hit = u32::from(mark.hit);
        match &mut self.0 {
            Inner::Count(window) => window.add(second, hit),
            Inner::Ratio { hits, all, .. } => {
                hits.add(second, hit);
                all.add(second, 1);
            }
            Inner::Quantile { sizes, .. } if mark.hit => sizes.add(second, mark.value),
            Inner::Quantile { .. } => {}
            Inner::Burn { pairs, .. } => pairs.iter_mut().flatten().for_each(|share| share.see(second, hit)),
        }
    }

    /// Counts so many hits at that second, where hits are counted.
    pub fn add(&mut self, second: u64, hits: u32) {
        if let Inner::Count(window) = &mut self.0 {
            window.add(second, hits);
        }
    }

    /// How many hits there were in each part of the window, the oldest first; of quantiles, how many values.
    pub fn chart(&mut self, second: u64) -> Vec<u64> {
        let window = match &mut self.0 {
            Inner::Count(window) => window,
            Inner::Ratio { hits, .. } => hits,
            Inner::Burn { pairs, .. } => &mut pairs[0][0].hits,
            Inner::Quantile { sizes, .. } => return parts(sizes.slots(second)),
        };
        parts(window.slots(second).map(u64::from))
    }

    /// What there is to say of the window that ends with this second.
    pub fn read(&mut self, second: u64) -> Reading {
        match &mut self.0 {
            Inner::Count(window) => {
                let sum = window.sum(second);
                Reading::Value { value: sum as f64, sample: sum }
            }
            Inner::Ratio { hits, all, at_least } => match all.sum(second) {
                sample if sample < *at_least => Reading::TooFew { sample },
                sample => Reading::Value { value: hits.sum(second) as f64 / sample as f64, sample },
            },
            Inner::Quantile { q, sizes, at_least } => {
                let sample = sizes.count(second);
                match sizes.quantile(second, *q).filter(|_| sample >= *at_least) {
                    Some(value) => Reading::Value { value: value as f64, sample },
                    None => Reading::TooFew { sample },
                }
            }
            Inner::Burn { slo, pairs } => burnt(slo, pairs, second),
        }
    }

    /// Whether nothing of its windows has anything in it.
    pub fn is_empty(&mut self, second: u64) -> bool {
        match &mut self.0 {
            Inner::Count(window) => window.sum(second) == 0,
            Inner::Ratio { all, .. } => all.sum(second) == 0,
            Inner::Quantile { sizes, .. } => sizes.count(second) == 0,
            Inner::Burn { pairs, .. } => pairs.iter_mut().flatten().all(|share| share.all.sum(second) == 0),
        }
    }
}

impl Share {
    fn new(seconds: u64) -> Share {
        Share { hits: Window::new(seconds), all: Window::new(seconds) }
    }

    fn see(&mut self, second: u64, hit: u32) {
        self.hits.add(second, hit);
        self.all.add(second, 1);
    }

    /// `None` where there is nothing.
    fn read(&mut self, second: u64) -> Option<f64> {
        let all = self.all.sum(second);
        (all > 0).then(|| self.hits.sum(second) as f64 / all as f64)
    }
}

/// Parts of a chart.
const PARTS: usize = 60;

/// So many slots together that they are few enough.
fn parts(slots: impl Iterator<Item = u64>) -> Vec<u64> {
    let slots: Vec<u64> = slots.collect();
    slots.rchunks(slots.len().div_ceil(PARTS).max(1)).rev().map(|part| part.iter().sum()).collect()
}

fn burnt(slo: &Burn, pairs: &mut [[Share; 2]; 2], second: u64) -> Reading {
    let sample = pairs[1][0].all.sum(second);
    let of_pair = |(pair, (long, _, share)): (&mut [Share; 2], (u64, u64, f64))| {
        let lesser = pair[0].read(second)?.min(pair[1].read(second)?);
        Some(lesser / slo.allowed / slo.limit(long, share))
    };
    let pairs = pairs.iter_mut().zip(Burn::PAIRS).filter_map(of_pair);
    match pairs.max_by(f64::total_cmp) {
        Some(value) => Reading::Value { value, sample },
        None => Reading::TooFew { sample },
    }
}
