//! Generated logs: what the proxy writes is clean, and no damage to it goes unseen.

use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// One request of a generated log.
#[derive(Debug, Clone)]
struct Plan {
    started: bool,
    slow: bool,
    failed: bool,
    /// A client's id out of a few, so that they repeat; else a minted one.
    client: Option<u8>,
}

/// A log of one instance: requests interleaved as `picks` say, with losses among them.
#[derive(Debug, Clone)]
struct Story {
    plans: Vec<Plan>,
    picks: Vec<Index>,
    losses: Vec<u8>,
    stopping: Index,
    schema: Schema,
}

fn plan() -> impl Strategy<Value = Plan> {
    (proptest::bool::weighted(0.8), any::<bool>(), any::<bool>(), proptest::option::of(0u8..2))
        .prop_map(|(started, slow, failed, client)| Plan { started, slow, failed, client })
}

fn story() -> impl Strategy<Value = Story> {
    let losses = prop_oneof![Just(Vec::new()), vec(0u8..4, 0..20)];
    let schema = prop_oneof![Just(Schema::Native), Just(Schema::Otel), Just(Schema::Ecs)];
    (vec(plan(), 0..8), vec(any::<Index>(), 40), losses, any::<Index>(), schema)
        .prop_map(|(plans, picks, losses, stopping, schema)| Story { plans, picks, losses, stopping, schema })
}

impl Story {
    fn lines(&self, instance: &str) -> Vec<String> {
        let mut log = Log::with(instance, &record::Settings { schema: self.schema, ..record::Settings::default() });
        let mut running: Vec<(String, &str, VecDeque<Event>)> =
            self.plans.iter().enumerate().map(Plan::events).collect();
        running.retain(|(_, _, events)| !events.is_empty());
        let all: usize = running.iter().map(|(_, _, events)| events.len()).sum();
        // What ends behind `server_stopping` is only sure to be missed if something else speaks of it.
        let in_drain = self.losses.is_empty() && self.plans.iter().all(|plan| plan.started);
        let stopping = if in_drain { self.stopping.index(all + 1) } else { all };
        log.other(Event::ServerStarted);
        for step in 0..=all {
            if let Some(count @ 1..) = self.losses.get(step) {
                log.loss(u64::from(*count));
            }
            if step == stopping {
                log.other(Event::ServerStopping);
            }
            if step < all {
                let at = self.picks[step % self.picks.len()].index(running.len());
                let (id, origin, events) = &mut running[at];
                events.pop_front().into_iter().for_each(|event| log.request(id, origin, event));
                running.retain(|(_, _, events)| !events.is_empty());
            }
        }
        log.lines
    }
}

impl Plan {
    fn events((n, plan): (usize, &Plan)) -> (String, &'static str, VecDeque<Event>) {
        let events = [
            (plan.started, RequestStarted),
            (plan.slow, RequestSlow),
            (plan.failed, RequestFailed),
            (true, RequestCompleted),
        ];
        let events = events.into_iter().filter(|(there, _)| *there).map(|(_, event)| event).collect();
        match plan.client {
            Some(id) => (format!("client-{id}"), "client", events),
            None => (format!("minted-{n}"), "generated", events),
        }
    }
}

proptest! {
    // Each case reads its log as often as it has lines.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_log_of_the_proxy_is_clean_and_no_line_can_be_taken_from_it(stories in vec(story(), 1..3)) {
        let lines: Vec<String> =
            stories.iter().enumerate().flat_map(|(n, story)| story.lines(&format!("i{n}"))).collect();
        let (report, text) = found(&lines);
        prop_assert_eq!(report.problems, 0, "{}", text);
        prop_assert_eq!(report.records as usize, lines.len());
        for at in 0..lines.len() {
            let mut damaged = lines.clone();
            let line = damaged.remove(at);
            prop_assert_ne!(found(&damaged).0.problems, 0, "{} was not missed", line);
        }
    }

}

proptest! {
    #[test]
    fn no_line_can_be_repeated_moved_or_cut(story in story(), at in any::<Index>(), to in any::<Index>(), cut in 1usize..60) {
        let lines = story.lines("i1");
        let (at, to) = (at.index(lines.len()), to.index(lines.len()));
        let mut repeated = lines.clone();
        repeated.insert(to, lines[at].clone());
        prop_assert_ne!(found(&repeated).0.problems, 0);
        let mut moved = lines.clone();
        let line = moved.remove(at);
        moved.insert(to, line);
        prop_assert_eq!(found(&moved).0.problems == 0, at == to);
        let mut torn = lines.clone();
        torn[at].truncate(lines[at].len() - 1 - cut);
        prop_assert_ne!(found(&torn).0.problems, 0);
    }

    #[test]
    fn whatever_the_bytes_there_is_an_answer(bytes in vec(any::<u8>(), 0..300), line in "[{}\\[\\]\":,a-z0-9\n]{0,80}") {
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
        prop_assert!(found_in(&bytes, Options::default()).0.problems as usize >= lines);
        found_in(line.as_bytes(), LIVE);
    }

    #[test]
    fn whatever_the_log_says_the_findings_hold_no_control_character(id in any::<String>()) {
        let line = serde_json::json!({ "event": "request_started", "instance": id, "request_id": id, "level": id, id: 1 });
        let (_, text) = found_in(line.to_string().as_bytes(), Options::default());
        prop_assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{:?}", text);
    }
}
