//! Meters beside a naive one that keeps every mark.

use proptest::prelude::*;

use super::*;

/// A mark, and when it was.
type Kept = (u64, Mark);

fn window(kept: &[Kept], now: u64, per: u64) -> Vec<Mark> {
    kept.iter().filter(|(at, _)| at + per > now && *at <= now).map(|(_, mark)| *mark).collect()
}

fn share(marks: &[Mark]) -> Option<f64> {
    let hits = marks.iter().filter(|mark| mark.hit).count();
    (!marks.is_empty()).then(|| hits as f64 / marks.len() as f64)
}

fn naive(measure: Measure, kept: &[Kept], now: u64) -> Option<f64> {
    match measure {
        Measure::Count { per } => Some(window(kept, now, per).iter().filter(|mark| mark.hit).count() as f64),
        Measure::Ratio { per, at_least } => {
            let marks = window(kept, now, per);
            share(&marks).filter(|_| marks.len() as u64 >= at_least)
        }
        Measure::Quantile { q, per, at_least } => {
            let marks = window(kept, now, per);
            let mut values: Vec<u64> = marks.iter().filter(|mark| mark.hit).map(|mark| mark.value).collect();
            values.sort_unstable();
            let rank = ((values.len() as f64 * q).ceil() as usize).max(1);
            let found = values.get(rank - 1).filter(|_| values.len() as u64 >= at_least);
            found.map(|value| *value as f64)
        }
        Measure::Burn(slo) => {
            let of = |long: u64, short: u64, part: f64| {
                let lesser = share(&window(kept, now, long))?.min(share(&window(kept, now, short))?);
                Some(lesser / slo.allowed / (part * slo.window as f64 / long as f64))
            };
            // The longest window moves in steps of six seconds: it is asked at their ends.
            [of(3600, 300, 0.02), of(21_600, 1800, 0.05)].into_iter().flatten().max_by(f64::total_cmp)
        }
    }
}

fn agree(measure: Measure, steps: Vec<(u64, bool, u64)>) {
    let (mut meter, mut now, mut kept) = (Meter::new(measure), 600_000, Vec::new());
    for (passed, hit, value) in steps {
        now += passed;
        let mark = Mark { hit, value };
        meter.see(now, mark);
        kept.push((now, mark));
        assert_eq!(meter.read(now).value(), naive(measure, &kept, now), "{measure:?} at {now}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn counts_and_shares_agree_with_whoever_keeps_everything(
        per in 1u64..120, at_least in 1u64..20, steps in proptest::collection::vec((0u64..20, any::<bool>(), 0u64..128), 0..80),
    ) {
        agree(Measure::Count { per }, steps.clone());
        agree(Measure::Ratio { per, at_least }, steps.clone());
        // Below 128 steps are of one.
        agree(Measure::Quantile { q: 0.9, per, at_least }, steps);
    }
}

proptest! {
    #[test]
    fn burn_rates_agree_with_whoever_keeps_everything(
        steps in proptest::collection::vec((0u64..100, any::<bool>()), 0..200),
    ) {
        let by_minute = steps.into_iter().map(|(passed, hit)| (passed * 6, hit, 0)).collect();
        // 600 000 is the first second of a step; the last one is asked.
        agree(Measure::Burn(Burn { allowed: 0.001, window: 30 * 86_400 }), by_minute);
    }
}

#[test]
fn a_service_level_is_missed_at_the_rate_of_the_workbook() {
    let mut meter = Meter::new(Measure::Burn(Burn { allowed: 0.001, window: 30 * 86_400 }));
    // 1.44 % of failures is 14.4 times what 99.9 % allow: two hundredths of a month's in an hour.
    for second in 0..3600 {
        (0..100).for_each(|at| meter.see(600_000 + second, Mark { hit: (second * 100 + at) % 10_000 < 144, value: 0 }));
    }
    let value = meter.read(603_599).value().expect("a reading");
    assert!((0.95..2.5).contains(&value), "{value}");
}

#[test]
fn the_hundred_and_first_name_counts_with_the_rest_until_one_has_gone() {
    let mut groups = Groups::new(Measure::Count { per: 60 });
    let mark = Mark { hit: true, value: 0 };
    for at in 0..groups::MOST {
        groups.see(&format!("/{at}"), 1000, mark);
    }
    groups.see("/late", 1001, mark);
    groups.see("/0", 1001, mark);
    let rest: Vec<_> = groups.read(1001).filter(|(name, _)| name.is_none()).collect();
    assert_eq!(rest, [(None, Reading::Value { value: 1.0, sample: 1 })]);
    groups.see("/late", 1060, mark);
    let mut left: Vec<_> =
        groups.read(1060).map(|(name, reading)| (name.map(str::to_owned), reading.sample())).collect();
    left.sort();
    assert_eq!(left, [(None, 1), (Some("/0".to_owned()), 1), (Some("/late".to_owned()), 1)]);
}
