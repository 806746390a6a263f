//! `/api/openapi.json` is true: every documented path of a running proxy is asked, well and badly, and what it answers is
//! held against the schema of that status and type.

use jsonschema::Validator;
use serde_json::{Value, json};

use super::{Kept, list_of, start, traffic, upstream};
use crate::support::log::Record;
use crate::support::metrics::{ask, json};
use crate::support::wire::Message;
use crate::support::{Setup, TestProxy};

const TOKEN: &str = "token = \"0123456789abcdef\"";

/// The document.
struct Description(Value);

impl Description {
    fn of(proxy: &TestProxy) -> Description {
        let answer = ask(proxy.admin(), "GET", "/api/openapi.json", "");
        assert_eq!((answer.status(), answer.header("content-type")), (200, Some("application/json")));
        Description(json(&answer))
    }

    fn paths(&self) -> Vec<&str> {
        self.0["paths"].as_object().unwrap().keys().map(String::as_str).collect()
    }

    /// What stands where a reference points to, or the thing itself.
    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        let target = value.get("$ref").and_then(Value::as_str);
        target.map_or(value, |target| self.0.pointer(target.strip_prefix('#').unwrap()).unwrap())
    }

    /// The schema by which it is checked, with all that it refers to.
    fn validator(&self, schema: &Value) -> Validator {
        let mut whole = schema.clone();
        whole["components"] = self.0["components"].clone();
        jsonschema::draft202012::new(&whole).unwrap_or_else(|error| panic!("{error}: {schema}"))
    }

    /// Holds an answer against what is documented of it.
    fn check(&self, method: &str, path: &str, answer: &Message) {
        let operation = &self.0["paths"][path][method.to_ascii_lowercase()];
        let response = &operation["responses"][answer.status().to_string()];
        assert!(response.is_object(), "{method} {path}: {} is not documented: {answer:?}", answer.status());
        let response = self.resolved(response);
        if response.get("content").is_none() {
            assert!(answer.body.is_empty(), "{method} {path} {}: {answer:?}", answer.status());
            return;
        }
        let content_type = answer.header("content-type").unwrap();
        let media = &response["content"][content_type];
        assert!(media.is_object(), "{method} {path} {}: {content_type} is not documented", answer.status());
        let told = match content_type.ends_with("json") && !content_type.ends_with("ndjson") {
            true => json(answer),
            false => Value::String(answer.text()),
        };
        let validator = self.validator(&media["schema"]);
        let errors: Vec<String> =
            validator.iter_errors(&told).map(|error| format!("{error} at {}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{method} {path} {}: {errors:?}: {told}", answer.status());
        for (name, header) in response.get("headers").and_then(Value::as_object).into_iter().flatten() {
            let Some(value) = answer.header(&name.to_ascii_lowercase()) else { continue };
            let value = value.parse::<u64>().map_or_else(|_| json!(value), |number| json!(number));
            let schema = &self.resolved(header)["schema"];
            assert!(self.validator(schema).is_valid(&value), "{name}: {value} of {path}");
        }
    }

    /// The parameters of an operation.
    fn parameters(&self, path: &str) -> Vec<&Value> {
        let operation = self.0["paths"][path].as_object().unwrap().values().next().unwrap();
        let parameters = operation.get("parameters").and_then(Value::as_array);
        parameters.into_iter().flatten().map(|parameter| self.resolved(parameter)).collect()
    }

    /// The one that a path takes.
    fn method(&self, path: &str) -> &'static str {
        if self.0["paths"][path].get("post").is_some() { "POST" } else { "GET" }
    }
}

#[test]
fn every_documented_path_answers_as_it_is_described() {
    let (_upstream, proxy) = start(Kept::Memory);
    traffic(&proxy, "a", &[200, 404, 500, 503, 302]);
    list_of(&proxy, "/api/logs?q=event:request_completed", 5);
    let description = Description::of(&proxy);
    for path in description.paths() {
        let is_endless = path == "/api/logs/tail";
        let method = description.method(path);
        for target in [path.replace("{request_id}", "a-2"), path.replace("{request_id}", "no-such-request")] {
            if !is_endless {
                description.check(method, path, &ask(proxy.admin(), method, &target, ""));
            }
            let odd = ask(proxy.admin(), method, &format!("{target}?no-such-parameter=1"), "");
            assert!(odd.status() == 400 || !path.starts_with("/api/"), "{path}: {odd:?}");
            description.check(method, path, &odd);
        }
        if method == "POST" {
            let foreign = ask(proxy.admin(), method, path, "Sec-Fetch-Site: cross-site\r\n");
            assert_eq!(foreign.status(), 403);
            description.check(method, path, &foreign);
        }
        let long = ask(proxy.admin(), method, &format!("{path}?{}", "x".repeat(40_000)), "");
        assert_eq!(long.status(), 414);
        description.check(method, path, &long);
    }
    proxy.stop();
}

#[test]
fn every_documented_parameter_is_known_with_its_example_and_every_wrong_one_is_a_documented_problem() {
    let (_upstream, proxy) = start(Kept::Memory);
    let description = Description::of(&proxy);
    let mut tried = 0;
    // What changes something is tried where it does (`alerts`).
    let is_asked = |path: &&str| *path != "/api/logs/tail" && description.method(path) == "GET";
    for path in description.paths().into_iter().filter(is_asked) {
        for parameter in description.parameters(path) {
            let (name, schema) = (parameter["name"].as_str().unwrap(), &parameter["schema"]);
            if parameter["in"] != "query" {
                continue;
            }
            let example = match &parameter["example"] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert!(description.validator(schema).is_valid(&parameter["example"]), "{name}: {example}");
            let encoded = percent_encoding::utf8_percent_encode(&example, percent_encoding::NON_ALPHANUMERIC);
            let is_needed =
                |other: &&&Value| other["in"] == "query" && other["required"] == true && other["name"] != name;
            let parameters = description.parameters(path);
            let needed = parameters.iter().filter(is_needed);
            let needed: String = needed
                .map(|other| format!("{}={}&", other["name"].as_str().unwrap(), other["example"].as_str().unwrap()))
                .collect();
            let answer = ask(proxy.admin(), "GET", &format!("{path}?{needed}{name}={encoded}"), "");
            assert_eq!(answer.status(), 200, "{path} {name}: {answer:?}");
            description.check("GET", path, &answer);
            let wrong = ask(proxy.admin(), "GET", &format!("{path}?{needed}{name}=%22"), "");
            assert!(
                wrong.status() == 400 || ["logger", "route", "user_id", "prefix"].contains(&name),
                "{path} {name}: {wrong:?}"
            );
            description.check("GET", path, &wrong);
            tried += 1;
        }
    }
    assert!(tried >= 26, "{tried}");
    proxy.stop();
}

#[test]
fn who_may_not_ask_gets_a_documented_problem_on_every_path() {
    let upstream = upstream();
    let proxy = Setup::before(&upstream).admin().set("admin", TOKEN).start();
    let shown = ask(proxy.admin(), "GET", "/api/openapi.json", "Authorization: Bearer 0123456789abcdef\r\n");
    let description = Description(json(&shown));
    let mut held_off = 0;
    for path in description.paths() {
        let method = description.method(path);
        let guess = "Authorization: Bearer another-one-altogether\r\n";
        let answer = ask(proxy.admin(), method, &path.replace("{request_id}", "a"), guess);
        let is_open = description.0["paths"][path][method.to_ascii_lowercase()]["security"] == json!([]);
        // Whoever has tried too often may not show a token there either.
        let is_let_in = matches!(answer.status(), 200 | 204) || path == "/api/login";
        assert_eq!(is_let_in, is_open, "{path}: {answer:?}");
        held_off += usize::from(answer.status() == 429);
        description.check(method, path, &answer);
    }
    assert!(held_off > 0, "eleven of them need the token, and ten tries are free");
    proxy.stop();
}

#[test]
fn every_field_of_the_record_is_described_in_its_order() {
    let (_upstream, proxy) = start(Kept::Memory);
    let description = Description::of(&proxy);
    let described = description.0["components"]["schemas"]["Record"]["properties"].as_object().unwrap();
    assert_eq!(described.keys().map(String::as_str).collect::<Vec<_>>(), Record::fields().collect::<Vec<_>>());
    proxy.stop();
}
