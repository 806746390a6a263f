//! `[log]` and `[[log.output]]`: what is written, when, and where to.

use std::time::Duration;

use super::finding::{Complaint, quoted};
use super::later;
use super::reader::Section;
use super::redact;
use super::routes::{pairs, start_mode};
use super::source::At;
use super::tree::{Entry, Node};
use super::value::{boolean, choice, duration, header, level_or_off, name, size, time_limit, token};
use crate::exchange::{self, LabelSettings};
use crate::pipeline::{self, Format, OutputSettings, WhenFull};
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
    exchange.labels = labels(section.table_or_empty("labels"));
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
    if let Some(outputs) = outputs(&mut section) {
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

/// Every `[[log.output]]`; `None` where there is none.
fn outputs(section: &mut Section<'_>) -> Option<Vec<OutputSettings>> {
    let tables = section.tables("output");
    let mut first: Option<At> = None;
    let mut outputs = Vec::new();
    for table in tables {
        let at = table.at;
        let Some(settings) = output(table) else { continue };
        if let Some(first) = first {
            let complaint = Complaint::new("stdout is an output twice", "keep one: two writers would mix their lines");
            section.reader.findings.contradiction(at, first, "first here", complaint);
        }
        first = first.or(Some(at));
        outputs.push(settings);
    }
    (!outputs.is_empty()).then_some(outputs)
}

/// One `[[log.output]]`; `None` where its type is not known.
fn output(mut section: Section<'_>) -> Option<OutputSettings> {
    let kind = section.require("type", "\"stdout\"", |node| worded(node, "log.output.type", &[("stdout", ())]));
    if kind.is_none() {
        // The other keys depend on the type.
        section.abandon();
        return None;
    }
    let mut output = OutputSettings::default();
    section.set("format", &mut output.format, |node| choice(node, &FORMATS));
    output.when_full = when_full(&mut section);
    section.set("queue", &mut output.queue, queue);
    Some(output)
}

const FORMATS: [(&str, Format); 7] = [
    ("auto", Format::Auto),
    ("json", Format::Json),
    ("logfmt", Format::Logfmt),
    ("combined", Format::Combined),
    ("pretty", Format::Pretty),
    ("verbose", Format::Verbose),
    ("simple", Format::Simple),
];

const SCHEMAS: [(&str, Schema); 3] = [("native", Schema::Native), ("otel", Schema::Otel), ("ecs", Schema::Ecs)];

/// One of a few words, of which later versions know more.
fn worded<T: Copy>(node: &Node, key: &str, choices: &[(&str, T)]) -> Result<T, Complaint> {
    match later::value(key, node.text()?) {
        Some(complaint) => Err(complaint),
        None => choice(node, choices),
    }
}

/// `when_full` and what belongs to it.
fn when_full(section: &mut Section<'_>) -> WhenFull {
    let blocks = section.read("when_full", |node| choice(node, &[("drop", false), ("block", true)])).unwrap_or(false);
    let at = section.at("block_at_most");
    let limit = section.read("block_at_most", duration);
    if limit.is_some() && !blocks {
        let message = "`log.output.block_at_most` has no effect: the output drops when it is full";
        section.reader.warning(at, message, "write when_full = \"block\", or take it out");
    }
    if blocks { WhenFull::Block(limit.unwrap_or(BLOCK_AT_MOST)) } else { WhenFull::Drop }
}

/// Long enough for a reader that is restarted, short enough that clients still wait.
const BLOCK_AT_MOST: Duration = Duration::from_secs(1);

/// Each core hands over buffers of 64 KiB: a queue that does not hold a few of them would drop with every burst.
fn queue(node: &Node) -> Result<usize, Complaint> {
    match size(node)? {
        bytes @ 0x4_0000..=0x4000_0000 => Ok(bytes as usize),
        bytes => Err(Complaint::new(format!("{bytes} bytes cannot be a queue"), "from \"256KB\" to \"1GB\"")),
    }
}
