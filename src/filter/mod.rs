//! The one filter language: parsed once into an [`Expression`], evaluated on records without allocating.
//!
//! ```text
//! status>=500 route:post-detail -path:/health* "connection reset" (user_id:42 OR ip_address:10.0.0.0/8) duration>500ms
//! ```
//!
//! # Terms and how they are joined
//!
//! - Terms side by side, or with `AND`, must all hold; `OR` binds less than that; `-` or `NOT` negates the term or the
//!   parentheses behind it. The words are operators in capitals only; in small letters, and as `&&`, `||`, `!`, they are
//!   refused outside quotes rather than searched for.
//! - A word or a `"phrase in quotes"` is found within the message, the path, the exception's message or the user agent.
//! - `field:value`, `field=value`, `field!=value`, `field>value`, `>=`, `<`, `<=`; `field:>value` is the same as
//!   `field>value`. `field:(a b)` and `field:(a OR b)` hold for any of the values. `field:*` holds when the field is there.
//! - `*` in a value stands for any text, also none. In quotes, or behind a backslash, every character is only itself.
//!
//! # What fields hold
//!
//! Fields have the names of the record, and `status`, `user`, `ip` for `status_code`, `user_id`, `ip_address`. Parts stand
//! behind a dot: `view_kwargs.pk`, `labels.X-Tenant`, `timing.wait`, `tls.version`, `server_timing.db`; without the dot any
//! of the parts may hold. `route` is the name of the view or the pattern, whichever is written; `route:*` asks for the
//! pattern, so that `-route:*` is what matched no route. What gatelog or a business event writes under a name of its own
//! is `fields.NAME`. `seq`, `instance`, `service` and `environment` are in lines only ([`Expression::first_written_field`]).
//!
//! | kind | written | `:` and `=` |
//! | --- | --- | --- |
//! | sentences | any text | `:` finds it within, `=` wants it whole |
//! | words, names | any text | whole |
//! | addresses | `10.0.0.7`, `10.0.0.0/8`, `10.0.*` | within the network |
//! | numbers | `3`, `0.5` | equal, and ordered |
//! | status | `404`, `5xx` | equal or in the class, and ordered |
//! | bytes | `512`, `10KB`, `1.5MB`, in steps of 1024 | equal, and ordered |
//! | durations | `500ms`, `1.5s`, `2m`, `1m30s`; a bare number is seconds | equal to the microsecond, and ordered |
//! | levels | `debug` … `critical` | equal, and ordered |
//! | moments | `2026-11-22`, `2026-11-22T11:02`, `…:36Z`; UTC, or with an offset | within that day, minute, second; ordered |
//! | yes or no | `true`, `false` | equal |
//! | `view_args`, `view_kwargs`, `fields` | a number, a text, `true` | as the record has it; numbers ordered |
//!
//! # Case
//!
//! One rule: names and identifiers that people choose are compared as they are (`path`, `query`, `referer`, `request_id`,
//! `user_id`, `view_name`, `route`, `upstream`, `output`, `labels`, parameters, `fields`, and the names of fields
//! themselves). In everything else (sentences, words of protocols and of gatelog's own vocabulary, searched words) the
//! letters `A` to `Z` match in either case.
//!
//! # Absent fields
//!
//! A term on a field that is absent does not hold, and its negation does. `a!=b` is `-a=b`, so it holds there too.
//!
//! # Limits
//!
//! [`MAX_LENGTH`] characters, [`MAX_TERMS`] terms, parentheses [`MAX_DEPTH`] deep. Evaluation is linear in the expression
//! and in the texts that it looks at, whatever either of them is.

mod condition;
mod error;
mod expression;
mod field;
mod foretell;
mod json;
mod line;
mod members;
mod moment;
mod operand;
mod parser;
mod pattern;
mod prefilter;
mod print;
mod reader;
mod source;
mod table;
mod value;

pub use condition::{Comparison, Condition, Loose};
pub use error::{Error, Mistake, nearest};
pub use expression::{Expression, Node};
pub use field::{Field, Kind, Known, Name, fields};
pub use line::Line;
pub use members::{ByName, Member, Members};
pub use moment::Span;
pub use pattern::Pattern;
pub use prefilter::Prefilter;
pub use source::Source;
pub use value::{Number, Value, duration};

/// Characters of an expression, and of its canonical form.
pub const MAX_LENGTH: usize = 8192;

/// Words, phrases and values of an expression.
pub const MAX_TERMS: usize = 512;

/// Parentheses within parentheses.
pub const MAX_DEPTH: usize = 32;

#[cfg(test)]
mod agreement_tests;
#[cfg(test)]
mod given_tests;
#[cfg(test)]
mod refusal_tests;
#[cfg(test)]
mod tests;
