//! What would keep a log file from being written, found before anything is served and without changing anything.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use crate::disk::account;
use crate::disk::paths::{self, Kind, Look};
use crate::pipeline::FileSettings;

/// A problem with a file, at the key of its output that is to blame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileProblem {
    /// `path`, `owner` or `group`.
    pub key: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: &'static str,
}

impl FileProblem {
    fn path(message: String, hint: &'static str) -> FileProblem {
        FileProblem { key: "path", message, hint }
    }
}

/// Everything that would keep this file from being opened, written to, given away or rotated.
pub fn check(settings: &FileSettings) -> Vec<FileProblem> {
    let path = check_path(settings);
    let owner = settings.owner.as_deref().and_then(|name| {
        let hint = "take the user that gatelog runs as, or run it as root";
        account_problem("owner", name, account::user(name), account::may_give_to_user, hint)
    });
    let group = settings.group.as_deref().and_then(|name| {
        let hint = "take one of the groups that gatelog runs in, or run it as root";
        account_problem("group", name, account::group(name), account::may_give_to_group, hint)
    });
    path.into_iter().chain(owner).chain(group).collect()
}

/// Everything that would keep this folder from being made, or files from being made in it.
pub fn check_folder(path: &Path) -> Option<FileProblem> {
    match paths::look(path) {
        Ok(look) if look.kind == Kind::Folder => check_writable(path),
        Ok(_) => Some(FileProblem::path(format!("{} is no folder", path.display()), "look at the path")),
        Err(error) if error.kind() == ErrorKind::NotFound => check_ancestor(path),
        Err(error) => Some(unreachable(path, &error)),
    }
}

/// What would keep this file from being made anew beside itself and put in place, its folder made where it is missing.
pub fn check_replaced(path: &Path) -> Option<FileProblem> {
    match paths::look(path) {
        Ok(look) if look.kind != Kind::Regular => {
            Some(FileProblem::path(format!("{} is no file", path.display()), "write the path of a file"))
        }
        _ => check_folder(folder_of(path)),
    }
}

/// What tells whether two paths lead to one file, through links too; `None` where that cannot be said.
pub fn identity(path: &Path) -> Option<(u64, u64, PathBuf)> {
    if let Ok(Look { id, kind: Kind::Regular, .. }) = paths::look(path) {
        return Some((id.0, id.1, PathBuf::new()));
    }
    let folder = paths::look(folder_of(path)).ok()?;
    Some((folder.id.0, folder.id.1, path.file_name()?.into()))
}

/// The folder that a file is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn check_path(settings: &FileSettings) -> Option<FileProblem> {
    let path = &settings.path;
    match paths::look(path) {
        Ok(look) => check_present(settings, look),
        Err(error) if error.kind() == ErrorKind::NotFound => check_absent(settings),
        Err(error) => Some(unreachable(path, &error)),
    }
}

/// There is something already.
fn check_present(settings: &FileSettings, look: Look) -> Option<FileProblem> {
    let shown = settings.path.display();
    match look.kind {
        Kind::Regular | Kind::Device if access(&settings.path, AccessFlags::W_OK).is_err() => {
            Some(FileProblem::path(format!("{shown} cannot be written to"), PERMISSIONS))
        }
        Kind::Regular if settings.rotate.is_some() => check_writable(folder_of(&settings.path)),
        Kind::Device if settings.rotate.is_some() => {
            Some(FileProblem::path(format!("{shown} is a device, which cannot be rotated"), "take `rotate` out"))
        }
        Kind::Regular | Kind::Device => None,
        Kind::Folder => Some(FileProblem::path(format!("{shown} is a folder"), "write the path of a file in it")),
        Kind::Socket | Kind::Other => Some(FileProblem::path(
            format!("{shown} is no file: it would be waited for, or written over"),
            "write the path of a file; what reads a pipe can read stdout",
        )),
    }
}

/// There is nothing yet: it must be possible to make it.
fn check_absent(settings: &FileSettings) -> Option<FileProblem> {
    let folder = folder_of(&settings.path);
    match paths::look(folder) {
        Ok(look) if look.kind == Kind::Folder => check_writable(folder),
        Ok(_) => Some(FileProblem::path(format!("{} is no folder", folder.display()), "look at the path")),
        Err(error) if error.kind() == ErrorKind::NotFound && settings.create_directories => check_ancestor(folder),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let message = format!("the folder {} does not exist", folder.display());
            Some(FileProblem::path(message, "make it, or write create_directories = true"))
        }
        Err(error) => Some(unreachable(folder, &error)),
    }
}

/// The nearest folder that there is must take the new ones.
fn check_ancestor(folder: &Path) -> Option<FileProblem> {
    let ancestor =
        folder.ancestors().skip(1).map(|path| if path.as_os_str().is_empty() { Path::new(".") } else { path });
    let found = ancestor.into_iter().find_map(|path| paths::look(path).ok().map(|look| (path, look)));
    match found {
        Some((path, look)) if look.kind == Kind::Folder => check_writable(path),
        Some((path, _)) => Some(FileProblem::path(format!("{} is no folder", path.display()), "look at the path")),
        None => None,
    }
}

fn check_writable(folder: &Path) -> Option<FileProblem> {
    access(folder, AccessFlags::W_OK | AccessFlags::X_OK).err()?;
    let message = format!("no file can be made in the folder {}", folder.display());
    Some(FileProblem::path(message, PERMISSIONS))
}

const PERMISSIONS: &str = "look at its permissions and at the user that gatelog runs as";

fn unreachable(path: &Path, error: &io::Error) -> FileProblem {
    FileProblem::path(format!("{} cannot be looked at: {error}", path.display()), PERMISSIONS)
}

fn account_problem(
    key: &'static str,
    name: &str,
    id: Option<u32>,
    may: fn(u32) -> bool,
    hint: &'static str,
) -> Option<FileProblem> {
    match id {
        None => {
            Some(FileProblem { key, message: format!("this machine knows no `{name}`"), hint: "look at its spelling" })
        }
        Some(id) if !may(id) => {
            Some(FileProblem { key, message: format!("only root can give files to `{name}`"), hint })
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Rotate;

    fn messages(settings: &FileSettings) -> Vec<String> {
        check(settings).into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn a_file_in_a_folder_that_is_there_is_fine_new_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        assert_eq!(check(&FileSettings::new(&path)), []);
        std::fs::write(&path, b"x").unwrap();
        assert_eq!(check(&FileSettings::new(&path)), []);
        assert_eq!(paths::names(folder.path()).unwrap(), ["a.log"], "nothing was made");
    }

    #[test]
    fn a_folder_can_be_there_or_be_made_and_must_be_no_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), b"").unwrap();
        let message = |path: &str| check_folder(&folder.path().join(path)).map(|problem| problem.message);
        assert_eq!((message(""), message("x"), message("x/y")), (None, None, None));
        assert!(message("file").unwrap().ends_with("file is no folder"));
        assert!(message("file/x").unwrap().contains("cannot be looked at"));
        assert_eq!(paths::names(folder.path()).unwrap(), ["file"], "nothing was made");
    }

    #[test]
    fn a_file_that_is_made_anew_needs_its_folder_and_must_be_none() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), b"").unwrap();
        let message = |path: &str| check_replaced(&folder.path().join(path)).map(|problem| problem.message);
        assert_eq!((message("file"), message("new"), message("x/y/new")), (None, None, None));
        assert!(message("").unwrap().ends_with("is no file"));
        assert!(message("file/x").is_some());
    }

    #[test]
    fn missing_folders_are_a_problem_unless_they_may_be_made() {
        let folder = tempfile::tempdir().unwrap();
        let settings = FileSettings::new(folder.path().join("x/y/a.log"));
        assert!(messages(&settings)[0].ends_with("x/y does not exist"));
        assert_eq!(check(&FileSettings { create_directories: true, ..settings }), []);
        std::fs::write(folder.path().join("file"), b"").unwrap();
        let settings = FileSettings::new(folder.path().join("file/y/a.log"));
        assert_eq!(check(&FileSettings { create_directories: true, ..settings }).len(), 1);
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(messages(&FileSettings::new(folder.path()))[0].ends_with("is a folder"));
        assert_eq!(check(&FileSettings::new("/dev/null")), []);
        let rotate = Some(Rotate { size: Some(1), every: None, keep: 1, compress: None });
        assert_eq!(check(&FileSettings { rotate, ..FileSettings::new("/dev/null") }).len(), 1);
    }

    #[test]
    fn unknown_accounts_are_a_problem_at_their_keys() {
        let folder = tempfile::tempdir().unwrap();
        let (owner, group) = (Some("no such user".into()), Some("no such group".into()));
        let settings = FileSettings { owner, group, ..FileSettings::new(folder.path().join("a.log")) };
        let keys: Vec<_> = check(&settings).into_iter().map(|problem| problem.key).collect();
        assert_eq!(keys, ["owner", "group"]);
    }

    #[test]
    fn links_to_one_file_are_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("a.log"), folder.path().join("b.log"));
        std::fs::write(&real, b"").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert_eq!(identity(&real), identity(&link));
        assert_ne!(identity(&real), identity(&folder.path().join("c.log")));
        assert_eq!(identity(&folder.path().join("c.log")), identity(&folder.path().join("./c.log")));
    }
}
