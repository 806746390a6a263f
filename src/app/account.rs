//! The account of what is in no record: how many requests sampling left out, told in the log itself.

use std::time::Duration;

use crate::exchange::Tally;
use crate::pipeline::Announcer;
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
    }
}
