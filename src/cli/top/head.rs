//! What stands at the top: which proxy, how much it does, how long that takes, and what is wrong.

use super::numbers::{rate, size, sum, uptime};
use super::sample::Sample;
use super::view::View;
use crate::search::paint::{Colour, duration, harmless};
use crate::search::zone::Zone;

/// Texts beside one another.
pub(super) type Texts = Vec<(String, Colour)>;

/// Line by line, at `now`, microseconds since the Unix epoch.
pub(super) fn lines(view: &View, zone: &Zone, now: u64) -> Vec<Texts> {
    let mut lines = vec![title(view, zone, now)];
    if let Some((newest, pace, oldest)) = view.moments() {
        lines.extend([rates(newest, pace), times(newest, oldest)]);
    }
    lines.extend(view.trouble.as_ref().map(|trouble| vec![(harmless(trouble), Colour::Red)]));
    lines.extend((!view.alarms.is_empty()).then(|| view.alarms.clone()));
    lines
}

fn title(view: &View, zone: &Zone, now: u64) -> Texts {
    let up = view.newest().map(|newest| uptime((now as f64 / 1e6 - newest.started).max(0.0) as u64));
    let up = up.map(|up| format!("up {up}")).unwrap_or_default();
    let time = zone.time_of_day(now);
    let time = time.get(..8).unwrap_or(&time);
    vec![
        ("gatelog top".to_owned(), Colour::Bold),
        (view.name(), Colour::Cyan),
        (up, Colour::Plain),
        (time.to_owned(), Colour::Dim),
    ]
}

fn rates(newest: &Sample, pace: &Sample) -> Texts {
    let (routes, seconds) = newest.since(pace);
    let all = sum(routes.values());
    let requests = all.requests();
    let share = |class: usize| all.classes[class] as f64 * 100.0 / requests.max(1) as f64;
    let bytes = |at: usize| newest.bytes[at].saturating_sub(pace.bytes[at]) as f64 / seconds;
    let cpu = (newest.cpu - pace.cpu).max(0.0) * 100.0 / seconds;
    let alarm = |is_wrong: bool, colour| if is_wrong { colour } else { Colour::Dim };
    vec![
        (format!("{} requests/s", rate(requests as f64 / seconds)), Colour::Bold),
        (format!("{} running", newest.in_flight), Colour::Plain),
        (format!("4xx {:.1} %", share(4)), alarm(all.classes[4] > 0, Colour::Yellow)),
        (format!("5xx {:.1} %", share(5)), alarm(all.classes[5] > 0, Colour::Red)),
        (format!("in {}/s", size(bytes(0))), Colour::Plain),
        (format!("out {}/s", size(bytes(1))), Colour::Plain),
        (format!("cpu {cpu:.0} %"), Colour::Plain),
        (format!("{} records dropped", newest.dropped), alarm(newest.dropped > 0, Colour::Red)),
    ]
}

fn times(newest: &Sample, oldest: &Sample) -> Texts {
    let (routes, seconds) = newest.since(oldest);
    let all = sum(routes.values());
    let time = |micros: Option<u64>| micros.map_or("-".to_owned(), duration);
    vec![
        (format!("avg {}", time(all.mean())), Colour::Plain),
        (format!("p50 {}", time(all.quantile(0.5))), Colour::Plain),
        (format!("p95 {}", time(all.quantile(0.95))), Colour::Plain),
        (format!("p99 {}", time(all.quantile(0.99))), Colour::Plain),
        (format!("of the last {seconds:.0} s"), Colour::Dim),
    ]
}
