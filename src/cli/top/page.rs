//! What was opened: the newest requests of a route, or the whole story of a request.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value as Json;

use super::browse::Chosen;
use super::list::Opens;
use crate::cli::running::{NoAnswer, Running};
use crate::filter::Span;
use crate::search::paint::{Screen, harmless};
use crate::search::waterfall::waterfall;
use crate::search::zone::Zone;
use crate::store::Line;

/// Requests of a route.
const NEWEST: usize = 200;
/// What stands for itself in a URL (RFC 3986, 2.3) is not encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A page.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) opens: Opens,
    pub(super) content: Content,
    /// How its list is looked at, if it has one.
    pub(super) chosen: Chosen,
    /// The first line that is shown, if it has lines; how many there are, and how many there is room for.
    at: usize,
    lines: usize,
    room: usize,
}

/// What is on it.
#[derive(Debug)]
pub(super) enum Content {
    /// Nothing yet.
    Waiting,
    /// Why it is empty.
    Trouble(String),
    /// Completed records, the newest first.
    Requests(Vec<Json>),
    /// All records of one request.
    Story(Vec<Line>),
}

impl Page {
    /// Nothing is known of it yet.
    pub(super) fn waiting(opens: Opens) -> Page {
        Page { opens, content: Content::Waiting, chosen: Chosen::default(), at: 0, lines: 0, room: 0 }
    }

    /// What the proxy says of it.
    pub(super) fn of(opens: Opens, found: Result<Content, NoAnswer>) -> Page {
        let content = found.unwrap_or_else(|error| Content::Trouble(harmless(&error.to_string())));
        Page { content, ..Page::waiting(opens) }
    }

    /// What it is about.
    pub(super) fn title(&self) -> String {
        match &self.opens {
            Opens::Nothing => String::new(),
            Opens::Route(name) => format!("Newest requests of {}", harmless(name)),
            Opens::Request(id) => format!("Request {}", harmless(id)),
        }
    }

    /// Whether it has lines rather than rows.
    pub(super) fn is_text(&self) -> bool {
        !matches!(self.content, Content::Requests(_))
    }

    /// Its lines, for so wide a terminal.
    pub(super) fn text(&self, screen: Screen, zone: &Zone) -> String {
        match &self.content {
            Content::Waiting => "…".to_owned(),
            Content::Trouble(trouble) => trouble.clone(),
            Content::Story(records) => waterfall(records, screen, zone),
            Content::Requests(_) => String::new(),
        }
    }

    /// From which line on it is shown where there are so many lines, and room for so many.
    pub(super) fn from(&mut self, lines: usize, room: usize) -> usize {
        (self.lines, self.room) = (lines, room);
        self.at = self.at.min(lines.saturating_sub(room));
        self.at
    }

    /// Shows it from another line on, given the one it is shown from now, the room, and the last one.
    pub(super) fn scroll(&mut self, to: impl FnOnce(usize, usize, usize) -> usize) {
        self.at = to(self.at, self.room, self.lines.saturating_sub(self.room));
    }
}

/// Asks the proxy for what is to be opened.
///
/// # Errors
/// When it does not answer.
pub(super) fn fetch(running: &Running, opens: &Opens) -> Result<Content, NoAnswer> {
    let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    match opens {
        Opens::Nothing => Ok(Content::Requests(Vec::new())),
        Opens::Route(name) => {
            // Of what fits no route, the records say that its view is unknown.
            let name = if name == "unmatched" { "unknown" } else { name };
            let query = format!("q=event%3Arequest_completed&route={}&per_page={NEWEST}", encoded(name));
            running.json(&format!("/api/logs?{query}")).map(|page| Content::Requests(logs(&page)))
        }
        Opens::Request(id) => {
            let page = running.json(&format!("/api/logs/{}", encoded(id)))?;
            Ok(Content::Story(logs(&page).iter().map(line).collect()))
        }
    }
}

fn logs(page: &Json) -> Vec<Json> {
    page["logs"].as_array().cloned().unwrap_or_default()
}

fn line(record: &Json) -> Line {
    let at = record["timestamp"].as_str().and_then(Span::parse).map_or(0, |span| span.from);
    Line { at, json: record.to_string().into() }
}
