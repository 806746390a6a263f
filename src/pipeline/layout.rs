//! The layout of an output's lines: which encoder, and where in a line its number belongs.

use crate::record::Record;
use crate::record::json::Encoder;
use crate::record::text::Pretty;

use super::{Format, Stamp};

/// One output's encoder, as cores, announcers and the output's own writer use it.
#[derive(Debug)]
pub enum Layout {
    /// One JSON object a line.
    Json(Box<Encoder>),
    /// For people; it shows no numbers.
    Pretty(Pretty),
}

impl Layout {
    /// The encoder of a format. `Auto` is settled before there are lines; here it is JSON.
    pub fn new(format: Format, stamp: &Stamp) -> Layout {
        match format {
            Format::Pretty => Layout::Pretty(Pretty::new(true)),
            Format::Json | Format::Auto => Layout::Json(Box::new(Encoder::new(&stamp.instance, &stamp.record))),
        }
    }

    /// Appends a line; says where in `out` its number belongs, if it shows one.
    pub fn record(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> Option<usize> {
        match self {
            Layout::Json(encoder) => Some(encoder.record(record, out)),
            Layout::Pretty(pretty) => {
                pretty.record(record, out);
                None
            }
        }
    }

    pub(super) fn json(&self) -> Option<&Encoder> {
        match self {
            Layout::Json(encoder) => Some(encoder),
            Layout::Pretty(_) => None,
        }
    }
}
