//! Typed values of route parameters and of free fields.

/// A value whose type survives into the record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// A whole number given by its decimal digits (no leading zeros, optional `-`): Django's `int` knows no bound.
    Digits(&'a str),
    /// A whole number.
    Unsigned(u64),
    /// A fraction.
    Float(f64),
    /// Yes or no.
    Bool(bool),
    /// Text; whatever bytes, made valid UTF-8 by the encoder.
    Text(&'a [u8]),
    /// Several texts.
    List(&'a [&'a str]),
    /// A named group of a `regex` that took no part in the match: Python's `None`.
    Null,
}

/// A named parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arg<'a> {
    /// Its name in the pattern.
    pub name: &'a str,
    /// Its value.
    pub value: Value<'a>,
}
