//! A folder that one process owns: files in it are appended to, read from anywhere, and removed.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// The file whose lock says whose the folder is. The kernel gives it back when a process dies, however it dies.
const LOCK: &str = "lock";

/// A folder, as long as this value lives.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    lock: File,
}

impl Folder {
    /// Takes a folder into possession; makes it where there is none.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] while another process, or another part of this one, owns it; those of the file
    /// system.
    #[expect(clippy::disallowed_methods, reason = "this module opens files for the others")]
    pub fn claim(path: &Path) -> io::Result<Folder> {
        std::fs::create_dir_all(path)?;
        let lock = OpenOptions::new().create(true).append(true).open(path.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => Ok(Folder { path: path.to_owned(), lock }),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of what lies in it, in no order; those that are no UTF-8 are none of ours.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    #[expect(clippy::disallowed_methods, reason = "this module lists folders for the others")]
    pub fn names(&self) -> io::Result<Vec<String>> {
        let name = |entry: io::Result<std::fs::DirEntry>| entry.map(|entry| entry.file_name().into_string().ok());
        std::fs::read_dir(&self.path)?.filter_map(|entry| name(entry).transpose()).collect()
    }

    /// A file to append to and to read from; made where there is none.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    #[expect(clippy::disallowed_methods, reason = "this module opens files for the others")]
    pub fn append(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().create(true).read(true).append(true).open(self.path.join(name))
    }

    /// A file to read and write at any place; made where there is none.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    #[expect(clippy::disallowed_methods, reason = "this module opens files for the others")]
    pub fn open(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().create(true).truncate(false).read(true).write(true).open(self.path.join(name))
    }

    /// A file that is only read.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    #[expect(clippy::disallowed_methods, reason = "this module opens files for the others")]
    pub fn read(&self, name: &str) -> io::Result<File> {
        File::open(self.path.join(name))
    }

    /// Removes a file; one that is gone already is no error.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    #[expect(clippy::disallowed_methods, reason = "this module removes files for the others")]
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match std::fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The folder itself: synced, it makes new and removed names survive a loss of power.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    #[expect(clippy::disallowed_methods, reason = "this module opens folders for the others")]
    pub fn handle(&self) -> io::Result<File> {
        File::open(&self.path)
    }
}

/// The lock belongs to what was opened. Somebody else may hold that for a moment more, so that closing it here gives nothing
/// back yet: whoever lists the descriptors of this process (`/metrics` does), or a process that is just being started.
impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be given back is given back when it is closed.
        let _ = self.lock.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_owner_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b");
        let folder = Folder::claim(&path).unwrap();
        assert_eq!(Folder::claim(&path).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(folder);
        assert!(Folder::claim(&path).is_ok());
    }

    #[test]
    fn whoever_holds_the_open_lock_for_a_moment_more_keeps_no_folder() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Folder::claim(directory.path()).unwrap();
        // As a process has it that was just forked.
        let _held = folder.lock.try_clone().unwrap();
        drop(folder);
        assert!(Folder::claim(directory.path()).is_ok());
    }

    #[test]
    fn files_come_and_go() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Folder::claim(directory.path()).unwrap();
        folder.append("one").unwrap();
        folder.open("two").unwrap();
        folder.remove("one").unwrap();
        folder.remove("one").unwrap();
        let mut names = folder.names().unwrap();
        names.sort();
        assert_eq!(names, ["lock", "two"]);
        assert!(folder.read("one").is_err() && folder.handle().and_then(|it| it.sync_all()).is_ok());
    }
}
