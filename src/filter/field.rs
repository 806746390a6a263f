//! The fields that an expression can name: what each holds, and which of them was meant.

use super::error::{self, Mistake, quoted};
use super::table::{FIELDS, Read, parts};

/// A field of the record; there is one of each, in the table.
#[derive(Debug)]
pub struct Field {
    /// Its name in the record.
    pub name: &'static str,
    /// A shorter name for those who type.
    pub short: Option<&'static str>,
    /// What it holds.
    pub kind: Kind,
    /// What has to be there before it is.
    pub known: Known,
    /// Where it stands in a record.
    pub(super) read: Read,
}

/// All fields, in the order of the record.
pub fn fields() -> &'static [Field] {
    &FIELDS
}

/// From when on a field of a request's last record is known: whoever has to act before that record is written may ask for
/// no later ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Always, for it says which record it is; of the request it says nothing.
    ByRecord,
    /// Once the head of the request is read: it is the same in all records about it.
    AtRequest,
    /// Once the head of the answer is there as well.
    AtAnswer,
    /// When the request is over.
    AtEnd,
}

impl Known {
    /// Whether the request's head, and which record is meant, settle it.
    pub(super) fn is_settled_by_request(self) -> bool {
        matches!(self, Known::ByRecord | Known::AtRequest)
    }

    /// Whether it tells something of a request whose answer has begun.
    pub fn is_told_by_answer(self) -> bool {
        matches!(self, Known::AtRequest | Known::AtAnswer)
    }
}

/// What a field holds: how it is compared, and whether case counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Sentences: `:` finds a text within, `=` wants all of it. Case does not count.
    Text,
    /// A word, such as a method or a media type: all of it. Case does not count.
    Word,
    /// A word of a closed vocabulary. Case does not count.
    Choice(&'static [&'static str]),
    /// A name or an identifier: all of it, as it is.
    Exact,
    /// An IP address, or what stands for one.
    Address,
    /// An IP address with its port.
    Peer,
    /// A number.
    Number,
    /// An HTTP status code; `5xx` is a class of them.
    Status,
    /// Bytes.
    Size,
    /// Seconds in the record, microseconds here.
    Duration,
    /// A level; they have an order.
    Level,
    /// A point in time.
    Moment,
    /// Yes or no.
    Bool,
    /// Yes, or absent.
    Flag,
    /// Whatever the application made it: a number, a word, yes or no.
    Any,
}

impl Kind {
    /// Whether its values have an order.
    pub(super) fn is_ordered(self) -> bool {
        use Kind::*;
        matches!(self, Number | Status | Size | Duration | Level | Moment | Any)
    }

    /// Its values, by example.
    pub(super) fn example(self) -> &'static str {
        match self {
            Kind::Text | Kind::Word | Kind::Choice(_) | Kind::Exact => "write a text, with * for anything in it",
            Kind::Address => "write 10.0.0.7, 10.0.0.0/8, 2001:db8::/32 or 10.0.*",
            Kind::Peer => "write 10.0.0.7, 10.0.0.0/8, 10.0.0.7:443 or 10.0.*",
            Kind::Number | Kind::Any => "write a number, such as 3 or 0.5",
            Kind::Status => "write 404, 4xx, or >=400",
            Kind::Size => "write whole bytes, or 512B, 10KB, 1.5MB",
            Kind::Duration => "write 500ms, 1.5s, 2m, or a number of seconds",
            Kind::Level => "write debug, info, warning, error or critical",
            Kind::Moment => "write 2026-11-22, 2026-11-22T11:02 or 2026-11-22T11:02:36Z, in UTC",
            Kind::Bool => "write true or false",
            Kind::Flag => "it is true or absent: write true, or - before it",
        }
    }
}

/// A field as an expression names it: all of it, or one part.
#[derive(Debug, Clone)]
pub struct Name {
    /// The field.
    pub field: &'static Field,
    /// Behind the dot, as in `view_kwargs.pk`; without it, each of the parts counts.
    pub part: Option<String>,
}

impl Name {
    /// Finds the field that was named.
    pub(super) fn resolve(name: &str) -> Result<Name, Mistake> {
        let (head, part) = name.split_once('.').map_or((name, None), |(head, part)| (head, Some(part)));
        let named = |field: &&Field| field.name == head || field.short == Some(head);
        let Some(field) = FIELDS.iter().find(named) else {
            return Err(Mistake::UnknownField { name: quoted(name), nearest: nearest(head) });
        };
        check_part(field, part)?;
        Ok(Name { field, part: part.map(str::to_owned) })
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        self.field.name == other.field.name && self.part == other.part
    }
}

/// The field whose name was probably meant.
fn nearest(name: &str) -> Option<&'static str> {
    error::nearest(name, FIELDS.iter().flat_map(|field| [Some(field.name), field.short]).flatten())
}

/// Whether the field has this part, or can do without.
fn check_part(field: &'static Field, part: Option<&str>) -> Result<(), Mistake> {
    let wrong = |what: String, hint: String| Err(Mistake::WrongPart { field: field.name, what, hint });
    match (parts(field), part) {
        (Parts::None, Some(_)) => wrong("no parts".to_owned(), format!("write `{}`", field.name)),
        (Parts::Known(known), Some(part)) if !known.contains(&part) => {
            let hint = match error::nearest(part, known.iter().copied()) {
                Some(near) => format!("did you mean `{}.{near}`?", field.name),
                None => format!("its parts are {}", known.join(", ")),
            };
            wrong(format!("no part {}", quoted(part)), hint)
        }
        (Parts::Free, Some("")) | (Parts::Own, None | Some("")) => {
            wrong("parts".to_owned(), format!("write `{}.NAME`", field.name))
        }
        (Parts::Own, Some(part)) if FIELDS.iter().any(|field| field.name == part) => {
            wrong(format!("no part {}", quoted(part)), format!("write `{part}`"))
        }
        _ => Ok(()),
    }
}

/// What may stand behind the dot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parts {
    /// There is no dot.
    None,
    /// One of these, or no dot.
    Known(&'static [&'static str]),
    /// Any name, or no dot.
    Free,
    /// Any name that no field has.
    Own,
}
