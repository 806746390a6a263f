//! The life of one alert: from the first second in which it is too much to the last, and who is told of it when.
//!
//! ```text
//! quiet ──beyond──> pending ──for──> firing ──back within `clear`──> quiet
//!          <──within──┘                 told at once, after a cooldown, or not at all (silenced); again each `repeat`
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::notice::Kind;

/// Where an alert is. Moments are seconds since the Unix epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    phase: Phase,
    /// When somebody was told last that it fires.
    told_at: Option<u64>,
    /// Whether somebody was told that it fires now.
    told: bool,
    /// It is remembered from before a restart, and was not measured since.
    #[serde(skip)]
    remembered: bool,
}

/// What an alert does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Nothing.
    #[default]
    Quiet,
    /// It is beyond its bound, and not for long enough.
    Pending(u64),
    /// It is time to look; beyond its bound since then.
    Firing(u64),
}

/// When who is told.
#[derive(Debug, Clone, Copy)]
pub struct Manners {
    /// How long it has to be beyond its bound.
    pub hold: Duration,
    /// How long nobody is told again.
    pub cooldown: Duration,
    /// How often it is told again while it goes on.
    pub repeat: Option<Duration>,
}

/// What has become of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// That it fires, still does, or does no more.
    pub kind: Kind,
    /// Whether this is new, or only told now.
    pub new: bool,
    /// Since when it is, or was, beyond its bound.
    pub since: u64,
    /// Whether somebody is told, or why nobody is.
    pub told: Told,
}

/// Whether somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Now.
    Yes,
    /// Somebody was told too lately.
    Cooldown,
    /// Somebody wants quiet.
    Silenced,
}

impl Told {
    /// The word of records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Told::Yes => "notified",
            Told::Cooldown => "cooldown",
            Told::Silenced => "silenced",
        }
    }
}

impl Life {
    /// What it does.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether it is time to look.
    pub fn is_firing(&self) -> bool {
        matches!(self.phase, Phase::Firing(_))
    }

    /// The same, remembered from before a restart.
    pub fn remembered(self) -> Life {
        Life { remembered: true, ..self }
    }

    /// Whether it is remembered, and was not beyond its bound since.
    pub fn is_remembered(&self) -> bool {
        self.remembered
    }

    /// When somebody was told last that it fires, in seconds since the Unix epoch.
    pub fn told_at(&self) -> Option<u64> {
        self.told_at
    }

    /// Whether there is nothing to remember of it.
    pub fn is_over(&self, now: u64, manners: &Manners) -> bool {
        self.phase == Phase::Quiet && self.is_warm(now, manners).is_none()
    }

    /// Goes on to this second, in which it is beyond its bound, or is not.
    pub fn step(&mut self, now: u64, beyond: bool, manners: &Manners, silenced: bool) -> Option<Step> {
        self.remembered &= !beyond;
        match (self.phase, beyond) {
            (Phase::Quiet, false) => None,
            (Phase::Quiet, true) => {
                self.phase = Phase::Pending(now);
                self.ripen(now, now, manners, silenced)
            }
            (Phase::Pending(_), false) => {
                self.phase = Phase::Quiet;
                None
            }
            (Phase::Pending(since), true) => self.ripen(since, now, manners, silenced),
            (Phase::Firing(since), true) => self.go_on(since, now, manners, silenced),
            (Phase::Firing(since), false) => Some(self.end(since, silenced)),
        }
    }

    fn ripen(&mut self, since: u64, now: u64, manners: &Manners, silenced: bool) -> Option<Step> {
        if now.saturating_sub(since) < manners.hold.as_secs() {
            return None;
        }
        self.phase = Phase::Firing(since);
        self.told = false;
        let told = match self.is_warm(now, manners) {
            _ if silenced => Told::Silenced,
            Some(told) => told,
            None => self.tell(now),
        };
        Some(Step { kind: Kind::Fired, new: true, since, told })
    }

    fn go_on(&mut self, since: u64, now: u64, manners: &Manners, silenced: bool) -> Option<Step> {
        if silenced {
            return None;
        }
        let due = match (self.told, self.told_at, manners.repeat) {
            (false, ..) => self.is_warm(now, manners).is_none(),
            (true, Some(at), Some(repeat)) => now.saturating_sub(at) >= repeat.as_secs(),
            (true, ..) => false,
        };
        let kind = if self.told { Kind::Repeated } else { Kind::Fired };
        due.then(|| Step { kind, new: false, since, told: self.tell(now) })
    }

    fn end(&mut self, since: u64, silenced: bool) -> Step {
        self.phase = Phase::Quiet;
        let told = match std::mem::take(&mut self.told) {
            _ if silenced => Told::Silenced,
            true => Told::Yes,
            // Nobody knows that it ever fired.
            false => Told::Cooldown,
        };
        Step { kind: Kind::Resolved, new: true, since, told }
    }

    fn tell(&mut self, now: u64) -> Told {
        (self.told, self.told_at) = (true, Some(now));
        Told::Yes
    }

    /// Why nobody is told yet.
    fn is_warm(&self, now: u64, manners: &Manners) -> Option<Told> {
        // A clock that was set back does not make it wait for longer.
        let since = self.told_at.and_then(|at| now.checked_sub(at))?;
        (since < manners.cooldown.as_secs()).then_some(Told::Cooldown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn manners(hold: u64, cooldown: u64, repeat: Option<u64>) -> Manners {
        let [hold, cooldown] = [hold, cooldown].map(Duration::from_secs);
        Manners { hold, cooldown, repeat: repeat.map(Duration::from_secs) }
    }

    /// What is told at which second, of what is beyond its bound in these.
    fn told(manners: &Manners, beyond: impl Fn(u64) -> bool, silenced: impl Fn(u64) -> bool) -> Vec<(u64, Kind, Told)> {
        let mut life = Life::default();
        let steps = (1000..3000).filter_map(|now| Some((now, life.step(now, beyond(now), manners, silenced(now))?)));
        steps.map(|(now, step)| (now, step.kind, step.told)).collect()
    }

    #[test]
    fn it_is_told_once_and_once_that_it_is_over() {
        let found = told(&manners(0, 300, None), |now| (1100..1200).contains(&now), |_| false);
        assert_eq!(found, [(1100, Kind::Fired, Told::Yes), (1200, Kind::Resolved, Told::Yes)]);
    }

    #[test]
    fn in_the_cooldown_nobody_is_told_and_after_it_somebody_is_if_it_still_fires() {
        let bursts = |now| matches!(now, 1100..1160 | 1200..1260 | 1300..1500);
        let found = told(&manners(0, 300, None), bursts, |_| false);
        let expected = [
            (1100, Kind::Fired, Told::Yes),
            (1160, Kind::Resolved, Told::Yes),
            (1200, Kind::Fired, Told::Cooldown),
            (1260, Kind::Resolved, Told::Cooldown),
            (1300, Kind::Fired, Told::Cooldown),
            (1400, Kind::Fired, Told::Yes),
            (1500, Kind::Resolved, Told::Yes),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn it_fires_when_it_has_been_so_for_long_enough_without_a_break() {
        let found = told(&manners(30, 0, None), |now| (1100..1129).contains(&now) || now > 2000, |_| false);
        assert_eq!(found, [(2031, Kind::Fired, Told::Yes)]);
    }

    #[test]
    fn it_is_told_again_while_it_goes_on() {
        let found = told(&manners(0, 60, Some(500)), |now| now < 2200, |_| false);
        let at: Vec<_> = found.iter().map(|(now, kind, _)| (*now, *kind)).collect();
        let repeated = Kind::Repeated;
        assert_eq!(at, [(1000, Kind::Fired), (1500, repeated), (2000, repeated), (2200, Kind::Resolved)]);
    }

    #[test]
    fn silence_keeps_it_from_being_told_until_it_ends() {
        let found = told(&manners(0, 60, None), |now| now >= 1100, |now| now < 1500);
        assert_eq!(found, [(1100, Kind::Fired, Told::Silenced), (1500, Kind::Fired, Told::Yes)]);
    }

    #[test]
    fn it_is_forgotten_when_nothing_depends_on_it() {
        let (mut life, manners) = (Life::default(), Manners { hold: MINUTE, cooldown: MINUTE, repeat: None });
        assert!(life.is_over(1000, &manners));
        life.step(1000, true, &manners, false);
        assert!(!life.is_over(1000, &manners));
        life.step(1060, true, &manners, false);
        life.step(1061, false, &manners, false);
        assert!(!life.is_over(1100, &manners) && life.is_over(1120, &manners));
    }
}
