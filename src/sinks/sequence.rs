//! The numbers of one output's stream, and the records that tell of missing ones.

use crate::pipeline::announce::PROXY_LOGGER;
use crate::pipeline::queue::Line;
use crate::pipeline::{Batch, Format, Layout, Stamp, Written};
use crate::record::json::splice;
use crate::record::{Body, Event, Head, Level, Loss, Record};
use crate::time;

/// Gives each line its number, in the order in which it is written.
#[derive(Debug)]
pub struct Sequence {
    output: String,
    next: u64,
    layout: Layout,
    line: Vec<u8>,
}

impl Sequence {
    /// The stream of an output that begins now, with number 1.
    pub fn new(output: &str, format: Format, stamp: &Stamp) -> Sequence {
        Sequence { output: output.to_owned(), next: 1, layout: Layout::new(format, stamp), line: Vec::new() }
    }

    /// Appends the batch's lines to `out`, each with its number.
    pub fn number(&mut self, batch: &Batch, out: &mut Vec<u8>) {
        let mut start = 0;
        for &Line { end, seq_at } in &batch.lines {
            self.line(&batch.bytes[start..end], seq_at.map(|at| at - start), out);
            start = end;
        }
    }

    /// Lets `count` records use up their numbers and says so in a line; does nothing for none. Returns whether there is a
    /// line: the format may have none for it.
    pub fn lost(&mut self, count: u64, reason: &str, out: &mut Vec<u8>) -> bool {
        if count == 0 {
            return false;
        }
        let from_seq = self.next;
        self.next += count;
        let loss = Loss { output: &self.output, count, from_seq, to_seq: self.next - 1, reason };
        let head = Head {
            timestamp: time::wall_now(),
            level: Level::Warning,
            event: Event::LogLoss,
            message: Event::LogLoss.message(),
            logger: PROXY_LOGGER,
        };
        let record = Record { head, body: Body::Loss(&loss) };
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        let written = self.layout.record(&record, &mut line);
        match written {
            Written::None => {}
            Written::Plain => self.line(&line, None, out),
            Written::Numbered(at) => self.line(&line, Some(at), out),
        }
        self.line = line;
        written != Written::None
    }

    /// Takes back the numbers of lines that were given some and then not written, newest first.
    pub fn unwrite(&mut self, lines: u64) {
        self.next -= lines;
    }

    fn line(&mut self, line: &[u8], seq_at: Option<usize>, out: &mut Vec<u8>) {
        match seq_at {
            Some(at) => splice(line, at, self.next, out),
            None => out.extend_from_slice(line),
        }
        self.next += 1;
    }
}
