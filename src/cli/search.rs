//! `gatelog search`: the records that a filter means, from log files.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};

use super::MISUSED;
use super::arguments::{Format, SearchArguments};
use crate::filter::{Error, Expression, Line};
use crate::search::detail::detail;
use crate::search::files::LogFiles;
use crate::search::logfmt;
use crate::search::paint::Screen;
use crate::search::table::table;
use crate::search::waterfall::waterfall;
use crate::search::zone::Zone;
use crate::store::{AskError, Order, Page, Question, Records, Total};
use crate::time;

/// Matches that are counted; beyond it there are "10000+".
const COUNTED: u64 = 10_000;

/// Records of one request that are shown.
const STORY: usize = 10_000;

/// Records that may lie before the end of a page.
const DEEPEST: usize = 1_000_000;

/// How long a scan may take before its progress is shown, and how often it is then.
const PATIENCE: Duration = Duration::from_secs(1);
const EVERY: Duration = Duration::from_millis(200);

/// As shells have it for a process that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

/// What is asked: by a filter, or by a request's id.
enum Asked {
    Page(Box<Question>),
    Request(String),
}

/// Searches, and shows what is found.
///
/// # Errors
/// When nothing can be searched at all, or the answer not be written.
pub fn search(arguments: &SearchArguments) -> anyhow::Result<ExitCode> {
    let zone = if arguments.utc { Zone::utc() } else { Zone::local() };
    let asked = match asked(arguments, &zone) {
        Ok(asked) => asked,
        Err(why) => return Ok(misused(&why)),
    };
    let files = Arc::new(LogFiles::open(&arguments.file)?);
    let is_story = matches!(asked, Asked::Request(_));
    let stopped = Arc::new(AtomicBool::new(false));
    let interrupts = interrupts(Arc::clone(&stopped))?;
    let answers = ask(Arc::clone(&files), asked, Arc::clone(&stopped))?;
    let Some(page) = wait(&answers, &interrupts, &files) else { return Ok(ExitCode::from(INTERRUPTED)) };
    let page = page?;
    let view = View { arguments, zone: &zone, is_story };
    view.show(&page, &mut io::stdout().lock()).or_else(super::closed_output)?;
    tell(&page, stopped.load(Ordering::Relaxed));
    Ok(match page.partial {
        true if stopped.load(Ordering::Relaxed) => ExitCode::from(INTERRUPTED),
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

/// Wrong usage: said on stderr, exit code 2.
pub(super) fn misused(why: &str) -> ExitCode {
    super::complain(&[why]);
    ExitCode::from(MISUSED)
}

/// The filter, or what is wrong with it and where.
pub(super) fn filter(text: &str) -> Result<Expression, String> {
    Expression::parse(text).map_err(|error| pointed(text, &error))
}

/// The expression with a caret under what is wrong.
fn pointed(text: &str, error: &Error) -> String {
    // One column for each character, whatever it is.
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let carets = " ".repeat(error.column.saturating_sub(1)) + &"^".repeat(error.length.max(1));
    let hint = error.hint().map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
    format!("gatelog: {}\n  {line}\n  {carets}{hint}", error.message())
}

fn asked(arguments: &SearchArguments, zone: &Zone) -> Result<Asked, String> {
    if arguments.file.is_empty() {
        return Err("gatelog: name the logs to search: --file LOG…".to_owned());
    }
    if let Some(id) = &arguments.request_id {
        return Ok(Asked::Request(id.clone()));
    }
    let now = time::wall_now();
    let moment = |name: &str, text: &Option<String>| {
        let read = text.as_deref().map(|text| zone.moment(text, now)).transpose();
        read.map_err(|error| format!("gatelog: {name}: {error}"))
    };
    let (since, until) = (moment("--since", &arguments.since)?, moment("--until", &arguments.until)?);
    if since.zip(until).is_some_and(|(since, until)| since >= until) {
        return Err("gatelog: --since is not before --until".to_owned());
    }
    let skip = (arguments.page.max(1) - 1).saturating_mul(arguments.limit);
    if skip.saturating_add(arguments.limit) > DEEPEST {
        return Err(format!("gatelog: pages end at {DEEPEST} records; narrow it with --since, --until or the filter"));
    }
    let order = if arguments.oldest { Order::Oldest } else { Order::Newest };
    let filter = filter(&arguments.filter)?;
    let question = Question { filter, since, until, order, skip, limit: arguments.limit, count_to: COUNTED };
    Ok(Asked::Page(Box::new(question)))
}

/// Sets the flag at the first Ctrl-C, and sends at the second: whoever waits for a pipe that says nothing leaves at once.
fn interrupts(stopped: Arc<AtomicBool>) -> anyhow::Result<Receiver<()>> {
    let (again, interrupts) = sync_channel(1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    let watch = async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if stopped.swap(true, Ordering::Relaxed) {
                let _ = again.try_send(());
            }
        }
    };
    thread::Builder::new().name("interrupts".to_owned()).spawn(move || runtime.block_on(watch)).context("no thread")?;
    Ok(interrupts)
}

/// Asks in a thread of its own.
fn ask(
    files: Arc<LogFiles>,
    asked: Asked,
    stopped: Arc<AtomicBool>,
) -> anyhow::Result<Receiver<Result<Page, AskError>>> {
    let (answer, answers) = sync_channel(1);
    let work = move || {
        let stop = || stopped.load(Ordering::Relaxed);
        let page = match &asked {
            Asked::Page(question) => files.search(question, &stop),
            Asked::Request(id) => files.request(id, STORY, &stop),
        };
        let _ = answer.send(page);
    };
    thread::Builder::new().name("search".to_owned()).spawn(work).context("no thread")?;
    Ok(answers)
}

/// The answer; `None` when somebody would not wait for it. Progress is shown on a terminal.
fn wait(
    answers: &Receiver<Result<Page, AskError>>,
    interrupts: &Receiver<()>,
    files: &LogFiles,
) -> Option<anyhow::Result<Page>> {
    let is_shown = io::stderr().is_terminal();
    let (mut patience, mut has_shown) = (PATIENCE, false);
    let answer = loop {
        match answers.recv_timeout(patience) {
            Ok(answer) => break Some(answer.map_err(anyhow::Error::from)),
            Err(RecvTimeoutError::Disconnected) => break Some(Err(anyhow!("the search broke down"))),
            Err(RecvTimeoutError::Timeout) if interrupts.try_recv().is_ok() => break None,
            Err(RecvTimeoutError::Timeout) => patience = EVERY,
        }
        if is_shown {
            has_shown = true;
            let _ = write!(io::stderr(), "\r{}\x1b[K", progress(files));
        }
    };
    if has_shown {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    answer
}

fn progress(files: &LogFiles) -> String {
    let progress = files.progress();
    match progress.all {
        Some(all) => format!("{} of {} MB", progress.read >> 20, all >> 20),
        None => format!("{} MB", progress.read >> 20),
    }
}

/// What is to be known beside the records.
fn tell(page: &Page, is_stopped: bool) {
    let stopped = is_stopped && page.partial;
    let stopped = stopped.then(|| "gatelog: stopped; there may be more than this".to_owned());
    let troubles = page.troubles.iter().map(|trouble| format!("gatelog: {trouble}"));
    super::complain(&troubles.chain(stopped).collect::<Vec<_>>());
}

/// How the answer is shown.
struct View<'v> {
    arguments: &'v SearchArguments,
    zone: &'v Zone,
    is_story: bool,
}

impl View<'_> {
    fn show(&self, page: &Page, out: &mut impl Write) -> io::Result<ExitCode> {
        let text = match format(self.arguments.format) {
            Format::Table => self.screenful(page),
            written => lines(page, written),
        };
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map(|()| ExitCode::SUCCESS)
    }

    fn screenful(&self, page: &Page) -> String {
        let screen = screen();
        if self.is_story {
            return match page.lines.as_slice() {
                [] => "no records of this request\n".to_owned(),
                records => waterfall(records, screen, self.zone),
            };
        }
        let records = if self.arguments.detail {
            let told: Vec<String> = page.lines.iter().map(|record| detail(record, screen, self.zone)).collect();
            told.join("\n")
        } else {
            table(&page.lines, screen, self.zone)
        };
        records + &self.footer(page)
    }

    fn footer(&self, page: &Page) -> String {
        let total = match page.total {
            Total::Exact(1) => "1 record".to_owned(),
            Total::Exact(total) => format!("{total} records"),
            Total::AtLeast(total) => format!("{total}+ records"),
        };
        let at = page.lines.first().map_or_else(time::wall_now, |line| line.at);
        format!(
            "{total}, page {} of {} each, times {}\n",
            self.arguments.page.max(1),
            self.arguments.limit,
            self.zone.offset(at)
        )
    }
}

/// Records one a line, as they are written or as logfmt.
fn lines(page: &Page, format: Format) -> String {
    page.lines.iter().fold(String::new(), |text, record| text + &line(&record.json, format))
}

/// One record, line feed included.
pub(super) fn line(json: &str, format: Format) -> String {
    let mut out = Vec::new();
    match Line::parse(json) {
        Ok(line) if format == Format::Logfmt => logfmt::write(&line, &mut out),
        _ => out.extend([json.as_bytes(), b"\n"].concat()),
    }
    String::from_utf8(out).unwrap_or_default()
}

/// That which was asked for; else tables for people, and JSON for programs.
pub(super) fn format(asked: Option<Format>) -> Format {
    asked.unwrap_or(if io::stdout().is_terminal() { Format::Table } else { Format::Json })
}

/// The terminal, if it is one, as wide as it is; colours as the environment wants them (no-color.org, bixense.com/clicolors).
#[expect(clippy::disallowed_methods, reason = "colours are the environment's to choose, at the edge")]
pub(super) fn screen() -> Screen {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let says_no = |name: &str, no: &str| std::env::var_os(name).is_some_and(|value| value == no);
    let is_terminal = io::stdout().is_terminal();
    let is_forced = is_set("CLICOLOR_FORCE") && !says_no("CLICOLOR_FORCE", "0");
    let may = is_terminal && !says_no("CLICOLOR", "0") && !says_no("TERM", "dumb");
    let width = terminal_size::terminal_size().filter(|_| is_terminal).map(|(width, _)| usize::from(width.0));
    Screen { colour: !is_set("NO_COLOR") && (is_forced || may), width }
}
