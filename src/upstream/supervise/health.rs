//! Whether one server is up: what health checks say, and what becomes of the requests to it.
//!
//! Nothing here reads a clock or knows of sockets; the moments are given.

use std::time::{Duration, Instant};

use crate::upstream::cluster::WEIGHT_UNIT;
use crate::upstream::settings::{EjectionSettings, HealthSettings};
use crate::upstream::status::State;

/// Steps of a slow start, and what it begins with, in percent.
const STEPS: u32 = 20;
const FIRST_STEP: u32 = 10;

/// How one server is.
#[derive(Debug)]
pub(super) struct Health {
    unhealthy: bool,
    /// Health checks in a row that say the opposite of what is held.
    contrary: u32,
    ejected: Option<Ejected>,
    /// How often it was ejected lately, and for how long the last time.
    times: u32,
    /// Since when it is as it is.
    since: Instant,
    /// It came back then, and is on its way to its whole share.
    returned: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Ejected {
    until: Instant,
    /// Good health checks since.
    good: u32,
}

/// It went down or came up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// What it is from now on.
    pub(super) state: State,
    /// What decided it: `ejected` or `health_check`, the same for both directions.
    pub(super) reason: State,
    /// How long it was the opposite.
    pub(super) lasted: Duration,
}

impl Health {
    /// A server that nobody knows anything about is up.
    pub(super) fn new(now: Instant) -> Health {
        Health { unhealthy: false, contrary: 0, ejected: None, times: 0, since: now, returned: None }
    }

    pub(super) fn state(&self) -> State {
        match (self.unhealthy, self.ejected) {
            (true, _) => State::Unhealthy,
            (false, Some(_)) => State::Ejected,
            (false, None) => State::Up,
        }
    }

    /// A health check was good, or not.
    pub(super) fn checked(&mut self, good: bool, settings: &HealthSettings, now: Instant) -> Option<Change> {
        let before = self.state();
        let due = if self.unhealthy { settings.healthy_after } else { settings.unhealthy_after };
        self.contrary = if good == self.unhealthy { self.contrary + 1 } else { 0 };
        if self.contrary >= due {
            (self.unhealthy, self.contrary) = (!good, 0);
        }
        if let Some(ejected) = &mut self.ejected {
            ejected.good = if good { ejected.good + 1 } else { 0 };
            if ejected.good >= settings.healthy_after {
                self.ejected = None;
            }
        }
        self.change(before, State::Unhealthy, now)
    }

    /// Requests to it failed one after another: it is left out.
    pub(super) fn eject(&mut self, settings: &EjectionSettings, now: Instant) -> Option<Change> {
        let before = self.state();
        // Having served for twice as long as it was out, it begins anew.
        let served = now.saturating_duration_since(self.since);
        self.times = if served > self.time_out(settings) * 2 { 1 } else { self.times.saturating_add(1) };
        self.ejected = Some(Ejected { until: now + self.time_out(settings), good: 0 });
        self.change(before, State::Ejected, now)
    }

    /// It has been out for as long as it was to be.
    pub(super) fn is_served(&self, now: Instant) -> bool {
        self.ejected.is_some_and(|ejected| ejected.until <= now)
    }

    /// It may come back, as far as its ejection goes.
    pub(super) fn release(&mut self, now: Instant) -> Option<Change> {
        let before = self.state();
        self.ejected = None;
        self.change(before, State::Ejected, now)
    }

    /// It is no better: it stays out, for twice as long again.
    pub(super) fn extend(&mut self, settings: &EjectionSettings, now: Instant) {
        self.times = self.times.saturating_add(1);
        let until = now + self.time_out(settings);
        self.ejected.iter_mut().for_each(|ejected| ejected.until = until);
    }

    /// How long the last ejection was, or the first one would be.
    fn time_out(&self, settings: &EjectionSettings) -> Duration {
        let factor = 1u32.checked_shl(self.times.saturating_sub(1)).unwrap_or(u32::MAX);
        settings.time.saturating_mul(factor).min(settings.longest)
    }

    fn change(&mut self, before: State, reason: State, now: Instant) -> Option<Change> {
        let state = self.state();
        if (state == State::Up) == (before == State::Up) {
            return None;
        }
        let lasted = now.saturating_duration_since(self.since);
        self.since = now;
        self.returned = (state == State::Up).then_some(now);
        Some(Change { state, reason, lasted })
    }

    /// Its weight, in hundredths: from a tenth to the whole in `slow_start` after it came back.
    pub(super) fn weight(&mut self, whole: u32, slow_start: Option<Duration>, now: Instant) -> u32 {
        let whole = whole.saturating_mul(WEIGHT_UNIT);
        let (Some(returned), Some(slow_start)) = (self.returned, slow_start) else { return whole };
        let passed = now.saturating_duration_since(returned).as_secs_f64() / slow_start.as_secs_f64();
        if passed >= 1.0 {
            self.returned = None;
            return whole;
        }
        let percent = ((passed * 100.0) as u32).max(FIRST_STEP);
        (u64::from(whole) * u64::from(percent) / 100).max(1) as u32
    }

    /// When to look at it again, if nothing else happens.
    pub(super) fn due(&self, slow_start: Option<Duration>, now: Instant) -> Option<Instant> {
        let step = slow_start.filter(|_| self.returned.is_some()).map(|whole| now + whole / STEPS);
        let back = self.ejected.map(|ejected| ejected.until);
        step.into_iter().chain(back).min()
    }
}

/// Whether one more of `servers` may be ejected, where `ejected` are: a share of them, but one of several always may be,
/// and all where a backup stands by. A server without any other beside it is never ejected.
pub(super) fn may_eject(servers: usize, ejected: usize, share: f64, backup_stands_by: bool) -> bool {
    let most = match backup_stands_by {
        true => servers,
        false if servers > 1 => ((servers as f64 * share) as usize).clamp(1, servers - 1),
        false => 0,
    };
    ejected < most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::monotonic;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn checks() -> HealthSettings {
        HealthSettings::new("/".to_owned())
    }

    fn ejection() -> EjectionSettings {
        EjectionSettings { time: SECOND, longest: 8 * SECOND, ..EjectionSettings::default() }
    }

    fn states(changes: &[Option<Change>]) -> Vec<Option<State>> {
        changes.iter().map(|change| change.as_ref().map(|change| change.state)).collect()
    }

    #[test]
    fn so_many_checks_in_a_row_change_its_state_once() {
        let start = monotonic();
        let mut health = Health::new(start);
        let mut check = |good| health.checked(good, &checks(), start);
        let changes = [false, false, true, false, false, false, false, true, false, true, true, true].map(&mut check);
        let (down, up) = (Some(State::Unhealthy), Some(State::Up));
        assert_eq!(states(&changes), [None, None, None, None, None, down, None, None, None, None, up, None]);
    }

    #[test]
    fn each_ejection_is_twice_as_long_up_to_the_longest() {
        let mut now = monotonic();
        let mut health = Health::new(now);
        for seconds in [1, 2, 4, 8, 8] {
            assert!(health.eject(&ejection(), now).is_some());
            assert!(!health.is_served(now + seconds * SECOND - Duration::from_millis(1)));
            now += seconds * SECOND;
            assert!(health.is_served(now));
            let change = health.release(now).expect("it is back");
            assert_eq!((change.state, change.lasted), (State::Up, seconds * SECOND));
        }
    }

    #[test]
    fn after_serving_for_long_the_first_ejection_is_short_again() {
        let start = monotonic();
        let mut health = Health::new(start);
        health.eject(&ejection(), start);
        health.release(start + SECOND);
        health.eject(&ejection(), start + SECOND);
        let back = start + 3 * SECOND;
        assert!(health.is_served(back) && health.release(back).is_some());
        let later = back + 5 * SECOND;
        health.eject(&ejection(), later);
        assert!(health.is_served(later + SECOND));
    }

    #[test]
    fn what_is_no_better_stays_out_for_longer_and_is_not_told_again() {
        let start = monotonic();
        let mut health = Health::new(start);
        assert!(health.eject(&ejection(), start).is_some());
        health.extend(&ejection(), start + SECOND);
        assert!(!health.is_served(start + 2 * SECOND) && health.is_served(start + 3 * SECOND));
        let change = health.release(start + 3 * SECOND).expect("it is back");
        assert_eq!(change.lasted, 3 * SECOND);
    }

    #[test]
    fn good_checks_end_an_ejection_early() {
        let start = monotonic();
        let mut health = Health::new(start);
        health.eject(&ejection(), start);
        let changes = [true, false, true, true].map(|good| health.checked(good, &checks(), start));
        assert_eq!(states(&changes), [None, None, None, Some(State::Up)]);
    }

    #[test]
    fn what_is_down_for_two_reasons_goes_down_once_and_comes_up_once() {
        let start = monotonic();
        let mut health = Health::new(start);
        assert!(health.eject(&ejection(), start).is_some());
        assert!((0..5).all(|_| health.checked(false, &checks(), start).is_none()));
        assert_eq!(health.release(start + 2 * SECOND), None);
        assert_eq!(health.state(), State::Unhealthy);
        assert_eq!(health.checked(true, &checks(), start + 3 * SECOND), None);
        let change = health.checked(true, &checks(), start + 4 * SECOND).expect("it is back");
        assert_eq!((change.reason, change.lasted), (State::Unhealthy, 4 * SECOND));
    }

    #[test]
    fn what_comes_back_gets_its_share_by_and_by() {
        let start = monotonic();
        let mut health = Health::new(start);
        assert_eq!(health.weight(3, Some(10 * SECOND), start), 300);
        health.eject(&ejection(), start);
        let back = start + SECOND;
        health.release(back);
        let weights = [0, 1, 5, 9, 10, 11].map(|seconds| health.weight(3, Some(10 * SECOND), back + seconds * SECOND));
        assert_eq!(weights, [30, 30, 150, 270, 300, 300]);
        assert_eq!(health.due(Some(10 * SECOND), back), None);
    }

    #[test]
    fn never_are_all_ejected_unless_a_backup_stands_by() {
        assert!(!may_eject(1, 0, 1.0, false));
        assert!(may_eject(1, 0, 0.5, true));
        assert!(may_eject(2, 0, 0.1, false) && !may_eject(2, 1, 1.0, false));
        assert!(may_eject(4, 1, 0.5, false) && !may_eject(4, 2, 0.5, false));
        assert!(may_eject(2, 1, 0.5, true));
    }

    proptest! {
        #[test]
        fn changes_alternate_whatever_happens(events in prop::collection::vec((0u8..4, 0u64..3000), 0..60)) {
            let mut now = monotonic();
            let mut health = Health::new(now);
            let mut is_up = true;
            for (event, millis) in events {
                now += Duration::from_millis(millis);
                let change = match event {
                    0 => health.checked(true, &checks(), now),
                    1 => health.checked(false, &checks(), now),
                    2 if health.state() == State::Up => health.eject(&ejection(), now),
                    _ if health.is_served(now) => health.release(now),
                    _ => None,
                };
                if let Some(change) = change {
                    prop_assert_eq!(change.state == State::Up, !is_up);
                    is_up = !is_up;
                }
                prop_assert_eq!(health.state() == State::Up, is_up);
            }
        }
    }
}
