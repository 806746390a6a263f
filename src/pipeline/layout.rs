//! The layout of an output's lines: which encoder, and where in a line its number belongs.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::record::combined::Combined;
use crate::record::django::{Django, Style};
use crate::record::json::{Encoder, Renamed};
use crate::record::logfmt::Logfmt;
use crate::record::syslog::Preface;
use crate::record::text::Pretty;
use crate::record::{self, Event, Record, Schema};

use super::{Format, Stamp};

/// What a layout made of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// Nothing: the format has no line for records of this kind. It uses up no number.
    None,
    /// A line that shows no number. It uses up one all the same.
    Plain,
    /// A line whose number belongs at this offset of the buffer.
    Numbered(usize),
}

/// One output's encoder, as cores, announcers and the output's own writer use it.
#[derive(Debug)]
pub enum Layout {
    /// One JSON object a line, in the native schema.
    Json(Box<Encoder>),
    /// The same in another one.
    Renamed(Box<Renamed>),
    /// `key=value`.
    Logfmt(Box<Logfmt>),
    /// Apache's access log.
    Combined(Combined),
    /// As Django's formatters have it; it shows no numbers.
    Django(Django),
    /// For people; it shows no numbers.
    Pretty(Pretty),
    /// Another one, with the head of a syslog message in front of each line.
    Syslog(Preface, Box<Layout>),
}

impl Layout {
    /// The encoder of a format. `Auto` is settled before there are lines; here it is JSON.
    pub fn new(format: Format, stamp: &Stamp) -> Layout {
        let Stamp { instance, record } = stamp;
        match format {
            Format::Json | Format::Auto if record.schema == Schema::Native => {
                Layout::Json(Box::new(Encoder::new(instance, record)))
            }
            Format::Json | Format::Auto => Layout::Renamed(Box::new(Renamed::new(instance, record))),
            Format::Logfmt => Layout::Logfmt(Box::new(Logfmt::new(instance, record))),
            Format::Combined => Layout::Combined(Combined::default()),
            Format::Verbose => Layout::Django(Django::new(Style::Verbose, std::process::id())),
            Format::Simple => Layout::Django(Django::new(Style::Simple, std::process::id())),
            Format::Pretty => Layout::Pretty(Pretty::new(true)),
            Format::Native => Layout::Json(Box::new(Encoder::new(instance, record))),
            Format::Otel => {
                let record = record::Settings { schema: Schema::Otel, ..record.clone() };
                Layout::Renamed(Box::new(Renamed::new(instance, &record)))
            }
            Format::Syslog(inner) => Layout::Syslog(Preface::default(), Box::new(Layout::new(*inner, stamp))),
        }
    }

    /// Whether the format has a line for such a record.
    pub fn has_line(&self, event: Event) -> bool {
        match self {
            Layout::Combined(_) => event == Event::RequestCompleted,
            Layout::Syslog(_, inner) => inner.has_line(event),
            _ => true,
        }
    }

    /// Appends the line of a record, if the format has one for it.
    pub fn record(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> Written {
        match self {
            Layout::Json(encoder) => return Written::Numbered(encoder.record(record, out)),
            Layout::Renamed(encoder) => return Written::Numbered(encoder.record(record, out)),
            Layout::Logfmt(logfmt) => return Written::Numbered(logfmt.record(record, out)),
            Layout::Combined(combined) => {
                return if combined.record(record, out) { Written::Plain } else { Written::None };
            }
            Layout::Syslog(preface, inner) => {
                let start = out.len();
                preface.write(record, out);
                let written = inner.record(record, out);
                if written == Written::None {
                    out.truncate(start);
                }
                return written;
            }
            Layout::Django(django) => django.record(record, thread_number(), out),
            Layout::Pretty(pretty) => pretty.record(record, out),
        }
        Written::Plain
    }

    /// Leaves room for so many digits in the lines to come, so that numbers can be put in where the lines stand. Returns
    /// for how many; none in formats whose numbers are put in as lines are copied.
    pub fn leave_room(&mut self, digits: usize) -> usize {
        match self {
            Layout::Json(encoder) => {
                encoder.leave_room(digits);
                digits
            }
            _ => 0,
        }
    }

    /// The encoder that makes use of a request's fragment.
    pub(super) fn json(&mut self) -> Option<&mut Encoder> {
        match self {
            Layout::Json(encoder) => Some(encoder),
            _ => None,
        }
    }
}

/// Tells the threads that write records from each other, in the order in which they wrote their first.
fn thread_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local!(static NUMBER: u64 = NEXT.fetch_add(1, Ordering::Relaxed));
    NUMBER.with(|number| *number)
}
