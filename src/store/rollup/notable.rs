//! The few records of a period that are shown one by one: the slowest requests, and the newest errors.

use std::cmp::{Ordering, Reverse};
use std::collections::VecDeque;

use super::bytes::{Bytes, Corrupt, put, put_option, put_text};
use super::noted::Noted;
use crate::record::Level;

/// How many of the slowest requests a period keeps.
pub const SLOWEST: usize = 20;
/// How many of the newest errors a period keeps.
pub const ERRORS: usize = 100;

/// Bytes of a text that is kept; of a longer one its beginning.
const TEXT: usize = 256;

/// What is shown of a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mention {
    /// Microseconds since the Unix epoch.
    pub at: u64,
    /// How much it matters.
    pub level: Level,
    /// Microseconds.
    pub duration: Option<u64>,
    /// What the client was sent.
    pub status: Option<u16>,
    /// [`Noted::error_kind`], of an error.
    pub kind: Option<Box<str>>,
    /// What the exception said, else the record's sentence.
    pub message: Box<str>,
    /// Under which all that is known of the request is found.
    pub request_id: Option<Box<str>>,
    /// As sent.
    pub method: Option<Box<str>>,
    /// As sent; its beginning.
    pub path: Option<Box<str>>,
    /// [`Noted::route`].
    pub route: Option<Box<str>>,
}

/// The slowest requests and the newest errors of a period.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Notable {
    slowest: VecDeque<Mention>,
    errors: VecDeque<Mention>,
}

impl Notable {
    /// The slowest first; at most [`SLOWEST`].
    pub fn slowest(&self) -> impl Iterator<Item = &Mention> {
        self.slowest.iter()
    }

    /// The newest first; at most [`ERRORS`].
    pub fn errors(&self) -> impl Iterator<Item = &Mention> {
        self.errors.iter()
    }

    /// Whether a request that took so many microseconds is one to be kept.
    #[inline]
    pub(super) fn takes_request(&self, duration: u64) -> bool {
        let least = self.slowest.back().filter(|_| self.slowest.len() == SLOWEST);
        least.is_none_or(|least| Some(duration) >= least.duration)
    }

    /// Keeps a record if it is one to be kept.
    #[inline]
    pub(super) fn note(&mut self, noted: &Noted<'_>) {
        if noted.is_request() && self.takes_request(noted.duration.unwrap_or_default()) {
            keep(&mut self.slowest, SLOWEST, slower, Mention::of(noted));
        }
        let oldest = self.errors.back().filter(|_| self.errors.len() == ERRORS);
        if noted.is_error() && oldest.is_none_or(|oldest| noted.at >= oldest.at) {
            keep(&mut self.errors, ERRORS, newer, Mention::of(noted));
        }
    }

    pub(super) fn merge(&mut self, other: &Notable) {
        other.slowest.iter().for_each(|mention| keep(&mut self.slowest, SLOWEST, slower, mention.clone()));
        other.errors.iter().for_each(|mention| keep(&mut self.errors, ERRORS, newer, mention.clone()));
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for list in [&self.slowest, &self.errors] {
            put(list.len() as u64, out);
            list.iter().for_each(|mention| mention.encode(out));
        }
    }

    /// Adds those that were written.
    pub(super) fn absorb(&mut self, bytes: &mut Bytes<'_>) -> Result<(), Corrupt> {
        for _ in 0..bytes.number()? {
            keep(&mut self.slowest, SLOWEST, slower, Mention::decode(bytes)?);
        }
        for _ in 0..bytes.number()? {
            keep(&mut self.errors, ERRORS, newer, Mention::decode(bytes)?);
        }
        Ok(())
    }
}

/// Puts one where it belongs among the best, unless it is none of them.
fn keep(list: &mut VecDeque<Mention>, most: usize, order: fn(&Mention, &Mention) -> Ordering, mention: Mention) {
    let at = list.partition_point(|kept| order(kept, &mention) == Ordering::Less);
    if at < most {
        list.insert(at, mention);
        list.truncate(most);
    }
}

/// The slower comes first. Of equal ones, some order that does not hang on which came first.
fn slower(one: &Mention, other: &Mention) -> Ordering {
    Reverse(one.duration).cmp(&Reverse(other.duration)).then_with(|| one.cmp(other))
}

fn newer(one: &Mention, other: &Mention) -> Ordering {
    other.cmp(one)
}

impl Mention {
    /// What is kept of a record.
    pub fn of(noted: &Noted<'_>) -> Mention {
        Mention {
            at: noted.at,
            level: noted.level,
            duration: noted.duration,
            status: noted.status,
            kind: noted.is_error().then(|| beginning(noted.error_kind())),
            message: beginning(noted.error_message.unwrap_or(noted.message)),
            request_id: noted.request_id.map(beginning),
            method: noted.method.map(beginning),
            path: noted.path.map(beginning),
            route: noted.route.map(beginning),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put(self.at, out);
        out.push(self.level as u8);
        // One more than it is, so that 0 is none.
        put(self.duration.map_or(0, |micros| micros.saturating_add(1)), out);
        put(self.status.map_or(0, |status| u64::from(status) + 1), out);
        put_text(&self.message, out);
        for text in [&self.kind, &self.request_id, &self.method, &self.path, &self.route] {
            put_option(text.as_deref(), out);
        }
    }

    fn decode(bytes: &mut Bytes<'_>) -> Result<Mention, Corrupt> {
        let at = bytes.number()?;
        let level = *Level::ALL.get(usize::from(bytes.byte()?)).ok_or(Corrupt)?;
        let duration = bytes.number()?.checked_sub(1);
        let status = bytes.number()?.checked_sub(1).map(u16::try_from).transpose().map_err(|_| Corrupt)?;
        let message = bytes.text()?.into();
        let mut option = || bytes.option().map(|text| text.map(Box::from));
        let [kind, request_id, method, path, route] = [option()?, option()?, option()?, option()?, option()?];
        Ok(Mention { at, level, duration, status, kind, message, request_id, method, path, route })
    }
}

/// So much of a text as is kept.
fn beginning(text: &str) -> Box<str> {
    let end = (0..=TEXT.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text[..end.unwrap_or_default()].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(at: u64, duration: u64, level: Level) -> Noted<'static> {
        Noted { duration: Some(duration), ..Noted::new(at, level, "l", "request_completed") }
    }

    #[test]
    fn the_slowest_and_the_newest_errors_stay_whatever_came_first() {
        let mut notable = Notable::default();
        (0..500).for_each(|n| notable.note(&ended(n * 7 % 500, n * 11 % 500, Level::Error)));
        let slowest: Vec<_> = notable.slowest().filter_map(|mention| mention.duration).collect();
        let errors: Vec<_> = notable.errors().map(|mention| mention.at).collect();
        assert_eq!(slowest, (480..500).rev().collect::<Vec<_>>());
        assert_eq!(errors, (400..500).rev().collect::<Vec<_>>());
    }

    #[test]
    fn what_is_no_error_and_no_request_is_not_kept() {
        let mut notable = Notable::default();
        notable.note(&Noted::new(1, Level::Info, "l", "server_started"));
        assert_eq!(notable, Notable::default());
        notable.note(&ended(1, 1, Level::Info));
        assert_eq!((notable.slowest().count(), notable.errors().count()), (1, 0));
    }

    #[test]
    fn long_texts_are_cut_between_letters() {
        let path = "é".repeat(200);
        let noted = Noted { path: Some(&path), ..ended(1, 1, Level::Info) };
        assert_eq!(Mention::of(&noted).path.as_deref(), Some(&*"é".repeat(128)));
    }
}
