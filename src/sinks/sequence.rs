//! The numbers of one output's stream, and the records that tell of missing ones.

use crate::pipeline::announce::PROXY_LOGGER;
use crate::pipeline::batch::Line;
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

    /// The number that the next line gets.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Goes on with a stream that somebody else has begun.
    pub fn go_on(&mut self, next: u64) {
        self.next = next;
    }

    /// Appends the batch's lines to `out`, each with its number.
    pub fn number(&mut self, batch: &Batch, out: &mut Vec<u8>) {
        number_from(self.next, batch, out);
        self.next += batch.lines.len() as u64;
    }

    /// Gives each of the batch's lines, with its number in it and beside it.
    pub fn each(&mut self, batch: &Batch, mut take: impl FnMut(u64, &[u8])) {
        let mut start = 0;
        let mut numbered = std::mem::take(&mut self.line);
        for &Line { end, seq_at, .. } in &batch.lines {
            numbered.clear();
            self.line(&batch.bytes[start..end], seq_at.map(|at| (at - start, batch.hole)), &mut numbered);
            take(self.next - 1, &numbered);
            start = end;
        }
        self.line = numbered;
    }

    /// Whether the batch's lines have exactly the room that their numbers need.
    pub fn fits(&self, batch: &Batch) -> bool {
        let last = self.next + (batch.lines.len() as u64).saturating_sub(1);
        digits(self.next) == batch.hole && digits(last) == batch.hole
    }

    /// Puts their numbers into the batch's lines where they stand, if they fit.
    pub fn number_in_place(&mut self, batch: &mut Batch) -> bool {
        if !self.fits(batch) {
            return false;
        }
        for line in &batch.lines {
            if let Some(at) = line.seq_at {
                let hole = &mut batch.bytes[at..at + batch.hole];
                hole.copy_from_slice(itoa::Buffer::new().format(self.next).as_bytes());
            }
            self.next += 1;
        }
        true
    }

    /// How many digits the next number has.
    pub fn digits(&self) -> usize {
        digits(self.next)
    }

    /// Lets `count` records use up their numbers and appends a line that says so. Returns whether the format has one.
    pub fn lost(&mut self, count: u64, reason: &str, out: &mut Vec<u8>) -> bool {
        let from_seq = self.next;
        self.next += count;
        self.missing(from_seq, self.next - 1, count, reason, out)
    }

    /// Appends a line that says that records which had their numbers are missing. Returns whether the format has one.
    pub fn missing(&mut self, from_seq: u64, to_seq: u64, count: u64, reason: &str, out: &mut Vec<u8>) -> bool {
        let loss = Loss { output: &self.output, count, from_seq, to_seq, reason };
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
            Written::Numbered(at) => self.line(&line, Some((at, 0)), out),
        }
        self.line = line;
        written != Written::None
    }

    /// Takes back the numbers of lines that were given some and then not written, newest first.
    pub fn unwrite(&mut self, lines: u64) {
        self.next -= lines;
    }

    fn line(&mut self, line: &[u8], hole: Option<(usize, usize)>, out: &mut Vec<u8>) {
        number_line(self.next, line, hole, out);
        self.next += 1;
    }
}

/// Appends the batch's lines to `out`, numbered from `first` on.
pub fn number_from(first: u64, batch: &Batch, out: &mut Vec<u8>) {
    let mut start = 0;
    for (number, &Line { end, seq_at, .. }) in (first..).zip(&batch.lines) {
        number_line(number, &batch.bytes[start..end], seq_at.map(|at| (at - start, batch.hole)), out);
        start = end;
    }
}

/// Appends a line with its number. `hole` is where the number belongs, and the bytes that stand for it.
pub fn number_line(number: u64, line: &[u8], hole: Option<(usize, usize)>, out: &mut Vec<u8>) {
    match hole {
        Some((at, width)) => splice(line, at, width, number, out),
        None => out.extend_from_slice(line),
    }
}

fn digits(number: u64) -> usize {
    number.checked_ilog10().unwrap_or_default() as usize + 1
}
