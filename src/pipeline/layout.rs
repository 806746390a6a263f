//! The layout of an output's lines: which encoder, and where in a line its number belongs.

use crate::record::Record;
use crate::record::json::Encoder;
use crate::record::text::Pretty;

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

    /// Appends the line of a record, if the format has one for it.
    pub fn record(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> Written {
        match self {
            Layout::Json(encoder) => Written::Numbered(encoder.record(record, out)),
            Layout::Pretty(pretty) => {
                pretty.record(record, out);
                Written::Plain
            }
        }
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
    pub(super) fn json(&self) -> Option<&Encoder> {
        match self {
            Layout::Json(encoder) => Some(encoder),
            Layout::Pretty(_) => None,
        }
    }
}
