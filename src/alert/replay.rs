//! Rules look at records of the past as they would have looked at the traffic, by the records' own clock.

use super::engine::{Change, Engine, Knows};
use super::settings::{Rule, State, Subject};
use crate::filter::{Line, Span};
use crate::pipeline::{Look, Sightings};

/// Seconds without a record of which each is looked at; of a longer pause the last ones.
const LONGEST_PAUSE: u64 = 7 * 86_400;

/// Of the process itself its records know too little.
struct Nothing;

impl Knows for Nothing {
    fn state(&self, _: &State) -> Vec<(String, f64)> {
        Vec::new()
    }
}

/// See the module. Rules about gatelog itself are left out.
#[derive(Debug)]
pub struct Replay {
    rules: Vec<Rule>,
    looks: Vec<Look>,
    /// From the first record on.
    engine: Option<Engine>,
    now: u64,
    sightings: Sightings,
}

impl Replay {
    /// Of these rules.
    pub fn new(rules: Vec<Rule>) -> Replay {
        let rules: Vec<Rule> = rules.into_iter().filter(|rule| matches!(rule.subject, Subject::Records(_))).collect();
        let looks = rules.iter().filter_map(Rule::look).collect();
        Replay { rules, looks, engine: None, now: 0, sightings: Sightings::default() }
    }

    /// The rules that look, by their places.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Takes a record in the native schema; `told` is called with what becomes of alerts, and when that is, in seconds since the
    /// Unix epoch. Returns whether it is a record: without a moment it is none.
    pub fn record(&mut self, line: &Line<'_>, told: &mut impl FnMut(u64, &Rule, &Change)) -> bool {
        let Some(moment) = line.text("timestamp").and_then(|text| Span::parse(&text)) else { return false };
        let second = moment.from / 1_000_000;
        self.pass(second, told);
        let is_own = line.text("event").is_some_and(|event| event.starts_with("alert_"));
        let Replay { looks, sightings, engine, now, rules } = self;
        looks.iter().filter(|_| !is_own).for_each(|look| sightings.look(look, second, line));
        if let Some(engine) = engine.as_mut().filter(|_| !sightings.seen.is_empty()) {
            let mut changes = Vec::new();
            engine.see(sightings);
            sightings.clear();
            engine.look(*now, &mut changes);
            changes.iter().for_each(|change| told(*now, &rules[change.rule], change));
        }
        true
    }

    /// The clock goes on to this second.
    fn pass(&mut self, second: u64, told: &mut impl FnMut(u64, &Rule, &Change)) {
        let Replay { rules, engine, now, .. } = self;
        let engine = engine.get_or_insert_with(|| {
            *now = second;
            Engine::new(rules.clone(), second)
        });
        *now = (*now).max(second.saturating_sub(LONGEST_PAUSE));
        let mut changes = Vec::new();
        while *now < second {
            *now += 1;
            engine.tick(*now, &Nothing, &mut changes);
            changes.drain(..).for_each(|change| told(*now, &rules[change.rule], &change));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::alert::{Bound, Kind, Records, Severity};
    use crate::analyze::Measure;
    use crate::filter::Expression;

    fn rule(subject: Subject) -> Rule {
        Rule {
            name: "errors".into(),
            severity: Severity::Warning,
            description: None,
            subject,
            bound: Bound::Above(1.0),
            clear: 1.0,
            hold: Duration::ZERO,
            cooldown: Duration::ZERO,
            repeat: None,
            channels: Vec::new(),
        }
    }

    #[test]
    fn the_clock_is_that_of_the_records() {
        let filter = Expression::parse("level>=error").unwrap();
        let measure = Measure::Count { per: 60 };
        let records = Records { filter, of: None, by: None, field: None, measure };
        let mut replay = Replay::new(vec![rule(Subject::State(State::UpstreamDown)), rule(Subject::Records(records))]);
        assert_eq!(replay.rules().len(), 1);
        let mut told = Vec::new();
        for (second, level, event) in [
            ("11:02:00", "ERROR", "request_completed"),
            ("11:02:10", "INFO", "request_completed"),
            ("11:02:58", "ERROR", "alert_fired"),
            ("11:02:59", "ERROR", "request_completed"),
            ("11:05:00", "INFO", "request_completed"),
        ] {
            let line = format!(
                "{{\"timestamp\":\"2026-11-22T{second}.000001Z\",\"level\":\"{level}\",\"event\":\"{event}\"}}"
            );
            let mut tell = |now: u64, _: &Rule, change: &Change| told.push((now % 3600, change.step.kind));
            assert!(replay.record(&Line::parse(&line).unwrap(), &mut tell));
        }
        assert_eq!(told, [(179, Kind::Fired), (180, Kind::Resolved)]);
        assert!(!replay.record(&Line::parse("{\"level\":\"ERROR\"}").unwrap(), &mut |_, _, _| ()));
    }
}
