//! Where servers are: behind names whose addresses change, with a name server of the test's own, and behind unix sockets.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::{ask, shares};
use crate::support::{Client, Conn, Fault, Setup, TestProxy, Upstream, get, request};

/// What a name server says to every question.
#[derive(Debug, Clone)]
enum Says {
    /// These addresses, good for so many seconds.
    Addresses(Vec<Ipv4Addr>, u32),
    /// An error code: 2 is SERVFAIL, 3 is NXDOMAIN.
    Error(u8),
}

/// A name server of one answer, that can be changed.
struct NameServer {
    addr: SocketAddr,
    says: Arc<Mutex<Option<Says>>>,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    fn start(says: Says) -> NameServer {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (addr, says) = (socket.local_addr().unwrap(), Arc::new(Mutex::new(Some(says))));
        let thread = std::thread::spawn({
            let says = Arc::clone(&says);
            move || answer(&socket, &says)
        });
        NameServer { addr, says, thread: Some(thread) }
    }

    fn say(&self, says: Says) {
        *self.says.lock().unwrap() = Some(says);
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        *self.says.lock().unwrap() = None;
        let _ = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.send_to(b"", self.addr));
        let _ = self.thread.take().unwrap().join();
    }
}

fn answer(socket: &UdpSocket, says: &Mutex<Option<Says>>) {
    let mut question = [0; 512];
    while let Ok((length, from)) = socket.recv_from(&mut question) {
        let Some(says) = says.lock().unwrap().clone() else { return };
        if length > 12 {
            let _ = socket.send_to(&reply(&question[..length], &says), from);
        }
    }
}

/// RFC 1035 §4: the header, the question as it came, and an A record for each address where one is asked for.
fn reply(query: &[u8], says: &Says) -> Vec<u8> {
    let name_end = 12 + query[12..].iter().position(|byte| *byte == 0).unwrap() + 1;
    let question = &query[12..name_end + 4];
    let wants_v4 = question[question.len() - 4..] == [0, 1, 0, 1];
    let (code, addresses, life) = match says {
        Says::Addresses(addresses, life) if wants_v4 => (0, addresses.as_slice(), *life),
        Says::Addresses(_, life) => (0, &[][..], *life),
        Says::Error(code) => (*code, &[][..], 0),
    };
    let mut reply = vec![query[0], query[1], 0x81, 0x80 | code, 0, 1, 0, addresses.len() as u8, 0, 0, 0, 0];
    reply.extend_from_slice(question);
    for address in addresses {
        reply.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1]);
        reply.extend_from_slice(&life.to_be_bytes());
        reply.extend_from_slice(&[0, 4]);
        reply.extend_from_slice(&address.octets());
    }
    reply
}

fn serves(conn: &mut Conn) {
    while conn.request().is_some() {
        conn.ok("here");
    }
}

/// The same port on several loopback addresses.
fn twins(addresses: &[Ipv4Addr]) -> Vec<Upstream> {
    loop {
        let first = Upstream::script_at((addresses[0], 0).into(), serves);
        let port = first.addr().port();
        // Somebody else may have one of them.
        if addresses[1..].iter().all(|address| TcpListener::bind((*address, port)).is_ok()) {
            let rest = addresses[1..].iter().map(|address| Upstream::script_at((*address, port).into(), serves));
            return [first].into_iter().chain(rest).collect();
        }
    }
}

const ONE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
const TWO: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const THREE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

fn behind(name_server: &NameServer, port: u16) -> Setup {
    let setup = Setup::to(&format!("http://app.test:{port}")).upstream("ejection = \"off\"");
    setup.upstream(&format!("resolver = [\"{}\"]", name_server.addr))
}

/// The addresses that answer a few requests from now on.
fn answering(proxy: &TestProxy, name: &str) -> BTreeSet<String> {
    ask(proxy, name, 6);
    let of = |index: usize| proxy.completed(&format!("{name}-{index}")).text("upstream_address").to_owned();
    (0..6).map(of).collect()
}

/// Asks until the servers are these.
fn wait_for_servers(proxy: &TestProxy, name: &str, servers: &[&Upstream]) {
    let expected: BTreeSet<String> = servers.iter().map(|server| server.addr().to_string()).collect();
    let deadline = std::time::Instant::now() + crate::support::DEADLINE;
    for turn in 0.. {
        let found = answering(proxy, &format!("{name}-{turn}"));
        if found == expected {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{found:?}, not {expected:?}");
    }
}

#[test]
fn each_address_of_a_name_is_a_server_and_changes_when_its_time_is_over() {
    let upstreams = twins(&[ONE, TWO, THREE]);
    let names = NameServer::start(Says::Addresses(vec![ONE, TWO], 1));
    let proxy = behind(&names, upstreams[0].addr().port()).top("workers", "1").start();
    let both: BTreeSet<String> = upstreams[..2].iter().map(|server| server.addr().to_string()).collect();
    assert_eq!(answering(&proxy, "first"), both);
    names.say(Says::Addresses(vec![TWO, THREE], 1));
    wait_for_servers(&proxy, "then", &[&upstreams[1], &upstreams[2]]);
    proxy.stop();
}

#[test]
fn a_name_that_stops_resolving_keeps_its_last_addresses_and_says_so() {
    let upstreams = twins(&[ONE, TWO]);
    let names = NameServer::start(Says::Addresses(vec![ONE], 1));
    let proxy = behind(&names, upstreams[0].addr().port()).top("workers", "1").start();
    assert_eq!(answering(&proxy, "first").len(), 1);
    names.say(Says::Error(2));
    let log = proxy.wait_for("the lost name", |log| log.count("diagnostic") == 1);
    let lost = log.only("diagnostic");
    assert_eq!((lost.text("level"), lost.text("host"), lost.text("kept")), ("WARNING", "app.test", "1"), "{lost:?}");
    ask(&proxy, "kept", 5);
    names.say(Says::Addresses(vec![TWO], 1));
    wait_for_servers(&proxy, "found", &[&upstreams[1]]);
    let log = proxy.stop();
    assert_eq!(log.count("diagnostic"), 2, "lost once, found once");
    assert!(shares(&log).len() == 2);
}

#[test]
fn a_name_that_moved_is_asked_for_again_when_its_server_is_gone() {
    let mut upstreams = twins(&[ONE, TWO]);
    let names = NameServer::start(Says::Addresses(vec![ONE], 3600));
    let proxy = behind(&names, upstreams[0].addr().port()).top("workers", "1").start();
    assert_eq!(answering(&proxy, "first").len(), 1);
    names.say(Says::Addresses(vec![TWO], 3600));
    let gone = upstreams.remove(0);
    drop(gone);
    let deadline = std::time::Instant::now() + crate::support::DEADLINE;
    for turn in 0.. {
        if get(proxy.addr(), "/", &format!("moved-{turn}")).status() == 200 {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "an hour is not waited for");
    }
    proxy.stop();
}

#[test]
fn a_name_that_never_resolved_is_told_though_another_server_serves() {
    let (names, other) = (NameServer::start(Says::Error(3)), Upstream::ok());
    let proxy = behind(&names, 80).server(&format!("{:?}", other.url())).start();
    let log = proxy.wait_for("the lost name", |log| log.count("diagnostic") == 1);
    let lost = log.only("diagnostic");
    assert_eq!((lost.text("upstream"), lost.text("host"), lost.text("kept")), ("app", "app.test", "0"), "{lost:?}");
    assert_eq!((lost.text("level"), lost.text("logger")), ("WARNING", "gatelog.proxy"));
    assert_eq!(get(proxy.addr(), "/", "other").ok().text(), "ok");
    proxy.stop();
}

#[test]
fn a_name_that_never_resolved_is_the_upstreams_fault() {
    let names = NameServer::start(Says::Error(3));
    let fault = Fault::answered(502, "upstream_dns", &["queue"], &["dns_error"]);
    fault.befalls(behind(&names, 80));
}

/// A server behind a unix socket that answers each connection's requests with what it read as `Host`.
fn unix_server(path: &std::path::Path) -> JoinHandle<()> {
    let listener = UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let (mut head, mut byte) = (Vec::new(), [0]);
        while socket.read(&mut byte).is_ok_and(|read| read > 0) {
            head.push(byte[0]);
            if head.ends_with(b"\r\n\r\n") {
                let text = String::from_utf8(std::mem::take(&mut head)).unwrap();
                let host = text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned();
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{host}", host.len());
                socket.write_all(answer.as_bytes()).unwrap();
            }
        }
    })
}

#[test]
fn a_server_may_be_behind_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let server = unix_server(&path);
    let url = format!("unix:{}", path.display());
    let proxy = Setup::to(&url).top("workers", "1").start();
    for index in 0..3 {
        assert_eq!(get(proxy.addr(), "/", &format!("unix-{index}")).ok().text(), "test.example");
    }
    let without = Client::connect(proxy.addr()).exchange("GET / HTTP/1.0\r\nX-Request-ID: old\r\n\r\n");
    assert_eq!(without.ok().text(), "localhost");
    let record = proxy.completed("unix-2");
    assert_eq!((record.text("upstream_address"), record.is("reused_connection")), (url.as_str(), true));
    proxy.stop();
    server.join().unwrap();
}

#[test]
fn a_unix_socket_that_is_not_there_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let proxy = Setup::to(&format!("unix:{}", folder.path().join("none.sock").display())).start();
    let answer = Client::connect(proxy.addr()).exchange(request("GET", "/", "none", "", ""));
    assert_eq!(answer.status(), 502);
    assert_eq!(proxy.completed("none").text("outcome"), "upstream_refused");
    proxy.stop();
}

#[test]
fn names_behind_name_servers_of_their_own_are_checked_and_may_be_missing() {
    let name_server = NameServer::start(Says::Addresses(vec![ONE], 1));
    let setup = behind(&name_server, 80);
    let check = || {
        // Writes the configuration.
        drop(setup.command());
        let mut check = std::process::Command::new(env!("CARGO_BIN_EXE_gatelog"));
        // Variables of whoever runs the tests would be overrides.
        let output =
            check.env_clear().arg("check").arg("--config").arg(setup.dir().join("gatelog.toml")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let said = check();
    assert!(!said.contains("warning"), "{said}");
    name_server.say(Says::Error(3));
    let said = check();
    assert!(said.contains("warning: the server `app.test` is not known to upstream.resolver: "), "{said}");
}
