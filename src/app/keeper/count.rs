//! What the lines of a batch come to in the statistics of the last hour: hardly any of them is read for it.

use crate::pipeline::{Batch, Load};
use crate::sinks::sequence::number_line;
use crate::store::recent::{Pulse, Recent};

use super::stream::Chunk;

/// Counts all lines of a batch.
pub(super) fn load(recent: &Recent, load: &Load) {
    if load.lines() > 0 {
        recent.count(|pulse| load.show(|batch| count(batch, pulse)));
    }
}

/// Counts a line of our own.
pub(super) fn told(recent: &Recent, chunk: &Chunk) {
    recent.count(|pulse| pulse.count(None, |line| line.extend_from_slice(&chunk.text)));
}

fn count(batch: &Batch, pulse: &mut Pulse) {
    let mut start = 0;
    for line in &batch.lines {
        pulse.count(line.gist.as_ref(), |out| {
            let hole = line.seq_at.map(|at| (at - start, batch.hole));
            // Its number is not counted.
            number_line(0, &batch.bytes[start..line.end], hole, out);
        });
        start = line.end;
    }
}
