//! `gatelog routes list` and `gatelog routes match`: the table as it is, and what a path resolves to.

use std::io::{self, BufRead, Write};

use crate::record::{Value, json};
use crate::routes::{Match, Route, SampleRule, Table};

/// Lists the routes in the order in which they are tried: pattern, name, methods, and what they override.
///
/// # Errors
/// When `out` cannot be written.
pub fn list(table: &Table, out: &mut impl Write) -> io::Result<()> {
    let width = |column: fn(&Route) -> usize| table.routes().iter().map(column).max().unwrap_or(0);
    let pattern = width(|route| route.pattern.chars().count());
    let name = width(|route| route.name.chars().count());
    for route in table.routes() {
        let line = format!("{:pattern$}  {:name$}  {}", route.pattern, route.name, remarks(route));
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Says which route a request is of, and its parameters; as one line of JSON if so asked.
///
/// `path` may carry a query, or be a whole URL. Returns whether a route matched.
///
/// # Errors
/// When `out` cannot be written.
pub fn show(table: &Table, method: &str, path: &str, json: bool, out: &mut impl Write) -> io::Result<bool> {
    let path = path_of(path);
    let found = table.resolve(method, path);
    match (&found, json) {
        (_, true) => write_json(table, found.as_ref(), path, out)?,
        (Some(found), false) => write_text(table, found, path, out)?,
        (None, false) => writeln!(out, "no route matches {method} {path}")?,
    }
    Ok(found.is_some())
}

/// Answers each line of `input`, a path (then the method is GET) or `METHOD path`, with one line of JSON.
///
/// # Errors
/// When `input` cannot be read or `out` cannot be written.
pub fn answer_lines(table: &Table, mut input: impl BufRead, out: &mut impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        let text = text_of(line.strip_suffix(b"\n").unwrap_or(&line));
        let text = text.strip_suffix('\r').unwrap_or(&text);
        let (method, path) = match text.split_once(' ') {
            Some((method, path)) if !text.starts_with('/') => (method, path),
            _ => ("GET", text),
        };
        show(table, method, path, true, out)?;
        line.clear();
    }
    Ok(())
}

/// What a request line would carry as the path: no query, no fragment, neither scheme nor host.
fn path_of(target: &str) -> &str {
    let path = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', '?', '#']) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        _ => target,
    };
    path.find(['?', '#']).map_or(path, |end| &path[..end])
}

/// Bytes that are no UTF-8 are escaped, which a path means the same by.
fn text_of(bytes: &[u8]) -> String {
    bytes.utf8_chunks().fold(String::new(), |mut text, chunk| {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("%{byte:02X}")));
        text
    })
}

fn remarks(route: &Route) -> String {
    let overrides = &route.overrides;
    let mut remarks: Vec<String> = route.methods.iter().map(|methods| methods.join(",")).collect();
    remarks.extend(overrides.slow.map(|slow| match slow {
        Some(threshold) => format!("slow={threshold:?}"),
        None => "slow=off".to_owned(),
    }));
    remarks.extend(overrides.level.map(|level| format!("level={}", level.as_str().to_ascii_lowercase())));
    remarks.extend(overrides.sample.as_deref().map(|rules| match rules {
        [] => "sample=off".to_owned(),
        [SampleRule { filter: None, rate }] => format!("sample={rate}"),
        rules => format!("sample={} rules", rules.len()),
    }));
    remarks.extend((!overrides.log).then(|| "log=false".to_owned()));
    remarks.extend(overrides.upstream.as_ref().map(|upstream| format!("upstream={upstream}")));
    remarks.extend(overrides.labels.iter().map(|(name, value)| format!("{name}={value}")));
    remarks.join(" ")
}

fn write_text(table: &Table, found: &Match, path: &str, out: &mut impl Write) -> io::Result<()> {
    let route = found.route(table);
    writeln!(out, "{}  {}", route.name, route.pattern)?;
    for value in found.args(table, path) {
        write!(out, "  ")?;
        write_value(value, out)?;
        writeln!(out)?;
    }
    for arg in found.kwargs(table, path) {
        write!(out, "  {} = ", arg.name)?;
        write_value(arg.value, out)?;
        writeln!(out)?;
    }
    Ok(())
}

fn write_json(table: &Table, found: Option<&Match>, path: &str, out: &mut impl Write) -> io::Result<()> {
    let Some(found) = found else {
        let unknown = r#"{"matched":false,"view_name":"unknown","view_args":[],"view_kwargs":{},"route":null}"#;
        return writeln!(out, "{unknown}");
    };
    let route = found.route(table);
    write!(out, r#"{{"matched":true,"view_name":"#)?;
    write_string(&*route.name, out)?;
    write!(out, r#","view_args":["#)?;
    for (index, value) in found.args(table, path).enumerate() {
        write!(out, "{}", if index > 0 { "," } else { "" })?;
        write_value(value, out)?;
    }
    write!(out, r#"],"view_kwargs":{{"#)?;
    for (index, arg) in found.kwargs(table, path).enumerate() {
        write!(out, "{}", if index > 0 { "," } else { "" })?;
        write_string(arg.name, out)?;
        write!(out, ":")?;
        write_value(arg.value, out)?;
    }
    write!(out, r#"}},"route":"#)?;
    write_string(&*route.pattern, out)?;
    writeln!(out, "}}")
}

/// Digits are written as they are: a JSON number has no bound, and neither has Django's `int`.
fn write_value(value: Value<'_>, out: &mut impl Write) -> io::Result<()> {
    match value {
        Value::Digits(digits) => write!(out, "{digits}"),
        Value::Unsigned(number) => write!(out, "{number}"),
        Value::Float(number) => Ok(serde_json::to_writer(out, &number)?),
        Value::Bool(bool) => write!(out, "{bool}"),
        Value::Text(text) => write_string(text, out),
        Value::List(texts) => Ok(serde_json::to_writer(out, texts)?),
        Value::Null => write!(out, "null"),
    }
}

fn write_string(text: impl AsRef<[u8]>, out: &mut impl Write) -> io::Result<()> {
    let mut string = Vec::new();
    json::string(text.as_ref(), &mut string);
    out.write_all(&string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::{Pattern, RouteSettings, Settings};

    fn table() -> Table {
        let route = |name: &str, pattern, methods: &[&str]| RouteSettings {
            name: Some(name.into()),
            kwargs: vec![("extra".into(), serde_json::json!(true))],
            methods: methods.iter().map(|method| method.to_string()).collect(),
            slow: Some(None),
            labels: vec![("team".into(), "a".into())],
            ..RouteSettings::new(0, pattern)
        };
        let routes = vec![
            route("post", Pattern::Path("posts/<int:pk>/<title>".into()), &["POST", "PUT"]),
            route("pair", Pattern::Regex(r"^(\d)-(\d)?$".into()), &[]),
        ];
        Table::compile(&Settings { converters: Vec::new(), routes }).0.unwrap()
    }

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_line_gets_one_line_of_json() {
        let big = "9".repeat(40);
        let input = format!(
            "PUT /posts/{big}/caf%C3%A9%E2%80%A8?q=1\r\n/posts/1/x\n/1-\nPOST http://h:80/posts/1/\"#x\n\n%\u{e9}"
        );
        let out = written(|out| answer_lines(&table(), input.as_bytes(), out).unwrap());
        let unknown = r#"{"matched":false,"view_name":"unknown","view_args":[],"view_kwargs":{},"route":null}"#;
        let post = |pk: &str, title: &str| {
            let kwargs = format!(r#"{{"pk":{pk},"title":"{title}","extra":true}}"#);
            let route = r#""route":"/posts/{pk}/{title}""#;
            format!(r#"{{"matched":true,"view_name":"post","view_args":[],"view_kwargs":{kwargs},{route}}}"#)
        };
        let pair = r#"{"matched":true,"view_name":"pair","view_args":["1",null],"view_kwargs":{"extra":true},"route":"/{var}-{var}"}"#;
        let expected = [&post(&big, r"café\u2028"), unknown, pair, &post("1", r#"\""#), unknown, unknown];
        assert_eq!(out.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn people_get_text() {
        let out = written(|out| assert!(show(&table(), "PUT", "/posts/07/x", false, out).unwrap()));
        assert_eq!(out, "post  /posts/{pk}/{title}\n  pk = 7\n  title = \"x\"\n  extra = true\n");
        let out = written(|out| assert!(!show(&table(), "GET", "/posts/07/x", false, out).unwrap()));
        assert_eq!(out, "no route matches GET /posts/07/x\n");
        let out = written(|out| list(&table(), out).unwrap());
        assert_eq!(
            out,
            "/posts/{pk}/{title}  post  POST,PUT slow=off team=a\n/{var}-{var}         pair  slow=off team=a\n"
        );
    }
}
