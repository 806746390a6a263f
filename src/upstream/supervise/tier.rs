//! Who of an upstream's servers may be chosen: those that are up; backups where no other is; and where health checks
//! leave somebody but ejections nobody, the ejected ones, because a bad server is better than none.

use crate::upstream::status::State;

/// A server as this sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat {
    pub(super) state: State,
    pub(super) backup: bool,
}

/// The indices of those that may be chosen.
pub(super) fn usable(seats: &[Seat]) -> Vec<usize> {
    let of = |state: State, backup: bool| -> Vec<usize> {
        let fits = |seat: &Seat| seat.state == state && seat.backup == backup;
        seats.iter().enumerate().filter(|(_, seat)| fits(seat)).map(|(index, _)| index).collect()
    };
    let tiers = [(State::Up, false), (State::Up, true), (State::Ejected, false), (State::Ejected, true)];
    tiers.into_iter().map(|(state, backup)| of(state, backup)).find(|tier| !tier.is_empty()).unwrap_or_default()
}

/// The indices of backups that are up: a request that all others have failed may go to them.
pub(super) fn reserve(seats: &[Seat]) -> Vec<usize> {
    let stands_by = |seat: &Seat| seat.state == State::Up && seat.backup;
    seats.iter().enumerate().filter(|(_, seat)| stands_by(seat)).map(|(index, _)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::{Ejected, Unhealthy, Up};

    fn of(seats: &[(State, bool)]) -> Vec<usize> {
        usable(&seats.iter().map(|&(state, backup)| Seat { state, backup }).collect::<Vec<_>>())
    }

    #[test]
    fn those_that_are_up_serve_and_backups_only_without_them() {
        assert_eq!(of(&[(Up, false), (Unhealthy, false), (Up, true), (Up, false)]), [0, 3]);
        assert_eq!(of(&[(Ejected, false), (Unhealthy, false), (Up, true)]), [2]);
    }

    #[test]
    fn the_ejected_serve_where_nobody_else_can_and_the_unhealthy_never() {
        assert_eq!(of(&[(Unhealthy, false), (Ejected, false), (Ejected, true)]), [1]);
        assert_eq!(of(&[(Unhealthy, false), (Ejected, true)]), [1]);
        assert!(of(&[(Unhealthy, false), (Unhealthy, true)]).is_empty());
    }
}
