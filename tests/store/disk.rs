//! The disk that misbehaves on purpose (`disk.c`), and tests that run again in a process of their own behind it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Says to a test that it is the process behind the disk; its folder is there.
const ROOT: &str = "DISK_ROOT";

/// The library, compiled once.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/store/disk.c");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let library = folder.join(format!("disk-{}.so", std::process::id()));
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let arguments = ["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"];
        let made = Command::new(compiler).args(arguments).arg(&library).arg(source).arg("-ldl").status();
        assert!(made.unwrap().success(), "the compiler that SQLite is built with makes the disk, too");
        library
    })
}

/// Where this process is the one behind the disk: the folder that the disk looks after.
pub(crate) fn behind() -> Option<PathBuf> {
    std::env::var_os(ROOT).map(PathBuf::from)
}

/// Runs a test of this binary behind a disk that looks after a folder, and waits for its success. What it said is returned;
/// where a log is wanted, the disk's is in that file.
pub(crate) fn run_behind(test: &str, root: &Path, log: Option<&Path>) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env("LD_PRELOAD", library()).env(ROOT, root);
    log.map(|log| command.env("DISK_LOG", log));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// What goes wrong from now on: so many calls from one on, as `disk.c` has it. Returns how many there were since the last time.
pub(crate) fn set(root: &Path, kind: &str, from: u64, count: u64) -> u64 {
    std::fs::write(root.join("control"), format!("{kind} {from} {count}")).unwrap();
    std::fs::read_to_string(root.join("count")).unwrap().parse().unwrap()
}

/// A call that changed something.
#[derive(Debug, Clone)]
pub(crate) enum Call {
    Make(PathBuf),
    Folder,
    Write(PathBuf, usize, Vec<u8>),
    Cut(PathBuf, usize),
    Sync(PathBuf),
    Rename(PathBuf, PathBuf),
    Unlink(PathBuf),
}

/// The log of a disk.
pub(crate) fn read_log(log: &Path) -> Vec<Call> {
    let bytes = std::fs::read(log).unwrap();
    let (mut calls, mut rest) = (Vec::new(), &bytes[..]);
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let head = std::str::from_utf8(&rest[..end]).unwrap();
        let [op, path, offset, length, other] = head.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let (path, offset, length) = (PathBuf::from(path), offset.parse().unwrap(), length.parse::<usize>().unwrap());
        let (written, behind) = rest[end + 1..].split_at(length);
        rest = behind;
        calls.push(match op {
            "make" => Call::Make(path),
            "mkdir" => Call::Folder,
            "write" => Call::Write(path, offset, written.to_vec()),
            "cut" => Call::Cut(path, offset),
            "sync" => Call::Sync(path),
            "rename" => Call::Rename(path, other.into()),
            "unlink" => Call::Unlink(path),
            op => panic!("{op}"),
        });
    }
    calls
}
