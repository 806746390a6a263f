//! Single files and folders by their paths: looked at, opened, renamed, removed.
#![expect(clippy::disallowed_methods, reason = "this is the one place that touches files for the others")]

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, fchown};
use std::path::Path;

/// What lies at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Bytes on a disk.
    Regular,
    /// A folder.
    Folder,
    /// Terminals, `/dev/null`, and the like.
    Device,
    /// A socket that processes of this machine connect to.
    Socket,
    /// Pipes, disks.
    Other,
}

/// What the file system says about a file.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Device and inode: tells it from any other file there is now.
    pub id: (u64, u64),
    /// What it is.
    pub kind: Kind,
    /// Bytes.
    pub len: u64,
    /// Permission bits.
    pub mode: u32,
    /// Number of its user and of its group.
    pub owner: (u32, u32),
    /// When it was written to last: microseconds since the Unix epoch.
    pub modified: u64,
}

/// What lies at a path; links are followed.
///
/// # Errors
/// Those of the file system.
pub fn look(path: &Path) -> io::Result<Look> {
    Ok(Look::new(&fs::metadata(path)?))
}

/// What an open file is.
///
/// # Errors
/// Those of the file system.
pub fn look_at(file: &File) -> io::Result<Look> {
    Ok(Look::new(&file.metadata()?))
}

impl Look {
    fn new(metadata: &Metadata) -> Look {
        let kind = metadata.file_type();
        let kind = match () {
            () if kind.is_file() => Kind::Regular,
            () if kind.is_dir() => Kind::Folder,
            () if kind.is_char_device() => Kind::Device,
            () if kind.is_socket() => Kind::Socket,
            () => Kind::Other,
        };
        let modified = metadata.mtime().saturating_mul(1_000_000).saturating_add(metadata.mtime_nsec() / 1000);
        Look {
            id: (metadata.dev(), metadata.ino()),
            kind,
            len: metadata.len(),
            mode: metadata.mode() & 0o7777,
            owner: (metadata.uid(), metadata.gid()),
            modified: u64::try_from(modified).unwrap_or(0),
        }
    }
}

/// Opens a file to read it.
///
/// # Errors
/// Those of the file system.
pub fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Opens a file to append to it and to read it; where there is none, one with this mode less the umask is made.
///
/// # Errors
/// Those of the file system.
pub fn append(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(mode).open(path)
}

/// Makes a file to append to, in place of one that may be left there from before.
///
/// # Errors
/// Those of the file system.
pub fn make(path: &Path, mode: u32) -> io::Result<File> {
    remove(path)?;
    OpenOptions::new().read(true).append(true).create_new(true).mode(mode).open(path)
}

/// Gives a file away, and sets its permissions whatever the umask; `None` leaves a thing as it is.
///
/// # Errors
/// Those of the file system.
pub fn give(file: &File, mode: Option<u32>, user: Option<u32>, group: Option<u32>) -> io::Result<()> {
    if user.is_some() || group.is_some() {
        fchown(file, user, group)?;
    }
    // Afterwards: giving a file away takes permissions from it.
    mode.map_or(Ok(()), |mode| file.set_permissions(Permissions::from_mode(mode)))
}

/// The same for what lies at a path and cannot be opened, such as a socket.
///
/// # Errors
/// Those of the file system.
pub fn give_path(path: &Path, mode: Option<u32>, user: Option<u32>, group: Option<u32>) -> io::Result<()> {
    if user.is_some() || group.is_some() {
        chown(path, user, group)?;
    }
    mode.map_or(Ok(()), |mode| fs::set_permissions(path, Permissions::from_mode(mode)))
}

/// Renames a file, over one that may be there.
///
/// # Errors
/// Those of the file system.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Removes a file. Returns whether there was one.
///
/// # Errors
/// Those of the file system.
pub fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        removed => removed.map(|()| true),
    }
}

/// The names of what lies in a folder, in no order; those that are no UTF-8 are left out.
///
/// # Errors
/// Those of the file system.
pub fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(folder)?;
    entries.filter_map(|entry| entry.map(|entry| entry.file_name().into_string().ok()).transpose()).collect()
}

/// Makes a folder and all that are missing on the way to it.
///
/// # Errors
/// Those of the file system.
pub fn make_folders(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

/// Waits until what was renamed and removed in a folder is on the disk.
///
/// # Errors
/// Those of the file system.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
