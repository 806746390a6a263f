//! A log file: appended to, rotated, found again when others moved it.
//!
//! **Lines are never torn.** A file is closed between lines only. A write that a full disk cut short is completed before
//! anything else, in the same file; what a killed process left unfinished is ended when the file is opened again
//! (`torn`).
//!
//! **Rotation**: the next file is made first, under a name of its own; then the full one is renamed and the new one takes
//! its name. When any of this is not possible, the full file just grows, and it is tried again a minute later.
//!
//! **Hand-over**: while another process writes to the file too ([`Neighbour`]), it grows and is not rotated. Appended lines
//! do not mix: the kernel writes each batch as one.
//!
//! **Others**: once a second it is looked whether the path still leads to the open file. If it was renamed or removed, a
//! new one is opened, as it is on SIGUSR1; one that was truncated is counted anew (it is only ever appended to).
//!
//! **Durability**: lines are handed to the kernel with each batch, at most some fifty milliseconds after the event; a
//! killed process loses none of these. `fsync` is called at the end of the process and for compressed files, not for
//! each batch, nor when a reload takes the output out (whoever writes to the file next may wait for the disk then): a power
//! cut can cost what the kernel had not written yet, as with nginx, rsyslog and logrotate.

mod archive;
mod check;
mod compress;
mod schedule;
mod torn;

pub use check::{FileProblem, check, check_folder, check_replaced, identity};
pub(super) use compress::{Compressor, Family};

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;

use self::archive::Archive;
use self::schedule::Schedule;
use super::neighbour::Neighbour;
use super::trouble::Trouble;
use super::writer::Target;
use crate::disk::Ahead;
use crate::disk::account::{self, Owner};
use crate::disk::paths::{self, Kind, Look};
use crate::pipeline::{FileSettings, Format, Port};
use crate::time;

/// Microseconds between two looks at what the path leads to.
const LOOK: u64 = 1_000_000;
/// Microseconds after which a rotation that was not possible is tried again.
const AGAIN: u64 = 60_000_000;
/// The mode of a new file, less the umask: logs hold personal data.
const MODE: u32 = 0o640;

/// Microseconds since the Unix epoch.
type Now = Box<dyn Fn() -> u64 + Send>;

/// The file of one output.
pub struct LogFile {
    path: PathBuf,
    mode: Option<u32>,
    owner: Owner,
    create_directories: bool,
    json: bool,
    schedule: Schedule,
    /// Closed files that stay; `None` where nothing is rotated.
    keep: Option<usize>,
    /// `None` where nothing is rotated, or the file was never open yet.
    archive: Option<Archive>,
    open: Option<OpenFile>,
    trouble: Trouble,
    reopen: Arc<AtomicBool>,
    /// Woken when a file was closed.
    compressor: Option<Thread>,
    /// Beside another process nothing is rotated.
    neighbour: Neighbour,
    now: Now,
    looked: u64,
    /// When a rotation was not possible last.
    refused: Option<u64>,
}

/// What is being written to.
struct OpenFile {
    file: File,
    id: (u64, u64),
    size: u64,
    /// When its lines were written: a period of the schedule.
    period: u64,
    /// The last byte that was written is no line feed.
    midline: bool,
    /// What has to come first: the end of a line that another process left torn.
    ending: Vec<u8>,
    ahead: Ahead,
}

impl LogFile {
    /// Opens the file, and makes it and its folders where that is asked for.
    ///
    /// # Errors
    /// Those of the file system, and those of [`LogFile::unopened`].
    pub fn open(
        settings: &FileSettings,
        port: &Port,
        reopen: Arc<AtomicBool>,
        compressor: Option<Thread>,
        neighbour: Neighbour,
    ) -> io::Result<LogFile> {
        let mut file = LogFile::unopened(settings, port, reopen, compressor, neighbour)?;
        file.open = Some(file.open_all()?);
        Ok(file)
    }

    /// A file that is opened when it is looked after first. It is opened again soon after `reopen` was set; `compressor`
    /// is woken when a file was closed; beside a neighbour none is.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for accounts that are not known.
    pub fn unopened(
        settings: &FileSettings,
        port: &Port,
        reopen: Arc<AtomicBool>,
        compressor: Option<Thread>,
        neighbour: Neighbour,
    ) -> io::Result<LogFile> {
        Ok(LogFile {
            path: settings.path.clone(),
            mode: settings.mode,
            owner: owner(settings)?,
            create_directories: settings.create_directories,
            json: port.format == Format::Json,
            schedule: Schedule::new(settings.rotate.as_ref()),
            keep: settings.rotate.as_ref().map(|rotate| rotate.keep),
            archive: None,
            open: None,
            trouble: Trouble::new(port),
            reopen,
            compressor,
            neighbour,
            now: Box::new(time::wall_now),
            looked: 0,
            refused: None,
        })
    }

    /// Opens the file, and finds those that were closed before.
    fn open_all(&mut self) -> io::Result<OpenFile> {
        let open = self.open_path()?;
        if let Some(keep) = self.keep.filter(|_| self.archive.is_none()) {
            self.archive = Some(Archive::open(self.folder(), base(&self.path)?, keep)?);
        }
        Ok(open)
    }

    fn folder(&self) -> &Path {
        check::folder_of(&self.path)
    }

    /// Opens what the path leads to, or makes it.
    fn open_path(&self) -> io::Result<OpenFile> {
        if self.create_directories {
            paths::make_folders(self.folder())?;
        }
        let file = paths::append(&self.path, self.mode.unwrap_or(MODE))?;
        let look = paths::look_at(&file)?;
        if look.kind == Kind::Regular {
            self.give(&file, look)?;
        }
        let mut open = OpenFile::new(file, look, &self.schedule);
        // A line that somebody is just writing is not torn.
        if !self.neighbour.is_there() {
            open.ending = torn::ending_of(&open.file, open.size, self.json)?;
        }
        Ok(open)
    }

    /// Makes a file as it is to be; what is right already may be beyond our rights to set.
    fn give(&self, file: &File, look: Look) -> io::Result<()> {
        let mode = self.mode.filter(|mode| *mode != look.mode);
        let user = self.owner.user.filter(|user| *user != look.owner.0);
        let group = self.owner.group.filter(|group| *group != look.owner.1);
        paths::give(file, mode, user, group)
    }

    /// Opens the path again. Returns whether it still leads to the same file.
    fn reopen(&mut self) -> bool {
        let same = |open: &OpenFile, id| open.id == id;
        match self.open_all() {
            Ok(new) if self.open.as_ref().is_some_and(|open| same(open, new.id)) => true,
            Ok(new) => {
                self.leave_whole();
                self.open = Some(new);
                self.trouble.over();
                false
            }
            Err(error) => {
                self.trouble.failed("cannot open its file again", &error);
                let still = paths::look(&self.path).ok().zip(self.open.as_ref());
                let still = still.is_some_and(|(look, open)| same(open, look.id));
                if !still {
                    self.leave_whole();
                    self.open = None;
                }
                still
            }
        }
    }

    /// A line that cannot be completed any more is ended, if that is possible.
    fn leave_whole(&mut self) {
        if let Some(open) = self.open.take().filter(|open| open.midline) {
            let ending = paths::look_at(&open.file).and_then(|look| torn::ending_of(&open.file, look.len, self.json));
            // The disk may be full, or the file gone: nothing is left to be done about it then.
            let _ = ending.and_then(|ending| (&open.file).write_all(&ending));
        }
    }

    /// Looks whether the path still leads to the open file, and how large that is.
    fn look(&mut self) -> bool {
        match (paths::look(&self.path), &mut self.open) {
            (Ok(look), Some(open)) if look.id == open.id => {
                open.size = open.size.min(look.len);
                true
            }
            _ => self.reopen(),
        }
    }

    /// Whether lines of which the first is so long belong into the next file.
    fn is_due(&self, now: u64, first: usize) -> bool {
        let Some(open) = &self.open else { return false };
        let due = || self.schedule.is_too_large(open.size, first) || self.schedule.is_past(open.period, now);
        self.rotates(now) && !open.midline && open.size > 0 && due()
    }

    /// Whether there is rotation, and it was possible last time or that is a while ago, and nobody else is to write on.
    fn rotates(&self, now: u64) -> bool {
        self.archive.is_some()
            && self.refused.is_none_or(|refused| now.abs_diff(refused) >= AGAIN)
            && !self.neighbour.is_there()
    }

    /// Closes the file and begins the next one. Where that is not possible, the file stays as it is.
    fn rotate(&mut self, now: u64) {
        let neighbour = self.neighbour.clone();
        match neighbour.unless_there(|| self.try_rotate(now)).unwrap_or(Ok(())) {
            Ok(()) => {
                self.refused = None;
                self.trouble.over();
            }
            Err(error) => {
                self.trouble.failed("cannot rotate its file", &error);
                self.refused = Some(now);
            }
        }
        if let Some(compressor) = &self.compressor {
            compressor.unpark();
        }
    }

    fn try_rotate(&mut self, now: u64) -> io::Result<()> {
        let Some(archive) = &self.archive else { return Ok(()) };
        let name = archive.next(now);
        let closed = self.folder().join(&name);
        let mut next = self.path.clone().into_os_string();
        next.push(".new");
        let next = PathBuf::from(next);
        if paths::look(&closed).is_ok() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let file = paths::make(&next, self.mode.unwrap_or(MODE))?;
        let look = paths::look_at(&file)?;
        self.give(&file, look)?;
        paths::rename(&self.path, &closed)?;
        if let Err(error) = paths::rename(&next, &self.path) {
            paths::rename(&closed, &self.path)?;
            return Err(error);
        }
        self.open = Some(OpenFile::new(file, look, &self.schedule));
        self.archive.as_mut().map_or(Ok(()), |archive| archive.add(name))
    }
}

impl OpenFile {
    fn new(file: File, look: Look, schedule: &Schedule) -> OpenFile {
        let regular = look.kind == Kind::Regular;
        let size = if regular { look.len } else { 0 };
        let period = schedule.period(look.modified);
        let ahead = Ahead::of(&file);
        OpenFile { file, id: look.id, size, period, midline: false, ending: Vec::new(), ahead }
    }

    /// Writes to a file that is to grow up to `limit`.
    fn write(&mut self, bytes: &[u8], limit: u64) -> io::Result<usize> {
        self.ahead.cover(&self.file, bytes.len() as u64, limit);
        while !self.ending.is_empty() {
            let written = self.file.write(&self.ending)?;
            self.size += written as u64;
            self.ending.drain(..written);
        }
        let written = self.file.write(bytes)?;
        self.size += written as u64;
        if written > 0 {
            self.midline = bytes[written - 1] != b'\n';
        }
        Ok(written)
    }
}

impl Target for LogFile {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let now = (self.now)();
        let first = memchr::memchr(b'\n', lines).map_or(lines.len(), |at| at + 1);
        if self.is_due(now, first) {
            // Whoever moved the file a moment ago has closed it for us.
            if self.look() {
                self.rotate(now);
            }
        }
        let limited = self.rotates(now);
        let Some(open) = &mut self.open else { return Err(ErrorKind::NotFound.into()) };
        let share = if limited { self.schedule.share(open.size, first, lines) } else { lines.len() };
        let earlier = if open.size > 0 { open.period } else { 0 };
        open.period = earlier.max(self.schedule.period(now));
        open.write(&lines[..share], self.schedule.limit())
    }

    fn tend(&mut self) -> bool {
        let now = (self.now)();
        let told = self.reopen.swap(false, Ordering::AcqRel);
        let same = match () {
            () if told => self.reopen(),
            () if now.abs_diff(self.looked) >= LOOK => self.look(),
            () => return true,
        };
        self.looked = now;
        // A quiet log is closed in time too.
        if self.is_due(now, 0) {
            self.rotate(now);
        }
        same
    }

    fn can_go_on(&self) -> bool {
        // Whatever is torn when a file is opened is ended before anything else.
        false
    }

    fn finish(&mut self) {
        if let Some(open) = &self.open
            && let Err(error) = open.file.sync_data()
            // Devices cannot be waited for.
            && error.kind() != ErrorKind::InvalidInput
        {
            self.trouble.failed("cannot bring its file to the disk", &error);
        }
    }
}

/// The numbers of the accounts that a file is given to.
fn owner(settings: &FileSettings) -> io::Result<Owner> {
    let unknown = |name: &str| io::Error::new(ErrorKind::NotFound, format!("this machine knows no `{name}`"));
    let find = |name: &Option<String>, find: fn(&str) -> Option<u32>| match name {
        Some(name) => find(name).map(Some).ok_or_else(|| unknown(name)),
        None => Ok(None),
    };
    Ok(Owner { user: find(&settings.owner, account::user)?, group: find(&settings.group, account::group)? })
}

/// The name of a file, which those of closed files begin with.
pub(super) fn base(path: &Path) -> io::Result<&str> {
    let base = path.file_name().and_then(|name| name.to_str());
    base.ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "a file needs a name, in UTF-8"))
}

/// The folder that a file and those closed under its name are in.
pub(super) fn folder(settings: &FileSettings) -> PathBuf {
    check::folder_of(&settings.path).to_owned()
}

#[cfg(test)]
mod tests;
