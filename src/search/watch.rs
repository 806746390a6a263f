//! Waiting until a file has changed, as inotify tells it; and looking now and then all the same, because not every file
//! system does (NFS, FUSE).
//!
//! What is watched is the file that is under the path at the moment, and the folder for another one that takes its place.
//! A file that was renamed and is still written to is no longer told of: it is seen with the next look.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init};

/// How often to look where changes are told, and where they are not.
const TOLD: Duration = Duration::from_secs(1);
const UNTOLD: Duration = Duration::from_millis(200);

/// A file that is watched.
#[derive(Debug)]
pub struct Watch {
    path: PathBuf,
    /// None where the system has no watch left.
    inotify: Option<OwnedFd>,
}

impl Watch {
    /// From now on: look at the file after this.
    pub fn new(path: &Path) -> Watch {
        let inotify = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok();
        let watch = Watch { path: path.to_owned(), inotify };
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let is_told = watch.add(folder, WatchFlags::CREATE | WatchFlags::MOVED_TO) && watch.renew();
        if is_told { watch } else { Watch { inotify: None, ..watch } }
    }

    /// Waits for a change, for something to read at `end`, or for as long as it should not be without a look. True when `out`
    /// is a pipe or a socket at whose other end nobody is any more.
    pub fn wait(&self, end: &impl AsFd, out: &impl AsFd) -> bool {
        // That the other end is closed is told without being asked for; what a terminal has to read is not wanted.
        let mut fds = vec![PollFd::new(out, PollFlags::empty()), PollFd::new(end, PollFlags::IN)];
        fds.extend(self.inotify.as_ref().map(|inotify| PollFd::new(inotify, PollFlags::IN)));
        let longest = if self.inotify.is_some() { TOLD } else { UNTOLD };
        // A signal that comes between ends the wait early, and nothing else can fail here.
        let _ = poll(&mut fds, Timespec::try_from(longest).ok().as_ref());
        let has_left = fds[0].revents().intersects(PollFlags::ERR | PollFlags::HUP);
        self.drain();
        self.renew();
        has_left
    }

    /// The file that is there now; the same one again is nothing new.
    fn renew(&self) -> bool {
        self.add(&self.path, WatchFlags::MODIFY)
    }

    fn add(&self, path: &Path, flags: WatchFlags) -> bool {
        self.inotify.as_ref().is_some_and(|inotify| add_watch(inotify, path, flags).is_ok())
    }

    /// What has happened is no matter, only that something has.
    fn drain(&self) {
        let Some(inotify) = &self.inotify else { return };
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = Reader::new(inotify, &mut buffer);
        while events.next().is_ok() {}
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::{PipeReader, PipeWriter, Write, pipe};
    use std::time::Instant;

    use super::*;

    /// Two pipes, one to be told the end through and one to write to.
    struct Ends {
        end: PipeReader,
        ending: PipeWriter,
        read: PipeReader,
        out: PipeWriter,
    }

    fn open_ends() -> Ends {
        let ((end, ending), (read, out)) = (pipe().unwrap(), pipe().unwrap());
        Ends { end, ending, read, out }
    }

    /// Far below [`TOLD`], so that a change that was not told cannot be taken for one that was.
    fn is_told(watch: &Watch, ends: &Ends) -> bool {
        let before = Instant::now();
        assert!(!watch.wait(&ends.end, &ends.out));
        before.elapsed() < TOLD / 2
    }

    #[test]
    fn lines_and_files_that_come_end_the_wait() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.log");
        fs::write(&path, "a\n").unwrap();
        let ends = open_ends();
        let watch = Watch::new(&path);
        assert!(watch.inotify.is_some());
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"b\n").unwrap();
        assert!(is_told(&watch, &ends), "a line");
        fs::rename(&path, directory.path().join("app.log.1")).unwrap();
        fs::write(&path, "c\n").unwrap();
        assert!(is_told(&watch, &ends), "another file");
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"d\n").unwrap();
        assert!(is_told(&watch, &ends), "a line of the other file");
    }

    #[test]
    fn whoever_leaves_waits_no_longer() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.log");
        fs::write(&path, "").unwrap();
        let Ends { end, ending, read: _read, out } = open_ends();
        drop(ending);
        let before = Instant::now();
        for _ in 0..10 {
            assert!(!Watch::new(&path).wait(&end, &out));
            assert!(!Watch::new(&directory.path().join("none")).wait(&end, &out), "without a file, too");
        }
        assert!(before.elapsed() < TOLD, "of twenty looks, none was waited for");
    }

    #[test]
    fn nobody_who_reads_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.log");
        fs::write(&path, "").unwrap();
        let Ends { end, ending: _ending, read, out } = open_ends();
        drop(read);
        assert!(Watch::new(&path).wait(&end, &out));
        assert!(Watch::new(&directory.path().join("none")).wait(&end, &out), "without a file, too");
    }
}
