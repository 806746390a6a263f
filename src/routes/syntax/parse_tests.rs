//! Python's `re` syntax, point by point.

use super::*;

fn refused(source: &str) -> SyntaxError {
    parse(source).expect_err(source)
}

#[test]
fn what_the_engine_lacks_is_refused_with_a_hint() {
    for source in [
        "(?=a)",
        "(?!a)",
        "(?<=a)",
        "(?<!a)",
        r"(a)\1",
        "(?P<a>b)(?P=a)",
        "(a)(?(1)b|c)",
        "(?>a)",
        "a*+",
        "a++",
        "a?+",
        "a{2}+",
        r"\bfoo",
        r"\B",
        r"\N{DASH}",
        "(?x)a b",
        "(?i)é",
        "(?i)[à-ü]",
        "a(?i)b",
        "(?:a$)*",
        "a$b",
        "(?:a*)*",
        "(|a)+",
    ] {
        assert!(refused(source).hint().is_some(), "{source}");
    }
}

#[test]
fn what_python_refuses_is_refused() {
    for source in [
        "(",
        "a)",
        "[a",
        "[]",
        "*a",
        "a**",
        "a|*",
        "^*",
        "a{3,2}",
        r"\q",
        r"\8",
        r"\xg0",
        r"\u12",
        "[b-a]",
        r"[a-\d]",
        "(?P<a>x)(?P<a>y)",
        "(?P<1a>x)",
        "(?<a>x)",
        "(?Pa)",
        r"a\",
        r"\777",
        "(?i-i:a)",
        "(?-a:b)",
        "(?",
        "(?#",
        "(?L)a",
        "(?:",
    ] {
        refused(source);
    }
}

#[test]
fn braces_that_count_nothing_are_text() {
    for source in ["a{", "a{}", "{a}", "a{1", "a{1,2", "a{x}", "x{,"] {
        let syntax = parse(source).unwrap();
        let text: Vec<Node> = source.chars().map(Node::Literal).collect();
        assert_eq!(syntax.root, Node::concat(text), "{source}");
    }
    assert!(matches!(parse("a{,3}").unwrap().root, Node::Repeat(_, Count { min: 0, max: Some(3), .. })));
    assert!(matches!(parse("a{,}").unwrap().root, Node::Repeat(_, Count { min: 0, max: None, .. })));
}

#[test]
fn set_notation_of_other_engines_is_text() {
    let set = |source| match parse(source).unwrap().root {
        Node::Set(set) => set,
        other => panic!("{other:?}"),
    };
    let has = |source, text: &str| text.chars().all(|character| set(source).contains(character));
    assert!(has("[a&&b]", "a&b") && has("[--9]", "-./9") && has("[a~~b]", "a~b"));
    assert!(has("[[:alpha:]", "[:alph"));
    assert!(has("[]a]", "]a") && has("[^]a]", "b") && !has("[^]a]", "]"));
    assert!(has("[a-]", "a-") && has("[-a]", "a-") && has(r"[\]\-\\]", "]-\\") && has(r"[\b]", "\u{8}"));
    assert!(has(r"[^\W\d_]", "aé") && !has(r"[^\W\d_]", "3"));
}

#[test]
fn escapes_are_pythons() {
    let text = |source| parse(source).unwrap().root;
    assert_eq!(text(r"\.\/\-\é"), Node::concat("./-é".chars().map(Node::Literal)));
    assert_eq!(text(r"\0\012\101\x41\u00e9\U0001F600"), Node::concat("\0\nAAé😀".chars().map(Node::Literal)));
    assert_eq!(text(r"\Z"), Node::End);
    assert_eq!(text("(?#comment)a"), Node::Literal('a'));
}
