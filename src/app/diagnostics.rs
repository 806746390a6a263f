//! gatelog's own diagnostics, written with `tracing`, in the same stream and the same shape as the records.

use std::fmt::Debug;
use std::sync::Arc;

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::pipeline::Announcer;
use crate::record::{self, Body, Head, Level, Record, Value};
use crate::time;

/// Sends the diagnostics of this process to the outputs, from now on. Somebody who embeds gatelog and has a subscriber of
/// their own keeps it.
pub fn install(announcer: Arc<Announcer>) {
    let subscriber = tracing_subscriber::registry().with(Diagnostics { announcer });
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// A layer that makes a record of each event.
struct Diagnostics {
    announcer: Arc<Announcer>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Diagnostics {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        is_worth_it(metadata) && self.announcer.allows(metadata.target(), level(*metadata.level()))
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let head = Head {
            timestamp: time::wall_now(),
            level: level(*event.metadata().level()),
            event: record::Event::Diagnostic,
            message: &fields.message,
            logger: event.metadata().target(),
        };
        let values: Vec<(&str, Value<'_>)> =
            fields.others.iter().map(|(name, value)| (*name, Value::Text(value.as_bytes()))).collect();
        self.announcer.record(&Record { head, body: Body::Fields(&values) });
    }
}

/// Below WARN only what is said about the proxy: the libraries' own chatter tells an operator nothing.
fn is_worth_it(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= tracing::Level::WARN || metadata.target().starts_with("gatelog")
}

fn level(level: tracing::Level) -> Level {
    match level {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warning,
        tracing::Level::INFO => Level::Info,
        _ => Level::Debug,
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, String)>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        match field.name() {
            "message" => self.message = text,
            name => self.others.push((name, text)),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}
