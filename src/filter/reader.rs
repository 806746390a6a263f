//! The characters of an expression, one after the other, and the pieces that they make: words, phrases, operators.

use super::error::{Error, Mistake, quoted};

/// Reads an expression from left to right.
#[derive(Debug)]
pub(super) struct Reader {
    chars: Vec<char>,
    at: usize,
}

/// A piece of text as it was written, without its quotes and backslashes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Written {
    /// What stands between the `*`; one piece: there is none.
    pub(super) pieces: Vec<String>,
    /// Whether it says only itself: in quotes, or with a backslash in it.
    pub(super) literal: bool,
    /// The index of its first character.
    pub(super) start: usize,
    /// The index behind its last one.
    pub(super) end: usize,
}

impl Written {
    /// With its `*`.
    pub(super) fn text(&self) -> String {
        self.pieces.join("*")
    }

    /// It, if there is no `*` in it.
    pub(super) fn plain(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [text] => Some(text),
            _ => None,
        }
    }

    /// Whether it is nothing but `*`.
    pub(super) fn is_anything(&self) -> bool {
        self.pieces.len() > 1 && self.pieces.iter().all(String::is_empty)
    }

    /// An error about it.
    pub(super) fn refuse(&self, mistake: Mistake) -> Error {
        Error { column: self.start + 1, length: (self.end - self.start).max(1), mistake }
    }

    /// For an error's message.
    pub(super) fn quoted(&self) -> String {
        quoted(&self.text())
    }
}

impl Reader {
    /// At the beginning.
    pub(super) fn new(text: &str) -> Reader {
        Reader { chars: text.chars().collect(), at: 0 }
    }

    /// The next character.
    pub(super) fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    /// Goes on over a character, if it is the next one.
    pub(super) fn take(&mut self, expected: char) -> bool {
        let found = self.peek() == Some(expected);
        self.at += usize::from(found);
        found
    }

    /// Goes on over white space.
    pub(super) fn skip_space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    /// An error about the next `length` characters.
    pub(super) fn refuse(&self, length: usize, mistake: Mistake) -> Error {
        Error { column: self.at + 1, length, mistake }
    }

    /// Whether the next word is this one.
    pub(super) fn is_at_keyword(&self, keyword: &str) -> bool {
        let behind = self.chars.get(self.at + keyword.len());
        self.continues_with(keyword) && behind.is_none_or(|next| is_end(*next))
    }

    /// Goes on over this word, if it is the next one.
    pub(super) fn take_keyword(&mut self, keyword: &str) -> bool {
        let found = self.is_at_keyword(keyword);
        self.at += if found { keyword.len() } else { 0 };
        found
    }

    /// Goes on over an operator, white space before it included, if one follows: it, and where it stands.
    pub(super) fn take_operator(&mut self) -> Option<(&'static str, usize)> {
        let start = self.at;
        self.skip_space();
        let place = self.at;
        let Some(operator) = OPERATORS.into_iter().find(|operator| self.continues_with(operator)) else {
            self.at = start;
            return None;
        };
        self.at += operator.len();
        Some((operator, place))
    }

    fn continues_with(&self, text: &str) -> bool {
        self.chars.get(self.at..self.at + text.len()).is_some_and(|next| next.iter().copied().eq(text.chars()))
    }

    /// What may be the name of a field: up to an operator, white space or a parenthesis.
    pub(super) fn name(&mut self) -> Result<Written, Error> {
        self.word(|reader| match reader.peek() {
            Some('!') => reader.continues_with("!=") || reader.continues_with("!~"),
            next => matches!(next, Some(':' | '=' | '<' | '>')),
        })
    }

    /// A value: up to white space or a parenthesis.
    pub(super) fn value(&mut self) -> Result<Written, Error> {
        self.word(|_| false)
    }

    fn word(&mut self, ends: fn(&Reader) -> bool) -> Result<Written, Error> {
        let mut word = Written { pieces: vec![String::new()], literal: false, start: self.at, end: self.at };
        while let Some(c) = self.peek().filter(|c| !is_end(*c) && !ends(self)) {
            if c == '*' {
                word.pieces.push(String::new());
                self.at += 1;
                continue;
            }
            word.literal |= c == '\\';
            let c = self.character()?;
            word.pieces.last_mut().into_iter().for_each(|piece| piece.push(c));
        }
        word.end = self.at;
        Ok(word)
    }

    /// A phrase in quotes, of which the first is the next character.
    pub(super) fn phrase(&mut self) -> Result<Written, Error> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        while self.peek() != Some('"') {
            if self.peek().is_none() {
                return Err(Error { column: start + 1, length: 1, mistake: Mistake::UnclosedQuote });
            }
            text.push(self.character()?);
        }
        self.at += 1;
        self.separated()?;
        Ok(Written { pieces: vec![text], literal: true, start, end: self.at })
    }

    /// What ends a term has to be followed by space, a closing parenthesis, or nothing.
    pub(super) fn separated(&self) -> Result<(), Error> {
        match self.peek() {
            Some(c) if !c.is_whitespace() && c != ')' => Err(self.refuse(1, Mistake::NotSeparated)),
            _ => Ok(()),
        }
    }

    /// What negates has to touch what it negates.
    pub(super) fn touching(&self) -> Result<(), Error> {
        match self.peek() {
            Some(c) if !c.is_whitespace() => Ok(()),
            _ => Err(self.refuse(1, Mistake::MissingTerm)),
        }
    }

    /// The next character, or the one that a backslash makes plain.
    fn character(&mut self) -> Result<char, Error> {
        if self.take('\\') && self.peek().is_none() {
            self.at -= 1;
            return Err(self.refuse(1, Mistake::DanglingEscape));
        }
        match self.peek() {
            Some(char::REPLACEMENT_CHARACTER) => Err(self.refuse(1, Mistake::ReplacementCharacter)),
            next => {
                self.at += 1;
                Ok(next.unwrap_or_default())
            }
        }
    }
}

/// What is read as an operator, the longer before those that they begin with; not all of them are one.
const OPERATORS: [&str; 13] = ["!=", "==", ">=", "<=", "=~", "!~", "<>", "=<", "=>", ":", "=", ">", "<"];

/// Where any word ends.
fn is_end(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | '"')
}
