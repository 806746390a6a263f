//! The proxy under test: the real binary as a child process, its configuration, and its log as it grows.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Instant;

use tempfile::TempDir;

use super::log::{Log, Record};
use super::tls::Authority;
use super::{DEADLINE, Upstream};

/// How a shell becomes the proxy.
const EXEC: &str = "exec \"$0\" \"$@\"";

/// What to configure before the proxy is started.
pub(crate) struct Setup {
    top: String,
    servers: Vec<String>,
    upstream: String,
    timeouts: Vec<String>,
    tables: BTreeMap<&'static str, String>,
    routes: String,
    tls: bool,
    listeners: String,
    script: Option<String>,
    stdin: Option<OwnedFd>,
    environment: Vec<(&'static str, String)>,
    binary: PathBuf,
    dir: TempDir,
}

impl Setup {
    /// One upstream at `url`; every request id is believed, so that a test knows its own records.
    pub(crate) fn to(url: &str) -> Setup {
        let mut tables = BTreeMap::new();
        tables.insert("identity", "request_id = { accept = \"always\" }\n".to_owned());
        // Its default port is one for all tests at once.
        tables.insert("admin", "address = \"off\"\n".to_owned());
        Setup {
            top: "workers = 2\n".to_owned(),
            servers: vec![format!("\"{url}\"")],
            upstream: String::new(),
            timeouts: Vec::new(),
            tables,
            routes: String::new(),
            tls: false,
            listeners: String::new(),
            script: None,
            stdin: None,
            environment: Vec::new(),
            binary: env!("CARGO_BIN_EXE_gatelog").into(),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// In front of a scripted upstream.
    pub(crate) fn before(upstream: &Upstream) -> Setup {
        Setup::to(&upstream.url())
    }

    /// In front of several scripted upstreams, as servers of one.
    pub(crate) fn among(upstreams: &[&Upstream]) -> Setup {
        let servers = upstreams.iter().map(|upstream| format!("\"{}\"", upstream.url())).collect();
        Setup { servers, ..Setup::to("") }
    }

    /// One more server, in TOML: `{ url = "…", backup = true }`.
    pub(crate) fn server(mut self, toml: &str) -> Setup {
        self.servers.push(toml.to_owned());
        self
    }

    /// A line before all tables; a later one with the same key wins over the default.
    pub(crate) fn top(mut self, key: &str, value: &str) -> Setup {
        self.top =
            self.top.lines().filter(|line| !line.starts_with(key)).fold(String::new(), |top, line| top + line + "\n");
        let _ = writeln!(self.top, "{key} = {value}");
        self
    }

    /// A line of the one `[[upstream]]`.
    pub(crate) fn upstream(mut self, line: &str) -> Setup {
        self.upstream = self.upstream + line + "\n";
        self
    }

    /// One entry of the upstream's `timeouts`, such as `response = "300ms"`.
    pub(crate) fn timeout(mut self, entry: &str) -> Setup {
        self.timeouts.push(entry.to_owned());
        self
    }

    /// A line of `[table]`.
    pub(crate) fn set(mut self, table: &'static str, line: &str) -> Setup {
        let lines = self.tables.entry(table).or_default();
        let _ = writeln!(lines, "{line}");
        self
    }

    /// `[[route]]` and whatever else comes after all tables.
    pub(crate) fn routes(mut self, toml: &str) -> Setup {
        self.routes.push_str(toml);
        self
    }

    /// `[identity]` as written, in place of the harness's own.
    pub(crate) fn identity(mut self, lines: &str) -> Setup {
        self.tables.insert("identity", lines.to_owned() + "\n");
        self
    }

    /// An admin listener on a port of its own.
    pub(crate) fn admin(self) -> Setup {
        self.admin_at("127.0.0.1:0")
    }

    /// An admin listener at this address.
    pub(crate) fn admin_at(mut self, address: &str) -> Setup {
        self.tables.insert("admin", format!("address = \"{address}\"\n"));
        self
    }

    /// A second listener that speaks TLS with a certificate of [`Authority::shared`].
    pub(crate) fn tls(mut self) -> Setup {
        self.tls = true;
        self
    }

    /// The process may have no more than so many files and sockets open.
    pub(crate) fn descriptors(mut self, most: u32) -> Setup {
        self.script = Some(format!("ulimit -n {most} && {EXEC}"));
        self
    }

    /// One more `[[listen]]`, with what stands in it.
    pub(crate) fn listen(mut self, lines: &str) -> Setup {
        let _ = writeln!(self.listeners, "[[listen]]\n{lines}");
        self
    }

    /// A listening socket that is there before the process, as systemd passes it on.
    pub(crate) fn inherit(mut self, name: &str, socket: impl Into<OwnedFd>) -> Setup {
        self.script = Some(format!("LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES={name} {EXEC} 3<&0 </dev/null"));
        self.stdin = Some(socket.into());
        self
    }

    /// Started under this path, at which the binary has to lie.
    pub(crate) fn binary(mut self, path: PathBuf) -> Setup {
        self.binary = path;
        self
    }

    /// A variable of the process.
    pub(crate) fn environment(mut self, name: &'static str, value: &str) -> Setup {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// The directory of this proxy, where its files may be put.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn toml(&self) -> String {
        let mut toml = format!("{}\n[[listen]]\naddress = \"127.0.0.1:0\"\n", self.top);
        if self.tls {
            let (certificate, key) = Authority::shared().issue("localhost").write_to(self.dir.path());
            let _ = writeln!(toml, "[[listen]]\naddress = \"127.0.0.1:0\"");
            let _ = writeln!(toml, "tls = {{ certificate = {certificate:?}, key = {key:?} }}");
        }
        toml.push_str(&self.listeners);
        let _ = writeln!(toml, "[[upstream]]\nname = \"app\"\nservers = [{}]", self.servers.join(", "));
        let _ = writeln!(toml, "timeouts = {{ {} }}\n{}", self.timeouts.join(", "), self.upstream);
        for (table, lines) in &self.tables {
            let _ = writeln!(toml, "[{table}]\n{lines}");
        }
        toml + &self.routes
    }

    /// `gatelog run` on this configuration, without waiting for anything.
    pub(crate) fn command(&self) -> Command {
        let config = self.dir.path().join("gatelog.toml");
        std::fs::write(&config, self.toml()).unwrap();
        let mut command = match &self.script {
            None => Command::new(&self.binary),
            Some(script) => {
                let mut command = Command::new("sh");
                command.args(["-c", script, env!("CARGO_BIN_EXE_gatelog")]);
                command
            }
        };
        command.arg("run").arg("--config").arg(config).current_dir(self.dir.path());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GATELOG_")) {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let stdin = self.stdin.as_ref().map_or_else(Stdio::null, |socket| socket.try_clone().unwrap().into());
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts the proxy and waits until it says where it listens.
    pub(crate) fn start(self) -> TestProxy {
        let mut child = self.command().spawn().unwrap();
        let output = Arc::new(Output::default());
        let reader = follow(child.stdout.take().unwrap(), &output);
        let mut proxy = TestProxy {
            child,
            output,
            reader: Some(reader),
            dir: self.dir,
            urls: Vec::new(),
            plain: ([0; 4], 0).into(),
            tls: None,
            admin: None,
            stopped: false,
        };
        let log = proxy.wait_for("server_started", |log| log.count("server_started") > 0);
        for url in log.events("server_started")[0].get("listen").and_then(|listen| listen.as_array()).unwrap() {
            let url = url.as_str().unwrap();
            let (scheme, address) = url.split_once("://").unwrap();
            match (scheme, address.parse().ok()) {
                ("http", Some(address)) if proxy.plain.port() == 0 => proxy.plain = address,
                ("https", Some(address)) if proxy.tls.is_none() => proxy.tls = Some(address),
                ("http" | "https", _) => {}
                _ => panic!("listens at {url}"),
            }
            proxy.urls.push(url.to_owned());
        }
        let admin = log.events("server_started")[0].text("admin").strip_prefix("http://");
        proxy.admin = admin.map(|address| address.parse().unwrap());
        proxy
    }
}

/// What came out of the proxy's stdout so far.
#[derive(Default)]
struct Output {
    state: Mutex<OutputState>,
    grown: Condvar,
}

#[derive(Default)]
struct OutputState {
    raw: String,
    log: Log,
    over: bool,
    broken: Option<String>,
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, OutputState> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Reads stdout on a thread of its own, line by line, until it is closed.
fn follow(stdout: impl Read + Send + 'static, output: &Arc<Output>) -> JoinHandle<()> {
    let output = Arc::clone(output);
    std::thread::spawn(move || {
        let mut lines = BufReader::new(stdout);
        let mut line = Vec::new();
        while matches!(lines.read_until(b'\n', &mut line), Ok(count) if count > 0) {
            output.lock().take_line(std::mem::take(&mut line));
            output.grown.notify_all();
        }
        output.lock().over = true;
        output.grown.notify_all();
    })
}

impl OutputState {
    fn take_line(&mut self, line: Vec<u8>) {
        let parsed = std::panic::catch_unwind(|| {
            let line = String::from_utf8(line).unwrap_or_else(|error| panic!("{error}"));
            let record = Record::parse(line.strip_suffix('\n').unwrap_or_else(|| panic!("cut line {line:?}")));
            (line, record)
        });
        match parsed {
            Ok((line, record)) => {
                self.raw.push_str(&line);
                self.log.0.push(record);
            }
            Err(panic) => self.broken = Some(panic.downcast_ref::<String>().cloned().unwrap_or_default()),
        }
    }
}

/// A running proxy. Its log is checked by [`TestProxy::stop`]; dropping it kills the child.
pub(crate) struct TestProxy {
    child: Child,
    output: Arc<Output>,
    reader: Option<JoinHandle<()>>,
    dir: TempDir,
    urls: Vec<String>,
    plain: SocketAddr,
    tls: Option<SocketAddr>,
    admin: Option<SocketAddr>,
    stopped: bool,
}

impl TestProxy {
    /// Everywhere it listens, in the order of the configuration.
    pub(crate) fn urls(&self) -> &[String] {
        &self.urls
    }

    /// Where it listens over TCP, by place in the configuration.
    pub(crate) fn listener(&self, index: usize) -> SocketAddr {
        self.urls[index].split_once("://").unwrap().1.parse().unwrap()
    }

    /// Where it speaks plain HTTP.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.plain
    }

    /// Where its admin listener is.
    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin.unwrap()
    }

    /// Where it speaks TLS.
    pub(crate) fn tls_addr(&self) -> SocketAddr {
        self.tls.unwrap()
    }

    /// All records so far.
    pub(crate) fn log(&self) -> Log {
        self.output.lock().log.clone()
    }

    /// Waits until the log fulfils a condition and returns it; panics with the log after [`DEADLINE`].
    pub(crate) fn wait_for(&self, what: &str, mut fulfilled: impl FnMut(&Log) -> bool) -> Log {
        let deadline = Instant::now() + DEADLINE;
        let mut state = self.output.lock();
        loop {
            if let Some(broken) = &state.broken {
                panic!("a line of the log is broken: {broken}");
            }
            if fulfilled(&state.log) {
                return state.log.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && !state.over, "{what} is not in the log:\n{}", state.raw);
            state = self.output.grown.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Waits for the terminal record of a request.
    pub(crate) fn completed(&self, request_id: &str) -> Record {
        let log =
            self.wait_for(&format!("the end of {request_id}"), |log| log.of(request_id).count("request_completed") > 0);
        log.completed(request_id)
    }

    /// Sends a signal by its short name.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// The same, for the bytes of the log.
    pub(crate) fn stop_raw(mut self) -> String {
        self.signal("TERM");
        self.settle();
        self.output.lock().raw.clone()
    }

    /// The same as [`TestProxy::wait`], and lets the test look at the files of the proxy before they go with it.
    pub(crate) fn wait_keeping(mut self, look: impl FnOnce()) -> Log {
        let log = self.settle();
        look();
        log
    }

    /// Waits until the process has left by itself, checks its exit code and its whole log, and returns that.
    pub(crate) fn wait(mut self) -> Log {
        self.settle()
    }

    fn settle(&mut self) -> Log {
        self.wait_for_end();
        let status = self.child.wait().unwrap();
        self.stopped = true;
        self.reader.take().unwrap().join().unwrap();
        let log = self.wait_for("the log", |_| true);
        assert!(status.success(), "{status}: {}", self.stderr());
        self.verify();
        log.check_promises();
        log
    }

    /// Stops the proxy as an operator does (SIGTERM), then as [`TestProxy::wait`].
    pub(crate) fn stop(self) -> Log {
        self.signal("TERM");
        self.wait()
    }

    fn wait_for_end(&self) {
        let deadline = Instant::now() + DEADLINE;
        let mut state = self.output.lock();
        while !state.over {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the proxy does not leave:\n{}", state.raw);
            state = self.output.grown.wait_timeout(state, left).unwrap().0;
        }
    }

    fn stderr(&mut self) -> String {
        let mut text = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            let _ = stderr.read_to_string(&mut text);
        }
        text
    }

    /// `gatelog verify` has to agree that the log is whole.
    fn verify(&self) {
        let path = self.dir.path().join("verified.jsonl");
        std::fs::write(&path, &self.output.lock().raw).unwrap();
        let verdict = Command::new(env!("CARGO_BIN_EXE_gatelog")).arg("verify").arg(&path).output().unwrap();
        assert!(verdict.status.success(), "gatelog verify: {verdict:?}\n{}", self.output.lock().raw);
    }
}

impl Drop for TestProxy {
    fn drop(&mut self) {
        if !self.stopped {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
