//! A terminal that is drawn on: its other screen, key by key; and given back as it was, whatever happens.

use std::io;

use ratatui::{DefaultTerminal, Frame};

/// A terminal, taken. Dropped, it is as it was.
#[derive(Debug)]
pub(super) struct Terminal(DefaultTerminal);

impl Terminal {
    /// Takes the terminal that standard input and output are.
    ///
    /// # Errors
    /// When they are none.
    pub(super) fn take() -> io::Result<Terminal> {
        ratatui::try_init().map(Terminal)
    }

    /// Draws what is not there yet.
    ///
    /// # Errors
    /// Those of writing.
    pub(super) fn show(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.0.draw(draw).map(drop)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Whoever has hung up needs nothing back.
        let _ = self.0.show_cursor();
        let _ = ratatui::try_restore();
    }
}
