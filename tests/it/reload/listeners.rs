//! Listeners come, go and change while they are used: a client that keeps to the protocol has an answer to each request,
//! and a listener that cannot be had refuses the whole.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use super::names;
use super::service::{start, take};
use crate::support::log::{Log, Record};
use crate::support::metrics::Samples;
use crate::support::tls::{Authority, Identity};
use crate::support::{Client, Ended, PARALLEL, Setup, TestProxy, Upstream, get, in_parallel, request, until};

const PLAIN: &str = "[[listen]]\naddress = \"127.0.0.1:0\"\n";

/// Where a listener is, by the record of the reload that brought it.
fn address(record: &Record, index: usize) -> SocketAddr {
    names(record, "listen")[index].split_once("://").unwrap().1.parse().unwrap()
}

/// A pair in the folder of a configuration, as a listener names it.
fn pair(config: &Path, stem: &str, identity: &Identity) -> String {
    let [certificate, key] = ["pem", "key"].map(|end| config.with_file_name(format!("{stem}.{end}")));
    identity.replace(&certificate, &key);
    format!("certificate = {certificate:?}\nkey = {key:?}\n")
}

/// A listener that speaks TLS; `tls` is what stands in its table.
fn secure(keys: &str, tls: &str) -> String {
    format!("{PLAIN}{keys}\n[listen.tls]\n{tls}\n")
}

fn refused(proxy: &TestProxy, config: &Path, text: &str) -> Log {
    std::fs::write(config, text).unwrap();
    let before = proxy.log().count("config_refused");
    proxy.signal("HUP");
    proxy.wait_for("config_refused", |log| log.count("config_refused") > before)
}

fn is_refused(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_err()
}

/// Asks on a connection that has just been told to be the last: the answer says so, and is whole.
fn last_answer(client: &mut Client, id: &str) {
    let answer = client.exchange(request("GET", "/", id, "", "")).ok();
    assert_eq!(answer.header("connection"), Some("close"), "{answer:?}");
    assert_eq!(client.rest(), (Vec::new(), Ended::Closed));
}

#[test]
fn a_new_listener_serves_and_a_removed_one_answers_what_is_under_way() {
    let (tell, told) = channel();
    let (release, released) = channel::<()>();
    let (tell, released) = (Mutex::new(tell), Mutex::new(released));
    let upstream = Upstream::script(move |conn| {
        while let Some(message) = conn.request() {
            if message.start[1] == "/held" {
                tell.lock().unwrap().send(()).unwrap();
                released.lock().unwrap().recv().unwrap();
            }
            conn.ok("ok");
        }
    });
    let (proxy, config, rest) = start(Setup::before(&upstream));
    let mut stays = Client::connect(proxy.addr());
    stays.exchange(request("GET", "/", "before", "", "")).ok();
    let record = take(&proxy, &config, &format!("{rest}{PLAIN}"));
    assert_eq!((names(&record, "changed"), names(&record, "listen").len()), (vec!["listen".to_owned()], 2));
    let (second, mut idle) = (address(&record, 1), Client::connect(address(&record, 1)));
    idle.exchange(request("GET", "/", "second", "", "")).ok();
    let (mut silent, mut running) = (Client::connect(second), Client::connect(second));
    running.send(request("GET", "/held", "held", "", ""));
    told.recv().unwrap();
    let record = take(&proxy, &config, &rest);
    assert_eq!(names(&record, "listen"), [format!("http://{}", proxy.addr())]);
    until("the end of the listener", || is_refused(second));
    last_answer(&mut idle, "last");
    last_answer(&mut silent, "first-and-last");
    release.send(()).unwrap();
    running.answer().ok();
    assert_eq!(running.rest(), (Vec::new(), Ended::Closed));
    stays.exchange(request("GET", "/", "after", "", "")).ok();
    let log = proxy.stop();
    assert_eq!(log.count("request_completed"), 6);
    assert!(log.events("request_completed").iter().all(|record| record.text("outcome") == "success"));
}

const EACH_TURN: usize = 25;

/// A client that keeps its connection for as long as it is let, and fails with any request that is not answered well.
///
/// Between two reloads it asks so often at most that whoever reads the log keeps up.
fn visit(addr: SocketAddr, is_tls: bool, name: &str, (turn, over): (&AtomicUsize, &AtomicBool)) -> usize {
    let connect = || if is_tls { Client::connect_tls(addr) } else { Client::connect(addr) };
    let (mut client, mut count) = (connect(), 0);
    while !over.load(Ordering::Relaxed) {
        if count >= (turn.load(Ordering::Relaxed) + 1) * EACH_TURN {
            std::thread::yield_now();
            continue;
        }
        let answer = client.exchange(request("GET", "/", &format!("{name}-{count}"), "", "")).ok();
        if answer.header("connection") == Some("close") {
            client = connect();
        }
        count += 1;
    }
    count
}

#[test]
fn everything_about_listeners_changes_under_load_without_a_failed_request() {
    let upstream = Upstream::ok();
    let (proxy, config, rest) = start(Setup::before(&upstream).tls());
    let pairs = ["one", "other"].map(|stem| pair(&config, stem, &Authority::shared().issue("localhost")));
    let rest = rest.split_once("[[listen]]").map(|(top, rest)| (top.to_owned(), rest.to_owned())).unwrap();
    let tables = &rest.1[rest.1.find("[[upstream]]").unwrap()..];
    let variant = |at: usize| {
        let (hsts, version) = (format!("hsts = \"max-age={at}\""), if at % 4 < 2 { "1.2" } else { "1.3" });
        let secure = secure(&hsts, &format!("{}min_version = \"{version}\"", pairs[at % 2]));
        let more = format!("{PLAIN}redirect = \"https:{}\"\n{PLAIN}proxy_protocol = \"v2\"\n", 8000 + at);
        let event =
            format!("[[event]]\nname = \"seen\"\nwhen = \"status:200\"\nfields = {{ at = {{ value = {at} }} }}\n");
        let more = if at.is_multiple_of(3) { more } else { String::new() };
        let grace = format!("shutdown_grace = \"{}s\"\n", 30 + at % 2);
        format!("{grace}{}{PLAIN}{secure}{more}{tables}{event}", rest.0)
    };
    let (turn, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (plain, tls) = (proxy.addr(), proxy.tls_addr());
    let counts = std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            in_parallel(PARALLEL / 2, |index| {
                let (is_tls, name) = (index.is_multiple_of(2), format!("r-{index}"));
                visit(if is_tls { tls } else { plain }, is_tls, &name, (&turn, &over))
            })
        });
        let reloads = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for at in 1..=20 {
                turn.store(at, Ordering::Relaxed);
                let record = take(&proxy, &config, &variant(at));
                assert!(names(&record, "changed").contains(&"listen".to_owned()), "{record:?}");
                let answer = Client::connect_tls(tls).exchange(request("GET", "/", &format!("v-{at}"), "", "")).ok();
                assert_eq!(answer.header("strict-transport-security"), Some(&*format!("max-age={at}")));
            }
        }));
        over.store(true, Ordering::Relaxed);
        reloads.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        load.join().unwrap()
    });
    let log = proxy.stop();
    assert!(counts.iter().all(|count| *count > 20), "hardly any load: {counts:?}");
    assert_eq!(log.count("request_completed"), counts.iter().sum::<usize>() + 20);
    assert!(log.events("request_completed").iter().all(|record| record.text("outcome") == "success"));
}

#[test]
fn a_port_that_is_taken_refuses_the_whole() {
    let upstream = Upstream::ok();
    let (proxy, config, rest) = start(Setup::before(&upstream));
    let others = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = others.local_addr().unwrap();
    let route = "[[route]]\nname = \"one\"\npath = \"x\"\n";
    let log = refused(&proxy, &config, &format!("{rest}{PLAIN}[[listen]]\naddress = \"{taken}\"\n{route}"));
    let told = |record: &&Record| record.text("level") == "ERROR" && record.text("error").contains(&taken.to_string());
    assert_eq!(log.events("diagnostic").into_iter().filter(told).count(), 1, "{log:?}");
    get(proxy.addr(), "/x", "still").ok();
    drop(others);
    let record = take(&proxy, &config, &format!("{rest}[[listen]]\naddress = \"{taken}\"\n{route}"));
    assert_eq!(address(&record, 1), taken);
    get(taken, "/x", "then").ok();
    let log = proxy.stop();
    assert_eq!(["still", "then"].map(|id| log.completed(id).text("view_name").to_owned()), ["unknown", "one"]);
}

#[test]
fn a_listener_takes_the_place_of_one_on_all_addresses() {
    let upstream = Upstream::ok();
    let (proxy, config, rest) = start(Setup::before(&upstream));
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listening = |ip: &str| format!("{rest}[[listen]]\naddress = \"{ip}:{port}\"\n");
    take(&proxy, &config, &listening("0.0.0.0"));
    get(([127, 0, 0, 2], port).into(), "/", "all").ok();
    take(&proxy, &config, &listening("127.0.0.1"));
    get(([127, 0, 0, 1], port).into(), "/", "one").ok();
    until("the end of the listener", || is_refused(([127, 0, 0, 2], port).into()));
    proxy.stop();
}

#[test]
fn a_pair_that_is_none_refuses_the_whole() {
    let upstream = Upstream::ok();
    let (proxy, config, rest) = start(Setup::before(&upstream).tls());
    let (one, other) = (Authority::shared().issue("localhost"), Authority::shared().issue("localhost"));
    let good = pair(&config, "new", &one);
    pair(&config, "other", &other);
    std::fs::copy(config.with_file_name("other.key"), config.with_file_name("new.key")).unwrap();
    let added = |pair: &str| format!("{rest}{}", secure("", pair));
    let log = refused(&proxy, &config, &added(&good));
    let told = |record: &Record| record.text("level") == "ERROR" && record.text("place").contains("gatelog.toml:");
    assert!(log.events("diagnostic").into_iter().any(told), "{log:?}");
    Client::connect_tls(proxy.tls_addr()).exchange(request("GET", "/", "still", "", "")).ok();
    pair(&config, "new", &one);
    let record = take(&proxy, &config, &added(&good));
    Client::connect_tls(address(&record, 2)).exchange(request("GET", "/", "then", "", "")).ok();
    proxy.stop();
}

#[test]
fn a_connection_that_stays_open_is_answered_as_its_listener_is_now() {
    let upstream = Upstream::ok();
    let (proxy, config, rest) = start(Setup::before(&upstream));
    let tls = pair(&config, "site", &Authority::shared().issue("localhost"));
    let text = |redirect: &str, hsts: &str| {
        let at = rest.find("[[upstream]]").unwrap();
        format!("{}{redirect}\n{}{}", &rest[..at], &rest[at..], secure(hsts, &tls))
    };
    let record = take(&proxy, &config, &text("", ""));
    let (mut plain, mut tls) = (Client::connect(proxy.addr()), Client::connect_tls(address(&record, 1)));
    plain.exchange(request("GET", "/", "plain", "", "")).ok();
    assert_eq!(tls.exchange(request("GET", "/", "tls", "", "")).ok().header("strict-transport-security"), None);
    take(&proxy, &config, &text("redirect = \"https:8443\"", "hsts = \"max-age=7\""));
    let led = plain.exchange(request("GET", "/a", "led", "", "")).whole();
    assert_eq!((led.status(), led.header("location")), (308, Some("https://test.example:8443/a")));
    let promised = tls.exchange(request("GET", "/", "promised", "", "")).ok();
    assert_eq!(promised.header("strict-transport-security"), Some("max-age=7"));
    take(&proxy, &config, &text("", ""));
    plain.exchange(request("GET", "/", "served", "", "")).ok();
    proxy.stop();
}

#[test]
fn who_would_not_be_let_in_any_more_is_asked_to_come_again() {
    let upstream = Upstream::ok();
    let (proxy, config, rest) = start(Setup::before(&upstream));
    let (clients, site) = (Authority::new(), Authority::shared().issue("localhost"));
    let ca = clients.write_to(config.parent().unwrap());
    let tls = pair(&config, "site", &site);
    let record = take(&proxy, &config, &format!("{rest}{}", secure("", &tls)));
    let addr = address(&record, 1);
    // What would resume its session.
    let roots = Authority::shared().client(&["http/1.1"]);
    let mut before = Client::connect(addr).secure(roots.clone(), "localhost");
    before.exchange(request("GET", "/", "before", "", "")).ok();
    let asking = format!("{tls}client_ca = {ca:?}\nclient_auth = \"require\"");
    take(&proxy, &config, &format!("{rest}{}", secure("", &asking)));
    last_answer(&mut before, "last");
    let mut again = Client::connect(addr).secure(roots, "localhost");
    let sent = again.try_send(request("GET", "/", "again", "", ""));
    assert!(sent.is_err() || again.rest().0.is_empty());
    let config = Authority::shared().client_as(&["http/1.1"], Some(&clients.issue_to("robot")));
    Client::connect(addr).secure(config, "localhost").exchange(request("GET", "/", "robot", "", "")).ok();
    let log = proxy.stop();
    assert_eq!((log.count("request_completed"), log.count("request_rejected")), (3, 1));
    assert_eq!(log.completed("robot").get("tls").unwrap()["client_subject"], "CN=robot,O=Shop");
}

#[test]
fn announcements_are_believed_from_who_is_trusted_now() {
    let upstream = Upstream::ok();
    let nobody = "request_id = { accept = \"always\" }\ntrusted_proxies = [\"192.0.2.1\"]\n";
    let setup = Setup::before(&upstream).identity(nobody).listen("address = \"127.0.0.1:0\"\nproxy_protocol = \"v1\"");
    let (proxy, config, rest) = start(setup);
    let ask = |id: &str| {
        let header = b"PROXY TCP4 203.0.113.7 203.0.113.1 4711 80\r\n";
        let mut client = Client::connect(proxy.listener(1));
        client.exchange([&header[..], &request("GET", "/", id, "", "")].concat()).ok();
        proxy.completed(id).text("ip_address").to_owned()
    };
    assert_eq!(ask("before"), "127.0.0.1");
    take(&proxy, &config, &rest.replace("192.0.2.1", "127.0.0.1"));
    assert_eq!(ask("trusted"), "203.0.113.7");
    take(&proxy, &config, &rest);
    assert_eq!(ask("after"), "127.0.0.1");
    proxy.stop();
}

#[test]
fn a_socket_file_comes_and_goes_and_who_may_connect_to_it_waits_for_the_next_start() {
    let upstream = Upstream::ok();
    let (proxy, config, rest) = start(Setup::before(&upstream));
    let path = config.with_file_name("a.sock");
    let listening =
        |mode: &str| format!("{rest}[[listen]]\naddress = \"unix:{}\"\nmode = \"{mode}\"\n", path.display());
    let record = take(&proxy, &config, &listening("0660"));
    assert_eq!(names(&record, "listen")[1], format!("http://unix:{}", path.display()));
    Client::connect_unix(&path).exchange(request("GET", "/", "unix", "", "")).ok();
    let record = take(&proxy, &config, &listening("0600"));
    assert_eq!((names(&record, "at_next_start"), names(&record, "changed").len()), (vec!["listen.mode".to_owned()], 0));
    let warned = |record: &Record| record.text("level") == "WARNING" && record.text("keys") == "listen.mode";
    proxy.wait_for("the warning", |log| log.events("diagnostic").into_iter().any(warned));
    take(&proxy, &config, &rest);
    assert!(!path.exists());
    proxy.stop();
}

#[test]
fn business_events_change_between_two_requests_and_their_counts_go_on() {
    let upstream = Upstream::ok();
    let (proxy, config, rest) = start(Setup::before(&upstream));
    let event =
        |name: &str, field: &str| format!("[[event]]\nname = \"{name}\"\nwhen = \"path:/x\"\nfields = {{ {field} }}\n");
    let mut client = Client::connect(proxy.addr());
    let mut ask = |id: &str| drop(client.exchange(request("GET", "/x", id, "", "")).ok());
    ask("none");
    let record = take(&proxy, &config, &format!("{rest}{}", event("seen", "method = \"method\"")));
    assert_eq!(names(&record, "changed"), ["event"]);
    ask("first");
    let both = event("other", "gone = \"user_id\"") + &event("seen", "status = \"status\", gone = \"user_id\"");
    take(&proxy, &config, &format!("{rest}{both}"));
    ask("second");
    proxy.completed("second");
    let seen = [("event", "seen")];
    let samples =
        Samples::once(proxy.admin(), "both", |samples| samples.value("gatelog_business_events_total", &seen) == 2.0);
    assert_eq!(samples.value("gatelog_business_events_total", &[("event", "other")]), 1.0);
    take(&proxy, &config, &rest);
    ask("last");
    let log = proxy.stop();
    let of = |id: &str| [log.of(id).count("seen"), log.of(id).count("other")];
    assert_eq!(["none", "first", "second", "last"].map(of), [[0, 0], [1, 0], [1, 1], [0, 0]]);
    assert_eq!(log.of("first").only("seen").text("method"), "GET");
    assert_eq!(log.of("second").only("seen").number("status"), 200);
}

#[test]
fn the_grace_of_the_end_is_the_one_in_force() {
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    let upstream = Upstream::script(move |conn| {
        conn.head();
        tell.lock().unwrap().send(()).unwrap();
        conn.rest();
    });
    let (proxy, config, rest) = start(Setup::before(&upstream).top("shutdown_grace", "\"1h\""));
    let record = take(&proxy, &config, &rest.replace("\"1h\"", "\"100ms\""));
    assert_eq!(names(&record, "changed"), ["shutdown_grace"]);
    let mut client = Client::connect(proxy.addr());
    client.send(request("GET", "/", "held", "", ""));
    told.recv().unwrap();
    assert_eq!(proxy.stop().completed("held").text("outcome"), "shutdown");
}
