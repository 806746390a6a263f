//! The grammar: `OR` between what stands side by side, `AND` or nothing between terms, `NOT` or `-` before one.
//!
//! ```text
//! any   = all { "OR" all }
//! all   = not { ["AND"] not }
//! not   = { "NOT" | "-" } term
//! term  = "(" any ")" | phrase | word | name operator ( value | "(" value { ["OR"] value } ")" )
//! ```

use super::error::{Error, Mistake, quoted};
use super::expression::Node;
use super::field::Name;
use super::operand::{self, Operator};
use super::pattern::Pattern;
use super::reader::{Reader, Written};
use super::{MAX_DEPTH, MAX_LENGTH, MAX_TERMS};

/// Reads one expression.
#[derive(Debug)]
pub(super) struct Parser {
    reader: Reader,
    depth: usize,
    terms: usize,
}

impl Parser {
    /// The tree of an expression.
    pub(super) fn parse(text: &str) -> Result<Node, Error> {
        let too_long = || Error { column: MAX_LENGTH + 1, length: 1, mistake: Mistake::TooLong { limit: MAX_LENGTH } };
        // Characters are counted only where there are not too many bytes to begin with.
        if text.len() > 4 * MAX_LENGTH || text.chars().count() > MAX_LENGTH {
            return Err(too_long());
        }
        let mut parser = Parser { reader: Reader::new(text), depth: 0, terms: 0 };
        parser.reader.skip_space();
        if parser.reader.peek().is_none() {
            return Ok(Node::All(Vec::new()));
        }
        let node = parser.any()?;
        if parser.reader.peek().is_some() {
            return Err(parser.reader.refuse(1, Mistake::UnexpectedParenthesis));
        }
        // What was short as it was written has to be so in its canonical form.
        if node.to_string().chars().count() > MAX_LENGTH {
            return Err(too_long());
        }
        Ok(node)
    }

    fn any(&mut self) -> Result<Node, Error> {
        let mut nodes = vec![self.all()?];
        while self.keyword("OR") {
            nodes.push(self.all()?);
        }
        Ok(Node::any(nodes))
    }

    fn all(&mut self) -> Result<Node, Error> {
        let mut nodes = vec![self.not()?];
        while self.keyword("AND") || self.more() {
            nodes.push(self.not()?);
        }
        Ok(Node::all(nodes))
    }

    /// Whether another term follows, with nothing between.
    fn more(&mut self) -> bool {
        self.reader.skip_space();
        !self.reader.is_at_keyword("OR") && self.reader.peek().is_some_and(|next| next != ')')
    }

    /// Goes on over an operator between terms.
    fn keyword(&mut self, keyword: &str) -> bool {
        self.reader.skip_space();
        self.reader.take_keyword(keyword)
    }

    /// However many signs there are, they are counted and not nested.
    fn not(&mut self) -> Result<Node, Error> {
        let mut negated = false;
        loop {
            if self.keyword("NOT") {
                self.reader.skip_space();
            } else if self.reader.take('-') {
                self.reader.touching()?;
            } else {
                break;
            }
            negated = !negated;
        }
        let node = self.term()?;
        Ok(if negated { Node::not(node) } else { node })
    }

    fn term(&mut self) -> Result<Node, Error> {
        match self.reader.peek() {
            None | Some(')') => Err(self.reader.refuse(1, Mistake::MissingTerm)),
            Some('(') => self.parenthesis(),
            Some('"') => {
                self.count()?;
                let phrase = self.reader.phrase()?;
                words(phrase)
            }
            Some(_) => self.word_or_field(),
        }
    }

    fn count(&mut self) -> Result<(), Error> {
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return Err(self.reader.refuse(1, Mistake::TooManyTerms { limit: MAX_TERMS }));
        }
        Ok(())
    }

    fn parenthesis(&mut self) -> Result<Node, Error> {
        let open = self.reader.refuse(1, Mistake::UnclosedParenthesis);
        if self.depth == MAX_DEPTH {
            return Err(self.reader.refuse(1, Mistake::TooDeep { limit: MAX_DEPTH }));
        }
        self.depth += 1;
        self.reader.take('(');
        let node = self.any()?;
        self.depth -= 1;
        self.close(open)?;
        Ok(node)
    }

    fn close(&mut self, open: Error) -> Result<(), Error> {
        self.reader.skip_space();
        if !self.reader.take(')') {
            return Err(open);
        }
        self.reader.separated()
    }

    fn word_or_field(&mut self) -> Result<Node, Error> {
        let word = self.reader.name()?;
        if is_keyword(&word) {
            return Err(word.refuse(Mistake::MissingTerm));
        }
        match self.reader.take_operator() {
            Some((operator, at)) => self.field(&word, operator, at),
            None => {
                self.count()?;
                self.reader.separated()?;
                unambiguous(&word)?;
                words(word)
            }
        }
    }

    fn field(&mut self, name: &Written, symbol: &'static str, at: usize) -> Result<Node, Error> {
        let refuse = |mistake| Error { column: at + 1, length: symbol.len(), mistake };
        if name.text().is_empty() {
            return Err(refuse(Mistake::MissingField { operator: quoted(symbol) }));
        }
        let Some(operator) = Operator::read(symbol) else {
            return Err(refuse(Mistake::UnknownOperator { operator: quoted(symbol) }));
        };
        let field = Name::resolve(&name.text()).map_err(|mistake| name.refuse(mistake))?;
        self.reader.skip_space();
        let node = match self.reader.peek() {
            Some('(') if operator.is_equality() => self.list(&field, operator)?,
            Some('(') => return Err(refuse(operator.refused_with("several values", "use : or = before them"))),
            _ => self.operand(&field, operator)?.0,
        };
        Ok(if operator == Operator::Unequal { Node::not(node) } else { node })
    }

    /// Several values, one of which is enough.
    fn list(&mut self, field: &Name, operator: Operator) -> Result<Node, Error> {
        let open = self.reader.refuse(1, Mistake::UnclosedParenthesis);
        self.reader.take('(');
        let mut nodes = Vec::new();
        let mut more = true;
        while more {
            self.reader.skip_space();
            let (node, written) = self.operand(field, operator)?;
            unambiguous(&written)?;
            nodes.push(node);
            more = self.keyword("OR") || self.more();
            if self.reader.peek().is_none() {
                return Err(open);
            }
        }
        self.close(open)?;
        Ok(Node::any(nodes))
    }

    /// One value; behind a colon it may begin with a comparison of its own.
    fn operand(&mut self, field: &Name, mut operator: Operator) -> Result<(Node, Written), Error> {
        self.count()?;
        if operator == Operator::Has && matches!(self.reader.peek(), Some('<' | '>')) {
            let symbol = self.reader.take_operator().map(|(symbol, _)| symbol);
            operator = symbol.and_then(Operator::read).unwrap_or(operator);
            self.reader.skip_space();
        }
        let written = match self.reader.peek() {
            Some('"') => self.reader.phrase()?,
            _ => self.reader.value()?,
        };
        self.reader.separated()?;
        if is_keyword(&written) || (written.text().is_empty() && !written.literal) {
            return Err(written.refuse(Mistake::MissingValue { field: field.field.name }));
        }
        let condition = operand::condition(field, operator, &written)?;
        Ok((Node::Field(field.clone(), condition), written))
    }
}

/// Words are found within a text, in either case. Nothing but `*` is in every record.
fn words(written: Written) -> Result<Node, Error> {
    if written.is_anything() {
        return Ok(Node::All(Vec::new()));
    }
    if written.text().is_empty() {
        return Err(written.refuse(Mistake::MissingTerm));
    }
    Ok(Node::Words(Pattern::new(written.pieces, false, true)))
}

fn is_keyword(word: &Written) -> bool {
    !word.literal && matches!(word.text().as_str(), "AND" | "OR" | "NOT")
}

/// What people write for an operator elsewhere is not to be searched for by mistake.
fn unambiguous(word: &Written) -> Result<(), Error> {
    let text = word.text();
    let operator = match text.to_ascii_uppercase().as_str() {
        _ if word.literal => return Ok(()),
        "AND" | "&&" => "AND",
        "OR" | "||" => "OR",
        "NOT" => "NOT",
        _ if text.starts_with('!') => "-",
        _ => return Ok(()),
    };
    Err(word.refuse(Mistake::Ambiguous { word: word.quoted(), operator }))
}
