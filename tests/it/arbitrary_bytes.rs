//! Arbitrary field bytes through a live proxy: whatever is passed on, one valid line a record, the same keys and
//! types, and the text is what was sent with invalid UTF-8 replaced. ([`crate::support::log`] checks each line.)

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::support::log::Record;
use crate::support::{Client, Setup, TestProxy, Upstream};

/// A request of arbitrary parts.
#[derive(Debug, Clone)]
struct Odd {
    path: Vec<u8>,
    query: Option<Vec<u8>>,
    user_agent: Vec<u8>,
    referer: Vec<u8>,
    name: String,
    value: Vec<u8>,
}

/// Bytes that a field value may have, with those that JSON has to escape more often than others.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![6 => 0x20..=0x7eu8, 2 => 0x80..=0xffu8, 1 => Just(b'\t'), 1 => Just(b'"'), 1 => Just(b'\\')];
    prop_oneof![
        4 => proptest::collection::vec(byte, 0..80),
        1 => any::<String>().prop_map(|text| text.bytes().filter(|byte| *byte >= 0x20 && *byte != 0x7f).collect()),
    ]
}

/// Bytes of a path or query that a proxy passes on: printable ASCII without space, `?` and `#`.
fn target() -> impl Strategy<Value = Vec<u8>> {
    let byte = (0x21..=0x7eu8).prop_filter("delimits", |byte| !b"?#\"<>\\^`{|}".contains(byte));
    proptest::collection::vec(byte, 0..60)
}

fn odd() -> impl Strategy<Value = Odd> {
    let name = "[A-Za-z0-9!#$%&'*+.^_`|~-]{1,30}".prop_map(|name| format!("X-{name}"));
    (target(), proptest::option::of(target()), value(), value(), name, value()).prop_map(
        |(path, query, user_agent, referer, name, value)| Odd { path, query, user_agent, referer, name, value },
    )
}

impl Odd {
    fn bytes(&self, id: &str) -> Vec<u8> {
        let query = self.query.as_ref().map(|query| [b"?", &query[..]].concat()).unwrap_or_default();
        let head = format!(" HTTP/1.1\r\nHost: test.example\r\nX-Request-ID: {id}\r\nUser-Agent: ");
        let named = format!("\r\n{}: ", self.name);
        let parts: [&[u8]; 10] = [
            b"GET /",
            &self.path,
            &query,
            head.as_bytes(),
            &self.user_agent,
            b"\r\nReferer: ",
            &self.referer,
            named.as_bytes(),
            &self.value,
            b"\r\n\r\n",
        ];
        parts.concat()
    }
}

/// What a record shows of a field value.
fn shown(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value).into_owned();
    text.trim_matches([' ', '\t']).to_owned()
}

fn proxy_before(upstream: &Upstream) -> TestProxy {
    Setup::before(upstream).set("log", "labels = { request_headers = [\"User-Agent\"] }").start()
}

/// Runs a few hundred cases over kept connections of one proxy.
fn for_all(cases: u32, check: impl Fn(&Odd, &Record) -> Result<(), TestCaseError>) {
    let upstream = Upstream::ok();
    let proxy = proxy_before(&upstream);
    let client = RefCell::new(Client::connect(proxy.addr()));
    let count = AtomicUsize::new(0);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&odd(), |odd| {
        let id = format!("odd-{}", count.fetch_add(1, Ordering::Relaxed));
        let answer = client.borrow_mut().exchange(odd.bytes(&id));
        if answer.status() != 200 {
            client.replace(Client::connect(proxy.addr()));
            return Err(TestCaseError::fail(format!("{answer:?}")));
        }
        check(&odd, &proxy.completed(&id))
    });
    drop(client);
    if let Err(error) = result {
        panic!("{error}");
    }
    proxy.stop();
}

#[test]
fn whatever_is_sent_is_one_record_that_tells_it() {
    for_all(300, |odd, record| {
        let path = format!("/{}", String::from_utf8_lossy(&odd.path));
        prop_assert_eq!(record.text("path"), path);
        prop_assert_eq!(record.text("user_agent"), shown(&odd.user_agent));
        let sent = odd.query.as_ref().is_some_and(|query| !query.is_empty());
        prop_assert_eq!(!record.text("query").is_empty(), sent);
        Ok(())
    });
}

/// Any bytes at all, most of which are no request: the proxy answers or closes, and its log stays whole.
#[test]
fn any_bytes_leave_the_log_whole() {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).set("limits", "header_timeout = \"200ms\"").start();
    let config = Config { cases: 200, failure_persistence: None, ..Config::default() };
    let piece = prop_oneof![
        2 => Just(b"GET / HTTP/1.1\r\nHost: a\r\n".to_vec()),
        2 => Just(b"\r\n\r\n".to_vec()),
        1 => Just(b"Content-Length: 3\r\n".to_vec()),
        1 => Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
        1 => Just(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        4 => proptest::collection::vec(any::<u8>(), 0..40),
    ];
    let result = TestRunner::new(config).run(&proptest::collection::vec(piece, 1..6), |pieces| {
        let mut client = Client::connect(proxy.addr());
        let _ = client.try_send(pieces.concat());
        client.finish_sending();
        client.rest();
        Ok(())
    });
    result.unwrap();
    crate::support::get(proxy.addr(), "/", "still-there").ok();
    proxy.completed("still-there");
    proxy.stop();
}
