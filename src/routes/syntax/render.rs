//! A pattern as people read it: `/articles/{year}/`.

use super::{Node, Syntax};

/// Renders what a pattern adds to a route: text as it is, a group as `{name}`, an unnamed one as `{var}`; anchors and
/// repeats left out, other sets as `*`. Follows Django's `simplify_regex`.
pub(in crate::routes) fn render(syntax: &Syntax) -> String {
    let mut text = String::new();
    write(&syntax.root, &syntax.groups, &mut text);
    text
}

fn write(node: &Node, groups: &[Option<String>], text: &mut String) {
    match node {
        Node::Literal(character) => text.push(*character),
        // A letter under `(?i)` is a set of its cases.
        Node::Set(set) => text.push(set.only_letter().unwrap_or('*')),
        Node::Capture(number, _) => {
            let name = groups.get(*number).and_then(Option::as_deref).unwrap_or("var");
            text.extend(["{", name, "}"]);
        }
        Node::Concat(nodes) => nodes.iter().for_each(|node| write(node, groups, text)),
        Node::Either(nodes) => {
            for (index, node) in nodes.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "|" });
                write(node, groups, text);
            }
        }
        Node::Repeat(inner, _) => write(inner, groups, text),
        Node::Start | Node::End | Node::Dollar | Node::LineStart | Node::LineEnd => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[test]
    fn patterns_are_rendered_for_people() {
        let rendered = |source| render(&parse(source).unwrap());
        assert_eq!(rendered("^articles/(?P<year>[0-9]{4})/$"), "articles/{year}/");
        assert_eq!(rendered(r"^a\.b/(\d+)/(?:page-(?P<page>(\d)+)/)?$"), "a.b/{var}/page-{page}/");
        assert_eq!(rendered(r"(?i)^About/[0-9]+/\Z"), "about/*/");
        assert_eq!(rendered(r"^(?:en|de)/"), "en|de/");
    }
}
