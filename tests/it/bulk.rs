//! `_bulk` of Elasticsearch and OpenSearch: a reader that takes only what both document, and answers item by item.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::Child;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::Value;

use crate::support::collector::{Accepted, body, place, told_as_lost};
use crate::support::wire::Message;
use crate::support::{Client, PARALLEL, Setup, Upstream, in_parallel, request};

/// The longest `_id` (in bytes) and index name that are taken.
const LONGEST_ID: usize = 512;
const LONGEST_INDEX: usize = 255;

/// One item of a request.
struct Item {
    index: String,
    id: Option<String>,
    document: Value,
}

/// A JSON object as it is written. Elasticsearch takes none in which a name stands twice.
struct Object(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Object, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl Object {
    fn read(line: &str) -> Object {
        let object: Object = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let names: BTreeSet<_> = object.0.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), object.0.len(), "a name stands twice: {line}");
        object
    }
}

/// Reads a request as both document it; panics at what they would refuse.
fn items(request: &Message) -> Vec<Item> {
    assert_eq!((request.start[0].as_str(), request.start[1].as_str()), ("POST", "/_bulk"));
    assert_eq!(request.header("content-type"), Some("application/x-ndjson"));
    let body = body(request);
    let lines = body.strip_suffix('\n').expect("the last line is ended, too");
    assert!(!body.contains('\r') && lines.split('\n').all(|line| !line.is_empty()), "{body}");
    let lines: Vec<&str> = lines.split('\n').collect();
    assert!(lines.len().is_multiple_of(2), "an action without its document: {body}");
    lines.chunks(2).map(|pair| item(pair[0], pair[1])).collect()
}

fn item(action: &str, document: &str) -> Item {
    let actions: HashMap<String, Value> = Object::read(action).0.into_iter().collect();
    assert_eq!(actions.keys().collect::<Vec<_>>(), ["create"], "one action, and the one that data streams take");
    let meta = Object::read(&actions["create"].to_string()).0;
    let text = |wanted: &str| {
        let value = meta.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        value.map(|value| value.as_str().unwrap_or_else(|| panic!("{action}")).to_owned())
    };
    assert!(meta.iter().all(|(name, _)| matches!(name.as_str(), "_index" | "_id")), "{action}");
    let (index, id) = (text("_index").expect("an index, for the path names none"), text("_id"));
    check_index(&index);
    assert!(id.as_ref().is_none_or(|id| !id.is_empty() && id.len() <= LONGEST_ID), "{action}");
    Item { index, id, document: check_document(document) }
}

fn check_index(name: &str) {
    let is_bad = |character: char| character.is_uppercase() || " \"*\\<|,>/?#:".contains(character);
    let is_good = !name.is_empty() && name.len() <= LONGEST_INDEX && !name.contains(is_bad);
    assert!(is_good && !name.starts_with(['-', '_', '+']) && name != "." && name != "..", "{name}");
}

/// What a data stream with dynamic mapping takes: an object with a moment, in which no name is a value here and, by its
/// dots, an object there.
fn check_document(line: &str) -> Value {
    let document = Object::read(line).0;
    let moment = document.iter().find(|(name, _)| name == "@timestamp").and_then(|(_, value)| value.as_str());
    let moment = moment.unwrap_or_else(|| panic!("no @timestamp: {line}"));
    assert!(moment.len() == 27 && moment.ends_with('Z') && &moment[10..11] == "T", "{moment}");
    let mut leaves = BTreeSet::new();
    document.iter().for_each(|(name, value)| collect_leaves(name.clone(), value, &mut leaves));
    for leaf in &leaves {
        assert!(!leaf.split('.').any(str::is_empty), "a name without a part: {leaf}");
        let parents = leaf.match_indices('.').map(|(at, _)| &leaf[..at]);
        parents.for_each(|parent| assert!(!leaves.contains(parent), "{parent} is a value, and has {leaf}"));
    }
    Value::Object(document.into_iter().collect())
}

fn collect_leaves(name: String, value: &Value, leaves: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(member, value)| collect_leaves(format!("{name}.{member}"), value, leaves));
        }
        Value::Array(_) | Value::Null => {}
        _ => assert!(leaves.insert(name.clone()), "{name} is there twice"),
    }
}

/// A cluster: what it says about each item is for `judge` to decide, by its status; of 201 it takes the document.
fn cluster(judge: impl Fn(&Item) -> u16 + Send + Sync + 'static) -> (Upstream, Accepted) {
    let accepted = Accepted::default();
    let into = accepted.clone();
    let upstream = Upstream::script(move |conn| {
        while let Some(request) = conn.request() {
            let judged: Vec<(Item, u16)> = items(&request).into_iter().map(|item| judged_by(&judge, item)).collect();
            let errors = judged.iter().any(|(_, status)| *status != 201);
            let answers: Vec<String> = judged.iter().map(|(item, status)| answer(item, *status)).collect();
            into.take(judged.into_iter().filter(|(_, status)| *status == 201).map(|(item, _)| item.document));
            conn.ok(&format!(r#"{{"took":30,"errors":{errors},"items":[{}]}}"#, answers.join(",")));
        }
    });
    (upstream, accepted)
}

fn judged_by(judge: impl Fn(&Item) -> u16, item: Item) -> (Item, u16) {
    let status = judge(&item);
    (item, status)
}

fn answer(item: &Item, status: u16) -> String {
    let outcome = match status {
        201 => r#""_version":1,"result":"created","_shards":{"total":2,"successful":1,"failed":0},"_seq_no":0"#,
        429 => r#""error":{"type":"es_rejected_execution_exception","reason":"rejected execution"}"#,
        _ => {
            r#""error":{"type":"document_parsing_exception","reason":"[1:9] failed to parse","caused_by":{"type":"x"}}"#
        }
    };
    let id = item.id.as_deref().unwrap_or("made-by-the-cluster");
    format!(r#"{{"create":{{"_index":"{}","_id":"{id}",{outcome},"status":{status}}}}}"#, item.index)
}

fn setup(upstream: &Upstream, collector: &Upstream) -> Setup {
    Setup::before(upstream).routes(&format!(
        "[[log.output]]\ntype = \"stdout\"\nformat = \"json\"\n\
         [[log.output]]\ntype = \"http\"\nendpoint = \"{}\"\nbody = \"elasticsearch\"\nindex = \"logs\"\n\
         retry_at_most = \"1s\"\nbatch = {{ records = 20, wait = \"50ms\" }}\n",
        collector.url()
    ))
}

fn exchange(addr: SocketAddr, count: usize) {
    in_parallel(PARALLEL, |index| {
        let mut client = Client::connect(addr);
        for at in 0..count {
            let more = "User-Agent: say \"hello\"\r\nReferer: http://a/\\\r\nTraceparent: x\r\n";
            client.exchange(request("GET", "/%22?a=%0A&token=x", &format!("r-{index}-{at}"), more, "")).ok();
        }
    });
}

#[test]
fn each_record_of_a_bulk_request_has_its_own_fate() {
    let (upstream, times) = (Upstream::ok(), Mutex::new(BTreeMap::<u64, u32>::new()));
    let refused = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&refused);
    // Every tenth record is refused for good, every third of the others asked for again once.
    let (collector, accepted) = cluster(move |item| {
        let (instance, seq) = place(&item.document);
        assert_eq!(item.id, Some(format!("{instance}-{seq}")));
        assert_eq!(item.document["@timestamp"], item.document["timestamp"]);
        let mut times = times.lock().unwrap();
        let times = times.entry(seq).or_default();
        *times += 1;
        match (seq % 10, seq % 3, *times) {
            _ if item.document["event"] == "log_loss" => 201,
            (0, _, 1) => {
                count.fetch_add(1, Ordering::Relaxed);
                400
            }
            (0, _, _) => panic!("{seq} was refused and comes again"),
            (_, 0, 1) => 429,
            _ => 201,
        }
    });
    let proxy = setup(&upstream, &collector).start();
    exchange(proxy.addr(), 10);
    accepted.wait_for("the last retry", |records| records.len() >= 20 * PARALLEL * 9 / 10);
    proxy.stop();
    let records = accepted.records();
    let places: BTreeSet<_> = records.iter().map(place).collect();
    assert_eq!(places.len(), records.len(), "what was taken is not sent again");
    let lost = told_as_lost(&records);
    assert!(lost > 0 && lost == refused.load(Ordering::Relaxed), "{lost} of {refused:?}");
}

/// A proxy whose log is in a schema that the harness does not read. It ends with its test.
struct Foreign(Child);

impl Foreign {
    fn start(setup: &Setup) -> (Foreign, SocketAddr) {
        let mut child = setup.command().spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        stdout.read_line(&mut first).unwrap();
        std::thread::spawn(move || stdout.lines().for_each(drop));
        let addr = first.split_once("\"http://").unwrap().1.split_once('"').unwrap().0;
        (Foreign(child), addr.parse().unwrap())
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn records_of_every_schema_are_taken() {
    in_parallel(3, |at| {
        let schema = ["native", "ecs", "otel"][at];
        let upstream = Upstream::ok();
        let ids = Arc::new(Mutex::new(BTreeSet::new()));
        let seen = Arc::clone(&ids);
        let (collector, accepted) = cluster(move |item| match seen.lock().unwrap().insert(item.id.clone()) {
            true => 201,
            false => panic!("{:?} comes twice", item.id),
        });
        let log = "service = \"shop\"\nenvironment = \"test\"\nlabels = { static = { region = \"eu-1\" } }";
        let setup = setup(&upstream, &collector).set("log", &format!("schema = \"{schema}\"\n{log}"));
        let (_proxy, addr) = Foreign::start(&setup);
        exchange(addr, 3);
        let of_requests = |records: &[Value]| records.iter().filter(|it| it.to_string().contains("\"r-")).count();
        accepted.wait_for(schema, |records| of_requests(records) == 2 * 3 * PARALLEL);
        assert!(ids.lock().unwrap().iter().all(Option::is_some), "{schema}: each has an id");
    });
}
