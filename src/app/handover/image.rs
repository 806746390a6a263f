//! The program that this process runs, as it was named when it was started: what lies under this name by now is what runs
//! next, not the file that was replaced.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::handed::FROM;
use crate::disk::paths;

/// What belongs to this process alone: sockets and a watchdog that the service manager has made for it by its number.
const OURS: [&str; 4] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID"];

/// A program and its arguments.
#[derive(Debug)]
pub struct Image {
    path: PathBuf,
    name: OsString,
    arguments: Vec<OsString>,
}

impl Image {
    /// That of this process; to be asked for at its start.
    ///
    /// # Errors
    /// When the system does not tell what runs.
    #[expect(clippy::disallowed_methods, reason = "how a program is found is in the environment")]
    pub fn of_this_process() -> io::Result<Image> {
        let mut arguments = std::env::args_os();
        let name = arguments.next().unwrap_or_default();
        let running = std::env::current_exe()?;
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let path = find(&name, &std::env::current_dir()?, &folders, &running);
        Ok(Image { path: path.unwrap_or(running), name, arguments: arguments.collect() })
    }

    /// Where the program lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Starts it again, as it was started, with word of who does.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.arg0(&self.name).args(&self.arguments).env(FROM, std::process::id().to_string());
        for name in OURS {
            command.env_remove(name);
        }
        command
    }
}

/// The path that a name stood for when this program was started; through it a link may lead to another version later.
/// `None` where it stands for something else, since a process can be given any name.
fn find(name: &OsStr, current: &Path, folders: &OsStr, running: &Path) -> Option<PathBuf> {
    let id = paths::look(running).ok()?.id;
    let is_running = |path: &PathBuf| paths::look(path).is_ok_and(|look| look.id == id);
    if Path::new(name).components().count() > 1 {
        return Some(current.join(name)).filter(is_running);
    }
    std::env::split_paths(folders).map(|folder| current.join(folder).join(name)).find(is_running)
}

#[cfg(test)]
impl Image {
    /// A program under a path of its own.
    pub(super) fn of(path: &str, arguments: &[&str]) -> Image {
        Image { path: path.into(), name: path.into(), arguments: arguments.iter().map(OsString::from).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_known_by_the_name_that_it_was_started_with() {
        let folder = tempfile::tempdir().unwrap();
        let (version, link) = (folder.path().join("gatelog-1"), folder.path().join("gatelog"));
        std::fs::write(&version, b"a program").unwrap();
        std::fs::write(folder.path().join("other"), b"another one").unwrap();
        std::os::unix::fs::symlink(&version, &link).unwrap();
        let find = |name: &str, folders: &str| find(name.as_ref(), folder.path(), folders.as_ref(), &version);
        assert_eq!(find("./gatelog", ""), Some(folder.path().join("./gatelog")));
        assert_eq!(find(link.to_str().unwrap(), ""), Some(link.clone()));
        assert_eq!(find("gatelog", &format!("/nowhere:{}", folder.path().display())), Some(link));
        assert_eq!(find("./other", ""), None);
        assert_eq!(find("-gatelog", "/nowhere"), None);
    }
}
