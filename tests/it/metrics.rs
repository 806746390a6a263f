//! `/metrics`: what is counted is what the records say.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::support::metrics::{Samples, ask};
use crate::support::{Client, Log, Setup, Upstream, get, request};

const ROUTES: &str = r#"
[[route]]
name = "post-detail"
path = "posts/<int:pk>/"
[[route]]
path = "unnamed/"
[[route]]
name = "post-detail"
path = "old/<int:pk>/"
[[route]]
name = "health"
path = "health/"
log = false
"#;

/// Answers by the path.
fn upstream() -> Upstream {
    Upstream::script(|conn| {
        while let Some(request) = conn.request() {
            let answer = match request.start[1].as_str() {
                "/redirect" => "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
                "/missing" => "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone",
                "/broken" => "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
                "/cut" => "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
                "/nonsense" => "SMTP ready\r\n\r\n",
                _ => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            };
            conn.send(answer);
            if matches!(request.start[1].as_str(), "/cut" | "/nonsense") {
                return;
            }
        }
    })
}

const TARGETS: [(&str, &str, &str); 14] = [
    ("GET", "/posts/1/", ""),
    ("GET", "/posts/2/", ""),
    ("POST", "/posts/3/", "a body"),
    ("GET", "/old/4/", ""),
    ("GET", "/unnamed/", ""),
    ("HEAD", "/posts/1/", ""),
    ("PROPFIND", "/posts/1/", ""),
    ("get", "/posts/1/", ""),
    ("GET", "/redirect", ""),
    ("DELETE", "/missing", ""),
    ("GET", "/broken", ""),
    ("GET", "/cut", ""),
    ("GET", "/nonsense", ""),
    ("GET", "/missing", ""),
];

/// One number for each combination of labels, counted in the log itself.
fn counted(log: &Log) -> BTreeMap<[String; 4], f64> {
    let mut counts = BTreeMap::new();
    for record in log.events("request_completed") {
        let route = Some(record.text("view_name")).filter(|name| *name != "unknown").unwrap_or("unmatched");
        let known = ["GET", "HEAD", "POST", "DELETE"].contains(&record.text("method"));
        let method = if known { record.text("method") } else { "other" };
        let status = format!("{}xx", record.number("status_code") / 100);
        let key = [route, method, &status, record.text("outcome")].map(str::to_owned);
        *counts.entry(key).or_default() += 1.0;
    }
    counts
}

/// What is shown once so many requests are over: the gauge and the counters are read one after the other, so
/// a request that ends in between is in neither, or in both.
fn once_counted(admin: SocketAddr, requests: usize) -> Samples {
    Samples::once(admin, "the end of all requests", |samples| {
        let counted: f64 = samples.named("gatelog_requests_total").into_iter().map(|sample| sample.value).sum();
        counted == requests as f64 && samples.value("gatelog_requests_in_flight", &[]) == 0.0
    })
}

#[test]
fn counts_durations_and_bytes_by_label_are_those_of_the_records() {
    let upstream = upstream();
    let proxy = Setup::before(&upstream).admin().routes(ROUTES).start();
    for (at, (method, target, body)) in TARGETS.into_iter().enumerate() {
        let mut client = Client::connect(proxy.addr());
        client.send(request(method, target, &format!("r{at}"), "", body));
        client.answer_to(method);
        proxy.completed(&format!("r{at}"));
    }
    let samples = once_counted(proxy.admin(), TARGETS.len());
    let log = proxy.log();
    let shown: BTreeMap<[String; 4], f64> = samples
        .named("gatelog_requests_total")
        .into_iter()
        .map(|sample| {
            (["route", "method", "status", "outcome"].map(|label| sample.labels[label].clone()), sample.value)
        })
        .collect();
    assert_eq!(shown, counted(&log));
    for route in ["post-detail", "/unnamed/", "unmatched"] {
        let name = if route == "unmatched" { "unknown" } else { route };
        let records: Vec<_> =
            log.events("request_completed").into_iter().filter(|record| record.text("view_name") == name).collect();
        let sum = |field: &str| -> f64 { records.iter().filter_map(|record| record.get(field)?.as_f64()).sum() };
        let value = |metric: &str| samples.value(metric, &[("route", route)]);
        assert_eq!(value("gatelog_request_duration_seconds_count"), records.len() as f64, "{route}");
        let (seconds, expected) = (value("gatelog_request_duration_seconds_sum"), sum("duration"));
        assert!((seconds - expected).abs() < 1e-9, "{route}: {seconds} is not {expected}");
        assert_eq!(value("gatelog_request_body_bytes_total"), sum("request_size"), "{route}");
        assert_eq!(value("gatelog_response_body_bytes_total"), sum("response_size"), "{route}");
        let infinite = [("route", route), ("le", "+Inf")];
        assert_eq!(samples.value("gatelog_request_duration_seconds_bucket", &infinite), records.len() as f64);
    }
    assert_eq!(samples.value("gatelog_requests_in_flight", &[]), 0.0);
    proxy.stop();
}

#[test]
fn requests_that_have_no_record_are_counted() {
    let upstream = upstream();
    let sample = "sample = [{ filter = \"outcome:success\", rate = 0.0 }]";
    let proxy = Setup::before(&upstream).admin().set("log", sample).routes(ROUTES).start();
    for target in ["/health/", "/posts/1/"] {
        get(proxy.addr(), target, "a").ok();
    }
    let labels = |route| [("route", route), ("method", "GET"), ("status", "2xx"), ("outcome", "success")];
    // There is no record to wait for.
    let samples = once_counted(proxy.admin(), 2);
    assert_eq!(samples.value("gatelog_requests_total", &labels("health")), 1.0);
    assert_eq!(samples.value("gatelog_requests_total", &labels("post-detail")), 1.0);
    assert_eq!(samples.value("gatelog_requests_sampled_out_total", &[]), 1.0);
    assert_eq!(proxy.stop().count("request_completed"), 0);
}

#[test]
fn hostile_names_of_routes_are_escaped() {
    let upstream = upstream();
    let route = r#"
[[route]]
name = "a\"b\\c\nd{e=\"f\"} 1\n# EOF\u0000é"
path = "odd/"
"#;
    let proxy = Setup::before(&upstream).admin().routes(route).start();
    get(proxy.addr(), "/odd/", "a").ok();
    proxy.completed("a");
    let samples = Samples::of(proxy.admin());
    let name = "a\"b\\c\nd{e=\"f\"} 1\n# EOF\u{2400}é";
    assert_eq!(samples.value("gatelog_request_duration_seconds_count", &[("route", name)]), 1.0, "{samples:?}");
    proxy.stop();
}

#[test]
fn servers_outputs_refusals_and_the_process_have_their_numbers() {
    let upstream = upstream();
    let proxy = Setup::before(&upstream).admin().start();
    let mut client = Client::connect(proxy.addr());
    for id in ["a", "b", "c"] {
        client.exchange(request("GET", "/", id, "", "")).ok();
        proxy.completed(id);
    }
    Client::connect(proxy.addr()).exchange("GET / HTTP/1.1\nHost: x\n\n");
    get(proxy.addr(), "/a/%2e%2e/%2e%2e/etc/passwd", "traversal");
    proxy.wait_for("both refusals", |log| log.count("request_rejected") + log.count("security_event") == 2);
    proxy.completed("traversal");
    let before = proxy.log();
    let written = |samples: &Samples| samples.value("gatelog_log_records_written_total", &[("output", "stdout")]);
    let all = |samples: &Samples| written(samples) == before.0.len() as f64;
    let samples = Samples::once(proxy.admin(), "every record that is written", all);
    let address = upstream.url();
    let server = [("upstream", "app"), ("server", address.trim_start_matches("http://"))];
    let of_server = |name: &str| samples.value(name, &server);
    assert_eq!(of_server("gatelog_upstream_up"), 1.0);
    let requests = of_server("gatelog_upstream_requests_total");
    assert!(requests >= 3.0, "{samples:?}");
    let connects = of_server("gatelog_upstream_connects_total");
    assert_eq!(
        (connects, requests - connects),
        (upstream.accepted() as f64, of_server("gatelog_upstream_reuses_total"))
    );
    let reason = before.only("request_rejected").text("reason");
    assert_eq!(samples.value("gatelog_rejected_total", &[("reason", reason)]), 1.0);
    assert_eq!(samples.value("gatelog_suspicious_requests_total", &[("reason", "path_traversal")]), 1.0);
    let dropped = [("output", "stdout"), ("reason", "queue_full")];
    assert_eq!((samples.value("gatelog_log_records_dropped_total", &dropped), dropped.len()), (0.0, 2));
    for positive in ["process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total"] {
        assert!(samples.value(positive, &[]) > 0.0, "{positive} in {samples:?}");
    }
    assert_eq!(samples.value("gatelog_workers", &[]), 2.0);
    assert_eq!(samples.value("gatelog_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);
    assert_eq!(samples.value("gatelog_config_last_reload_successful", &[]), 1.0);
    proxy.stop();
}

#[test]
fn certificates_are_shown_with_their_end() {
    let upstream = upstream();
    let proxy = Setup::before(&upstream).admin().tls().start();
    let samples = Samples::of(proxy.admin());
    let [certificate] = samples.named("gatelog_tls_certificate_expiry_timestamp_seconds")[..] else {
        panic!("{samples:?}")
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!(certificate.value > now && certificate.labels["certificate"].ends_with(".pem"), "{certificate:?}");
    proxy.stop();
}

#[test]
fn whoever_asks_for_openmetrics_gets_it() {
    let upstream = upstream();
    let proxy = Setup::before(&upstream).admin().start();
    let accept = "Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5\r\n";
    let answer = ask(proxy.admin(), "GET", "/metrics", accept);
    assert_eq!(answer.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    let text = answer.text();
    assert!(text.ends_with("\n# EOF\n") && text.contains("# TYPE gatelog_requests counter\n"), "{text}");
    let plain = ask(proxy.admin(), "GET", "/metrics", "").text();
    assert!(plain.contains("# TYPE gatelog_requests_total counter\n") && !plain.contains("# EOF"), "{plain}");
    proxy.stop();
}
