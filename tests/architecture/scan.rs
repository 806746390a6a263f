//! Reads Rust source as far as the architecture test needs: paths, functions and modules, with comments, strings and
//! test code left out. No grammar, only tokens and braces; what it cannot tell apart is tested at the end of this file.

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// Line of its `fn`, from 1.
    pub(crate) line: usize,
    /// Lines from its `fn` to its closing brace.
    pub(crate) length: usize,
}

/// Production code: comments, the insides of literals, and items under `#[cfg(test)]` are blanked; lines stay where they are.
pub(crate) fn production(source: &str) -> String {
    without_tests(&blank(source))
}

/// Comments and the insides of string and character literals become spaces.
pub(crate) fn blank(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// Where the comment or literal that starts at `at` ends; `at` itself where none starts.
fn literal_end(chars: &[char], at: usize) -> usize {
    let next = |ahead: usize| chars.get(at + ahead).copied().unwrap_or('\0');
    let inside_word = at > 0 && is_word(chars[at - 1]);
    match chars[at] {
        '/' if next(1) == '/' => (at..chars.len()).find(|&i| chars[i] == '\n').unwrap_or(chars.len()),
        '/' if next(1) == '*' => block_comment_end(chars, at),
        '"' => quoted_end(chars, at, '"'),
        '\'' if next(1) == '\\' || next(2) == '\'' => quoted_end(chars, at, '\''),
        'r' if !inside_word => raw_string_end(chars, at, at + 1),
        'b' | 'c' if !inside_word && next(1) == 'r' => raw_string_end(chars, at, at + 2),
        _ => at,
    }
}

fn block_comment_end(chars: &[char], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0);
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') if depth == 1 => return at + 2,
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    chars.len()
}

fn quoted_end(chars: &[char], start: usize, quote: char) -> usize {
    let mut at = start + 1;
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// `hashes` is where the `#`s of a raw string would stand; `start` comes back when it is none (`r#type`, `ready`).
fn raw_string_end(chars: &[char], start: usize, hashes: usize) -> usize {
    let count = chars[hashes..].iter().take_while(|&&c| c == '#').count();
    if chars.get(hashes + count) != Some(&'"') {
        return start;
    }
    let body = hashes + count + 1;
    let closes = |at: usize| chars[at] == '"' && chars[at + 1..].iter().take_while(|&&c| c == '#').count() >= count;
    (body..chars.len()).find(|&at| closes(at)).map_or(chars.len(), |at| at + 1 + count)
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// A word or a mark, and the line it stands on.
#[derive(Debug, Clone, Copy)]
struct Token<'a> {
    text: &'a str,
    line: usize,
    start: usize,
}

fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(c) = code[at..].chars().next() {
        let length = match c {
            c if is_word(c) => code[at..].find(|c| !is_word(c)).unwrap_or(code.len() - at),
            ':' if code[at..].starts_with("::") => 2,
            c => c.len_utf8(),
        };
        if !c.is_whitespace() {
            tokens.push(Token { text: &code[at..at + length], line, start: at });
        }
        line += usize::from(c == '\n');
        at += length;
    }
    tokens
}

/// Items under a `#[cfg(test)]`, attribute included, become spaces.
fn without_tests(code: &str) -> String {
    let tokens = tokens(code);
    let mut out = code.to_owned();
    let mut at = 0;
    while at < tokens.len() {
        match test_item(&tokens, at) {
            Some(end) => {
                let range = tokens[at].start..tokens.get(end).map_or(code.len(), |token| token.start);
                let blanks: String = out[range.clone()].bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }).collect();
                out.replace_range(range, &blanks);
                at = end;
            }
            None => at += 1,
        }
    }
    out
}

/// Index past the item that a `#[cfg(test)]` at `at` belongs to.
fn test_item(tokens: &[Token], at: usize) -> Option<usize> {
    let opens = |at: usize, texts: &[&str]| {
        texts.iter().enumerate().all(|(ahead, text)| tokens.get(at + ahead).is_some_and(|token| token.text == *text))
    };
    if !opens(at, &["#", "[", "cfg", "("]) {
        return None;
    }
    let after = closing(tokens, at + 1) + 1;
    let condition: Vec<&str> = tokens[at + 4..after.min(tokens.len())].iter().map(|token| token.text).collect();
    let negated = condition.windows(3).any(|window| window == ["not", "(", "test"]);
    if !condition.contains(&"test") || negated {
        return None;
    }
    let mut item = after;
    while opens(item, &["#", "["]) {
        item = closing(tokens, item + 1) + 1;
    }
    Some(item_end(tokens, item))
}

/// Index past an item: its closing brace, its semicolon, or, for a field or an arm, its comma.
fn item_end(tokens: &[Token], start: usize) -> usize {
    const ITEMS: &[&str] = &[
        "pub",
        "mod",
        "use",
        "fn",
        "async",
        "const",
        "static",
        "struct",
        "enum",
        "impl",
        "trait",
        "type",
        "let",
        "macro_rules",
    ];
    let is_item = tokens.get(start).is_some_and(|token| ITEMS.contains(&token.text));
    let mut at = start;
    while at < tokens.len() {
        match tokens[at].text {
            "(" | "[" => at = closing(tokens, at),
            "{" => return closing(tokens, at) + 1,
            ";" => return at + 1,
            "," if !is_item => return at + 1,
            "}" => return at,
            _ => {}
        }
        at += 1;
    }
    at
}

/// Index of the mark that closes the one at `open`.
fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len().saturating_sub(1)
}

/// Every path of two segments or more, groups of a `use` spread out: `a::{b, c::d}` is `a::b` and `a::c::d`.
/// `super` is resolved against `module` (the file's module path), so that what leaves it begins with `crate`.
pub(crate) fn paths(code: &str, module: &[&str]) -> Vec<Vec<String>> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let begins = tokens[at].text.starts_with(is_word) && tokens.get(at + 1).is_some_and(|token| token.text == "::");
        if !begins {
            at += 1;
            continue;
        }
        let (start, known) = (at, found.len());
        at = spread(&tokens, at, Vec::new(), &mut found);
        if tokens[start].text == "super" {
            let depth = module.len() + inline_depth(&tokens, start);
            found[known..].iter_mut().for_each(|path| climb(path, depth));
        }
    }
    found
}

/// Follows one path from `at`; where it ends, `found` gets it. Gives the index past it.
fn spread(tokens: &[Token], mut at: usize, mut path: Vec<String>, found: &mut Vec<Vec<String>>) -> usize {
    while let Some(token) = tokens.get(at) {
        if token.text == "{" {
            let end = closing(tokens, at);
            at += 1;
            while at < end {
                at = if tokens[at].text == "," { at + 1 } else { spread(tokens, at, path.clone(), found).max(at + 1) };
            }
            return end + 1;
        }
        if token.text != "*" && !token.text.starts_with(is_word) {
            break;
        }
        path.push(token.text.to_owned());
        at += 1;
        if tokens.get(at).is_none_or(|token| token.text != "::") {
            break;
        }
        at += 1;
    }
    if tokens.get(at).is_some_and(|token| token.text == "as") {
        at += 2;
    }
    found.push(path);
    at
}

/// How many inline modules are open at `at`.
fn inline_depth(tokens: &[Token], at: usize) -> usize {
    let opens = |i: usize| tokens[i].text == "mod" && tokens.get(i + 2).is_some_and(|token| token.text == "{");
    (0..at).filter(|&i| opens(i) && closing(tokens, i + 2) > at).count()
}

/// `super::…` from `depth` modules below the root: `crate::…` where that reaches the root, left alone where it does not.
fn climb(path: &mut Vec<String>, depth: usize) {
    let steps = path.iter().take_while(|segment| *segment == "super").count();
    if steps > 0 && steps == depth {
        path.splice(..steps, ["crate".to_owned()]);
    }
}

/// Every function that has a body.
pub(crate) fn functions(code: &str) -> Vec<Function> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        if pair[0].text != "fn" || !pair[1].text.starts_with(is_word) {
            continue;
        }
        let end = item_end(&tokens, at).saturating_sub(1);
        if tokens[end].text == "}" && tokens[end].start > pair[1].start {
            let (line, length) = (pair[0].line, tokens[end].line - pair[0].line + 1);
            found.push(Function { name: pair[1].text.to_owned(), line, length });
        }
    }
    found
}

/// Modules declared without a body (`mod x;`), in order.
pub(crate) fn declared_modules(code: &str) -> Vec<String> {
    let tokens = tokens(code);
    let declares = |window: &&[Token]| window[0].text == "mod" && window[2].text == ";";
    tokens.windows(3).filter(declares).map(|window| window[1].text.to_owned()).collect()
}

#[test]
fn comments_and_literals_are_blanked_and_lines_kept() {
    let source = "a // crate::x\n/* /* crate::y */ */ b \"crate::z \\\" \n\" c r#\"crate::q \"# d '\\'' 'e' &'f g br\"h\" r#type";
    let blanked = blank(source);
    let words: Vec<&str> = blanked.split_whitespace().collect();
    assert_eq!(words, ["a", "b", "c", "d", "&'f", "g", "r#type"]);
    assert_eq!(blanked.matches('\n').count(), source.matches('\n').count());
}

#[test]
fn test_items_are_left_out_and_what_follows_is_not() {
    let source = "fn a() {}\n#[cfg(test)]\n#[path = \"t.rs\"]\nmod tests { fn b() {} }\n#[cfg(not(test))]\nfn c() {}\n\
                  struct S { #[cfg(test)] x: u8, y: u8 }\n#[cfg(test)]\nmod more;\nfn d<A, B>() {}";
    let code = production(source);
    let names: Vec<String> = functions(&code).into_iter().map(|function| function.name).collect();
    assert_eq!(names, ["a", "c", "d"]);
    assert!(code.contains("y: u8 }") && !code.contains("x: u8") && !code.contains("more"), "{code}");
    assert_eq!(declared_modules(source), ["more"]);
}

#[test]
fn paths_are_found_in_groups_and_in_the_middle_of_code() {
    let found = |source: &str, module: &[&str]| -> Vec<String> {
        paths(&production(source), module).into_iter().map(|path| path.join("::")).collect()
    };
    assert_eq!(
        found("use crate::{a::b, c::{D, e as f}, g};", &["x"]),
        ["crate::a::b", "crate::c::D", "crate::c::e", "crate::g"]
    );
    assert_eq!(
        found("fn f() { let y: crate::net::Io<crate::time::Clock>; }", &["x"]),
        ["crate::net::Io", "crate::time::Clock"]
    );
    assert_eq!(found("use super::y; use super::super::z;", &["x", "w"]), ["super::y", "crate::z"]);
    assert_eq!(found("use super::y;", &["x"]), ["crate::y"]);
    assert_eq!(found("mod m { use super::y; use super::super::z; }", &["x"]), ["super::y", "crate::z"]);
    assert_eq!(found("pub(crate) fn f() {} // crate::no", &["x"]), Vec::<String>::new());
}

#[test]
fn functions_are_measured_from_fn_to_brace() {
    let source = "#[inline]\npub fn a(\n    x: [u8; 3],\n) -> u8 {\n    if x[0] > 1 { 1 } else { 2 }\n}\n\
                  trait T { fn b(&self); fn c(&self) {} }\ntype F = fn(u8) -> u8;";
    let measured: Vec<(String, usize, usize)> =
        functions(&production(source)).into_iter().map(|f| (f.name, f.line, f.length)).collect();
    assert_eq!(measured, [("a".to_owned(), 2, 5), ("c".to_owned(), 7, 1)]);
}
