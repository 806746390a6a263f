//! The account of what is in no record, told in the log itself: how many requests sampling left out, and which fields
//! business events lacked.

use std::time::Duration;

use super::Control;
use crate::exchange::Tally;
use crate::exchange::tally::Missing;
use crate::pipeline::Announcer;
use crate::pipeline::announce::PROXY_LOGGER;
use crate::record::{Event, Level, Value};

/// How often it is told.
const EVERY: Duration = Duration::from_secs(60);

/// Tells it once a minute, as it is under the configuration in force; never returns.
pub(super) async fn tell_often(control: &Control) {
    loop {
        tokio::time::sleep(EVERY).await;
        tell(&control.tally(), control.announcer());
    }
}

/// Tells what has come to the account since this was last called, if anything has.
pub(super) fn tell(tally: &Tally, announcer: &Announcer) {
    let count = tally.take_left_out();
    if count > 0 {
        let fields = [("count", Value::Unsigned(count)), ("total", Value::Unsigned(tally.left_out()))];
        announcer.announce(Event::LogSampled, Level::Info, &fields);
    }
    for Missing { event, field, count } in tally.take_missing() {
        tracing::info!(target: PROXY_LOGGER, business_event = event, field, count, "a business event lacked a field");
    }
}
