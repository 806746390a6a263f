//! The commands as processes: in a pipe, in a terminal, interrupted; and logs to ask them about.

use std::io::{BufRead, BufReader, Read, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use super::DEADLINE;

/// The binary, with no configuration around it and times in UTC.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatelog"));
    command.args(arguments).env("TZ", "UTC").stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GATELOG_") || name.starts_with("CLICOLOR")) {
        command.env_remove(name);
    }
    command
}

/// Runs it to its end.
pub(crate) fn gatelog(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

/// What it wrote, of which nothing went wrong.
#[track_caller]
pub(crate) fn said(arguments: &[&str]) -> String {
    let output = gatelog(arguments);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()), "{arguments:?}");
    text(&output.stdout)
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A command that is still running.
pub(crate) struct Started {
    child: Child,
    lines: Receiver<String>,
    errors: Receiver<String>,
}

impl Started {
    pub(crate) fn new(mut command: Command) -> Started {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (lines, errors) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        Started { child, lines, errors }
    }

    /// The next line that it writes.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(DEADLINE).expect("a line")
    }

    /// The next line on stderr.
    #[track_caller]
    pub(crate) fn error(&self) -> String {
        self.errors.recv_timeout(DEADLINE).expect("a line on stderr")
    }

    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// As Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Its exit code, and what it wrote that was not asked for.
    pub(crate) fn ended(mut self) -> (Option<i32>, Vec<String>, Vec<String>) {
        let until = Instant::now() + DEADLINE;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() > until => {
                    self.child.kill().unwrap();
                    panic!("it does not end");
                }
                None => std::thread::yield_now(),
            }
        };
        (status.code(), self.lines.iter().collect(), self.errors.iter().collect())
    }
}

fn lines(source: impl Read + Send + 'static) -> Receiver<String> {
    let (to, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(source).lines().map_while(Result::ok) {
            let _ = to.send(line);
        }
    });
    lines
}

/// A command in a terminal of 100 columns and 30 rows; `script` (util-linux) gives it one.
pub(crate) struct InTerminal {
    child: Child,
    keys: ChildStdin,
    shown: Receiver<Vec<u8>>,
    text: String,
    /// What a person sees.
    screen: vt100::Parser,
}

impl InTerminal {
    /// Behind it, `more` is run in the same terminal.
    pub(crate) fn start(arguments: &[&str], more: &str) -> InTerminal {
        let quoted: Vec<String> = arguments.iter().map(|word| format!("'{word}'")).collect();
        let program = env!("CARGO_BIN_EXE_gatelog");
        let line = format!(
            "trap : INT; tty; stty cols 100 rows 30; {program} {}; code=$?; {more}; exit $code",
            quoted.join(" ")
        );
        let mut script = Command::new("script");
        script.args(["-qefc", &line, "/dev/null"]).env("TERM", "xterm").env("TZ", "UTC").env("SHELL", "/bin/sh");
        script.env_remove("NO_COLOR").env_remove("GATELOG_ADMIN_TOKEN");
        let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (keys, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (to, shown) = channel();
        std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut part) {
                let _ = to.send(part[..read].to_vec());
            }
        });
        InTerminal { child, keys, shown, text: String::new(), screen: vt100::Parser::new(length(30), length(100), 0) }
    }

    /// Takes what comes next.
    #[track_caller]
    fn take(&mut self, until: Instant, missing: &dyn Fn(&str) -> String) {
        let part = self.shown.recv_timeout(until.saturating_duration_since(Instant::now()));
        let part = part.unwrap_or_else(|_| panic!("{}", missing(&self.text)));
        self.screen.process(&part);
        self.text += &String::from_utf8_lossy(&part);
    }

    /// Waits until a person sees what is wanted, and returns the whole screen.
    #[track_caller]
    pub(crate) fn sees(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + DEADLINE;
        loop {
            let screen = self.screen.screen().contents();
            if wanted(&screen) {
                return screen;
            }
            self.take(until, &|_| format!("it is not on the screen:\n{screen}\n"));
        }
    }

    /// Gives the terminal another size, as whoever pulls at the corner of its window does.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) -> &mut InTerminal {
        let name = self.text.lines().next().unwrap().to_owned();
        let [columns_of, rows_of] = [columns, rows].map(|number| number.to_string());
        let resized = Command::new("stty").args(["-F", &name, "cols", &columns_of, "rows", &rows_of]).status().unwrap();
        assert!(resized.success(), "{name}");
        self.screen.screen_mut().set_size(length(rows), length(columns));
        self
    }

    /// Waits until the terminal was shown this.
    #[track_caller]
    pub(crate) fn until(&mut self, expected: &str) -> &mut InTerminal {
        let until = Instant::now() + DEADLINE;
        while !self.text.contains(expected) {
            self.take(until, &|text| format!("{expected:?} is not in {text:?}"));
        }
        self
    }

    pub(crate) fn press(&mut self, keys: &str) -> &mut InTerminal {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
        self
    }

    /// Its exit code, and everything that it has shown.
    pub(crate) fn ended(mut self) -> (Option<i32>, String) {
        let until = Instant::now() + DEADLINE;
        while let Ok(part) = self.shown.recv_timeout(until.saturating_duration_since(Instant::now())) {
            self.text += &String::from_utf8_lossy(&part);
        }
        // Whoever has not ended until now is ended by its terminal going away.
        drop(self.keys);
        (self.child.wait().unwrap().code(), self.text)
    }
}

fn length(number: u16) -> NonZero<u16> {
    NonZero::new(number).unwrap()
}

/// A log of three requests with fixed moments, of which one failed and one is not over.
pub(crate) const LOG: [&str; 6] = [
    r#"{"timestamp":"2026-11-22T11:02:36.000100Z","level":"INFO","event":"request_started","message":"Request started","logger":"gatelog.request","schema":1,"seq":1,"instance":"i1","request_id":"r1","span_id":"s1","method":"GET","host":"shop.example","path":"/posts/7/","view_name":"post-detail","view_kwargs":{"pk":7},"route":"/posts/{pk}/","ip_address":"203.0.113.7","in_flight":true}"#,
    r#"{"timestamp":"2026-11-22T11:02:36.053300Z","level":"INFO","event":"request_completed","message":"Request completed","logger":"gatelog.request","schema":1,"seq":2,"instance":"i1","request_id":"r1","span_id":"s1","method":"GET","host":"shop.example","path":"/posts/7/","view_name":"post-detail","view_kwargs":{"pk":7},"route":"/posts/{pk}/","ip_address":"203.0.113.7","request_size":0,"status_code":200,"response_size":512,"duration":0.053210,"timing":{"queue":0.000050,"wait":0.053000,"receive":0.000160},"outcome":"success","phase":"done","slow":false}"#,
    r#"{"timestamp":"2026-11-22T11:02:37.000000Z","level":"CRITICAL","event":"request_failed","message":"Request failed with exception","logger":"gatelog.request","schema":1,"seq":3,"instance":"i1","request_id":"r2","span_id":"s2","method":"POST","host":"shop.example","path":"/checkout/","view_name":"checkout","route":"/checkout/","ip_address":"203.0.113.8","status_code":502,"duration":1.500000,"outcome":"upstream_refused","exception_type":"connection_refused","exception_message":"127.0.0.1:8000 refused"}"#,
    r#"{"timestamp":"2026-11-22T11:02:37.000100Z","level":"ERROR","event":"request_completed","message":"Request completed","logger":"gatelog.request","schema":1,"seq":4,"instance":"i1","request_id":"r2","span_id":"s2","method":"POST","host":"shop.example","path":"/checkout/","view_name":"checkout","route":"/checkout/","ip_address":"203.0.113.8","request_size":20,"status_code":502,"response_size":0,"duration":1.500100,"outcome":"upstream_refused","exception_type":"connection_refused","exception_message":"127.0.0.1:8000 refused","slow":true}"#,
    r#"{"timestamp":"2026-11-22T11:02:38.000000Z","level":"INFO","event":"order_failed","message":"order_failed","logger":"gatelog.business","schema":1,"seq":5,"instance":"i1","request_id":"r2","order":7}"#,
    r#"{"timestamp":"2026-11-22T12:30:00.000000Z","level":"INFO","event":"request_started","message":"Request started","logger":"gatelog.request","schema":1,"seq":6,"instance":"i1","request_id":"r3","span_id":"s3","method":"GET","host":"shop.example","path":"/","view_name":"home","route":"/","in_flight":true}"#,
];

/// A folder with [`LOG`] in a file, and a store of the same records.
pub(crate) struct Kept {
    dir: tempfile::TempDir,
}

impl Kept {
    pub(crate) fn new() -> Kept {
        Kept::of(&LOG.join("\n"))
    }

    /// Of these lines; only the file.
    pub(crate) fn of(lines: &str) -> Kept {
        let kept = Kept { dir: tempfile::tempdir().unwrap() };
        std::fs::write(kept.log(), lines.to_owned() + "\n").unwrap();
        kept
    }

    /// Puts the log into the store.
    pub(crate) fn stored(self) -> Kept {
        said(&["store", "import", &self.log(), "--store", &self.store()]);
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn log(&self) -> String {
        string(&self.path("log.jsonl"))
    }

    pub(crate) fn store(&self) -> String {
        string(&self.path("data"))
    }
}

fn string(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
