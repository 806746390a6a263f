//! `gatelog tail`: the last records of a log file that a filter means, and then those that come.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;

use super::arguments::{Format, TailArguments};
use super::search::{filter, format, line, misused, screen};
use crate::search::files::judge::{Judge, Verdict};
use crate::search::follow::{Follow, last};
use crate::search::table::single;
use crate::search::watch::Watch;
use crate::search::zone::Zone;
use crate::store::{Line as Found, Order, Question};

/// Shows the last records and, where it is asked for, follows until Ctrl-C.
///
/// # Errors
/// When the file cannot be read, or the answer not be written.
pub fn tail(arguments: &TailArguments) -> anyhow::Result<ExitCode> {
    let filter = match filter(&arguments.filter) {
        Ok(filter) => filter,
        Err(why) => return Ok(misused(&why)),
    };
    let Some(path) = &arguments.file else { return Ok(misused("gatelog: name the log to show: --file LOG")) };
    let (order, limit) = (Order::Newest, arguments.limit);
    let question = Question { filter, since: None, until: None, order, skip: 0, limit, count_to: 0 };
    let (found, mut follower) = last(path, &question).with_context(|| path.display().to_string())?;
    let mut printer = Printer {
        format: format(arguments.format),
        zone: if arguments.utc { Zone::utc() } else { Zone::local() },
        out: io::stdout().lock(),
    };
    let shown = printer.print(&found).and_then(|()| match arguments.follow {
        true => printer.follow(&mut follower, &Judge::new(&question), &Watch::new(path)),
        false => Ok(()),
    });
    shown.map(|()| ExitCode::SUCCESS).or_else(super::closed_output)
}

/// Shows records as they come.
struct Printer<W> {
    format: Format,
    zone: Zone,
    out: W,
}

impl<W: Write> Printer<W> {
    fn print(&mut self, records: &[Found]) -> io::Result<()> {
        for record in records {
            let text = match self.format {
                Format::Table => single(record, screen(), &self.zone),
                written => line(&record.json, written),
            };
            self.out.write_all(text.as_bytes())?;
        }
        self.out.flush()
    }

    /// Until the process is ended, or whoever reads has seen enough.
    fn follow(&mut self, follower: &mut impl Follow, judge: &Judge<'_>, watch: &Watch) -> io::Result<()> {
        loop {
            let mut result = Ok(());
            follower.look(&mut |line| {
                if let (Verdict::Meant(record), Ok(())) = (judge.judge(line, |_| true), &result) {
                    result = self.print(&[record]);
                }
            })?;
            result?;
            if watch.wait(&io::stdout()) {
                return Ok(());
            }
        }
    }
}
