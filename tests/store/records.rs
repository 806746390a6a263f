//! Records made up at random, of every kind that RECORD.md knows, and lines that only look like some.
//!
//! Few users, routes, ids and words, so that questions meet them; the rest as odd as JSON allows.

use gatelog::record::timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

/// 2026-11-22T11:02:36Z.
pub(crate) const NOW: u64 = 1_795_345_356_000_000;
/// Seconds in which all records lie.
pub(crate) const SECONDS: u64 = 40;

pub(crate) const IDS: [&str; 6] = [
    "00000000-0000-4000-8000-000000000001",
    "00000000-0000-4000-8000-000000000002",
    "01997f3e-0001-7000-8000-00000000000a",
    "client.given_id-7",
    "00f067aa0ba902b7",
    "7",
];
pub(crate) const ROUTES: [(&str, &str); 4] =
    [("shop:cart", "/shop/cart/"), ("post-detail", "/posts/{pk}/"), ("shop", "/shop/"), ("unknown", "")];
pub(crate) const USERS: [&str; 4] = ["42", "alice", "Alice", "é\u{1f980}"];
pub(crate) const AGENTS: [&str; 3] = ["curl/8.14.1", "Mozilla/5.0 (X11; Linux x86_64)", "ShopApp/4.2"];
pub(crate) const TEXTS: [&str; 8] =
    ["connection reset by peer", "deadlock detected", "Straße", "a\u{0}b", "50% \\ _off_", "\"quoted\"", "", "shop"];

/// A record as its members, in their order.
type Members = Map<String, Json>;

/// Lines in the order in which they come, which is nearly that of their moments.
pub(crate) fn lines(most: usize) -> impl Strategy<Value = Vec<String>> {
    let some = prop_oneof![
        6 => request(),
        2 => business().prop_map(|record| vec![record]),
        1 => rejected().prop_map(|record| vec![record]),
        1 => diagnostic().prop_map(|record| vec![record]),
    ];
    let regular = (some, vec(any::<prop::sample::Index>(), 0..2), oddity()).prop_map(|(mut records, spoilt, odd)| {
        for at in spoilt.into_iter().take(records.len()) {
            let at = at.index(records.len());
            spoil(&mut records[at], &odd);
        }
        records.into_iter().map(|record| serde_json::to_string(&record).unwrap()).collect()
    });
    let story = prop_oneof![8 => regular, 2 => any_line().prop_map(|line| vec![line])];
    let place = any::<u16>();
    vec((place, story), 0..most / 2).prop_map(|stories| {
        let spread = |(place, story): (u16, Vec<String>)| {
            story.into_iter().enumerate().map(move |(at, line)| (u32::from(place) + 900 * at as u32, line))
        };
        let mut placed: Vec<(u32, String)> = stories.into_iter().flat_map(spread).collect();
        placed.sort_by_key(|(place, _)| *place);
        placed.into_iter().map(|(_, line)| line).collect()
    })
}

fn moment() -> impl Strategy<Value = u64> {
    // Whole seconds come often: records of the same moment are told apart by the order of their coming.
    (0..SECONDS, prop_oneof![Just(0), Just(1), 0..1_000_000u64])
        .prop_map(|(second, micros)| NOW + second * 1_000_000 + micros)
}

fn head(at: u64, level: &str, event: &str, message: &str, logger: &str, seq: u64) -> Members {
    let head = json!({
        "timestamp": timestamp(at), "level": level, "event": event, "message": message, "logger": logger,
        "schema": 1, "seq": seq, "instance": "a1b2", "service": "shop", "environment": "production",
    });
    object(head)
}

fn object(value: Json) -> Members {
    value.as_object().cloned().unwrap_or_default()
}

/// What all records of a request have in common.
fn facts() -> impl Strategy<Value = Members> {
    let ids = prop_oneof![3 => prop::sample::select(&IDS[..]).prop_map(str::to_owned), 2 => "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}"];
    let path =
        prop_oneof![Just("/posts/7/".to_owned()), Just("/shop/cart/".to_owned()), "/[a-z%0-9]{0,12}", "/\\PC{0,5}"];
    let who = (
        prop::option::of(prop::sample::select(&USERS[..])),
        0u8..3,
        prop::option::of(prop::sample::select(&AGENTS[..])),
    );
    let more = (prop::option::of(text()), prop::option::of(0u8..3), any::<bool>());
    (ids, prop::sample::select(&ROUTES[..]), path, 0u64..10, who, more).prop_map(
        |(id, (view, route), path, key, (user, address, agent), (referer, tenant, secure))| {
            let mut facts = object(json!({"request_id": id, "request_id_origin": "generated", "method": "GET",
                "scheme": "https", "host": "shop.example", "path": path, "http_version": "2", "view_name": view}));
            if !route.is_empty() {
                facts.extend(object(json!({"view_kwargs": {"pk": key, "slug": "a b"}, "route": route})));
            }
            if key == 3 {
                facts.insert("view_args".to_owned(), json!([key, "x"]));
            }
            let text = |value: Option<&str>| value.map(Json::from);
            let optional = [
                ("user_id", text(user)),
                ("ip_address", Some(json!(format!("10.0.{address}.7")))),
                ("user_agent", text(agent)),
                ("referer", referer.map(Json::from)),
                ("tls", secure.then(|| json!({"version": "TLSv1.3", "sni": "shop.example"}))),
                ("labels", tenant.map(|tenant| json!({"X-Tenant": format!("t{tenant}"), "region": "eu-1"}))),
            ];
            let there = optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
            facts.extend(there);
            facts
        },
    )
}

/// How a request went: status, microseconds, bytes, exception.
fn end() -> impl Strategy<Value = (u16, u64, u64, String)> {
    let status = prop::sample::select(vec![200u16, 200, 201, 302, 404, 499, 500, 502, 503]);
    let micros = prop_oneof![0u64..900, 0u64..400_000, 990_000u64..1_010_000, 0u64..9_000_000];
    (status, micros, any::<u32>().prop_map(u64::from), text())
}

/// The records of a request, from its start to its end; some of them may be missing.
fn request() -> impl Strategy<Value = Vec<Members>> {
    (moment(), facts(), end(), any::<u8>(), 0u64..100_000).prop_map(|(at, facts, end, told, seq)| {
        let (status, micros, bytes, exception) = end;
        let record = |at: u64, level: &str, event: &str, message: &str, own: Json| {
            let mut record = head(at, level, event, message, "gatelog.request", seq);
            record.extend(facts.clone());
            record.extend(object(own));
            record
        };
        let (level, outcome) = match status {
            500.. => ("ERROR", "server_error"),
            499 => ("WARNING", "client_abort"),
            400.. => ("WARNING", "client_error"),
            300.. => ("INFO", "redirect"),
            _ => ("INFO", "success"),
        };
        let seconds = |micros: u64| json!(micros as f64 / 1e6);
        let mut done = json!({"request_size": 0, "status_code": status, "response_size": bytes, "cache_hit": "unknown",
            "duration": seconds(micros), "timing": {"queue": 0.00001, "wait": seconds(micros), "receive": 0.00012},
            "outcome": outcome, "phase": "done", "responder": "upstream", "upstream": "app", "attempts": 1,
            "reused_connection": bytes % 2 == 0, "slow": micros > 1_000_000});
        if status >= 500 {
            done["exception_type"] = json!("DatabaseError");
            done["exception_message"] = json!(exception);
        }
        let running = json!({"in_flight": true, "phase": "wait", "duration": seconds(micros / 2)});
        let story = [
            (1, record(at, "INFO", "request_started", "Request started", json!({"in_flight": true}))),
            (2, record(at + micros / 2, "WARNING", "request_slow", "Slow request detected", running)),
            (4, record(at + micros, "ERROR", "request_failed", "Request failed with exception", done.clone())),
            (8, record(at + micros, level, "request_completed", "Request completed", done)),
        ];
        // A start and an end mostly, the others now and then.
        let told = told ^ 9;
        story.into_iter().filter(|(bit, _)| told & bit != 0 || told & 0x60 == 0).map(|(_, record)| record).collect()
    })
}

fn business() -> impl Strategy<Value = Members> {
    let number = prop_oneof![
        Just(json!(7)),
        any::<i64>().prop_map(|it| json!(it)),
        any::<f64>().prop_map(|it| json!(it)),
        any::<u64>().prop_map(|it| json!(it))
    ];
    (moment(), number, text(), any::<bool>()).prop_map(|(at, number, text, mobile)| {
        let mut record = head(at, "INFO", "product_viewed", "Product viewed", "gatelog.business", 5);
        record
            .extend(object(json!({"product_id": number, "category": text, "user_id": USERS[0], "is_mobile": mobile})));
        record
    })
}

fn rejected() -> impl Strategy<Value = Members> {
    (moment(), prop::sample::select(vec![400u16, 408, 414, 431]), text()).prop_map(|(at, status, excerpt)| {
        let mut record = head(at, "WARNING", "request_rejected", "Request rejected", "gatelog.security", 6);
        let own = json!({"ip_address": "10.0.0.9", "status_code": status, "reason": "bad_head", "detail": excerpt});
        record.extend(object(own));
        record
    })
}

fn diagnostic() -> impl Strategy<Value = Members> {
    let kinds = vec![
        ("INFO", "server_started", "Server started", "gatelog.proxy", json!({"version": "0.1.0", "workers": 2})),
        ("CRITICAL", "upstream_down", "Upstream down", "gatelog.proxy", json!({"upstream": "app"})),
        (
            "WARNING",
            "log_loss",
            "Records lost",
            "gatelog.proxy.log",
            json!({"output": "file", "count": 17, "from_seq": 3, "to_seq": 19, "reason": "disk_full"}),
        ),
        ("ERROR", "alert_fired", "Alert fired", "gatelog.alert", json!({"rule": "error_rate", "value": 12.5})),
        (
            "DEBUG",
            "config_reloaded",
            "Configuration reloaded",
            "gatelog.proxy",
            json!({"changed": ["log.level", 1, null]}),
        ),
    ];
    (moment(), prop::sample::select(kinds)).prop_map(|(at, (level, event, message, logger, own))| {
        let mut record = head(at, level, event, message, logger, 9);
        record.extend(object(own));
        record
    })
}

/// Texts that are hard on something.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => prop::sample::select(&TEXTS[..]).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => "[\\x00-\\x1f\"\\\\a-c%_'é]{0,6}",
        1 => "[0-9a-f]{16}",
        1 => prop::sample::select(&IDS[..]).prop_map(str::to_owned),
        1 => "[a-z]{600}",
    ]
}

fn value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        6 => text().prop_map(Json::String),
        1 => Just(Json::Null),
        1 => any::<bool>().prop_map(Json::Bool),
        1 => any::<i64>().prop_map(|number| json!(number)),
        1 => prop::sample::select(vec![0.05321, 1e300, -0.5, 500.0, 5e-324, 0.1 + 0.2]).prop_map(|number: f64| json!(number)),
        1 => (0u64..2000).prop_map(|number| json!(number)),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Json::Array),
            vec((text(), inner), 0..3).prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

/// What becomes of one member of a record.
fn oddity() -> impl Strategy<Value = (Option<&'static str>, Option<Json>)> {
    let name = prop::sample::select(vec![
        "level",
        "event",
        "message",
        "path",
        "view_name",
        "route",
        "user_id",
        "request_id",
        "status_code",
        "duration",
        "timing",
        "labels",
        "view_kwargs",
        "user_agent",
        "exception_message",
        "in_flight",
        "logger",
        "seq",
    ]);
    (prop::option::weighted(0.4, name), prop::option::weighted(0.7, value()))
}

fn spoil(record: &mut Members, (name, value): &(Option<&'static str>, Option<Json>)) {
    match (name, value) {
        (Some(name), Some(value)) => drop(record.insert((*name).to_owned(), value.clone())),
        (Some(name), None) => drop(record.shift_remove(*name)),
        (None, _) => {}
    }
}

/// An object of any members in any order, or what is no record at all.
fn any_line() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        5 => prop::sample::select(vec!["level", "event", "message", "path", "route", "user_id", "request_id", "status_code", "duration", "mine"]).prop_map(str::to_owned),
        1 => text(),
    ];
    let odd = (moment(), vec((name, value()), 0..8), 0usize..4, 0u8..6).prop_map(|(at, members, place, way)| {
        let mut members: Vec<(String, Json)> = members.into_iter().filter(|(name, _)| name != "timestamp").collect();
        members.insert(place.min(members.len()), ("timestamp".to_owned(), json!(written(at, way))));
        match way {
            // Names that are there twice.
            0 => object_of(&members, ","),
            1 => object_of(&members, " ,\t"),
            _ => serde_json::to_string(&members.into_iter().collect::<Members>()).unwrap(),
        }
    });
    let wrong = prop::sample::select(vec![
        "{}",
        "[1]",
        "nothing",
        "{\"timestamp\":5}",
        "{\"timestamp\":\"yesterday\"}",
        "{\"timestamp\":null}",
        "{\"timestamp\":\"2026-11-22T11:02:36.000000Z\"",
        "{\"timestamp\":\"2026-11-22T11:02:36.000000Z\"}}",
    ]);
    prop_oneof![9 => odd, 1 => wrong.prop_map(str::to_owned)]
}

fn object_of(members: &[(String, Json)], comma: &str) -> String {
    let members = members.iter().map(|(name, value)| format!("{}:{value}", json!(name)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(comma))
}

/// A moment as people may write it.
fn written(at: u64, way: u8) -> String {
    match way {
        2 => timestamp(at / 1_000_000 * 1_000_000).replace(".000000", ""),
        3 => timestamp(at + 3_600_000_000).replace('Z', "+01:00"),
        _ => timestamp(at),
    }
}
