//! The parser: Python 3's `re` syntax, section by section of its documentation.

use super::{Count, Node, Set, Syntax, SyntaxError};

/// Groups within groups; deeper ones only ever come from a machine.
const MAX_DEPTH: usize = 50;
/// What a counted repeat may ask for.
const MAX_REPEAT: u32 = 1000;

type Parsed<T> = Result<T, SyntaxError>;

/// Parses an expression.
///
/// # Errors
/// What Python refuses, and what cannot be had here; see [`SyntaxError`].
pub(in crate::routes) fn parse(source: &str) -> Parsed<Syntax> {
    let mut parser = Parser { rest: source.chars().collect(), at: 0, groups: Vec::new() };
    let flags = parser.leading_flags()?;
    let root = parser.alternatives(flags, 0)?;
    if parser.peek().is_some() {
        return Err(SyntaxError::UnbalancedParenthesis);
    }
    check_dollars(&root, true)?;
    Ok(Syntax { root, groups: parser.groups })
}

/// What `(?aims)` switches.
#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    ascii: bool,
    ignore_case: bool,
    multiline: bool,
    dot_all: bool,
}

struct Parser {
    rest: Vec<char>,
    at: usize,
    groups: Vec<Option<String>>,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.rest.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.at += 1;
        Some(character)
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn looking_at(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(offset, wanted)| self.rest.get(self.at + offset) == Some(&wanted))
    }

    /// Takes characters up to the terminator, and the terminator.
    fn until(&mut self, terminator: char) -> Parsed<String> {
        let length = self.rest[self.at..].iter().position(|&character| character == terminator);
        let length = length.ok_or(SyntaxError::UnclosedGroup)?;
        let text = self.rest[self.at..self.at + length].iter().collect();
        self.at += length + 1;
        Ok(text)
    }

    // Flags

    /// `(?i)` and so on at the very start, several if need be.
    fn leading_flags(&mut self) -> Parsed<Flags> {
        let mut flags = Flags::default();
        while self.looking_at("(?") && self.rest.get(self.at + 2).is_some_and(char::is_ascii_lowercase) {
            let before = self.at;
            self.at += 2;
            let on = self.letters();
            if !self.eat(')') {
                self.at = before;
                break;
            }
            on.chars().try_for_each(|letter| flags.set(letter, true))?;
        }
        Ok(flags)
    }

    fn letters(&mut self) -> String {
        std::iter::from_fn(|| {
            let letter = self.peek().filter(char::is_ascii_alphabetic)?;
            self.at += 1;
            Some(letter)
        })
        .collect()
    }

    /// `i-s:` of `(?i-s:…)`; the group's flags.
    fn group_flags(&mut self, mut flags: Flags) -> Parsed<Flags> {
        let start = self.at;
        let on = self.letters();
        let off = if self.eat('-') { self.letters() } else { String::new() };
        if self.peek() == Some(')') {
            return Err(SyntaxError::FlagsNotAtStart);
        }
        if !self.eat(':') || (on.is_empty() && off.is_empty()) {
            return Err(SyntaxError::UnknownGroup(self.rest[start..].iter().take(3).collect()));
        }
        on.chars().try_for_each(|letter| flags.set(letter, true))?;
        if let Some(letter) = off.chars().find(|letter| on.contains(*letter) || "au".contains(*letter)) {
            return Err(SyntaxError::Flag(letter));
        }
        off.chars().try_for_each(|letter| flags.set(letter, false))?;
        Ok(flags)
    }

    // Structure

    fn alternatives(&mut self, flags: Flags, depth: usize) -> Parsed<Node> {
        if depth > MAX_DEPTH {
            return Err(SyntaxError::TooDeep(MAX_DEPTH));
        }
        let mut alternatives = vec![self.sequence(flags, depth)?];
        while self.eat('|') {
            alternatives.push(self.sequence(flags, depth)?);
        }
        Ok(match alternatives.len() {
            1 => alternatives.remove(0),
            _ => Node::Either(alternatives),
        })
    }

    fn sequence(&mut self, flags: Flags, depth: usize) -> Parsed<Node> {
        let mut items: Vec<Item> = Vec::new();
        while let Some(character) = self.peek().filter(|&character| character != '|' && character != ')') {
            self.at += 1;
            let before = self.at;
            if let Some(count) = self.repeat(character)? {
                let item = items.pop().ok_or(SyntaxError::NothingToRepeat(character))?;
                items.push(item.repeated(count, character)?);
                continue;
            }
            self.at = before;
            items.extend(self.item(character, flags, depth)?.map(Item::Once));
        }
        Ok(Node::concat(items.into_iter().map(Item::into_node)))
    }

    /// One item that begins with `character`; `None` for a comment.
    fn item(&mut self, character: char, flags: Flags, depth: usize) -> Parsed<Option<Node>> {
        Ok(Some(match character {
            '(' => return self.group(flags, depth),
            '[' => Node::Set(self.set(flags)?),
            '\\' => self.escape(flags)?,
            '.' => Node::Set(if flags.dot_all { Set::any() } else { Set::dot() }),
            '^' => if_else(flags.multiline, Node::LineStart, Node::Start),
            '$' => if_else(flags.multiline, Node::LineEnd, Node::Dollar),
            other => literal(other, flags)?,
        }))
    }

    fn group(&mut self, flags: Flags, depth: usize) -> Parsed<Option<Node>> {
        if !self.eat('?') {
            return self.capture(None, flags, depth).map(Some);
        }
        if let Some(refusal) = self.refused_group() {
            return Err(refusal);
        }
        if self.eat('#') {
            self.until(')')?;
            return Ok(None);
        }
        if self.eat('P') {
            return self.named_group(flags, depth).map(Some);
        }
        let flags = if self.eat(':') { flags } else { self.group_flags(flags)? };
        let inner = self.alternatives(flags, depth + 1)?;
        self.close().map(|()| Some(inner))
    }

    fn refused_group(&self) -> Option<SyntaxError> {
        for (start, name) in [("=", "(?=…)"), ("!", "(?!…)"), ("<=", "(?<=…)"), ("<!", "(?<!…)")] {
            if self.looking_at(start) {
                return Some(SyntaxError::LookAround(name));
            }
        }
        match self.peek() {
            Some('(') => Some(SyntaxError::Conditional),
            Some('>') => Some(SyntaxError::Possessive),
            _ => None,
        }
    }

    /// What follows `(?P`.
    fn named_group(&mut self, flags: Flags, depth: usize) -> Parsed<Node> {
        if self.eat('=') {
            return Err(SyntaxError::BackReference(format!("(?P={})", self.until(')')?)));
        }
        if !self.eat('<') {
            return Err(SyntaxError::UnknownGroup("P".to_owned()));
        }
        let name = self.until('>')?;
        if !is_identifier(&name) {
            return Err(SyntaxError::BadName(name));
        }
        if self.groups.iter().flatten().any(|other| *other == name) {
            return Err(SyntaxError::DuplicateName(name));
        }
        self.capture(Some(name), flags, depth)
    }

    fn capture(&mut self, name: Option<String>, flags: Flags, depth: usize) -> Parsed<Node> {
        let number = self.groups.len();
        self.groups.push(name);
        let inner = self.alternatives(flags, depth + 1)?;
        self.close().map(|()| Node::Capture(number, Box::new(inner)))
    }

    fn close(&mut self) -> Parsed<()> {
        if self.eat(')') { Ok(()) } else { Err(SyntaxError::UnclosedGroup) }
    }

    // Repeats

    /// `*`, `+`, `?`, `{m,n}` and their lazy forms; `None` when it is something else.
    fn repeat(&mut self, character: char) -> Parsed<Option<Count>> {
        let bounds = match character {
            '*' => Some((0, None)),
            '+' => Some((1, None)),
            '?' => Some((0, Some(1))),
            '{' => self.bounds()?,
            _ => None,
        };
        let Some((min, max)) = bounds else { return Ok(None) };
        if self.peek() == Some('+') {
            return Err(SyntaxError::Possessive);
        }
        let greedy = !self.eat('?');
        Ok(Some(Count { min, max, greedy }))
    }

    /// `m}`, `m,}`, `,n}`, `m,n}`; anything else, and the brace is a plain character.
    fn bounds(&mut self) -> Parsed<Option<(u32, Option<u32>)>> {
        if self.peek() == Some('}') {
            return Ok(None);
        }
        let low = self.digits();
        let high = if self.eat(',') { self.digits() } else { low.clone() };
        if !self.eat('}') {
            return Ok(None);
        }
        let min = if low.is_empty() { 0 } else { bound(&low)? };
        let max = if high.is_empty() { None } else { Some(bound(&high)?) };
        if max.is_some_and(|max| max < min) {
            return Err(SyntaxError::BadBounds);
        }
        Ok(Some((min, max)))
    }

    fn digits(&mut self) -> String {
        let start = self.at;
        while self.peek().is_some_and(|character| character.is_ascii_digit()) {
            self.at += 1;
        }
        self.rest[start..self.at].iter().collect()
    }

    // Escapes

    /// An escape outside of a set.
    fn escape(&mut self, flags: Flags) -> Parsed<Node> {
        let character = self.next().ok_or(SyntaxError::LoneBackslash)?;
        match character {
            'A' => return Ok(Node::Start),
            'Z' | 'z' => return Ok(Node::End),
            'b' | 'B' => return Err(SyntaxError::WordBoundary(character)),
            '1'..='9' if !self.octal_follows(character) => {
                let more = self.peek().filter(char::is_ascii_digit).map(String::from).unwrap_or_default();
                return Err(SyntaxError::BackReference(format!("\\{character}{more}")));
            }
            _ => {}
        }
        match Set::of_category(character, flags.ascii) {
            Some(set) => Ok(Node::Set(set)),
            None => literal(self.escaped(character)?, flags),
        }
    }

    /// Whether `\` and this digit begin three octal ones.
    fn octal_follows(&self, first: char) -> bool {
        let octal = |offset: usize| self.rest.get(self.at + offset).is_some_and(|digit| ('0'..='7').contains(digit));
        first <= '7' && octal(0) && octal(1)
    }

    /// The character that an escape stands for, in and out of sets.
    fn escaped(&mut self, character: char) -> Parsed<char> {
        Ok(match character {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'f' => '\u{c}',
            'v' => '\u{b}',
            'a' => '\u{7}',
            'x' => self.hexadecimal(character, 2)?,
            'u' => self.hexadecimal(character, 4)?,
            'U' => self.hexadecimal(character, 8)?,
            'N' => return Err(SyntaxError::NamedCharacter),
            '0'..='7' => self.octal(character)?,
            other if other.is_ascii_alphanumeric() => return Err(SyntaxError::BadEscape(other.to_string())),
            other => other,
        })
    }

    fn hexadecimal(&mut self, letter: char, length: usize) -> Parsed<char> {
        let digits: String = self.rest[self.at..].iter().take(length).collect();
        let refused = || SyntaxError::BadEscape(format!("{letter}{digits}"));
        if digits.len() != length || !digits.chars().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(refused());
        }
        self.at += length;
        u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32).ok_or_else(refused)
    }

    /// Up to three octal digits, the first of them read already.
    fn octal(&mut self, first: char) -> Parsed<char> {
        let mut digits = String::from(first);
        while digits.len() < 3 && self.peek().is_some_and(|digit| ('0'..='7').contains(&digit)) {
            digits.extend(self.next());
        }
        let code = u32::from_str_radix(&digits, 8).ok().filter(|&code| code <= 0o377);
        code.and_then(char::from_u32).ok_or(SyntaxError::BadEscape(digits))
    }

    // Sets

    /// What follows `[`.
    fn set(&mut self, flags: Flags) -> Parsed<Set> {
        let negated = self.eat('^');
        let mut set = Set::of(&[]);
        let start = self.at;
        loop {
            let character = self.next().ok_or(SyntaxError::UnclosedSet)?;
            if character == ']' && self.at > start + 1 {
                break;
            }
            let from = self.member(character, flags)?;
            let ranged = self.peek() == Some('-') && self.rest.get(self.at + 1).is_some_and(|&next| next != ']');
            if ranged {
                self.at += 1;
                let character = self.next().ok_or(SyntaxError::UnclosedSet)?;
                let to = self.member(character, flags)?;
                set.add(&range(from, to, flags)?);
            } else {
                set.add(&from.into_set(flags)?);
            }
        }
        if flags.ignore_case {
            set.fold_ascii(flags.ascii);
        }
        Ok(if negated { set.negated() } else { set })
    }

    fn member(&mut self, character: char, flags: Flags) -> Parsed<Member> {
        if character != '\\' {
            return Ok(Member::One(character));
        }
        let escaped = self.next().ok_or(SyntaxError::UnclosedSet)?;
        match Set::of_category(escaped, flags.ascii) {
            Some(set) => Ok(Member::Many(escaped, set)),
            None if escaped == 'b' => Ok(Member::One('\u{8}')),
            None => self.escaped(escaped).map(Member::One),
        }
    }
}

impl Flags {
    fn set(&mut self, letter: char, on: bool) -> Parsed<()> {
        match letter {
            'a' => self.ascii = on,
            'i' => self.ignore_case = on,
            'm' => self.multiline = on,
            's' => self.dot_all = on,
            // Unicode is what text patterns have anyway.
            'u' if !self.ascii => {}
            other => return Err(SyntaxError::Flag(other)),
        }
        Ok(())
    }
}

/// An item of a sequence, and whether it carries a repeat already.
enum Item {
    Once(Node),
    Repeated(Node),
}

impl Item {
    fn into_node(self) -> Node {
        match self {
            Item::Once(node) | Item::Repeated(node) => node,
        }
    }

    fn repeated(self, count: Count, sign: char) -> Parsed<Item> {
        let node = match self {
            Item::Repeated(_) => return Err(SyntaxError::MultipleRepeat),
            Item::Once(Node::Start | Node::End | Node::Dollar | Node::LineStart | Node::LineEnd) => {
                return Err(SyntaxError::NothingToRepeat(sign));
            }
            Item::Once(node) => node,
        };
        // How engines leave a loop whose body took nothing differs; `(…)?` is no loop.
        if count.max != Some(1) && node.nullable() {
            return Err(SyntaxError::RepeatsNothing);
        }
        Ok(Item::Repeated(Node::Repeat(Box::new(node), count)))
    }
}

/// What stands in a set between brackets.
enum Member {
    One(char),
    Many(char, Set),
}

impl Member {
    fn into_set(self, flags: Flags) -> Parsed<Set> {
        match self {
            Member::Many(_, set) => Ok(set),
            Member::One(one) => check_case(one, one, flags).map(|()| Set::of(&[(one, one)])),
        }
    }

    fn spelled(&self) -> String {
        match self {
            Member::One(one) => one.to_string(),
            Member::Many(letter, _) => format!("\\{letter}"),
        }
    }
}

fn range(from: Member, to: Member, flags: Flags) -> Parsed<Set> {
    match (&from, &to) {
        (&Member::One(from), &Member::One(to)) if from <= to => {
            check_case(from, to, flags)?;
            Ok(Set::of(&[(from, to)]))
        }
        _ => Err(SyntaxError::BadRange(format!("{}-{}", from.spelled(), to.spelled()))),
    }
}

/// Beyond ASCII, Python's idea of case and Unicode's simple folding differ in places: better not guessed at.
fn check_case(from: char, to: char, flags: Flags) -> Parsed<()> {
    let caseless = |character: char| {
        character.is_ascii() || (character.to_lowercase().eq([character]) && character.to_uppercase().eq([character]))
    };
    if !flags.ignore_case || flags.ascii || to.is_ascii() || (from == to && caseless(from)) {
        return Ok(());
    }
    let spelled = if from == to { from.to_string() } else { format!("{from}-{to}") };
    Err(SyntaxError::CaseBeyondAscii(spelled))
}

fn literal(character: char, flags: Flags) -> Parsed<Node> {
    check_case(character, character, flags)?;
    if !flags.ignore_case || !character.is_ascii_alphabetic() {
        return Ok(Node::Literal(character));
    }
    let mut set = Set::of(&[(character, character)]);
    set.fold_ascii(flags.ascii);
    Ok(Node::Set(set))
}

fn bound(digits: &str) -> Parsed<u32> {
    digits.parse().ok().filter(|&bound| bound <= MAX_REPEAT).ok_or(SyntaxError::RepeatTooLarge)
}

fn if_else<T>(condition: bool, yes: T, no: T) -> T {
    if condition { yes } else { no }
}

/// Python's `str.isidentifier()`.
pub(in crate::routes) fn is_identifier(name: &str) -> bool {
    use std::sync::LazyLock;
    static IDENTIFIER: LazyLock<Option<regex::Regex>> =
        LazyLock::new(|| regex::Regex::new(r"\A[\p{XID_Start}_]\p{XID_Continue}*\z").ok());
    IDENTIFIER.as_ref().is_some_and(|identifier| identifier.is_match(name))
}

/// `$` looks ahead past a final newline, so it is only taken where nothing can follow it.
fn check_dollars(node: &Node, last: bool) -> Parsed<()> {
    match node {
        Node::Dollar if !last => Err(SyntaxError::DollarInside),
        Node::Capture(_, inner) => check_dollars(inner, last),
        Node::Either(nodes) => nodes.iter().try_for_each(|node| check_dollars(node, last)),
        Node::Repeat(inner, count) => check_dollars(inner, last && count.max == Some(1)),
        Node::Concat(nodes) => {
            let dollars = nodes.iter().rev().take_while(|node| **node == Node::Dollar).count();
            let ending = nodes.len().saturating_sub(dollars.max(1));
            nodes.iter().enumerate().try_for_each(|(index, node)| check_dollars(node, last && index >= ending))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
