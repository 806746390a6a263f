//! Notices by a program of the user's.
//!
//! It is started directly, never by a shell, with the JSON of [`crate::alert::words::json`] on its standard input, and ends
//! with 0 when it has told people; anything else is a failure, and tried again as that of any other channel is. It is the
//! leader of a process group: when its time is over, it is killed with all that it has started in there.
//!
//! Its environment is `PATH` and what is known of the notice, of several of the first: `GATELOG_ALERT_KIND`, `…_RULE`,
//! `…_SEVERITY`, `…_KEY`.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command as Program};

use crate::alert::words::{Batch, json, kind, line};
use crate::net::post::excerpt;

use super::means::{Unusable, Verdict};

/// Where programs are looked for whose name is no path.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Bytes of what it says that are kept, of each of its two outputs; the rest is read and forgotten.
const OUTPUT: usize = 4096;
/// How long its outputs are read once it has ended: what it has started may hold them open.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// Characters of what is known of the notice, each.
const VARIABLE: usize = 500;

/// A program and its arguments.
pub(super) struct Command {
    program: String,
    arguments: Vec<String>,
    timeout: Duration,
}

/// What it is given.
#[derive(Debug)]
pub(super) struct Input {
    json: Vec<u8>,
    environment: [(&'static str, String); 5],
}

impl Input {
    pub(super) fn new(batch: &Batch) -> Input {
        let first = batch.notices.first();
        let of = |text: Option<&str>| text.map(|text| line(text, VARIABLE)).unwrap_or_default();
        Input {
            json: json::batch(batch).to_string().into_bytes(),
            environment: [
                ("PATH", PATH.to_owned()),
                ("GATELOG_ALERT_KIND", of(first.map(|notice| kind(notice.kind)))),
                ("GATELOG_ALERT_RULE", of(first.map(|notice| notice.rule.as_str()))),
                ("GATELOG_ALERT_SEVERITY", of(first.map(|notice| notice.severity))),
                ("GATELOG_ALERT_KEY", of(first.map(|notice| notice.key.as_str()))),
            ],
        }
    }
}

impl Command {
    pub(super) fn new(argv: &[String], timeout: Duration) -> Result<Command, Unusable> {
        let (program, arguments) = argv.split_first().ok_or(Unusable::NoProgram)?;
        Ok(Command { program: program.clone(), arguments: arguments.to_vec(), timeout })
    }

    /// Runs it once.
    pub(super) async fn run(&self, input: &Input) -> Verdict {
        let mut child = match self.start(input) {
            Ok(child) => child,
            Err(error) => return Verdict::again(format!("cannot start {}: {error}", self.program)),
        };
        let mut said = Said::default();
        match tokio::time::timeout(self.timeout, converse(&mut child, &input.json, &mut said)).await {
            Ok(Ok(status)) if status.success() => Verdict::Delivered { but: None },
            Ok(Ok(status)) => Verdict::again(format!("{} has ended with {status}{}", self.program, said.excerpt())),
            Ok(Err(error)) => Verdict::again(format!("cannot wait for {}: {error}", self.program)),
            Err(_) => {
                kill(&mut child).await;
                let (program, timeout) = (&self.program, self.timeout);
                Verdict::again(format!("{program} has not ended within {timeout:?} and was killed{}", said.excerpt()))
            }
        }
    }

    fn start(&self, input: &Input) -> std::io::Result<Child> {
        Program::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .envs(input.environment.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .process_group(0)
            .kill_on_drop(true)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }
}

/// What it has said so far, also where it does not come to its end.
#[derive(Default)]
struct Said {
    out: Vec<u8>,
    err: Vec<u8>,
}

impl Said {
    /// Its complaints, or else what it has said.
    fn excerpt(&self) -> String {
        excerpt(if self.err.is_empty() { &self.out } else { &self.err })
    }
}

/// Gives it its input and hears what it says until it ends.
async fn converse(child: &mut Child, input: &[u8], said: &mut Said) -> std::io::Result<ExitStatus> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let give = async {
        if let Some(mut stdin) = stdin {
            // One that does not read is none the worse for it.
            let _ = stdin.write_all(input).await;
        }
    };
    let hear = async { tokio::join!(listen(stdout, &mut said.out), listen(stderr, &mut said.err)) };
    let talk = async { tokio::join!(give, hear) };
    tokio::pin!(talk);
    let status = tokio::select! {
        status = child.wait() => status?,
        _ = &mut talk => return child.wait().await,
    };
    let _ = tokio::time::timeout(LAST_WORDS, talk).await;
    Ok(status)
}

/// Keeps the beginning of what comes.
async fn listen(from: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) {
    let Some(mut from) = from else { return };
    let mut chunk = [0; 1024];
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        let room = OUTPUT - into.len();
        into.extend_from_slice(&chunk[..read.min(room)]);
    }
}

/// Its whole group: it has not been waited for, so that nobody else can have its number.
async fn kill(child: &mut Child) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        let _ = kill_process_group(pid, Signal::KILL);
    }
    let _ = child.kill().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::notice::Kind;
    use crate::alert::words::samples;

    fn input() -> Input {
        Input::new(&Batch { notices: vec![samples::notice(Kind::Fired).into()], dropped: 0 })
    }

    fn command(script: &str, timeout: Duration) -> Command {
        Command::new(&["sh".to_owned(), "-c".to_owned(), script.to_owned()], timeout).unwrap()
    }

    async fn run(script: &str) -> Verdict {
        command(script, Duration::from_secs(20)).run(&input()).await
    }

    fn said(verdict: Verdict) -> String {
        match verdict {
            Verdict::Again { said, after: None } => said,
            verdict => panic!("{verdict:?}"),
        }
    }

    #[tokio::test]
    async fn it_gets_the_notice_and_little_else() {
        let folder = tempfile::tempdir().unwrap();
        let (json, environment) = (folder.path().join("json"), folder.path().join("environment"));
        let script = format!("cat > {}; env | sort > {}", json.display(), environment.display());
        assert_eq!(run(&script).await, Verdict::Delivered { but: None });
        assert_eq!(std::fs::read(json).unwrap(), input().json);
        let environment = std::fs::read_to_string(environment).unwrap();
        let own: Vec<&str> = environment
            .lines()
            .filter(|line| !["PWD=", "SHLVL=", "_=", "OLDPWD="].iter().any(|by| line.starts_with(by)))
            .collect();
        assert_eq!(
            own,
            [
                "GATELOG_ALERT_KEY=error_rate/route=checkout",
                "GATELOG_ALERT_KIND=fired",
                "GATELOG_ALERT_RULE=error_rate",
                "GATELOG_ALERT_SEVERITY=critical",
                concat!("PATH=", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ]
        );
    }

    #[tokio::test]
    async fn what_it_complains_of_is_shown_and_is_short() {
        let said = said(run("echo out; echo 'no\twork' >&2; exit 3").await);
        assert_eq!(said, "sh has ended with exit status: 3: no work");
        let flood = run("head -c 10000000 /dev/zero | tr '\\0' x; exit 1").await;
        let Verdict::Again { said, .. } = flood else { panic!("it fails") };
        assert!(said.len() < 300, "{}", said.len());
    }

    #[tokio::test]
    async fn one_that_does_not_read_and_one_that_leaves_somebody_behind_are_fine() {
        assert_eq!(run("exec <&-; exit 0").await, Verdict::Delivered { but: None });
        assert_eq!(run("sleep 3 & exit 0").await, Verdict::Delivered { but: None });
    }

    #[tokio::test]
    async fn its_time_is_bounded_and_it_does_not_survive_it() {
        let folder = tempfile::tempdir().unwrap();
        let pids = folder.path().join("pids");
        // The child of the child is in the same group.
        let script = format!("sh -c 'echo $$ > {0}; sleep 1000' & echo begun; wait", pids.display());
        let said = said(command(&script, Duration::from_millis(500)).run(&input()).await);
        assert_eq!(said, "sh has not ended within 500ms and was killed: begun");
        let pid = std::fs::read_to_string(pids).unwrap();
        let is_gone = || match std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())) {
            Ok(stat) => stat.contains(") Z "),
            Err(_) => true,
        };
        let deadline = std::time::Duration::from_secs(20);
        let start = crate::time::monotonic();
        while !is_gone() {
            assert!(start.elapsed() < deadline, "{pid} lives");
            std::thread::yield_now();
        }
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_said_so() {
        let command = Command::new(&["/nowhere/notify".to_owned()], Duration::from_secs(1)).unwrap();
        assert!(said(command.run(&input()).await).starts_with("cannot start /nowhere/notify: No such file"));
        assert!(matches!(Command::new(&[], Duration::ZERO), Err(Unusable::NoProgram)));
    }
}
