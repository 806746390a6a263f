//! `config/django-logging.toml` as it is shipped, but for its addresses: each handler of the dict gets what Django's would.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::support::collector::{Accepted, body};
use crate::support::{Client, DEADLINE, Upstream, request, syslog};

const SHIPPED: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/config/django-logging.toml"));

/// Answers as the first word of the path says.
fn app() -> Upstream {
    Upstream::script(|conn| {
        while let Some(message) = conn.request() {
            match message.start[1].as_str() {
                "/broken" => conn.send("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"),
                "/missing" => conn.send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
                _ => conn.ok("fine"),
            }
        }
    })
}

fn collector() -> (Upstream, Accepted) {
    let accepted = Accepted::default();
    let into = accepted.clone();
    let upstream = Upstream::script(move |conn| {
        while let Some(request) = conn.request() {
            assert_eq!(request.header("authorization"), Some("Bearer the key"));
            let document: Value = serde_json::from_str(&body(&request)).unwrap();
            into.take(document["logs"].as_array().unwrap().clone());
            conn.send("HTTP/1.1 204 No Content\r\n\r\n");
        }
    });
    (upstream, accepted)
}

/// The shipped file with the addresses of this test, each of which it must have; and an output that tells where it listens.
fn configuration(addresses: [(&str, String); 4]) -> String {
    let shipped = addresses.into_iter().fold(SHIPPED.to_owned(), |text, (shipped, ours)| {
        assert!(text.lines().any(|line| !line.starts_with('#') && line.contains(shipped)), "{shipped}");
        text.replace(shipped, &ours)
    });
    shipped + "[[log.output]]\nname = \"probe\"\ntype = \"file\"\npath = \"probe.jsonl\"\nformat = \"json\"\n"
}

/// The process, which ends with its test.
struct Running(Child);

impl Running {
    fn start(folder: &Path) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatelog"));
        command.args(["run", "--config", "gatelog.toml"]).current_dir(folder).env("LOG_API_KEY", "the key");
        Running(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap())
    }

    /// Ends it as an operator does; gives what it wrote to the console.
    fn stop(mut self) -> String {
        let kill = format!("kill -TERM {}", self.0.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let mut console = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut console).unwrap();
        assert!(self.0.wait().unwrap().success());
        console
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where it listens, once it does.
fn address(folder: &Path) -> std::net::SocketAddr {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let text = std::fs::read_to_string(folder.join("probe.jsonl")).unwrap_or_default();
        if let Some((_, rest)) = text.split_once("\"listen\":[\"http://") {
            return rest.split_once('"').unwrap().0.parse().unwrap();
        }
        assert!(Instant::now() < deadline, "it does not listen: {text}");
        std::thread::yield_now();
    }
}

/// How many lines begin with each level.
fn levels(text: &str) -> [usize; 3] {
    ["INFO ", "WARNING ", "ERROR "].map(|level| text.lines().filter(|line| line.starts_with(level)).count())
}

#[test]
fn each_handler_gets_what_the_dict_says() {
    let folder = tempfile::tempdir().unwrap();
    let (upstream, (collector, shipped)) = (app(), collector());
    let (socket, messages) = syslog::datagrams(folder.path());
    let addresses = [
        ("127.0.0.1:8080", "127.0.0.1:0".to_owned()),
        ("http://127.0.0.1:8000", upstream.url()),
        ("https://logs.example.com/ingest", format!("{}/ingest", collector.url())),
        ("\"unix:/dev/log\"", format!("\"unix:{}\"", socket.display())),
    ];
    std::fs::write(folder.path().join("gatelog.toml"), configuration(addresses)).unwrap();
    let running = Running::start(folder.path());
    let mut client = Client::connect(address(folder.path()));
    for target in ["/", "/broken", "/missing", "/../etc/passwd"] {
        client.exchange(request("GET", target, "any", "", "")).whole();
    }
    drop(client);
    let console = running.stop();

    let read = |name: &str| std::fs::read_to_string(folder.path().join("logs").join(name)).unwrap();
    let all = levels(&read("app.log"));
    // A server that starts and stops, four requests; a page that is not there, a path that leaves its folder; a failure.
    assert!(all[0] >= 2 + 4 + 2 && all[1..] == [2, 1], "{all:?}");
    assert_eq!(levels(&console), all, "{console}");
    assert_eq!(levels(&read("error.log")), [0, 0, 1]);
    let security = read("security.log");
    assert!(levels(&security) == [0, 1, 0] && !security.contains("completed"), "{security}");
    let sent: Vec<Value> = shipped.records();
    let sent = |level: &str| sent.iter().filter(|record| record["level"] == level).count();
    assert_eq!([sent("INFO"), sent("WARNING"), sent("ERROR")], [0, 2, 1]);
    let errors = messages.wait_for("the message", |messages| !messages.is_empty());
    assert!(errors.len() == 1 && errors[0]["event"] == "request_completed", "{errors:?}");
}
