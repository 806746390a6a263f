//! `gatelog tail`: of a log that grows and is rotated, of a proxy that runs, goes and comes back, and of a store where none
//! does.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use crate::support::DEADLINE;
use crate::support::command::{Kept, LOG, Started, command, gatelog, said};

fn append(path: &Path, lines: &[&str]) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(lines.iter().map(|line| format!("{line}\n")).collect::<String>().as_bytes()).unwrap();
}

#[test]
fn the_last_records_are_shown_in_the_order_of_the_log() {
    let kept = Kept::new().stored();
    let expected = format!("{}\n{}\n", LOG[1], LOG[3]);
    assert_eq!(said(&["tail", "event:request_completed", "--file", &kept.log(), "-n", "2"]), expected);
    assert_eq!(said(&["tail", "event:request_completed", "--store", &kept.store(), "-n", "2"]), expected);
}

#[test]
fn a_log_is_followed_through_rotation_until_ctrl_c() {
    let kept = Kept::of(LOG[0]);
    let path = kept.path("log.jsonl");
    let tail = Started::new(command(&["tail", "-request_id:r2", "--follow", "--file", &kept.log(), "-n", "1"]));
    assert_eq!(tail.line(), LOG[0]);
    append(&path, &[LOG[2], LOG[1]]);
    assert_eq!(tail.line(), LOG[1], "what is not meant is passed over");
    fs::rename(&path, kept.path("log.jsonl.1")).unwrap();
    append(&kept.path("log.jsonl.1"), &[LOG[0]]);
    append(&path, &[LOG[5]]);
    assert_eq!([tail.line(), tail.line()], [LOG[0], LOG[5]], "the old one to its end, then the new one");
    tail.interrupt();
    assert_eq!(tail.ended(), (Some(130), Vec::new(), Vec::new()));
}

#[test]
fn whoever_has_seen_enough_ends_it() {
    let kept = Kept::of(LOG[0]);
    let mut child = command(&["tail", "--follow", "--file", &kept.log()])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut String::new()).unwrap();
    drop(output);
    append(&kept.path("log.jsonl"), &[LOG[1]]);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
}

/// An admin listener that answers what a test says.
struct Admin {
    address: SocketAddr,
    asked: Receiver<(String, TcpStream)>,
}

impl Admin {
    fn start() -> Admin {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, (to, asked)) = (listener.local_addr().unwrap(), channel());
        std::thread::spawn(move || listener.incoming().map_while(Result::ok).for_each(|stream| receive(stream, &to)));
        Admin { address, asked }
    }

    fn tail(&self, more: &[&str]) -> Started {
        let address = self.address.to_string();
        let mut command = command(&[&["tail", "--admin", &address, "-n", "2"], more].concat());
        command.env("GATELOG_ADMIN_TOKEN", "0123456789abcdef");
        Started::new(command)
    }

    /// The next request: its head, and where to answer it.
    fn next(&self) -> (String, TcpStream) {
        self.asked.recv_timeout(crate::support::DEADLINE).expect("a request")
    }

    /// Answers the next request, which must be for this.
    #[track_caller]
    fn answer(&self, target: &str, status: &str, body: &str) {
        let (head, mut stream) = self.next();
        assert!(head.starts_with(&format!("GET {target} ")), "{head}");
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    }

    /// Begins to answer it with events.
    #[track_caller]
    fn events(&self, target: &str) -> (String, TcpStream) {
        let (head, mut stream) = self.next();
        assert!(head.starts_with(&format!("GET {target} ")), "{head}");
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            .unwrap();
        (head.to_ascii_lowercase(), stream)
    }
}

fn receive(stream: TcpStream, to: &Sender<(String, TcpStream)>) {
    let mut head = String::new();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
    let _ = to.send((head, stream));
}

fn chunk(stream: &mut TcpStream, text: &str) {
    write!(stream, "{:x}\r\n{text}\r\n", text.len()).unwrap();
}

fn page(lines: &[&str]) -> String {
    format!("{{\"logs\":[{}],\"total_count\":9,\"has_next\":{}}}", lines.join(","), lines.len() == 2)
}

const LIVE: &str = "/api/logs/tail?q=event%3Arequest%5Fcompleted";
const NEWEST: &str = "/api/logs?q=event%3Arequest%5Fcompleted&page=1&per_page=2";

#[test]
fn the_newest_of_a_proxy_that_runs_are_shown() {
    let admin = Admin::start();
    let tail = admin.tail(&["event:request_completed"]);
    admin.answer(NEWEST, "200 OK", &page(&[LOG[3], LOG[1]]));
    assert_eq!(tail.ended(), (Some(0), vec![LOG[1].to_owned(), LOG[3].to_owned()], Vec::new()));
}

#[test]
fn a_proxy_is_followed_also_when_it_is_started_again() {
    let admin = Admin::start();
    let tail = admin.tail(&["event:request_completed", "--follow"]);
    let (head, mut live) = admin.events(LIVE);
    assert!(head.contains("\r\nauthorization: bearer 0123456789abcdef\r\n"), "{head}");
    admin.answer(NEWEST, "200 OK", &page(&[LOG[1]]));
    assert_eq!(tail.line(), LOG[1]);
    // It came between the two questions, and is in both answers.
    chunk(&mut live, &format!("id: e-1\ndata: {}\n\n", LOG[1]));
    chunk(&mut live, &format!("event: missed\ndata: {{\"count\":3}}\n\nid: e-5\ndata: {}\n\n", LOG[3]));
    assert_eq!(tail.line(), LOG[3]);
    assert_eq!(tail.error(), "gatelog: 3 records went by unseen");
    drop(live);
    assert!(tail.error().contains("has gone; waiting for it"));
    let (head, mut live) = admin.events(LIVE);
    assert!(head.contains("\r\nlast-event-id: e-5\r\n"), "{head}");
    chunk(&mut live, &format!("id: e-6\ndata: {}\n\n", LOG[0]));
    assert_eq!(tail.line(), LOG[0]);
    tail.interrupt();
    assert_eq!(tail.ended(), (Some(130), Vec::new(), Vec::new()));
}

#[test]
fn what_the_proxy_refuses_is_said() {
    let admin = Admin::start();
    let tail = admin.tail(&["event:request_completed"]);
    admin.answer(NEWEST, "503 Service Unavailable", "{\"status\":503,\"detail\":\"too many questions\"}");
    let (code, _, errors) = tail.ended();
    assert_eq!(code, Some(1));
    assert!(errors[0].ends_with("answers 503: too many questions"), "{errors:?}");
    let tail = admin.tail(&["event:request_completed"]);
    admin.answer(NEWEST, "401 Unauthorized", "{}");
    assert!(tail.ended().2[0].contains("GATELOG_ADMIN_TOKEN"));
}

#[test]
fn where_no_proxy_runs_the_newest_of_its_store_are_shown() {
    let kept = Kept::new().stored();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = format!(
        "[[upstream]]\nname = \"app\"\nservers = [\"http://127.0.0.1:1\"]\n[store]\npath = \"data\"\n[admin]\naddress = \"{closed}\"\n"
    );
    fs::write(kept.path("gatelog.toml"), config).unwrap();
    let config = kept.path("gatelog.toml");
    let output = gatelog(&["tail", "-n", "1", "--config", config.to_str().unwrap()]);
    assert_eq!((output.status.code(), output.stdout), (Some(0), format!("{}\n", LOG[5]).into_bytes()));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("no proxy answers at") && errors.contains("newest of the store"), "{errors}");
    let followed = gatelog(&["tail", "--follow", "--config", config.to_str().unwrap()]);
    assert_eq!(followed.status.code(), Some(1), "nothing will come");
    let nowhere = gatelog(&["tail", "--admin", &closed.to_string()]);
    assert_eq!((nowhere.status.code(), nowhere.stdout.len()), (Some(1), 0));
}

/// One that follows, whose newest record was read, and nothing is read any more.
fn left_alone(admin: &Admin, before: impl FnOnce(TcpStream) -> Option<TcpStream>) -> std::process::Output {
    let mut command =
        command(&["tail", "event:request_completed", "--follow", "--admin", &admin.address.to_string(), "-n", "2"]);
    let mut child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let (_, live) = admin.events(LIVE);
    admin.answer(NEWEST, "200 OK", &page(&[LOG[1]]));
    output.read_line(&mut String::new()).unwrap();
    let live = before(live);
    drop(output);
    let until = Instant::now() + DEADLINE;
    while child.try_wait().unwrap().is_none() && Instant::now() < until {
        std::thread::yield_now();
    }
    // One that goes on is no good, and its code tells so.
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    drop(live);
    output
}

#[test]
fn whoever_has_seen_enough_of_a_proxy_that_says_nothing_ends_it() {
    let output = left_alone(&Admin::start(), Some);
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
}

#[test]
fn whoever_has_seen_enough_waits_for_no_proxy_that_has_gone() {
    let admin = Admin::start();
    let output = left_alone(&admin, |live| {
        drop(live);
        // It is asked again then, and its answer does not come.
        None
    });
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
