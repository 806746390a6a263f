//! A machine that has run out of descriptors: the proxy says so, waits, and goes on.

use std::net::TcpStream;

use crate::support::{Client, Setup, Upstream, request};

/// What the proxy may have open, and clients that want more than that.
const DESCRIPTORS: u32 = 40;
const CLIENTS: usize = 80;

#[test]
fn a_proxy_without_descriptors_says_so_and_serves_again_once_it_has_some() {
    let upstream = Upstream::script(|conn| {
        while conn.request().is_some() {
            conn.ok("fine");
        }
    });
    let proxy = Setup::before(&upstream).top("workers", "1").descriptors(DESCRIPTORS).start();
    let clients: Vec<TcpStream> = (0..CLIENTS).map(|_| TcpStream::connect(proxy.addr()).unwrap()).collect();
    let log = proxy.wait_for("the complaint", |log| log.count("diagnostic") > 0);
    let complaint = &log.events("diagnostic")[0];
    assert_eq!((complaint.text("level"), complaint.text("logger")), ("ERROR", "gatelog.proxy"));
    assert!(complaint.text("message").contains("cannot accept"), "{complaint:?}");
    drop(clients);
    let answer = Client::connect(proxy.addr()).exchange(request("GET", "/", "after", "", "")).ok();
    assert_eq!(answer.text(), "fine");
    assert_eq!(proxy.completed("after").text("outcome"), "success");
    let complaints = proxy.log().count("diagnostic");
    assert!(complaints < 20, "{complaints} complaints: it does not wait between them");
    proxy.stop();
}
