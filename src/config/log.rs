//! `[log]`: what is written, and when; where to is [`output`]'s.

use super::finding::quoted;
use super::reader::Section;
use super::routes::{pairs, start_mode};
use super::tree::Entry;
use super::value::{boolean, choice, header, level_or_off, name, time_limit, token};
use super::{capture, output, redact, sample};
use crate::exchange::{self, LabelSettings};
use crate::pipeline;
use crate::record::{self, Level, Schema};
use crate::upstream;

/// `[log]`, into the settings of the three modules that share it.
pub(super) fn read(
    mut section: Section<'_>,
    exchange: &mut exchange::Settings,
    upstreams: &[upstream::Settings],
) -> (record::Settings, pipeline::Settings) {
    let reader = section.reader;
    if let Some(start) = section.take("start").and_then(|node| start_mode(reader, "log.start", node)) {
        exchange.start = start;
    }
    section.set("slow", &mut exchange.slow, time_limit);
    section.set("progress", &mut exchange.progress, time_limit);
    exchange.labels = labels(section.table_or_empty("labels"));
    exchange.sample = sample::rules(&mut section);
    exchange.capture = section.table("capture").and_then(capture::read);
    let record = record::Settings {
        service: section.read("service", name),
        environment: section.read("environment", name),
        schema: section.read("schema", |node| choice(node, &SCHEMAS)).unwrap_or_default(),
        nulls: section.read("nulls", boolean).unwrap_or(false),
        redact: redact::read(section.table_or_empty("redact"), exchange, upstreams),
    };
    let mut pipeline = pipeline::Settings::default();
    section.set("level", &mut pipeline.level, level_or_off);
    pipeline.loggers = section.table("loggers").map(loggers).unwrap_or_default();
    if let Some(outputs) = output::outputs(&mut section) {
        pipeline.outputs = outputs;
    }
    (record, pipeline)
}

/// `log.labels`.
fn labels(mut section: Section<'_>) -> LabelSettings {
    LabelSettings {
        request_headers: section.list("request_headers", header).unwrap_or_default(),
        cookies: section.list("cookies", token).unwrap_or_default(),
        fixed: section.table("static").map(pairs).unwrap_or_default(),
    }
}

const SCHEMAS: [(&str, Schema); 3] = [("native", Schema::Native), ("otel", Schema::Otel), ("ecs", Schema::Ecs)];

/// `log.loggers`: levels by dotted name.
fn loggers(mut section: Section<'_>) -> Vec<(String, Option<Level>)> {
    let reader = section.reader;
    let logger = |entry: Entry| {
        let level = reader.judge("log.loggers", entry.node, |node| level_or_off(&node))?;
        if entry.name.split('.').any(str::is_empty) {
            let message = format!("{} is no name of a logger", quoted(&entry.name));
            reader.error(entry.at, message, "names joined by dots, in quotes: \"gatelog.security\"");
        }
        Some((entry.name, level))
    };
    section.take_rest().into_iter().filter_map(logger).collect()
}
