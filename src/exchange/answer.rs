//! What the head of a response tells the record: its type, what a cache did, where the application spent its time.

use http::{HeaderMap, HeaderValue};

/// Names of `Server-Timing` that are kept.
const MAX_TIMINGS: usize = 16;
/// Longest name of one.
const MAX_NAME: usize = 64;

/// The facts of a response's head.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    pub(super) content_type: Option<HeaderValue>,
    pub(super) cache_hit: Option<String>,
    /// Of a gRPC answer that consists of trailers alone.
    pub(super) grpc_status: Option<u32>,
    /// Name and microseconds.
    pub(super) server_timing: Vec<(String, u64)>,
}

impl Answer {
    pub(super) fn of(headers: &HeaderMap) -> Answer {
        let mut answer = Answer::default();
        let mut cache = Cache::default();
        for (name, value) in headers {
            match name.as_str() {
                "content-type" if answer.content_type.is_none() && !value.is_empty() => {
                    answer.content_type = Some(value.clone());
                }
                // The cache nearest to the client speaks last.
                "x-cache-status" => cache.own = value.to_str().ok().or(cache.own),
                "cache-status" => cache.standard = value.to_str().ok().or(cache.standard),
                "age" => cache.aged = true,
                "server-timing" => answer.add_timings(value),
                "grpc-status" => answer.grpc_status = value.to_str().ok().and_then(|status| status.parse().ok()),
                _ => {}
            }
        }
        answer.cache_hit = cache.verdict();
        answer
    }

    /// `db;dur=53.2, app;desc="x";dur=12` as names and microseconds (W3C Server Timing). What is named several times has
    /// happened several times: its times are added up.
    fn add_timings(&mut self, value: &HeaderValue) {
        let timings = &mut self.server_timing;
        for (name, time) in members(value.to_str().unwrap_or_default(), ',').filter_map(timing) {
            if let Some((_, sum)) = timings.iter_mut().find(|(known, _)| *known == name) {
                *sum = sum.saturating_add(time);
            } else if timings.len() < MAX_TIMINGS {
                timings.push((name, time));
            }
        }
    }
}

/// What the fields say of a cache.
#[derive(Default)]
struct Cache<'a> {
    own: Option<&'a str>,
    standard: Option<&'a str>,
    aged: bool,
}

impl Cache<'_> {
    /// `X-Cache-Status`, else RFC 9211 `Cache-Status`, else `Age`; `None` where nobody says anything.
    fn verdict(&self) -> Option<String> {
        match (self.own, self.standard) {
            (Some(status), _) => token(status),
            (None, Some(status)) => Some(cache_status(status).to_owned()),
            (None, None) => self.aged.then(|| "hit".to_owned()),
        }
    }
}

/// `HIT`, `hit from cache-7` and `Hit` are all `hit`.
fn token(status: &str) -> Option<String> {
    let word = status.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').find(|word| !word.is_empty());
    word.map(|word| word.chars().take(MAX_NAME).collect::<String>().to_ascii_lowercase())
}

/// The cache nearest to the client is the last member (RFC 9211 §2).
fn cache_status(list: &str) -> &'static str {
    let nearest = members(list, ',').last().unwrap_or_default();
    let mut parameters = members(nearest, ';').skip(1).map(str::trim);
    match parameters.find(|parameter| *parameter == "hit" || parameter.starts_with("fwd")) {
        Some("hit") => "hit",
        Some("fwd=stale") => "stale",
        Some("fwd=bypass") => "bypass",
        Some(_) => "miss",
        None => "unknown",
    }
}

fn timing(metric: &str) -> Option<(String, u64)> {
    let mut parts = members(metric, ';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty() && name.len() <= MAX_NAME)?;
    let duration = parts.find_map(|part| {
        let (key, value) = part.split_once('=')?;
        key.trim().eq_ignore_ascii_case("dur").then(|| value.trim().trim_matches('"').parse::<f64>().ok())?
    })?;
    let sane = duration.is_finite() && (0.0..=1e12).contains(&duration);
    sane.then(|| (name.to_owned(), (duration * 1000.0).round() as u64))
}

/// What stands between separators; one inside of a quoted string separates nothing (RFC 8941 §3.3.3, RFC 9110 §5.6.4).
fn members(list: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    list.split(move |c| {
        let separates = c == separator && !quoted;
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        separates
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(name: &'static str, value: &'static str) -> Answer {
        Answer::of(&HeaderMap::from_iter([(name.parse().expect("a name"), HeaderValue::from_static(value))]))
    }

    #[test]
    fn what_the_cache_did_is_one_word() {
        for (name, value, expected) in [
            ("x-cache-status", "HIT", Some("hit")),
            ("x-cache-status", "Miss from edge", Some("miss")),
            ("cache-status", "ExampleCache; hit; ttl=30", Some("hit")),
            ("cache-status", "origin; hit, edge; fwd=uri-miss; stored", Some("miss")),
            ("cache-status", "edge; fwd=stale", Some("stale")),
            ("cache-status", r#"origin; fwd=miss, edge; hit; detail="a, \"b; c""#, Some("hit")),
            ("cache-status", r#""edge; one, two"; fwd=bypass"#, Some("bypass")),
            ("age", "12", Some("hit")),
            ("server", "x", None),
        ] {
            assert_eq!(answer(name, value).cache_hit.as_deref(), expected, "{name}: {value}");
        }
    }

    #[test]
    fn of_several_lines_the_last_is_nearest_to_the_client() {
        let mut headers = HeaderMap::new();
        headers.append("cache-status", HeaderValue::from_static("origin; hit"));
        headers.append("cache-status", HeaderValue::from_static("edge; fwd=uri-miss"));
        assert_eq!(Answer::of(&headers).cache_hit.as_deref(), Some("miss"));
    }

    #[test]
    fn server_timing_becomes_microseconds() {
        let timings = answer("server-timing", r#"db;dur=53, app;desc="a b";dur="12.5", miss, cpu;dur=x, neg;dur=-1"#);
        assert_eq!(timings.server_timing, [("db".to_owned(), 53_000), ("app".to_owned(), 12_500)]);
        let twice = answer("server-timing", "db;dur=1, app;dur=2, db;dur=3");
        assert_eq!(twice.server_timing, [("db".to_owned(), 4_000), ("app".to_owned(), 2_000)]);
        let quoted = answer("server-timing", r#"cache;desc="a, b;dur=9";dur=2.25, miss"#);
        assert_eq!(quoted.server_timing, [("cache".to_owned(), 2_250)]);
    }
}
