//! Servers of HTTP/2 that are gone without a word: noticed in the time of `timeouts.ping`, told apart from those that only
//! have nothing to say, and their connections used by nobody again.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;

use crate::support::h2_upstream::{Call, H2Upstream};
use crate::support::{Client, Setup, TestProxy, request, until};

/// How the answer to a PING begins: eight bytes, the type, ACK, no stream.
const PONG: &[u8] = &[0, 0, 8, 6, 1, 0, 0, 0, 0];

/// The wire to a server. What is connected when it breaks stays connected, and carries nothing any more; new connections are
/// as good as ever.
struct Wire {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// The connections so far, each with whether it is broken.
    connections: Mutex<Vec<(TcpStream, Arc<AtomicBool>)>>,
    /// Answers to PING that servers have sent through it.
    pongs: AtomicUsize,
    over: AtomicBool,
}

impl Wire {
    fn to(server: SocketAddr) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (addr, shared) = (listener.local_addr().unwrap(), Arc::<Shared>::default());
        let own = Arc::clone(&shared);
        std::thread::spawn(move || {
            while let Ok((near, _)) = listener.accept() {
                if own.over.load(Ordering::SeqCst) {
                    return;
                }
                let (far, broken) = (TcpStream::connect(server).unwrap(), Arc::<AtomicBool>::default());
                own.connections.lock().unwrap().push((near.try_clone().unwrap(), Arc::clone(&broken)));
                carry(near.try_clone().unwrap(), far.try_clone().unwrap(), Arc::clone(&broken), None);
                carry(far, near, broken, Some(Arc::clone(&own)));
            }
        });
        Wire { addr, shared }
    }

    fn setup(&self) -> Setup {
        Setup::to(&format!("h2c://{}", self.addr))
    }

    /// Nothing passes any more over what is connected now.
    fn break_silently(&self) {
        self.shared.connections.lock().unwrap().iter().for_each(|(_, broken)| broken.store(true, Ordering::SeqCst));
    }

    fn connections(&self) -> usize {
        self.shared.connections.lock().unwrap().len()
    }

    fn pongs(&self) -> usize {
        self.shared.pongs.load(Ordering::SeqCst)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.addr);
        for (connection, _) in self.shared.connections.lock().unwrap().iter() {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

/// Carries bytes one way until that breaks or ends; a broken way swallows them.
fn carry(mut from: TcpStream, mut to: TcpStream, broken: Arc<AtomicBool>, counted: Option<Arc<Shared>>) {
    let _ = to.set_nodelay(true);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if broken.load(Ordering::SeqCst) {
                continue;
            }
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
            let pongs = buffer[..count].windows(PONG.len()).filter(|bytes| *bytes == PONG).count();
            if let Some(shared) = &counted {
                shared.pongs.fetch_add(pongs, Ordering::SeqCst);
            }
        }
        if !broken.load(Ordering::SeqCst) {
            let _ = to.shutdown(Shutdown::Write);
        }
    });
}

/// Answers with its path, but `/open` with the beginning of a body alone.
async fn answer(mut call: Call) {
    let path = call.request.uri().path().to_owned();
    let mut out = call.answer.send_response(Response::new(()), false).unwrap();
    out.send_data(Bytes::from(path.clone()), path != "/open").unwrap();
    if path == "/open" {
        std::future::poll_fn(|cx| out.poll_reset(cx)).await.unwrap();
    }
}

fn one_core(setup: Setup) -> TestProxy {
    setup.top("workers", "1").timeout("ping = \"200ms\"").start()
}

fn ask(proxy: &TestProxy, method: &str, path: &str, id: &str) -> u16 {
    Client::connect(proxy.addr()).exchange(request(method, path, id, "", "")).status()
}

#[test]
fn a_dead_connection_is_noticed_in_time_and_what_may_be_is_sent_again() {
    let server = H2Upstream::script(answer);
    let wire = Wire::to(server.addr());
    let proxy = one_core(wire.setup());
    assert_eq!(ask(&proxy, "GET", "/", "before"), 200);
    wire.break_silently();
    let asked = Instant::now();
    assert_eq!(ask(&proxy, "GET", "/", "again"), 200);
    // Two and a half times 200 ms, and what a loaded machine adds; far below the 30 s of `response`.
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    let record = proxy.completed("again");
    assert_eq!((record.text("outcome"), record.is("reused_connection")), ("success", false), "{record:?}");
    assert_eq!((record.number("attempts"), wire.connections()), (2, 2), "{record:?}");
    proxy.stop();
}

#[test]
fn what_may_not_be_sent_again_is_told_and_the_next_has_a_new_connection() {
    let server = H2Upstream::script(answer);
    let wire = Wire::to(server.addr());
    let proxy = one_core(wire.setup());
    assert_eq!(ask(&proxy, "GET", "/", "before"), 200);
    wire.break_silently();
    assert_eq!(ask(&proxy, "POST", "/", "lost"), 504);
    let record = proxy.completed("lost");
    let seen = (record.text("outcome"), record.text("exception_type"), record.text("phase"));
    assert_eq!(seen, ("upstream_timeout", "connection_read_timeout", "wait"), "{record:?}");
    assert!(record.text("exception_message").contains("did not answer a PING"), "{record:?}");
    assert!(record.is("reused_connection"));
    assert_eq!(ask(&proxy, "POST", "/", "after"), 200);
    let record = proxy.completed("after");
    assert_eq!((record.text("outcome"), record.is("reused_connection")), ("success", false), "{record:?}");
    proxy.stop();
}

#[test]
fn a_body_that_will_never_go_on_ends_though_nobody_limits_its_silence() {
    let server = H2Upstream::script(answer);
    let wire = Wire::to(server.addr());
    let proxy = one_core(wire.setup().timeout("idle = \"off\"").timeout("response = \"off\""));
    let mut client = Client::connect(proxy.addr());
    client.send(request("GET", "/open", "open", "", ""));
    assert_eq!(client.head().status(), 200);
    wire.break_silently();
    client.rest();
    let record = proxy.completed("open");
    let seen = (record.text("outcome"), record.text("exception_type"), record.text("phase"));
    assert_eq!(seen, ("upstream_timeout", "connection_read_timeout", "receive"), "{record:?}");
    assert_eq!(record.number("response_size"), 5);
    assert_eq!(ask(&proxy, "GET", "/", "after"), 200);
    assert!(!proxy.completed("after").is("reused_connection"));
    proxy.stop();
}

#[test]
fn what_is_left_on_a_connection_that_takes_no_more_is_not_forgotten() {
    let server = H2Upstream::script(answer);
    let wire = Wire::to(server.addr());
    let proxy = one_core(wire.setup().timeout("idle = \"off\"").timeout("response = \"50ms\""));
    let mut client = Client::connect(proxy.addr());
    client.send(request("GET", "/open", "open", "", ""));
    assert_eq!(client.head().status(), 200);
    wire.break_silently();
    assert_eq!(ask(&proxy, "GET", "/", "late"), 504);
    assert_eq!(proxy.completed("late").text("exception_type"), "http_response_timeout");
    client.rest();
    assert_eq!(proxy.completed("open").text("exception_type"), "connection_read_timeout");
    proxy.stop();
}

#[test]
fn a_server_that_has_nothing_to_say_only_has_to_answer() {
    let (release, held) = mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let server = H2Upstream::script(move |mut call| {
        let held = Arc::clone(&held);
        async move {
            tokio::task::spawn_blocking(move || held.lock().unwrap().recv().unwrap()).await.unwrap();
            call.answer.send_response(Response::new(()), true).unwrap();
        }
    });
    let wire = Wire::to(server.addr());
    let proxy = one_core(wire.setup());
    let answered = std::thread::scope(|scope| {
        let client = scope.spawn(|| ask(&proxy, "GET", "/", "slow"));
        proxy.wait_for("the start", |log| log.of("slow").count("request_started") == 1);
        // The first belongs to the beginning of the connection.
        until("an answer to a PING", || wire.pongs() > 1);
        release.send(()).unwrap();
        client.join().unwrap()
    });
    assert_eq!((answered, wire.connections()), (200, 1));
    proxy.stop();
}
