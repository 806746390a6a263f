//! Which server is next: turns by weight, keys that stay with their server, load that is evened out.

use std::sync::{Arc, Barrier};

use super::{ask, named, shares};
use crate::support::{Client, Setup, Upstream, get, in_parallel, request};

#[test]
fn turns_follow_the_weights() {
    let (heavy, light) = (named(), named());
    let setup = Setup::among(&[&light]).server(&format!("{{ url = \"{}\", weight = 3 }}", heavy.url()));
    let proxy = setup.top("workers", "1").start();
    ask(&proxy, "turn", 40);
    let shares = shares(&proxy.stop());
    assert_eq!((shares[&heavy.addr().to_string()], shares[&light.addr().to_string()]), (30, 10));
}

#[test]
fn a_header_stays_with_its_server_on_every_core() {
    let servers = [named(), named(), named()];
    let setup = Setup::among(&servers.each_ref()).upstream("balance = \"header_hash:X-Session\"");
    let proxy = setup.start();
    let places = in_parallel(24, |index| {
        let id = format!("session-{index}");
        let session = format!("X-Session: {}\r\n", index % 6);
        Client::connect(proxy.addr()).exchange(request("GET", "/", &id, &session, "")).ok();
        proxy.completed(&id).text("upstream_address").to_owned()
    });
    for (index, place) in places.iter().enumerate() {
        assert_eq!(*place, places[index % 6], "{places:?}");
    }
    assert!(places[..6].iter().any(|place| *place != places[0]), "{places:?}");
    proxy.stop();
}

#[test]
fn a_client_address_stays_with_its_server() {
    let servers = [named(), named(), named()];
    let trusting = "request_id = { accept = \"always\" }\ntrusted_proxies = [\"127.0.0.0/8\"]";
    let proxy = Setup::among(&servers.each_ref()).upstream("balance = \"ip_hash\"").identity(trusting).start();
    let places = in_parallel(32, |index| {
        let id = format!("ip-{index}");
        let client = format!("X-Forwarded-For: 203.0.113.{}\r\n", index % 8);
        Client::connect(proxy.addr()).exchange(request("GET", "/", &id, &client, "")).ok();
        proxy.completed(&id).text("upstream_address").to_owned()
    });
    for (index, place) in places.iter().enumerate() {
        assert_eq!(*place, places[index % 8], "{places:?}");
    }
    assert!(places[..8].iter().any(|place| *place != places[0]), "{places:?}");
    proxy.stop();
}

#[test]
fn by_load_a_server_that_hangs_gets_nothing_while_another_is_idle() {
    let (held, hold) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let slow = Upstream::script({
        let (held, hold) = (Arc::clone(&held), Arc::clone(&hold));
        move |conn| {
            conn.request();
            held.wait();
            hold.wait();
            conn.ok("slow");
        }
    });
    let quick = named();
    let proxy = Setup::among(&[&slow, &quick]).upstream("balance = \"least_requests\"").start();
    let until_one_hangs = || {
        for turn in 0.. {
            if get(proxy.addr(), "/", &format!("hang-{turn}")).ok().text() == "slow" {
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        let hanging = scope.spawn(until_one_hangs);
        held.wait();
        ask(&proxy, "quick", 50);
        hold.wait();
        hanging.join().unwrap();
    });
    let log = proxy.stop();
    let quick = quick.addr().to_string();
    for index in 0..50 {
        assert_eq!(log.completed(&format!("quick-{index}")).text("upstream_address"), quick);
    }
}
