//! The rules at work: marks and states come in, what has become of alerts goes out. Knows no clock, no thread and no channel:
//! whoever drives it says what time it is.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::lifecycle::{Life, Manners, Step};
use super::notice::Group;
use super::saved::{Saved, SavedAlert};
use super::settings::{Bound, Records, Rule, State, Subject};
use super::silence::{Silence, Silences};
use crate::analyze::{Groups, Mark, Measure, Meter, Reading, groups};
use crate::pipeline::Sightings;

/// What gatelog knows of itself.
pub trait Knows {
    /// Values by name: servers down by upstream, records lost since the start by output, days that a certificate is valid
    /// by listener, requests that have run for too long under no name.
    fn state(&self, state: &State) -> Vec<(String, f64)>;
}

/// See the module.
#[derive(Debug)]
pub struct Engine {
    rules: Vec<Live>,
    /// Of rules, in the order of [`Rule::id`]: few are found sooner so than by hashing.
    places: Vec<(u64, usize)>,
    silences: Silences,
}

/// A rule at work.
#[derive(Debug)]
struct Live {
    id: u64,
    rule: Rule,
    meters: Meters,
    alerts: BTreeMap<Option<Group>, Life>,
    /// What was read last.
    readings: BTreeMap<Option<Group>, Reading>,
    /// Whether marks have come since it was read.
    marked: bool,
    /// From when on absence means something, in seconds since the Unix epoch.
    knows_absence: u64,
}

#[derive(Debug)]
enum Meters {
    One(Box<Meter>),
    /// By the values of a field of this name.
    Many(String, Box<Groups>),
    /// Asked each time.
    Known,
    /// What was lost since the last time, by output; and how much it was altogether then.
    Lost(Box<Groups>, HashMap<String, f64>),
}

/// What has become of an alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The place of the rule.
    pub rule: usize,
    /// Which of its alerts.
    pub group: Option<Group>,
    /// What was measured.
    pub value: f64,
    /// From how many records.
    pub sample: u64,
    /// What has become of it.
    pub step: Step,
}

/// An alert as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// The place of the rule.
    pub rule: usize,
    /// Which of its alerts.
    pub group: Option<Group>,
    /// What was read last.
    pub reading: Option<Reading>,
    /// Where it is.
    pub life: Life,
}

impl Engine {
    /// Sees from this second on.
    pub fn new(rules: Vec<Rule>, now: u64) -> Engine {
        let mut engine = Engine { rules: Vec::new(), places: Vec::new(), silences: Silences::default() };
        engine.change(rules, now);
        engine
    }

    /// Goes on by these rules. What was measured and told stays where a rule stays as it was; where only its manners changed,
    /// too.
    pub fn change(&mut self, rules: Vec<Rule>, now: u64) {
        let mut before = std::mem::take(&mut self.rules);
        for rule in rules {
            let known = before.iter().position(|live| live.id == rule.id());
            let live = match known {
                Some(at) => Live { rule, ..before.swap_remove(at) },
                None => Live::new(rule, now),
            };
            self.rules.push(live);
        }
        self.places = self.rules.iter().enumerate().map(|(place, live)| (live.id, place)).collect();
        self.places.sort_unstable();
    }

    /// The rules, by their places.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|live| &live.rule)
    }

    /// The rule at a place.
    pub fn rule(&self, place: usize) -> Option<&Rule> {
        self.rules.get(place).map(|live| &live.rule)
    }

    /// Takes what was seen.
    pub fn see(&mut self, sightings: &Sightings) {
        for sighting in &sightings.seen {
            // One of a rule that is no more means nothing.
            let found = self.places.binary_search_by_key(&sighting.look, |(id, _)| *id);
            let Ok(place) = found.map(|at| self.places[at].1) else { continue };
            self.rules[place].see(
                sightings.name(sighting),
                sighting.second,
                Mark { hit: sighting.hit, value: sighting.value },
            );
        }
    }

    /// Looks at the rules that something was seen of.
    pub fn look(&mut self, now: u64, changes: &mut Vec<Change>) {
        let Engine { rules, silences, .. } = self;
        for (place, live) in rules.iter_mut().enumerate().filter(|(_, live)| live.marked) {
            live.judge(place, now, silences, changes);
        }
    }

    /// Looks at all of them: to be called each second.
    pub fn tick(&mut self, now: u64, knows: &dyn Knows, changes: &mut Vec<Change>) {
        let Engine { rules, silences, .. } = self;
        for (place, live) in rules.iter_mut().enumerate() {
            live.ask(now, knows);
            live.judge(place, now, silences, changes);
        }
    }

    /// Adds a silence, in microseconds since the Unix epoch.
    pub fn silence(&mut self, silence: Silence, now: u64) {
        self.silences.add(silence, now);
    }

    /// What is silenced.
    pub fn silences(&self) -> &Silences {
        &self.silences
    }

    /// Alerts that are not quiet, or are of a rule that tells nothing apart.
    pub fn shown(&self) -> impl Iterator<Item = Shown> {
        self.rules.iter().enumerate().flat_map(|(place, live)| live.shown(place))
    }

    /// How many there were in each part of the rule's window, the oldest first.
    pub fn chart(&mut self, place: usize, group: Option<&Group>, now: u64) -> Vec<u64> {
        let meter = self.rules.get_mut(place).and_then(|live| live.meter(group));
        meter.map(|meter| meter.chart(now)).unwrap_or_default()
    }

    /// What is to be remembered over a restart.
    pub fn save(&self) -> Saved {
        let of = |live: &Live| {
            let rule = live.rule.name.clone();
            live.alerts.clone().into_iter().map(move |(group, life)| SavedAlert { rule: rule.clone(), group, life })
        };
        Saved { alerts: self.rules.iter().flat_map(of).collect(), silences: self.silences.clone() }
    }

    /// Remembers what was saved of the rules that there still are.
    pub fn restore(&mut self, saved: Saved) {
        for SavedAlert { rule, group, life } in saved.alerts {
            let live = self.rules.iter_mut().find(|live| live.rule.name == rule);
            live.into_iter().for_each(|live| {
                live.alerts.insert(group.clone(), life.remembered());
            });
        }
        self.silences = saved.silences;
    }
}

impl Live {
    fn new(rule: Rule, now: u64) -> Live {
        let (meters, window) = match &rule.subject {
            Subject::Records(Records { measure, by: None, .. }) => {
                (Meters::One(Box::new(Meter::new(*measure))), measure.window())
            }
            Subject::Records(Records { measure, by: Some(by), .. }) => {
                let groups = Box::new(Groups::new(*measure));
                (Meters::Many(by.to_string(), groups), measure.window())
            }
            Subject::State(State::LogLoss { per }) => {
                let groups = Groups::new(Measure::Count { per: per.as_secs() });
                (Meters::Lost(Box::new(groups), HashMap::new()), 0)
            }
            Subject::State(_) => (Meters::Known, 0),
        };
        let (alerts, readings) = Default::default();
        Live { id: rule.id(), rule, meters, alerts, readings, marked: false, knows_absence: now + window }
    }

    fn see(&mut self, name: &str, second: u64, mark: Mark) {
        self.marked = true;
        match &mut self.meters {
            Meters::One(meter) => meter.see(second, mark),
            Meters::Many(_, groups) => groups.see(name, second, mark),
            Meters::Known | Meters::Lost(..) => {}
        }
    }

    /// Asks what is known.
    fn ask(&mut self, now: u64, knows: &dyn Knows) {
        let Subject::State(state) = &self.rule.subject else { return };
        let known = knows.state(state);
        match &mut self.meters {
            Meters::Lost(groups, before) => {
                for (name, lost) in known {
                    let more = lost - before.insert(name.clone(), lost).unwrap_or(lost).min(lost);
                    groups.add(&name, now, more as u32);
                }
            }
            _ => {
                let reading = |value| Reading::Value { value, sample: 0 };
                let by = by_of(state);
                self.readings =
                    known.into_iter().map(|(name, value)| (grouped(by, Some(&name)), reading(value))).collect();
            }
        }
    }

    fn judge(&mut self, place: usize, now: u64, silences: &Silences, changes: &mut Vec<Change>) {
        self.marked = false;
        self.read(now);
        let silenced = silences.hold(&self.rule.name, now * 1_000_000);
        let manners = self.manners();
        // What has gone is within its bound.
        let known = self.alerts.keys().filter(|group| !self.readings.contains_key(*group)).cloned();
        let gone: Vec<_> = known.map(|group| (group, Reading::TooFew { sample: 0 })).collect();
        let readings = self.readings.iter().map(|(group, reading)| (group.clone(), *reading)).chain(gone);
        for (group, reading) in readings {
            let life = self.alerts.get(&group).copied().unwrap_or_default();
            let Some(beyond) = self.rule.is_beyond(&life, reading, now < self.knows_absence) else { continue };
            let mut next = life;
            if let Some(step) = next.step(now, beyond, &manners, silenced) {
                let value = reading.value().unwrap_or_default();
                changes.push(Change { rule: place, group: group.clone(), value, sample: reading.sample(), step });
            }
            match next.is_over(now, &manners) {
                true => drop(self.alerts.remove(&group)),
                false => drop(self.alerts.insert(group, next)),
            }
        }
    }

    fn read(&mut self, now: u64) {
        let group = |by: &str, name: Option<&str>| grouped(by, name);
        match &mut self.meters {
            Meters::One(meter) => self.readings = BTreeMap::from([(None, meter.read(now))]),
            Meters::Many(by, groups) => {
                self.readings = groups.read(now).map(|(name, reading)| (group(by, name), reading)).collect();
            }
            Meters::Lost(groups, _) => {
                self.readings = groups.read(now).map(|(name, reading)| (group("output", name), reading)).collect();
            }
            Meters::Known => {}
        }
    }

    fn manners(&self) -> Manners {
        let Rule { hold, cooldown, repeat, .. } = self.rule;
        Manners { hold, cooldown, repeat }
    }

    fn meter(&mut self, group: Option<&Group>) -> Option<&mut Meter> {
        match &mut self.meters {
            Meters::One(meter) => Some(meter),
            Meters::Many(_, groups) | Meters::Lost(groups, _) => groups.meter(group?.name.as_deref()),
            Meters::Known => None,
        }
    }

    fn shown(&self, place: usize) -> impl Iterator<Item = Shown> {
        let is_single = matches!(self.meters, Meters::One(_));
        let others = self.alerts.keys().filter(move |group| !(is_single && group.is_none())).cloned();
        let groups: Vec<Option<Group>> = is_single.then_some(None).into_iter().chain(others).collect();
        groups.into_iter().map(move |group| {
            let reading = self.readings.get(&group).copied();
            let life = self.alerts.get(&group).copied().unwrap_or_default();
            Shown { rule: place, group, reading, life }
        })
    }
}

impl Rule {
    /// Whether what was read is beyond the bound, or not back within where it has to be; `None` where nobody knows.
    fn is_beyond(&self, life: &Life, reading: Reading, is_early: bool) -> Option<bool> {
        let bound = if life.is_firing() { self.bound.with(self.clear) } else { self.bound };
        match (bound, reading) {
            (Bound::Below(_), _) if is_early => None,
            (bound, reading) => Some(reading.value().is_some_and(|value| bound.is_beyond(value)))
                // What was measured before a restart may still be so.
                .filter(|beyond| *beyond || !is_early || !life.is_remembered()),
        }
    }
}

/// What the states of this kind are told apart by.
fn by_of(state: &State) -> &'static str {
    match state {
        State::UpstreamDown => "upstream",
        State::LogLoss { .. } => "output",
        State::CertificateExpiring => "listener",
        State::RequestsStuck { .. } => "",
    }
}

fn grouped(by: &str, name: Option<&str>) -> Option<Group> {
    (!by.is_empty()).then(|| Group { by: by.to_owned(), name: name.map(str::to_owned) })
}

/// Alerts of a rule: as many as there are names, and the rest.
pub const MOST_ALERTS: usize = groups::MOST + 1;

/// How often [`Engine::tick`] is due.
pub const TICK: Duration = Duration::from_secs(1);
