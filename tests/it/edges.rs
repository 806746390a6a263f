//! Ways in: the PROXY protocol, unix sockets, sockets and notices of the service manager, redirects to TLS.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;

use crate::support::log::Record;
use crate::support::tls::Authority;
use crate::support::{Client, DEADLINE, PARALLEL, Recorder, Setup, TestProxy, Upstream, get, in_parallel, request};

const TRUSTING: &str = "request_id = { accept = \"always\" }\ntrusted_proxies = [\"127.0.0.1\"]";
const LINE: &[u8] = b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\n";

/// The header of version 2 with this command and family.
fn binary(command: u8, family: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, family][..], &length, content].concat()
}

/// 2001:db8::7 to 2001:db8::1, with an extension behind it.
fn binary_v6() -> Vec<u8> {
    let address = |last: u8| [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[last]].concat();
    let extension = [0x02, 0, 4, b's', b'h', b'o', b'p'];
    binary(0x21, 0x21, &[&address(7), &address(1), &[0xdc, 4, 1, 0xbb][..], &extension].concat())
}

fn announcing(upstream: &Upstream, versions: &str) -> Setup {
    let listener = format!("address = \"127.0.0.1:0\"\nproxy_protocol = \"{versions}\"");
    Setup::before(upstream).identity(TRUSTING).listen(&listener)
}

/// The one record of a connection that never became a request.
fn rejected(proxy: &TestProxy, client: &Client) -> Record {
    let peer = client.local_addr();
    let log = proxy.wait_for("a rejection", |log| log.of_peer(&peer).count("request_rejected") > 0).of_peer(&peer);
    assert_eq!(log.0.len(), 1, "{log:?}");
    let record = log.only("request_rejected").clone();
    assert_eq!((record.text("logger"), record.text("level")), ("gatelog.security", "WARNING"));
    record
}

#[test]
fn a_trusted_peer_announces_the_client_and_stays_the_peer() {
    let recorder = Recorder::start();
    let proxy = announcing(&recorder.upstream, "any").start();
    in_parallel(PARALLEL, |index| {
        let (header, ip) = [(LINE.to_vec(), "203.0.113.7"), (binary_v6(), "2001:db8::7")][index % 2].clone();
        let mut client = Client::connect(proxy.listener(1));
        // However it is cut, and with the request right behind it.
        let (start, rest) = header.split_at(index * 2);
        client.send(start);
        let ids = [format!("announced-{index}-0"), format!("announced-{index}-1")];
        client.exchange([rest, &request("GET", "/", &ids[0], "", "")].concat()).ok();
        client.exchange(request("GET", "/", &ids[1], "X-Forwarded-For: 6.6.6.6\r\n", "")).ok();
        for id in ids {
            let record = proxy.completed(&id);
            assert_eq!((record.text("ip_address"), record.text("peer_address")), (ip, client.local_addr().as_str()));
            assert_eq!(recorder.request(&id).header("x-forwarded-for"), Some(ip), "the client is not trusted");
        }
    });
    proxy.stop();
}

#[test]
fn a_proxy_that_speaks_for_itself_is_the_client() {
    let upstream = Upstream::ok();
    let proxy = announcing(&upstream, "any").start();
    for (at, header) in
        [b"PROXY UNKNOWN\r\n".to_vec(), binary(0x20, 0, &[]), binary(0x21, 0x31, &[0; 216])].iter().enumerate()
    {
        let id = format!("local-{at}");
        Client::connect(proxy.listener(1)).exchange([header, &request("GET", "/", &id, "", "")[..]].concat()).ok();
        assert_eq!(proxy.completed(&id).text("ip_address"), "127.0.0.1");
    }
    proxy.stop();
}

/// As in nginx: everybody begins with a header, and not everybody is believed.
#[test]
fn a_peer_that_is_not_trusted_is_not_believed() {
    let upstream = Upstream::ok();
    let listener = "address = \"127.0.0.1:0\"\nproxy_protocol = \"v1\"";
    let proxy = Setup::before(&upstream).listen(listener).start();
    Client::connect(proxy.listener(1)).exchange([LINE, &request("GET", "/", "liar", "", "")].concat()).ok();
    assert_eq!(proxy.completed("liar").text("ip_address"), "127.0.0.1");
    let mut client = Client::connect(proxy.listener(1));
    client.send(request("GET", "/", "plain", "", ""));
    assert!(client.rest().0.is_empty());
    let record = rejected(&proxy, &client);
    assert_eq!(record.text("reason"), "proxy_protocol");
    proxy.stop();
}

#[test]
fn what_is_no_header_is_closed_and_recorded_with_its_first_bytes() {
    let upstream = Upstream::ok();
    let proxy = announcing(&upstream, "v2").start();
    let get = request("GET", "/", "none", "", "");
    let cases: [&[u8]; 4] = [&get, LINE, &binary(0x22, 0x11, &[0; 12]), &binary(0x21, 0x11, &[0; 4])];
    in_parallel(cases.len(), |at| {
        let mut client = Client::connect(proxy.listener(1));
        client.send(cases[at]);
        assert!(client.rest().0.is_empty(), "nothing is answered");
        let record = rejected(&proxy, &client);
        assert_eq!(record.text("reason"), "proxy_protocol");
        assert!(!record.text("excerpt").is_empty(), "{record:?}");
    });
    let log = proxy.stop();
    assert_eq!((log.count("request_started"), upstream.accepted()), (0, 0));
}

#[test]
fn a_header_that_does_not_come_is_recorded_and_a_check_of_the_port_is_not() {
    let upstream = Upstream::ok();
    let proxy = announcing(&upstream, "any").set("limits", "header_timeout = \"300ms\"").start();
    // Connects and leaves again.
    Client::connect(proxy.listener(1)).finish_sending();
    for start in [&b""[..], b"PROXY TCP4 203.0", b"\r\n\r\n\0\r\nQUIT"] {
        let mut client = Client::connect(proxy.listener(1));
        client.send(start);
        assert!(client.rest().0.is_empty());
        assert_eq!(rejected(&proxy, &client).text("reason"), "proxy_protocol_timeout");
    }
    let mut client = Client::connect(proxy.listener(1));
    client.send("PROXY TC");
    client.finish_sending();
    assert_eq!(rejected(&proxy, &client).text("reason"), "proxy_protocol");
    assert_eq!(proxy.stop().count("request_rejected"), 4);
}

#[test]
fn connections_are_counted_by_the_client_that_is_announced() {
    let upstream = Upstream::ok();
    let proxy = announcing(&upstream, "any").set("limits", "connections_per_ip = 1").start();
    let connect = |header: &[u8], id: &str| {
        let mut client = Client::connect(proxy.listener(1));
        client.send([header, &request("GET", "/", id, "", "")].concat());
        let status = client.answer().status();
        (client, status)
    };
    let (_first, status) = connect(LINE, "first");
    assert_eq!(status, 200);
    assert_eq!(connect(LINE, "second").1, 429);
    assert_eq!(connect(&binary_v6(), "another").1, 200);
    let log = proxy.wait_for("the limit", |log| log.count("security_event") > 0);
    let record = log.only("security_event");
    assert_eq!((record.text("reason"), record.text("ip_address")), ("connections_per_ip", "203.0.113.7"));
    proxy.stop();
}

#[test]
fn tls_comes_behind_the_header() {
    let upstream = Upstream::ok();
    let setup = Setup::before(&upstream).identity(TRUSTING);
    let (certificate, key) = Authority::shared().issue("localhost").write_to(setup.dir());
    let listener = format!(
        "address = \"127.0.0.1:0\"\nproxy_protocol = \"v2\"\ntls = {{ certificate = {certificate:?}, key = {key:?} }}"
    );
    let proxy = setup.listen(&listener).start();
    let mut client = Client::connect(proxy.listener(1));
    client.send(binary_v6());
    let mut client = client.secure(Authority::shared().client(&["http/1.1"]), "localhost");
    client.exchange(request("GET", "/", "secure", "", "")).ok();
    let record = proxy.completed("secure");
    assert_eq!((record.text("ip_address"), record.text("scheme")), ("2001:db8::7", "https"));
    proxy.stop();
}

/// Two proxies in a row: what the first was told, it tells the second.
#[test]
fn upstreams_are_told_of_the_client() {
    let upstream = Upstream::ok();
    for version in ["v1", "v2"] {
        let second = announcing(&upstream, version).start();
        let url = format!("http://{}", second.listener(1));
        let listener = "address = \"127.0.0.1:0\"\nproxy_protocol = \"any\"";
        let first = Setup::to(&url).identity(TRUSTING).listen(listener);
        let first =
            first.upstream(&format!("proxy_protocol = \"{version}\"\nhealth = {{ path = \"/health\" }}")).start();
        in_parallel(PARALLEL, |index| {
            let (header, ip) = [(LINE.to_vec(), "203.0.113.7"), (binary_v6(), "2001:db8::7")][index % 2].clone();
            let mut client = Client::connect(first.listener(1));
            client.send(header);
            for at in 0..2 {
                let id = format!("told-{version}-{index}-{at}");
                client.exchange(request("GET", "/", &id, "", "")).ok();
                assert_eq!(second.completed(&id).text("ip_address"), ip);
                assert!(!first.completed(&id).is("reused_connection"), "a connection is one client's");
            }
        });
        let id = format!("plain-{version}");
        get(first.addr(), "/", &id).ok();
        assert_eq!(second.completed(&id).text("ip_address"), "127.0.0.1");
        let checked = |record: &&Record| record.get("path").is_some_and(|path| path == "/health");
        let log = second.wait_for("a health check", |log| log.events("request_completed").iter().any(checked));
        assert!(
            log.events("request_completed")
                .iter()
                .filter(|it| checked(it))
                .all(|it| it.text("ip_address") == "127.0.0.1")
        );
        first.stop();
        second.stop();
    }
}

#[test]
fn a_unix_socket_serves_from_all_threads_and_goes_with_the_proxy() {
    let recorder = Recorder::start();
    let setup = Setup::before(&recorder.upstream);
    let path = setup.dir().join("gatelog.sock");
    // Somebody was killed, and left it.
    drop(UnixListener::bind(&path).unwrap());
    let proxy = setup.listen(&format!("address = \"unix:{}\"\nmode = \"0660\"", path.display())).start();
    assert_eq!(proxy.urls()[1], format!("http://unix:{}", path.display()));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    in_parallel(PARALLEL, |index| {
        let id = format!("unix-{index}");
        let mut client = Client::connect_unix(&path);
        client.exchange(request("GET", "/", &id, "X-Forwarded-For: 203.0.113.9\r\n", "")).ok();
        let record = proxy.completed(&id);
        assert_eq!(record.text("peer_address"), "unix:");
        assert!(record.get("ip_address").is_none(), "nobody knows: {record:?}");
        let seen = recorder.request(&id);
        assert_eq!(seen.header("x-forwarded-for"), Some("unknown"));
        assert!(seen.header("forwarded").unwrap().starts_with("for=unknown;"), "{seen:?}");
    });
    let mut client = Client::connect_unix(&path);
    client.send("GET / HTTP/1.1\r\n\r\n");
    assert_eq!(client.answer().status(), 400);
    let log = proxy.wait_for("a rejection", |log| log.count("request_rejected") > 0);
    assert_eq!(log.only("request_rejected").text("peer_address"), "unix:");
    proxy.signal("TERM");
    proxy.wait_keeping(|| assert!(!path.exists(), "the socket is left behind"));
}

#[test]
fn whoever_comes_over_a_unix_socket_is_believed_where_that_is_asked_for() {
    let upstream = Upstream::ok();
    let setup = Setup::before(&upstream);
    let path = setup.dir().join("gatelog.sock");
    let identity = "request_id = { accept = \"trusted\" }\ntrusted_proxies = [\"unix:\"]";
    let listener = format!("address = \"unix:{}\"\nproxy_protocol = \"v1\"", path.display());
    let proxy = setup.identity(identity).listen(&listener).start();
    let forwarded = request("GET", "/", "by-header", "X-Forwarded-For: 203.0.113.9\r\n", "");
    Client::connect_unix(&path).exchange([b"PROXY UNKNOWN\r\n", &forwarded[..]].concat()).ok();
    assert_eq!(proxy.completed("by-header").text("ip_address"), "203.0.113.9");
    let announced = request("GET", "/announced", "by-line", "", "");
    Client::connect_unix(&path).exchange([LINE, &announced].concat()).ok();
    let log = proxy.wait_for("the second", |log| log.count("request_completed") == 2);
    let record = log.events("request_completed")[1].clone();
    assert_eq!((record.text("ip_address"), record.text("peer_address")), ("203.0.113.7", "unix:"));
    assert_ne!(record.text("request_id"), "by-line", "the client that is announced is not trusted");
    proxy.stop();
}

#[test]
fn a_unix_socket_that_somebody_listens_on_is_not_taken() {
    let upstream = Upstream::ok();
    let setup = Setup::before(&upstream);
    let path = setup.dir().join("gatelog.sock");
    let _other = UnixListener::bind(&path).unwrap();
    let setup = setup.listen(&format!("address = \"unix:{}\"", path.display()));
    let output = setup.command().output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains("cannot listen on unix:"), "{text}");
    assert!(path.exists());
}

#[test]
fn sockets_that_the_service_manager_has_opened_are_served() {
    let upstream = Upstream::ok();
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    let proxy = Setup::before(&upstream).inherit("http", socket).listen("address = \"fd:http\"").start();
    assert_eq!(proxy.listener(1), address);
    in_parallel(PARALLEL, |index| {
        let id = format!("inherited-{index}");
        assert_eq!(get(address, "/", &id).ok().text(), "ok");
        assert_eq!(proxy.completed(&id).text("ip_address"), "127.0.0.1");
    });
    proxy.stop();

    let setup = Setup::before(&upstream);
    let path = setup.dir().join("theirs.sock");
    let proxy = setup.inherit("web", UnixListener::bind(&path).unwrap()).listen("address = \"fd:web\"").start();
    Client::connect_unix(&path).exchange(request("GET", "/", "inherited-unix", "", "")).ok();
    assert_eq!(proxy.completed("inherited-unix").text("peer_address"), "unix:");
    proxy.signal("TERM");
    proxy.wait_keeping(|| assert!(path.exists(), "the socket is its owner's"));
}

#[test]
fn a_socket_that_was_not_passed_on_is_said_to_be_missing() {
    let upstream = Upstream::ok();
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let setup = Setup::before(&upstream).inherit("http", socket).listen("address = \"fd:https\"");
    let output = setup.command().output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains("fd:https") && text.contains("[\"http\"]"), "{text}");
}

/// What the service manager is told next, each a list of lines.
fn told(manager: &UnixDatagram) -> Vec<String> {
    let mut message = [0; 4096];
    let length = manager.recv(&mut message).unwrap();
    String::from_utf8_lossy(&message[..length]).lines().map(str::to_owned).collect()
}

fn manager(folder: &Path) -> (UnixDatagram, String) {
    let path = folder.join("notify.sock");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(DEADLINE)).unwrap();
    (manager, path.to_string_lossy().into_owned())
}

#[test]
fn the_service_manager_is_told_of_start_reload_and_stop() {
    let upstream = Upstream::ok();
    let setup = Setup::before(&upstream);
    let (manager, path) = manager(setup.dir());
    let proxy = setup.environment("NOTIFY_SOCKET", &path).start();
    let status = format!("STATUS=listening on http://{}", proxy.addr());
    assert_eq!(told(&manager), ["READY=1", &status]);
    proxy.signal("HUP");
    let reloading = told(&manager);
    assert_eq!(reloading[0], "RELOADING=1");
    assert!(reloading[1].strip_prefix("MONOTONIC_USEC=").unwrap().parse::<u64>().unwrap() > 0, "{reloading:?}");
    assert_eq!(told(&manager), ["READY=1", &status]);
    proxy.signal("TERM");
    assert_eq!(told(&manager)[0], "STOPPING=1");
    proxy.wait();
}

#[test]
fn the_watchdog_hears_of_it_as_long_as_all_threads_are_alive() {
    let upstream = Upstream::ok();
    let setup = Setup::before(&upstream);
    let (manager, path) = manager(setup.dir());
    let proxy = setup.environment("NOTIFY_SOCKET", &path).environment("WATCHDOG_USEC", "400000").start();
    let messages: Vec<_> = std::iter::repeat_with(|| told(&manager)).take(6).collect();
    assert!(messages.iter().filter(|lines| lines[0] == "WATCHDOG=1").count() >= 4, "{messages:?}");
    proxy.stop();
}

#[test]
fn plain_requests_are_led_to_tls() {
    let upstream = Upstream::ok();
    let setup = Setup::before(&upstream).listen("address = \"127.0.0.1:0\"\nredirect = \"https\"");
    let proxy = setup.listen("address = \"127.0.0.1:0\"\nredirect = \"https:8443\"").start();
    let answer = get(proxy.listener(1), "/a%20b?q=1", "led").whole();
    assert_eq!((answer.status(), answer.header("location")), (308, Some("https://test.example/a%20b?q=1")));
    assert_eq!(answer.header("x-request-id"), Some("led"));
    let record = proxy.completed("led");
    assert_eq!((record.text("responder"), record.text("outcome")), ("gatelog", "redirect"));
    assert_eq!((record.number("status_code"), record.text("phase")), (308, "done"));
    let mut client = Client::connect(proxy.listener(2));
    let post = request("POST", "/", "led-post", "", "body");
    assert_eq!(client.exchange(post).whole().header("location"), Some("https://test.example:8443/"));
    for bad in ["Host: a/b", "Host: a\r\nHost: b", "Host: a b"] {
        let mut client = Client::connect(proxy.listener(1));
        assert_eq!(client.exchange(format!("GET / HTTP/1.1\r\n{bad}\r\n\r\n")).status(), 400, "{bad}");
    }
    let mut old = Client::connect(proxy.listener(1));
    assert_eq!(old.exchange("GET / HTTP/1.0\r\n\r\n").status(), 400, "there is nowhere to send it");
    assert_eq!(get(proxy.addr(), "/", "served").ok().text(), "ok");
    proxy.stop();
    assert_eq!(upstream.accepted(), 1);
}
