//! Lanes in step: several outputs of the same format that have taken the same lines share one batch.
//!
//! A lane follows an earlier one from the first line of a batch for as long as both take the same records; then the core
//! encodes and keeps them once. The first record that only one of them takes parts them: the follower copies what it has
//! had so far. So a filtered output holds what is its own, and no more.

use super::Load;
use super::lane::Lane;

/// Hands over whatever batch has grown enough.
pub(super) fn hand_over_full(lanes: &mut [Lane]) {
    for at in 0..lanes.len() {
        if lanes[at].is_full() {
            hand_over(lanes, at);
        }
    }
}

/// Hands over whatever has gathered. Returns whether a loss could not be told yet because a queue is full.
pub(super) fn hand_over_all(lanes: &mut [Lane]) -> bool {
    for at in 0..lanes.len() {
        // Who follows is handed over with its leader.
        if lanes[at].follows.is_none() {
            hand_over(lanes, at);
        }
    }
    lanes.iter().any(Lane::has_lost)
}

/// Gives every lane a batch of its own.
pub(super) fn part_all(lanes: &mut [Lane]) {
    for at in 0..lanes.len() {
        if let Some((lane, earlier)) = lanes[..=at].split_last_mut()
            && let Some(leader) = lane.follows.and_then(|at| earlier.get(at))
        {
            lane.part(leader, leader.batch.bytes.len());
        }
    }
}

/// Hands over what has gathered in a lane, to the outputs of those that follow it as well.
fn hand_over(lanes: &mut [Lane], at: usize) {
    let is_followed = lanes[at + 1..].iter().any(|lane| lane.follows == Some(at));
    if !is_followed || lanes[at].batch.is_empty() {
        lanes[at].hand_over();
        return;
    }
    let share = lanes[at].share_batch();
    lanes[at].hand_over_load(Load::Shared(share.clone()));
    for lane in lanes[at + 1..].iter_mut().filter(|lane| lane.follows == Some(at)) {
        lane.follows = None;
        lane.hand_over_load(Load::Shared(share.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{Format, OutputSettings, Port, Reason, Stamp, Written};
    use crate::record::Event;
    use proptest::prelude::*;

    const LINE: &str = "0123456789.\n";

    fn lanes(queues: &[usize]) -> Vec<Lane> {
        let settings = |queue: &usize| OutputSettings { queue: *queue, ..OutputSettings::default() };
        let lane = |queue| {
            let stamp = Stamp { instance: "i".into(), record: Default::default() };
            Lane::new(Port::new(&settings(queue), Format::Combined), &stamp)
        };
        queues.iter().map(lane).collect()
    }

    /// Offers a line to those lanes that are to have it.
    fn offer(lanes: &mut [Lane], line: &str, takes: &[bool]) {
        for (at, takes) in takes.iter().enumerate() {
            let Some((lane, earlier)) = lanes[..=at].split_last_mut() else { continue };
            if !takes {
                lane.pass_by(earlier);
            } else if lane.refuses() {
                lane.drop_line(Event::RequestCompleted);
            } else {
                lane.take(earlier, None, |_, out| {
                    out.extend_from_slice(line.as_bytes());
                    Written::Plain
                });
            }
        }
    }

    fn loads(lane: &Lane) -> Vec<Load> {
        std::iter::from_fn(|| lane.port.queue.pop()).collect()
    }

    fn text(loads: Vec<Load>) -> String {
        loads.into_iter().map(|load| String::from_utf8(load.into_batch().bytes).expect("text")).collect()
    }

    #[test]
    fn who_takes_the_same_lines_shares_one_batch_and_who_does_not_has_its_own() {
        let mut lanes = lanes(&[1 << 20; 3]);
        offer(&mut lanes, "a\n", &[true, true, true]);
        offer(&mut lanes, "b\n", &[true, true, false]);
        assert!(!hand_over_all(&mut lanes));
        let [one, other, own] = [0, 1, 2].map(|at| loads(&lanes[at]));
        assert!(matches!((&one[..], &other[..], &own[..]), ([Load::Shared(_)], [Load::Shared(_)], [Load::Own(_)])));
        assert_eq!([one, other, own].map(text), ["a\nb\n", "a\nb\n", "a\n"]);
    }

    #[test]
    fn one_lane_of_its_format_shares_with_nobody() {
        let mut lanes = lanes(&[1 << 20]);
        offer(&mut lanes, "a\n", &[true]);
        hand_over_all(&mut lanes);
        assert!(matches!(loads(&lanes[0])[..], [Load::Own(_)]));
    }

    #[test]
    fn a_full_queue_refuses_what_it_shares_and_the_other_takes_it() {
        for full in [0, 1] {
            // Limits differ, and are so small that batches are handed over at the same size.
            let mut lanes = lanes(if full == 0 { &[10, 1000] } else { &[1000, 10] });
            offer(&mut lanes, LINE, &[true, true]);
            hand_over_all(&mut lanes);
            offer(&mut lanes, LINE, &[true, true]);
            assert!(hand_over_all(&mut lanes), "one has a loss to tell of");
            let dropped = [0, 1].map(|at: usize| lanes[at].port.health.dropped()[Reason::QueueFull as usize]);
            assert_eq!(dropped, [u64::from(full == 0), u64::from(full == 1)]);
            assert_eq!(text(loads(&lanes[1 - full])), LINE.repeat(2));
            assert_eq!(text(loads(&lanes[full])), LINE);
            assert!(!hand_over_all(&mut lanes));
            let told: Vec<u64> =
                loads(&lanes[full]).iter().flat_map(|load| load.lost().iter()).map(|it| it.1).collect();
            assert_eq!(told, [1]);
        }
    }

    proptest! {
        #[test]
        fn every_lane_has_the_lines_that_it_takes_in_their_order(
            rounds in prop::collection::vec((prop::collection::vec(any::<bool>(), 4), 0u8..6), 0..60),
        ) {
            let mut lanes = lanes(&[1 << 20; 4]);
            let mut expected = vec![String::new(); 4];
            for (number, (takes, then)) in rounds.iter().enumerate() {
                let line = format!("{number}\n");
                offer(&mut lanes, &line, takes);
                let taking = expected.iter_mut().zip(takes).filter(|(_, takes)| **takes);
                taking.for_each(|(lines, _)| lines.push_str(&line));
                match then {
                    0 => prop_assert!(!hand_over_all(&mut lanes)),
                    1 => part_all(&mut lanes),
                    2 => (0..4).filter(|at| takes[*at]).for_each(|at| hand_over(&mut lanes, at)),
                    _ => {}
                }
            }
            hand_over_all(&mut lanes);
            let written: Vec<String> = lanes.iter().map(|lane| text(loads(lane))).collect();
            prop_assert_eq!(written, expected);
        }
    }
}
