//! Why a regular expression is refused.

/// What is wrong with a regular expression, or what of it cannot be had here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SyntaxError {
    #[error("look-around `{0}` is not available")]
    LookAround(&'static str),
    #[error("a reference back to a group, `{0}`, is not available")]
    BackReference(String),
    #[error("a condition on a group, `(?(…)…)`, is not available")]
    Conditional,
    #[error("atomic groups and possessive repeats (`(?>…)`, `*+`, `++`, `?+`) are not available")]
    Possessive,
    #[error("the word boundary `\\{0}` is not available: Python and gatelog would disagree beyond ASCII")]
    WordBoundary(char),
    #[error("`\\N{{…}}` is not available")]
    NamedCharacter,
    #[error("the flag `{0}` is not available")]
    Flag(char),
    #[error("flags for the whole expression must stand at its start")]
    FlagsNotAtStart,
    #[error("`{0}` under `(?i)` is not available: only ASCII letters can be matched without case")]
    CaseBeyondAscii(String),
    #[error("`$` is only available at the end of the expression or of an alternative")]
    DollarInside,
    #[error("what is repeated here can match nothing at all")]
    RepeatsNothing,
    #[error("there is nothing to repeat before `{0}`")]
    NothingToRepeat(char),
    #[error("one repeat directly follows another")]
    MultipleRepeat,
    #[error("the lower bound of a repeat is above the upper one")]
    BadBounds,
    #[error("a repeat of more than 1000 times is not available")]
    RepeatTooLarge,
    #[error("a group is not closed")]
    UnclosedGroup,
    #[error("a `)` closes no group")]
    UnbalancedParenthesis,
    #[error("unknown group `(?{0}`")]
    UnknownGroup(String),
    #[error("`{0}` is not a valid group name: it must be a Python identifier")]
    BadName(String),
    #[error("the group name `{0}` is used twice")]
    DuplicateName(String),
    #[error("a set `[…]` is not closed")]
    UnclosedSet,
    #[error("bad range `{0}` in a set")]
    BadRange(String),
    #[error("bad escape `\\{0}`")]
    BadEscape(String),
    #[error("it ends in a lone backslash")]
    LoneBackslash,
    #[error("groups are nested deeper than {0}")]
    TooDeep(usize),
    #[error("it is too large: {0}")]
    TooLarge(String),
}

impl SyntaxError {
    /// What to write instead.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        Some(match self {
            SyntaxError::LookAround(_) => {
                "put the excluded case in a route of its own before this one: the first match wins"
            }
            SyntaxError::BackReference(_) => "repeat the group's expression, or let the route match more",
            SyntaxError::Conditional => "write two routes, one for each case",
            SyntaxError::Possessive => "use a plain repeat: `*`, `+`, `?`",
            SyntaxError::WordBoundary(_) => "name the character that follows, such as `/`, `-` or `$`",
            SyntaxError::NamedCharacter => "write the character itself, or `\\uXXXX`",
            SyntaxError::Flag('x') => "write the expression on one line, without `(?x)`",
            SyntaxError::FlagsNotAtStart => "move them to the start, or use `(?i:…)`",
            SyntaxError::CaseBeyondAscii(_) => "write both cases: `[Éé]`",
            SyntaxError::DollarInside => "use `\\Z`, or move the `$` to the end",
            SyntaxError::RepeatsNothing => "make the repeated part take at least one character, as in `(?:[^/]+/)*`",
            SyntaxError::RepeatTooLarge => "use `+` or `*`",
            SyntaxError::BadEscape(_) => "escape only punctuation, or use \\d \\w \\s \\D \\W \\S \\A \\Z",
            SyntaxError::BadName(_) => "use letters, digits and `_`, not starting with a digit",
            SyntaxError::LoneBackslash => "a backslash itself is `\\\\`",
            _ => return None,
        })
    }
}
