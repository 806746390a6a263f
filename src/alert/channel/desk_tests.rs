//! The desk at moments that it is told.

use super::*;
use crate::alert::notice::Kind;
use crate::alert::words::samples;
use crate::time;

const SECOND: Duration = Duration::from_secs(1);

fn notice(key: usize) -> Arc<Notice> {
    Arc::new(Notice { key: key.to_string(), ..samples::notice(Kind::Fired) })
}

fn desk(rate: u32) -> (Desk, Instant) {
    (Desk::new(rate, Pace::default()), time::monotonic() + Duration::from_secs(7200))
}

fn written(desk: &mut Desk, now: Instant) -> Vec<String> {
    match desk.turn(now) {
        Turn::Write(batch) => batch.notices.iter().map(|notice| notice.key.clone()).collect(),
        turn => panic!("{turn:?}"),
    }
}

fn waits_until(desk: &mut Desk, now: Instant) -> Instant {
    match desk.turn(now) {
        Turn::Wait(Some(until)) => until,
        turn => panic!("{turn:?}"),
    }
}

fn again(after: Option<u64>) -> Verdict {
    Verdict::Again { said: "busy".to_owned(), after: after.map(Duration::from_secs) }
}

const DELIVERED: Verdict = Verdict::Delivered { but: None };

#[test]
fn what_comes_within_a_moment_is_one_message() {
    let (mut desk, start) = desk(60);
    assert!(matches!(desk.turn(start), Turn::Wait(None)));
    desk.put(start, notice(1));
    desk.put(start + SECOND, notice(2));
    assert_eq!(waits_until(&mut desk, start + SECOND), start + 2 * SECOND);
    assert_eq!(written(&mut desk, start + 2 * SECOND), ["1", "2"]);
    assert_eq!(desk.waiting(), 2);
    assert_eq!(desk.settle(start + 2 * SECOND, DELIVERED), Settled::Delivered);
    assert_eq!((desk.waiting(), desk.counts().delivered), (0, 2));
}

#[test]
fn beyond_the_rate_they_wait_and_are_put_together() {
    let (mut desk, start) = desk(2);
    for key in 0..2 {
        desk.put(start, notice(key));
        assert_eq!(written(&mut desk, start + 2 * SECOND), [key.to_string()]);
        desk.settle(start, DELIVERED);
    }
    (2..5).for_each(|key| desk.put(start, notice(key)));
    let due = waits_until(&mut desk, start + 2 * SECOND);
    assert_eq!(due, start + 2 * SECOND + Duration::from_secs(1800));
    assert_eq!(written(&mut desk, due), ["2", "3", "4"]);
}

#[test]
fn what_fails_is_tried_again_later_and_later_and_then_given_up() {
    let (mut desk, start) = desk(60);
    desk.put(start, notice(1));
    let mut now = start + 2 * SECOND;
    written(&mut desk, now);
    let mut tries = 1;
    while let Settled::Later(said) = desk.settle(now, again(None)) {
        assert_eq!(said, "busy");
        let next = waits_until_or_now(&mut desk, now);
        assert!(next - now <= Pace::default().retry_at_most);
        now = next;
        assert!(matches!(desk.turn(now), Turn::Again));
        tries += 1;
    }
    assert!(now - start > Duration::from_secs(3600) && now - start < Duration::from_secs(3600 + 310));
    assert!(tries > 12, "{tries}");
    assert_eq!((desk.counts().failed, desk.waiting()), (1, 0));
}

fn waits_until_or_now(desk: &mut Desk, now: Instant) -> Instant {
    match desk.turn(now) {
        Turn::Wait(Some(until)) => until,
        Turn::Again => now,
        turn => panic!("{turn:?}"),
    }
}

#[test]
fn what_the_other_side_asks_to_wait_is_waited() {
    let (mut desk, start) = desk(60);
    desk.put(start, notice(1));
    let now = start + 2 * SECOND;
    written(&mut desk, now);
    desk.settle(now, again(Some(77)));
    assert_eq!(waits_until(&mut desk, now), now + 77 * SECOND);
}

#[test]
fn a_refusal_is_the_end_of_a_message_and_not_of_those_behind_it() {
    let (mut desk, start) = desk(60);
    desk.put(start, notice(1));
    let now = start + 2 * SECOND;
    written(&mut desk, now);
    desk.put(now, notice(2));
    let refused = Verdict::Refused { said: "550 no".to_owned() };
    assert_eq!(desk.settle(now, refused), Settled::Failed("550 no".to_owned()));
    assert_eq!(written(&mut desk, now + 2 * SECOND), ["2"]);
    let but = Verdict::Delivered { but: Some("bob has refused".to_owned()) };
    assert_eq!(desk.settle(now, but), Settled::Failed("bob has refused".to_owned()));
    assert_eq!(desk.counts(), Counts { delivered: 1, failed: 1, dropped: 0 });
}

#[test]
fn of_too_many_those_that_a_later_one_makes_needless_go_first_and_then_the_oldest() {
    let (mut desk, start) = desk(60);
    (0..MOST_WAITING).for_each(|key| desk.put(start, notice(key)));
    desk.put(start, notice(7));
    desk.put(start, notice(1000));
    let Turn::Write(batch) = desk.turn(start + 2 * SECOND) else { panic!("it is due") };
    let keys: Vec<&str> = batch.notices.iter().map(|notice| notice.key.as_str()).collect();
    assert_eq!((keys.len(), batch.dropped, desk.counts().dropped), (MOST_WAITING, 2, 2));
    assert_eq!((keys[0], keys.iter().filter(|key| **key == "7").count()), ("1", 1));
    assert_eq!(keys[MOST_WAITING - 2..], ["7", "1000"]);
}

#[test]
fn in_the_end_nothing_is_waited_for_and_everything_has_one_try() {
    let (mut desk, start) = desk(1);
    let end = start + 4 * SECOND;
    desk.put(start, notice(1));
    written(&mut desk, start + 2 * SECOND);
    desk.settle(start + 2 * SECOND, again(Some(600)));
    desk.put(start + 2 * SECOND, notice(2));
    desk.close(start + 3 * SECOND, end);
    assert!(matches!(desk.turn(start + 3 * SECOND), Turn::Again));
    assert_eq!(desk.settle(start + 3 * SECOND, again(None)), Settled::Failed("given up: busy".to_owned()));
    assert_eq!(written(&mut desk, start + 3 * SECOND), ["2"]);
    desk.settle(start + 3 * SECOND, DELIVERED);
    assert!(matches!(desk.turn(start + 3 * SECOND), Turn::Over));
    assert_eq!(desk.counts(), Counts { delivered: 1, failed: 1, dropped: 0 });
}

#[test]
fn what_is_left_when_the_time_is_over_is_lost_and_counted() {
    let (mut desk, start) = desk(1);
    desk.put(start, notice(1));
    desk.close(start, start + SECOND);
    assert_eq!(written(&mut desk, start), ["1"]);
    desk.put(start, notice(2));
    assert!(matches!(desk.turn(start + SECOND), Turn::Over));
    assert_eq!((desk.counts(), desk.waiting()), (Counts { delivered: 0, failed: 1, dropped: 1 }, 0));
    assert_eq!(desk.settle(start + SECOND, DELIVERED), Settled::Delivered);
    assert_eq!(desk.counts().delivered, 0, "it was counted");
}

#[test]
fn an_empty_desk_is_over_once_it_is_closed() {
    let (mut desk, start) = desk(1);
    desk.close(start, start + SECOND);
    assert!(matches!(desk.turn(start), Turn::Over));
}
