//! Sampling with the real process: which requests are in the log, that they are there whole, and that the rest is counted.

use crate::support::{Client, Log, PARALLEL, Setup, Upstream, in_parallel, request};

/// Answers with the status that the path names, 200 where it names none.
fn app() -> Upstream {
    Upstream::script(|conn| {
        while let Some(message) = conn.request() {
            let status = message.start[1].trim_start_matches('/').parse().unwrap_or(200_u16);
            conn.send(format!("HTTP/1.1 {status} Sure\r\nContent-Length: 0\r\n\r\n"));
        }
    })
}

const EACH: usize = 100;

/// Many requests for each of these paths, with ids that tell path and number.
fn load(addr: std::net::SocketAddr, paths: &[&str]) {
    in_parallel(PARALLEL, |index| {
        let mut client = Client::connect(addr);
        for path in paths {
            for at in 0..EACH {
                let id = format!("{}-{index}-{at}", path.trim_start_matches('/'));
                client.exchange(request("GET", path, &id, "", ""));
            }
        }
    });
}

fn ids(log: &Log, event: &str, prefix: &str) -> Vec<String> {
    let of = log.events(event).into_iter().map(|record| record.text("request_id").to_owned());
    let mut ids: Vec<String> = of.filter(|id| id.starts_with(prefix)).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn what_goes_well_is_sampled_as_a_whole_and_the_rest_is_written() {
    let upstream = app();
    let rules = "sample = [{ filter = \"path:/health\", rate = 0 }, { filter = \"outcome:success\", rate = 0.5 }]";
    let run = || {
        let proxy = Setup::before(&upstream).set("log", rules).start();
        load(proxy.addr(), &["/health", "/page", "/404", "/500", "/302"]);
        // `verify` agrees that each request is whole, and that there is no gap.
        proxy.stop()
    };
    let log = run();
    let all = EACH * PARALLEL;
    assert_eq!(ids(&log, "request_completed", "health"), [] as [String; 0]);
    for path in ["404", "500", "302"] {
        assert_eq!(ids(&log, "request_completed", path).len(), all, "{path}");
        assert_eq!(ids(&log, "request_started", path).len(), all, "{path}");
    }
    let pages = ids(&log, "request_completed", "page");
    assert_eq!(ids(&log, "request_started", "page"), pages);
    assert!((all / 4..all * 3 / 4).contains(&pages.len()), "{} of {all}", pages.len());
    for record in log.events("request_completed") {
        let rate = record.get("sample_rate").and_then(serde_json::Value::as_f64);
        assert_eq!(rate, record.text("request_id").starts_with("page").then_some(0.5), "{record:?}");
    }
    let told: u64 = log.events("log_sampled").iter().map(|record| record.number("count")).sum();
    assert_eq!(told as usize, 2 * all - pages.len());

    let again = run();
    assert_eq!(ids(&again, "request_completed", "page"), pages, "the same ids by another process");
}

#[test]
fn a_route_has_its_own_rate() {
    let upstream = app();
    let routes = "[[route]]\nname = \"quiet\"\npath = \"quiet\"\nsample = 0\n\
                  [[route]]\nname = \"loud\"\npath = \"loud\"\nsample = []\n";
    let setup = Setup::before(&upstream).set("log", "sample = [{ rate = 0 }]").routes(routes);
    let proxy = setup.start();
    load(proxy.addr(), &["/quiet", "/loud", "/other"]);
    let log = proxy.stop();
    assert_eq!(ids(&log, "request_completed", "loud").len(), EACH * PARALLEL);
    assert_eq!(log.count("request_completed"), EACH * PARALLEL);
    assert_eq!(log.only("log_sampled").number("total") as usize, 2 * EACH * PARALLEL);
}
