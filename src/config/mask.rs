//! What must not be shown of a text that is quoted in a message: the values of secrets, wherever they stand.

use std::ops::Range;

/// Where a text holds the values of secret keys: `hash_key = "…"` in a file, `…HASH_KEY=…` in a variable.
///
/// They are found by the look of the text and not by its meaning, because a file that does not parse is shown too.
/// `{ env = "NAME" }` tells no secret and stays readable.
pub(super) fn secrets(text: &str) -> Vec<Range<usize>> {
    let lower = text.to_ascii_lowercase();
    let keys = SECRET_KEYS.iter().flat_map(|name| lower.match_indices(name)).filter(|(at, _)| begins(&lower, *at));
    let values = keys.filter_map(|(at, name)| value_after(text, at + name.len()));
    values.chain(passwords(text)).chain(url_paths(text, &lower)).chain(headers(text, &lower)).collect()
}

/// What stands behind the host in the value of a key `url`: whoever knows that of a webhook can post to it.
fn url_paths<'t>(text: &'t str, lower: &'t str) -> impl Iterator<Item = Range<usize>> + 't {
    lower.match_indices("url").filter(|(at, _)| begins(lower, *at)).filter_map(move |(at, name)| {
        let value = value_after(text, at + name.len())?;
        let written = &text[value.clone()];
        let host = written.find("://").map_or(0, |scheme_end| scheme_end + "://".len());
        let path = host + written[host..].find(['/', '?', '#'])?;
        let end = value.end - usize::from(written.ends_with(['"', '\'']));
        (!written.contains("unix:")).then(|| value.start + path..end).filter(|range| !range.is_empty())
    })
}

/// The values of a table `headers`, on one line or in a section of its own, and of its variables.
fn headers<'t>(text: &'t str, lower: &'t str) -> impl Iterator<Item = Range<usize>> + 't {
    // Names of headers, as in `exception_headers`, are no secrets.
    let is_whole = |at: usize| begins(lower, at) && (!lower[..at].ends_with('_') || lower[..at].ends_with("__"));
    lower.match_indices("headers").filter(move |(at, _)| is_whole(*at)).flat_map(move |(at, name)| {
        let rest = &text[at + name.len()..];
        let table = rest.trim_start_matches(['"', '\'', ' ', '\t', '=']);
        let inside = match table.strip_prefix('{') {
            Some(table) => table,
            None if rest.starts_with(']') => &rest[..rest.find("\n[").unwrap_or(rest.len())],
            None if rest.starts_with("__") => rest,
            None => "",
        };
        let start = if table.starts_with('{') { text.len() - inside.len() } else { at + name.len() };
        signs(inside).into_iter().filter_map(move |sign| value_after(text, start + sign))
    })
}

/// The equals signs of a table that are not within another one, up to the brace that closes it.
fn signs(inside: &str) -> Vec<usize> {
    let (mut depth, mut signs) = (0_usize, Vec::new());
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => break,
            b'}' => depth -= 1,
            b'=' if depth == 0 => signs.push(at),
            _ => {}
        }
    }
    signs
}

/// Whether a key can begin here.
fn begins(text: &str, at: usize) -> bool {
    text[..at].chars().next_back().is_none_or(|before| BEFORE_KEYS.contains(&before))
}

/// Where URLs hold a user and a password, which no URL of a configuration may have.
fn passwords(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices("://").filter_map(|(scheme_end, separator)| {
        let start = scheme_end + separator.len();
        let end = text[start..].find(['"', '\'', '/', ' ', '\n']).unwrap_or(text.len() - start);
        text[start..start + end].rfind('@').map(|at| start..start + at)
    })
}

/// The value that an equals sign gives to the key that ends here.
fn value_after(text: &str, key_end: usize) -> Option<Range<usize>> {
    let rest = text[key_end..].trim_start_matches(['"', '\'']).trim_start_matches([' ', '\t']);
    let value = rest.strip_prefix('=')?.trim_start_matches([' ', '\t']);
    let start = text.len() - value.len();
    (!value.starts_with('{')).then(|| start..start + value_length(value))
}

/// Bytes of a value, to its closing quotes, or to the end of the line where it has none.
fn value_length(value: &str) -> usize {
    let quotes = ["\"\"\"", "\'\'\'", "\"", "\'"].into_iter().find(|quotes| value.starts_with(quotes));
    let line = value.find('\n').unwrap_or(value.len());
    match quotes {
        None => line,
        Some(quotes) => {
            let limit = if quotes.len() == 3 { value.len() } else { line };
            closing(&value[quotes.len()..limit], quotes).map_or(limit, |inner| inner + 2 * quotes.len())
        }
    }
}

/// Where the closing quotes stand; in basic strings a backslash hides the character after it.
fn closing(value: &str, quotes: &str) -> Option<usize> {
    let mut escaped = false;
    value.char_indices().find_map(|(offset, character)| {
        let closes = !escaped && value[offset..].starts_with(quotes);
        escaped = !escaped && character == '\\' && quotes.starts_with('"');
        closes.then_some(offset)
    })
}

/// What stands before a key; an underscore in variables, and in names such as `client_secret`.
const BEFORE_KEYS: [char; 9] = [' ', '\t', '\n', '{', ',', '"', '\'', '.', '_'];

/// Keys whose values are secrets, those of later versions too: a file is shown before it is understood.
const SECRET_KEYS: [&str; 6] = ["hash_key", "token", "password", "secret", "api_key", "routing_key"];

#[cfg(test)]
mod tests {
    use super::*;

    /// With a star for every hidden byte.
    fn shown(text: &str) -> String {
        let ranges = secrets(text);
        let hidden = |at: usize| ranges.iter().any(|range| range.contains(&at));
        text.char_indices().map(|(at, character)| if hidden(at) { '*' } else { character }).collect()
    }

    #[test]
    fn secrets_are_hidden_whatever_their_quotes() {
        assert_eq!(shown(r#"hash_key = "a\"b", x = "y""#), r#"hash_key = ******, x = "y""#);
        assert_eq!(shown("token='abc' # why"), "token=***** # why");
        assert_eq!(shown("password = \"never closed"), "password = *************");
        assert_eq!(shown("GATELOG_IDENTITY__HASH_KEY=abc def"), "GATELOG_IDENTITY__HASH_KEY=*******");
        assert_eq!(shown("\"api_key\" = \"\"\"a\nb\"\"\"\nx"), "\"api_key\" = *********\nx");
        assert_eq!(shown("a = \"http://u:p@h/x@y\""), "a = \"http://***@h/x@y\"");
        assert_eq!(shown("token = { env = \"NAME\" }"), "token = { env = \"NAME\" }");
    }

    #[test]
    fn of_a_url_the_path_is_hidden_and_of_headers_the_values() {
        assert_eq!(shown("url = \"https://h:1/a/b\""), "url = \"https://h:1****\"");
        assert_eq!(shown("url = 'h/a', x = 1"), "url = 'h**', x = 1");
        assert_eq!(shown("GATELOG_ALERTS__CHANNEL__0__URL=http://h/a"), "GATELOG_ALERTS__CHANNEL__0__URL=http://h**");
        assert_eq!(shown("{ url = \"unix:/run/a\" }"), "{ url = \"unix:/run/a\" }");
        assert_eq!(shown("url = \"http://h\""), "url = \"http://h\"");
        assert_eq!(shown("headers = { A = \"b\", C = 'd' }, e = \"f\""), "headers = { A = ***, C = *** }, e = \"f\"");
        assert_eq!(shown("[channel.headers]\nA = \"b\"\n[x]\ny = 1"), "[channel.headers]\nA = ***\n[x]\ny = 1");
        assert_eq!(shown("X__HEADERS__A=b"), "X__HEADERS__A=*");
        assert_eq!(shown("redact = { headers = [\"+X\"], ip = 1 }"), "redact = { headers = [\"+X\"], ip = 1 }");
        assert_eq!(shown("exception_headers = { a = \"b\" }"), "exception_headers = { a = \"b\" }");
        let mixed = "headers = { A = { env = \"N\" }, B = \"c\" }";
        assert_eq!(shown(mixed), "headers = { A = { env = \"N\" }, B = *** }");
    }
}
