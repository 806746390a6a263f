//! What the lines of a batch come to in the statistics of the last hour: hardly any of them is read for it.

use crate::pipeline::{Batch, Load};
use crate::sinks::sequence::number_line;
use crate::store::recent::{Pulse, Recent};

use super::stream::Chunk;

/// Counts all lines of a batch.
pub(super) fn load(recent: &Recent, load: &Load) {
    if load.lines() > 0 {
        recent.count(|pulse| load.show(|batch| count(batch, pulse)));
    }
}

/// Counts a line of our own.
pub(super) fn told(recent: &Recent, chunk: &Chunk) {
    recent.count(|pulse| pulse.count(None, |line| line.extend_from_slice(&chunk.text)));
}

fn count(batch: &Batch, pulse: &mut Pulse) {
    let mut start = 0;
    for line in &batch.lines {
        pulse.count(line.gist.as_ref(), |out| {
            let hole = line.seq_at.map(|at| (at - start, batch.hole));
            // Its number is not counted.
            number_line(0, &batch.bytes[start..line.end], hole, out);
        });
        start = line.end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Expression;
    use crate::pipeline::{Format, Intake, Levels, OutputSettings, Port, Routing, Stamp};
    use crate::record::json::Fragment;
    use crate::record::{Body, Event, Facts, Head, Level, Outcome, Progress, Record};
    use crate::store::Summaries;
    use crate::store::recent::Limits;
    use crate::store::rollup::{MINUTE, Range};
    use crate::store::statistics::Statistics;
    use proptest::prelude::*;
    use std::sync::Arc;

    const NOW: u64 = 1_795_345_356_000_000 / MINUTE * MINUTE;
    const NAMES: [&str; 3] = ["unmatched", "home", "cart"];

    /// Something that is written: about a request with its route and duration, or about something else.
    type Said = (u64, Event, Level, Option<(u32, u64)>);

    fn said() -> impl Strategy<Value = Said> {
        let events = [Event::RequestStarted, Event::RequestFailed, Event::RequestCompleted, Event::RequestCompleted];
        let request = (prop::sample::select(events.to_vec()), (0..3_u32, 0..9_000_000_u64).prop_map(Some));
        let other = (prop::sample::select(vec![Event::ConfigRefused, Event::business("bought")]), Just(None));
        let level = prop::sample::select(vec![Level::Info, Level::Warning, Level::Error]);
        (0..3 * MINUTE, prop_oneof![3 => request.boxed(), 1 => other.boxed()], level)
            .prop_map(|(at, (event, request), level)| (NOW + at, event, level, request))
    }

    fn say(intake: &Intake, &(timestamp, event, level, request): &Said) {
        let logger = if request.is_some() { "gatelog.request" } else { "shop" };
        let head = Head { timestamp, level, event, message: event.message(), logger };
        let Some((route, duration)) = request else {
            return intake.record(&Record { head, body: Body::Fields(&[]) });
        };
        let progress = Progress {
            duration,
            status_code: Some(200 + route as u16),
            outcome: Some(Outcome::Success),
            exception_type: Some(&b"KeyError"[..]).filter(|_| duration % 2 == 0),
            ..Progress::default()
        };
        let view = (if route == 0 { "unknown" } else { NAMES[route as usize] }, Some("/x/").filter(|_| route > 0));
        let facts =
            Facts { request_id: "r", method: "GET", path: b"/x", view_name: view.0, route: view.1, ..Facts::default() };
        intake.request(&head, &Fragment::default(), Some(&progress), route, &|with| with(&facts));
    }

    fn statistics(recent: &Recent, filter: &str) -> Statistics {
        let range = Range { since: NOW, until: NOW + 3 * MINUTE };
        recent.statistics(range, &Expression::parse(filter).unwrap(), &|| false).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// What is counted on the way is what reading all lines gives: whether or not they share their batch, with room for
        /// numbers or without.
        #[test]
        fn gists_come_to_what_the_lines_say(all in prop::collection::vec(said(), 1..80), shared: bool, digits in 0..9_usize) {
            let port = Port::new(&OutputSettings::default(), Format::Json).with_gists();
            let other = Port::new(&OutputSettings::default(), Format::Json);
            port.queue.set_digits(digits);
            other.queue.set_digits(digits);
            let stamp = Stamp { instance: "i".into(), record: Default::default() };
            let ports = if shared { vec![other, port.clone()] } else { vec![port.clone()] };
            let intake = Intake::new(&Routing { levels: Levels::new(&Default::default()), ports, stamp, watch: None });
            all.iter().for_each(|said| say(&intake, said));
            intake.flush();

            let name = |place: u32| NAMES.get(place as usize).map(|name| Arc::from(*name));
            let recent = Recent::counting(Limits::default(), Box::new(name));
            while let Some(batch) = port.queue.pop() {
                load(&recent, &batch);
                let mut text = Vec::new();
                batch.show(|batch| crate::sinks::sequence::number_from(1, batch, &mut text));
                recent.keep(&text, batch.lines());
            }
            let (counted, read) = (statistics(&recent, "*"), statistics(&recent, "-path:none"));
            prop_assert_eq!(counted.total().records(), all.len() as u64);
            prop_assert_eq!(counted, read);
        }
    }
}
