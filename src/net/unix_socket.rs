//! Listening on a path: a socket file that others find, with the permissions it is to have from its first moment.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::disk::paths::{self, Kind};

/// Connections that may wait to be accepted; who comes beyond them is refused at once.
const BACKLOG: i32 = 4096;

/// Who may connect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions {
    /// Permission bits; connecting takes the right to write. `None`: what the umask leaves.
    pub mode: Option<u32>,
    /// The number of the user whose it is.
    pub user: Option<u32>,
    /// The number of its group.
    pub group: Option<u32>,
}

/// A socket file; it is removed when this is dropped, unless it is another's by then.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    id: (u64, u64),
    /// Another process listens there.
    stays: bool,
}

/// Listens at a path. A socket that is left there from before is replaced if nobody listens on it any more: at once, so
/// that there is no moment without one.
///
/// # Errors
///
/// Those of the system; [`ErrorKind::AddrInUse`] where somebody listens there, or something else than a socket lies there.
pub fn bind(path: &Path, permissions: &Permissions) -> io::Result<(UnixListener, SocketFile)> {
    if is_taken(path)? {
        return Err(ErrorKind::AddrInUse.into());
    }
    // Nobody finds it under this name, so that nobody connects before its permissions are what they are to be.
    let mut name = path.file_name().ok_or(ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".{}", std::process::id()));
    let hidden = path.with_file_name(name);
    paths::remove(&hidden)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(&hidden)?)?;
    socket.listen(BACKLOG)?;
    let listener = UnixListener::from(OwnedFd::from(socket));
    let ready = ready(&listener, &hidden, path, permissions);
    if ready.is_err() {
        // The error that is told is the one before.
        let _ = paths::remove(&hidden);
    }
    Ok((listener, ready?))
}

fn ready(listener: &UnixListener, hidden: &Path, path: &Path, permissions: &Permissions) -> io::Result<SocketFile> {
    let Permissions { mode, user, group } = *permissions;
    paths::give_path(hidden, mode, user, group)?;
    listener.set_nonblocking(true)?;
    let id = paths::look(hidden)?.id;
    paths::rename(hidden, path)?;
    Ok(SocketFile { path: path.to_owned(), id, stays: false })
}

/// Takes the file of a socket over that another process has made; `None` where it is gone.
///
/// # Errors
/// Those of giving it these permissions.
pub fn adopt(path: &Path, permissions: &Permissions) -> io::Result<Option<SocketFile>> {
    let Some(id) = paths::look(path).ok().filter(|look| look.kind == Kind::Socket).map(|look| look.id) else {
        return Ok(None);
    };
    let Permissions { mode, user, group } = *permissions;
    paths::give_path(path, mode, user, group)?;
    Ok(Some(SocketFile { path: path.to_owned(), id, stays: false }))
}

/// Removes the file of a socket that nobody listens on any more.
pub fn abandon(path: &Path) {
    if paths::look(path).is_ok_and(|look| look.kind == Kind::Socket) {
        // What stays is replaced by the next one who listens here.
        let _ = paths::remove(path);
    }
}

/// Whether there is somebody, or something else, at a path.
fn is_taken(path: &Path) -> io::Result<bool> {
    match paths::look(path) {
        Ok(look) if look.kind != Kind::Socket => Ok(true),
        Ok(_) => match UnixStream::connect(path) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(false),
            Ok(_) => Ok(true),
            Err(error) => Err(error),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

impl SocketFile {
    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves it to another process that listens on the socket too.
    pub fn leave(mut self) {
        self.stays = true;
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if !self.stays && paths::look(&self.path).is_ok_and(|look| look.id == self.id) {
            // What stays is replaced by the next one who listens here.
            let _ = paths::remove(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_has_its_permissions_and_goes_with_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let permissions = Permissions { mode: Some(0o620), ..Permissions::default() };
        let bound = bind(&path, &permissions).unwrap();
        assert_eq!(paths::look(&path).unwrap().mode, 0o620);
        assert!(UnixStream::connect(&path).is_ok());
        assert_eq!(bind(&path, &permissions).unwrap_err().kind(), ErrorKind::AddrInUse);
        drop(bound);
        assert_eq!(paths::names(folder.path()).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_socket_that_nobody_listens_on_is_replaced_and_anothers_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        drop(UnixListener::bind(&path).unwrap());
        let (first, file) = bind(&path, &Permissions::default()).unwrap();
        drop(first);
        let (_second, _file) = bind(&path, &Permissions::default()).unwrap();
        drop(file);
        assert!(UnixStream::connect(&path).is_ok(), "the second one's file was removed");
    }

    #[test]
    fn a_socket_that_is_left_to_another_process_goes_with_that_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let (_listener, file) = bind(&path, &Permissions::default()).unwrap();
        let adopted = adopt(&path, &Permissions { mode: Some(0o600), ..Permissions::default() }).unwrap();
        file.leave();
        assert_eq!(paths::look(&path).unwrap().mode, 0o600);
        drop(adopted);
        assert!(adopt(&path, &Permissions::default()).unwrap().is_none());
    }

    #[test]
    fn what_is_no_socket_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        std::fs::write(&path, "text").unwrap();
        assert_eq!(bind(&path, &Permissions::default()).unwrap_err().kind(), ErrorKind::AddrInUse);
        assert_eq!(std::fs::read(&path).unwrap(), b"text");
    }
}
