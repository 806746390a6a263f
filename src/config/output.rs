//! `[[log.output]]`: where records go, and in which form.
//!
//! What every output has is read here; each kind has a reader of its own below for its own keys.

mod file;
mod http;
mod network;
mod syslog;

use std::time::Duration;

pub(super) use self::http::{at_path, own_name, sound, sound_secret};
pub(super) use self::network::host_and_port;

use super::filter::filter;
use super::finding::{Complaint, quoted};
use super::later;
use super::reader::Section;
use super::source::At;
use super::tree::Node;
use super::value::{choice, duration, level, size};
use crate::pipeline::{Format, OutputKind, OutputSettings, RESERVED, SpoolSettings, WhenFull};

/// Every `[[log.output]]`; `None` where there is none.
pub(super) fn outputs(section: &mut Section<'_>) -> Option<Vec<OutputSettings>> {
    let mut read = Vec::new();
    for table in section.tables("output") {
        let Some(output) = output(table) else { continue };
        // One earlier output at odds with it is enough to say.
        read.iter().any(|earlier| clash(section, earlier, &output));
        read.push(output);
    }
    name_the_nameless(&mut read);
    let outputs: Vec<OutputSettings> = read.into_iter().map(|output| output.settings).collect();
    (!outputs.is_empty()).then_some(outputs)
}

/// An output and where its parts stand that no other output may share.
struct Output {
    settings: OutputSettings,
    at: At,
    /// Where its name stands; `None` where it has none yet.
    named: Option<At>,
    /// Where its path stands, for a file.
    path: At,
}

/// One `[[log.output]]`; `None` where what it writes to is not known.
fn output(mut section: Section<'_>) -> Option<Output> {
    let kind = section.require("type", "\"stdout\"", |node| worded(node, "log.output.type", &TYPES));
    let Some(kind) = kind else {
        // The other keys depend on the type.
        section.abandon();
        return None;
    };
    let (at, path) = (section.at, section.at("path"));
    let named = section.has("name").then(|| section.at("name"));
    let mut settings = OutputSettings { name: String::new(), ..OutputSettings::default() };
    section.set("name", &mut settings.name, name);
    let format = section.at("format");
    section.set("format", &mut settings.format, |node| choice(node, &FORMATS));
    settings.level = section.read("level", level);
    settings.filter = filter(&mut section, "filter");
    settings.when_full = when_full(&mut section);
    section.set("queue", &mut settings.queue, queue);
    settings.kind = match kind {
        Type::Stdout => OutputKind::Stdout,
        Type::File => OutputKind::File(file::read(&mut section)?),
        Type::Syslog => OutputKind::Syslog(syslog::read(&mut section)?),
        Type::Http => OutputKind::Http(http::read(&mut section)?),
        Type::Otlp => OutputKind::Otlp(http::read_otlp(&mut section)?),
    };
    check_format(&section, &settings, format);
    Some(Output { settings, at, named, path })
}

/// The kinds of outputs, before anything is known about one.
#[derive(Clone, Copy)]
enum Type {
    Stdout,
    File,
    Syslog,
    Http,
    Otlp,
}

const TYPES: [(&str, Type); 5] = [
    ("stdout", Type::Stdout),
    ("file", Type::File),
    ("syslog", Type::Syslog),
    ("http", Type::Http),
    ("otlp", Type::Otlp),
];

/// Collectors take JSON, and colours are for terminals.
fn check_format(section: &Section<'_>, settings: &OutputSettings, at: At) {
    let (what, hint) = match (&settings.kind, settings.format) {
        (OutputKind::Http(_) | OutputKind::Otlp(_), format) if !matches!(format, Format::Auto | Format::Json) => {
            ("what is sent to a collector is JSON", "take `format` out")
        }
        (OutputKind::Syslog(_), Format::Pretty) => ("its colours are for terminals", "write \"simple\" or \"json\""),
        _ => return,
    };
    section.reader.error(at, format!("`log.output.format`: {what}"), hint);
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

/// One of a few words, of which later versions know more.
fn worded<T: Copy>(node: &Node, key: &str, choices: &[(&str, T)]) -> Result<T, Complaint> {
    match later::value(key, node.text()?) {
        Some(complaint) => Err(complaint),
        None => choice(node, choices),
    }
}

/// A name that can stand in a label of a metric and in the name of a thread.
fn name(node: &Node) -> Result<String, Complaint> {
    let text = node.text()?;
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if text.is_empty() || text.len() > LONGEST_NAME || !text.bytes().all(sound) {
        let message = format!("{} is no name of an output", quoted(text));
        return Err(Complaint::new(message, format!("1 to {LONGEST_NAME} letters, digits, \"_\", \"-\" and \".\"")));
    }
    if RESERVED.contains(&text) {
        let message = format!("{} is what gatelog's own store is called", quoted(text));
        return Err(Complaint::new(message, "take another name: their losses and counters could not be told apart"));
    }
    Ok(text.to_owned())
}

const LONGEST_NAME: usize = 64;

/// Reports what two outputs cannot share: standard output, a file, a name. Returns whether they share anything.
fn clash(section: &Section<'_>, first: &Output, second: &Output) -> bool {
    let contradiction = |at, first, message: String, hint: &str| {
        section.reader.findings.contradiction(at, first, "first here", Complaint::new(message, hint));
        true
    };
    let mixed = "keep one: two writers would mix their lines";
    let target = match (&first.settings.kind, &second.settings.kind) {
        (OutputKind::Stdout, OutputKind::Stdout) => {
            contradiction(second.at, first.at, "stdout is an output twice".into(), mixed)
        }
        (OutputKind::File(one), OutputKind::File(other)) if file::is_same(&one.path, &other.path) => {
            let message = format!("two outputs write to {}", quoted(&other.path.to_string_lossy()));
            contradiction(second.path, first.path, message, mixed)
        }
        (first_kind, second_kind) => match (spool(first_kind), spool(second_kind)) {
            (Some(one), Some(other)) if file::is_same(&one.path, &other.path) => {
                let message = format!("two outputs have their spool in {}", quoted(&other.path.to_string_lossy()));
                contradiction(second.at, first.at, message, "give each a folder of its own")
            }
            _ => false,
        },
    };
    let name = if let (Some(at), Some(other)) = (second.named, first.named)
        && first.settings.name == second.settings.name
    {
        let message = format!("two outputs are called {}", quoted(&second.settings.name));
        contradiction(at, other, message, "their losses and counters could not be told apart")
    } else {
        false
    };
    target || name
}

/// The spool of an output, where it has one.
fn spool(kind: &OutputKind) -> Option<&SpoolSettings> {
    kind.delivery()?.spool.as_ref()
}

/// An output without a name has its type for one, with a number where that is taken.
fn name_the_nameless(outputs: &mut [Output]) {
    for at in 0..outputs.len() {
        if outputs[at].settings.name.is_empty() {
            let kind = outputs[at].settings.kind.as_str();
            let taken = |name: &String| outputs.iter().any(|output| output.settings.name == *name);
            let numbered = (2..).map(|number| format!("{kind}-{number}"));
            let free = std::iter::once(kind.to_owned()).chain(numbered).find(|name| !taken(name));
            outputs[at].settings.name = free.unwrap_or_default();
        }
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

/// Each core hands over buffers of 64 KiB at least: a queue that does not hold a few of them would drop with every burst.
fn queue(node: &Node) -> Result<usize, Complaint> {
    match size(node)? {
        bytes @ 0x4_0000..=0x4000_0000 => Ok(bytes as usize),
        bytes => Err(Complaint::new(format!("{bytes} bytes cannot be a queue"), "from \"256KB\" to \"1GB\"")),
    }
}
