//! What the last hour was like, counted as records come: from the gist that comes with a line, and from the line itself
//! only where there is none, or where more is shown of it than numbers: of an error, and of a request that is slower than
//! the slowest of its minute so far.
//!
//! How much memory that takes at most is said at [`Window`].

use super::line::{moment, note};
use crate::record::Gist;
use crate::store::moment::Moments;
use crate::store::rollup::{Range, RouteName, Snapshot, Window};

/// See the module.
#[derive(Debug)]
pub struct Pulse {
    window: Window,
    moments: Moments,
    /// Memory for a line.
    line: Vec<u8>,
}

impl Pulse {
    pub(super) fn new(name: RouteName) -> Pulse {
        Pulse { window: Window::new(name), moments: Moments::default(), line: Vec::new() }
    }

    /// Counts a record. `write` writes its line, and is asked for it only where that has to be read.
    #[inline]
    pub fn count(&mut self, gist: Option<&Gist>, write: impl FnOnce(&mut Vec<u8>)) {
        if gist.is_some_and(|gist| !self.window.count(gist)) {
            return;
        }
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        write(&mut line);
        self.read(&line, gist.is_some());
        self.line = line;
    }

    /// What there is of a range.
    pub(super) fn snapshot(&self, range: Range) -> Snapshot {
        self.window.snapshot(range)
    }

    /// What is no record is passed over.
    fn read(&mut self, line: &[u8], is_counted: bool) {
        let Ok(line) = std::str::from_utf8(line.trim_ascii_end()) else { return };
        let Some(at) = moment(line, &mut self.moments) else { return };
        let window = &mut self.window;
        note(line, at, |noted| if is_counted { window.show(noted) } else { window.note(noted) });
    }
}
