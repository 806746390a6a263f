//! `gatelog search`: the records that a filter means, from a store or from log files.

use std::io;
use std::process::ExitCode;

use super::arguments::{Format, SearchArguments};
use super::asking::{INTERRUPTED, Interrupts, wait};
use super::misused;
use super::place::{NoPlace, Place};
use super::shown::{filter, format, line, screen, write_lines};
use crate::config::Environment;
use crate::search::detail::detail;
use crate::search::table::table;
use crate::search::waterfall::waterfall;
use crate::search::zone::Zone;
use crate::store::{Order, Page, Question, Total};
use crate::time;

/// Matches that are counted; beyond it there are "10000+".
const COUNTED: u64 = 10_000;

/// Records of one request that are shown.
const STORY: usize = 10_000;

/// Records that may lie before the end of a page.
const DEEPEST: usize = 1_000_000;

/// What is asked: by a filter, or by a request's id.
enum Asked {
    Page(Box<Question>),
    Request(String),
}

/// Searches, and shows what is found.
///
/// # Errors
/// When nothing can be searched at all, or the answer not be written.
pub fn search(arguments: &SearchArguments, environment: &Environment) -> anyhow::Result<ExitCode> {
    let zone = if arguments.utc { Zone::utc() } else { Zone::local() };
    let asked = match asked(arguments, &zone) {
        Ok(asked) => asked,
        Err(why) => return Ok(misused(&why)),
    };
    let interrupts = Interrupts::watch()?;
    let place = match Place::open(&arguments.place, environment) {
        Ok(place) => place,
        Err(none) => return Ok(none.tell()),
    };
    let is_story = matches!(asked, Asked::Request(_));
    let archive = place.archive();
    let answer = wait(&interrupts, &|| place.progress(), move |stop| match &asked {
        Asked::Page(question) => archive.search(question, stop),
        Asked::Request(id) => archive.request(id, STORY, stop),
    })?;
    let Some(page) = answer.transpose()? else { return Ok(ExitCode::from(INTERRUPTED)) };
    // What was found until Ctrl-C is shown, too.
    let is_stopped = interrupts.is_any() && page.partial;
    let view = View { arguments, zone: &zone, is_story };
    let shown = view.text(&page);
    let written = if is_stopped {
        super::write_whole(&shown, &mut io::stdout().lock())
    } else {
        write_lines(&shown, &interrupts, &mut io::stdout().lock())
    };
    if let Err(error) = written {
        return super::closed_output(error);
    }
    tell(&page, is_stopped);
    Ok(match page.partial {
        _ if interrupts.is_any() => ExitCode::from(INTERRUPTED),
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

fn asked(arguments: &SearchArguments, zone: &Zone) -> Result<Asked, String> {
    if let Some(id) = &arguments.request_id {
        return Ok(Asked::Request(id.clone()));
    }
    let (since, until) = span(arguments.since.as_deref(), arguments.until.as_deref(), zone, time::wall_now())?;
    let skip = (arguments.page.max(1) - 1).saturating_mul(arguments.limit);
    if skip.saturating_add(arguments.limit) > DEEPEST {
        return Err(format!("gatelog: pages end at {DEEPEST} records; narrow it with --since, --until or the filter"));
    }
    let order = if arguments.oldest { Order::Oldest } else { Order::Newest };
    let filter = filter(&arguments.filter)?;
    let question = Question { filter, since, until, order, skip, limit: arguments.limit, count_to: COUNTED };
    Ok(Asked::Page(Box::new(question)))
}

/// `--since` and `--until` as moments.
pub(super) fn span(
    since: Option<&str>,
    until: Option<&str>,
    zone: &Zone,
    now: u64,
) -> Result<(Option<u64>, Option<u64>), String> {
    let moment = |name: &str, text: Option<&str>| {
        let read = text.map(|text| zone.moment(text, now)).transpose();
        read.map_err(|error| format!("gatelog: {name}: {error}"))
    };
    let (since, until) = (moment("--since", since)?, moment("--until", until)?);
    if since.zip(until).is_some_and(|(since, until)| since >= until) {
        return Err("gatelog: --since is not before --until".to_owned());
    }
    Ok((since, until))
}

/// What is to be known beside the records.
fn tell(page: &Page, is_stopped: bool) {
    let stopped = is_stopped.then(|| "gatelog: stopped; there may be more than this".to_owned());
    let troubles = page.troubles.iter().map(|trouble| format!("gatelog: {trouble}"));
    super::complain(&troubles.chain(stopped).collect::<Vec<_>>());
}

impl NoPlace {
    /// Says why, and with which exit code it ends.
    pub(super) fn tell(&self) -> ExitCode {
        super::complain(&[self]);
        match self {
            NoPlace::Unnamed(_) => ExitCode::from(super::MISUSED),
            NoPlace::Unreadable(_) => ExitCode::FAILURE,
        }
    }
}

/// How the answer is shown.
struct View<'v> {
    arguments: &'v SearchArguments,
    zone: &'v Zone,
    is_story: bool,
}

impl View<'_> {
    fn text(&self, page: &Page) -> String {
        match format(self.arguments.format) {
            Format::Table => self.screenful(page),
            written => page.lines.iter().fold(String::new(), |text, record| text + &line(&record.json, written)),
        }
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
