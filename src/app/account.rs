//! The account of what is in no record, told in the log itself: how many requests sampling left out, and which fields
//! business events lacked.

use std::time::Duration;

use crate::exchange::Tally;
use crate::exchange::tally::Missing;
use crate::pipeline::Announcer;
use crate::pipeline::announce::PROXY_LOGGER;
use crate::record::{Event, Level, Value};

/// How often it is told.
const EVERY: Duration = Duration::from_secs(60);

/// Counters, and who tells them.
pub(super) struct Account<'a> {
    pub(super) tally: &'a Tally,
    pub(super) announcer: &'a Announcer,
}

impl Account<'_> {
    /// Tells it once a minute; never returns.
    pub(super) async fn tell_often(&self) {
        loop {
            tokio::time::sleep(EVERY).await;
            self.tell();
        }
    }

    /// Tells what has come to the account since this was last called, if anything has.
    pub(super) fn tell(&self) {
        let count = self.tally.take_left_out();
        if count > 0 {
            let fields = [("count", Value::Unsigned(count)), ("total", Value::Unsigned(self.tally.left_out()))];
            self.announcer.announce(Event::LogSampled, Level::Info, &fields);
        }
        for Missing { event, field, count } in self.tally.take_missing() {
            tracing::info!(target: PROXY_LOGGER, business_event = event, field, count, "a business event lacked a field");
        }
    }
}
