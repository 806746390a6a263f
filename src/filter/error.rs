//! Why an expression is refused: where, what is wrong, and what was probably meant.

/// An expression that cannot be used, and the place that is at fault.
///
/// `column` and `length` fit a caret under the expression: characters, not bytes, the first being 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {mistake}{}", shown(.mistake.hint()))]
pub struct Error {
    /// The character at which it goes wrong, from 1; one past the last when something is missing at the end.
    pub column: usize,
    /// How many characters are at fault, at least 1.
    pub length: usize,
    /// What is wrong with them.
    pub mistake: Mistake,
}

impl Error {
    /// What is wrong, in half a sentence.
    pub fn message(&self) -> String {
        self.mistake.to_string()
    }

    /// What to write instead.
    pub fn hint(&self) -> Option<String> {
        self.mistake.hint()
    }
}

fn shown(hint: Option<String>) -> String {
    hint.map(|hint| format!(" ({hint})")).unwrap_or_default()
}

/// What can be wrong with an expression. Texts of the user are cut and without control characters already.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// The expression, or its canonical form, has more characters than are read.
    #[error("the expression is longer than {limit} characters")]
    TooLong {
        /// The most there may be.
        limit: usize,
    },
    /// Parentheses within parentheses.
    #[error("parentheses are nested more than {limit} deep")]
    TooDeep {
        /// The deepest there may be.
        limit: usize,
    },
    /// More comparisons and words than are read.
    #[error("there are more than {limit} terms")]
    TooManyTerms {
        /// The most there may be.
        limit: usize,
    },
    /// A `"` without its partner.
    #[error("the quote is not closed")]
    UnclosedQuote,
    /// A `(` without its partner.
    #[error("the parenthesis is not closed")]
    UnclosedParenthesis,
    /// A `)` without its partner.
    #[error("nothing is open that this could close")]
    UnexpectedParenthesis,
    /// A backslash at the very end.
    #[error("the backslash stands before nothing")]
    DanglingEscape,
    /// U+FFFD: it is what unreadable bytes became, and says nothing about which.
    #[error("U+FFFD cannot be searched for")]
    ReplacementCharacter,
    /// Nothing where a term belongs: between parentheses, beside an operator.
    #[error("a term is missing here")]
    MissingTerm,
    /// Nothing behind a field's operator.
    #[error("`{field}` has no value to compare with")]
    MissingValue {
        /// The field's name.
        field: &'static str,
    },
    /// An operator with no name before it.
    #[error("there is no field before {operator}")]
    MissingField {
        /// The operator, quoted.
        operator: String,
    },
    /// Two terms, or a term and a parenthesis, that touch.
    #[error("there is no space here")]
    NotSeparated,
    /// `and`, `or`, `not`, `&&` and the like, unquoted.
    #[error("{word} is neither an operator nor clearly a word")]
    Ambiguous {
        /// What stands there, quoted.
        word: String,
        /// What to write for the operator.
        operator: &'static str,
    },
    /// No record has such a field.
    #[error("unknown field {name}")]
    UnknownField {
        /// What stands there, quoted.
        name: String,
        /// The name that was probably meant.
        nearest: Option<&'static str>,
    },
    /// A field's part that it does not have, or one where there are none, or none where one is needed.
    #[error("`{field}` has {what}")]
    WrongPart {
        /// The field's name.
        field: &'static str,
        /// `no part …`, `no parts`, or what it has.
        what: String,
        /// How to write it.
        hint: String,
    },
    /// No operator at all, such as `=~`.
    #[error("{operator} is no operator")]
    UnknownOperator {
        /// What stands there, quoted.
        operator: String,
    },
    /// An operator that does not go with the field, such as `path>a`, or with the value, such as `status>5xx`.
    #[error("`{operator}` does not go with {with}")]
    WrongOperator {
        /// The operator.
        operator: &'static str,
        /// The field or value.
        with: String,
        /// What goes with it.
        hint: &'static str,
    },
    /// A value that the field cannot have.
    #[error("{value} is no value of `{field}`")]
    WrongValue {
        /// The field's name.
        field: &'static str,
        /// What stands there, quoted.
        value: String,
        /// The values it can have, by example.
        expected: String,
    },
}

impl Mistake {
    /// What to write instead; the nearest name where one is near.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Mistake::UnclosedQuote => r#"a quote within a phrase is written \""#,
            Mistake::DanglingEscape => r"a backslash itself is written \\",
            Mistake::ReplacementCharacter => "it stands for bytes that are no text; write * in its place",
            Mistake::NotSeparated => "put a space between terms; quotes and parentheses in a value go into quotes",
            Mistake::MissingValue { .. } => "write * for any value, and a word such as OR in quotes",
            Mistake::MissingField { .. } => "to search for it as text, put it in quotes",
            Mistake::Ambiguous { operator, .. } => return Some(operator_or_word(operator)),
            Mistake::UnknownField { nearest: Some(nearest), .. } => return Some(format!("did you mean `{nearest}`?")),
            Mistake::UnknownField { .. } => {
                "fields of other events are `fields.NAME`; to search for text, put it in quotes"
            }
            Mistake::WrongPart { hint, .. } => return Some(hint.clone()),
            Mistake::UnknownOperator { .. } => {
                "the operators are : = != > >= < <=, and * in a value stands for any text"
            }
            Mistake::WrongOperator { hint, .. } => hint,
            Mistake::WrongValue { expected, .. } => return Some(expected.clone()),
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

fn operator_or_word(operator: &str) -> String {
    format!("write {operator} for the operator, or put the word in quotes")
}

/// A text of the user in backquotes: cut, and nothing in it that a terminal would obey.
pub(super) fn quoted(text: &str) -> String {
    if text.is_empty() {
        return "an empty text".to_owned();
    }
    let shown: String = text.chars().take(QUOTED).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    let visible: String = shown.chars().map(visible).collect();
    format!("`{visible}{more}`")
}

fn visible(c: char) -> String {
    if c.is_control() { c.escape_default().to_string() } else { c.to_string() }
}

/// Characters of a text that are shown.
const QUOTED: usize = 60;

/// The name that was probably meant, by its letters.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name: String = name.chars().take(QUOTED).collect::<String>().to_ascii_lowercase().replace('-', "_");
    let allowed = |candidate: &&str| {
        let shortened = name.len() >= 3 && candidate.starts_with(&name);
        shortened || strsim::damerau_levenshtein(&name, candidate) <= (candidate.len().max(name.len()) / 3).max(1)
    };
    known.filter(allowed).min_by_key(|candidate| strsim::damerau_levenshtein(&name, candidate))
}
