//! What stands behind the question mark: parameters by name, and which part of a list is meant.

use std::borrow::Cow;

use http::StatusCode;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::filter::nearest;

use super::answer::{Answer, json as json_answer};
use super::refused::Refused;

/// Entries of a page where nobody says how many, and the most there are.
const PER_PAGE: usize = 50;
const MOST_PER_PAGE: usize = 200;

/// The parameters of a request.
#[derive(Debug, Default)]
pub struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// Which part of a list is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Counted from 1.
    pub number: usize,
    /// Entries of each page.
    pub size: usize,
    /// Entries that can be seen at all.
    pub most: usize,
}

impl<'a> Query<'a> {
    /// Reads a query, of which only these names are known.
    ///
    /// # Errors
    /// What is wrong: a name that is not known or is there twice, or what is no UTF-8.
    pub fn read(query: Option<&'a str>, known: &[&str]) -> Result<Query<'a>, Refused> {
        let mut read = Query::default();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if !known.contains(&&*name) {
                return Err(unknown(&name, known));
            }
            if read.get(&name).is_some() {
                return Err(bad(&format!("`{name}` is there twice")));
            }
            read.0.push((name, value));
        }
        Ok(read)
    }

    /// A parameter by its name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// `page` and `per_page`, of a list of which at most `most` entries can be seen.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn page(&self, most: usize) -> Result<Page, Refused> {
        let number = self.number("page", 1, usize::MAX)?;
        let size = self.number("per_page", PER_PAGE, MOST_PER_PAGE)?;
        match (number - 1).checked_mul(size) {
            Some(start) if start < most => Ok(Page { number, size, most }),
            _ => Err(bad(&format!("only the first {most} entries can be seen"))),
        }
    }

    /// A number from 1 on.
    ///
    /// # Errors
    /// When it is none, or more than `most`.
    pub fn number(&self, name: &str, default: usize, most: usize) -> Result<usize, Refused> {
        let Some(text) = self.get(name) else { return Ok(default) };
        let number = text.parse().ok().filter(|number| (1..=most).contains(number));
        number.ok_or_else(|| match most {
            usize::MAX => bad(&format!("`{name}` counts from 1")),
            most => bad(&format!("`{name}` is a number from 1 to {most}")),
        })
    }
}

impl Page {
    /// How many entries it takes to know this page: those before it, and its own.
    pub fn end(self) -> usize {
        (self.number * self.size).min(self.most)
    }

    /// The page of a list, as JSON under this name, of which there are so many entries in all.
    pub fn of(self, name: &str, entries: impl Iterator<Item = Value>, total: usize, more: Value) -> Answer {
        let entries: Vec<Value> = entries.skip((self.number - 1) * self.size).take(self.size).collect();
        let total_pages = total.min(self.most).div_ceil(self.size);
        let mut list = json!({
            name: entries,
            "total_count": total,
            "page": self.number,
            "total_pages": total_pages,
            "has_next": self.number < total_pages,
            "has_previous": self.number > 1,
        });
        if let (Some(list), Value::Object(more)) = (list.as_object_mut(), more) {
            list.extend(more);
        }
        json_answer(StatusCode::OK, &list)
    }
}

fn decode(text: &str) -> Result<Cow<'_, str>, Refused> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        let decoded = percent_decode_str(&spaced).decode_utf8().map(|text| Cow::Owned(text.into_owned()));
        return decoded.map_err(|_| bad("the query is no UTF-8"));
    }
    percent_decode_str(text).decode_utf8().map_err(|_| bad("the query is no UTF-8"))
}

fn unknown(name: &str, known: &[&str]) -> Refused {
    let shown = shown(name);
    if known.is_empty() {
        return bad(&format!("`{shown}` is no parameter: there are none"));
    }
    let nearest = nearest(name, known.iter().copied());
    let meant = nearest.map(|nearest| format!("did you mean `{nearest}`? ")).unwrap_or_default();
    bad(&format!("`{shown}` is no parameter: {meant}there are {}", known.join(", ")))
}

/// A text of the user's as far as it can be shown.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// Characters of a user's text that are shown.
const SHOWN: usize = 60;

pub(super) fn bad(detail: &str) -> Refused {
    Refused::Query(detail.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KNOWN: [&str; 3] = ["page", "per_page", "q"];

    fn page(query: &str) -> Result<Page, u16> {
        let read = Query::read(Some(query), &KNOWN).and_then(|query| query.page(1000));
        read.map_err(|refused| refused.status().as_u16())
    }

    #[test]
    fn pages_are_counted_from_one_and_bounded() {
        assert_eq!(page(""), Ok(Page { number: 1, size: 50, most: 1000 }));
        assert_eq!(page("page=5&per_page=200"), Ok(Page { number: 5, size: 200, most: 1000 }));
        for wrong in [
            "page=0",
            "page=-1",
            "page=x",
            "page=6&per_page=200",
            "per_page=201",
            "per_page=0",
            "page=18446744073709551615",
            "page=1&page=2",
            "pages=1",
            "page=%ff",
        ] {
            assert_eq!(page(wrong), Err(400), "{wrong}");
        }
    }

    #[test]
    fn a_list_is_cut_into_pages_without_gap_or_overlap() {
        let numbers = |number, total: usize| {
            let page = Page { number, size: 10, most: 1000 };
            let answer = page.of("n", (0..total).map(|at| json!(at)), total, json!({ "more": true }));
            serde_json::from_slice::<Value>(&answer.content).expect("JSON")
        };
        let first = numbers(1, 15);
        assert_eq!(
            (&first["total_pages"], &first["has_next"], &first["has_previous"]),
            (&json!(2), &json!(true), &json!(false))
        );
        let second = numbers(2, 15);
        assert_eq!(second["n"], json!([10, 11, 12, 13, 14]));
        assert_eq!(
            (&second["has_next"], &second["has_previous"], &second["more"]),
            (&json!(false), &json!(true), &json!(true))
        );
        assert_eq!(numbers(1, 0)["total_pages"], json!(0));
        let last = numbers(100, 5000);
        assert_eq!(
            (&last["total_count"], &last["has_next"], &last["n"][9]),
            (&json!(5000), &json!(false), &json!(999))
        );
    }

    proptest! {
        /// Written as forms are, a value comes back; and no query is too odd to be answered.
        #[test]
        fn values_come_back(value in any::<String>(), raw in "[ -~]{0,40}") {
            let encoded = percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC).to_string();
            let query = format!("q={encoded}");
            let read = Query::read(Some(&query), &KNOWN).expect("a good query");
            prop_assert_eq!(read.get("q"), Some(value.as_str()));
            let _ = Query::read(Some(&raw), &KNOWN);
        }
    }
}
