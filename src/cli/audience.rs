//! Who reads what a command writes: that nobody does any more is noticed though there is nothing to write.

use std::io::{self, PipeReader};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// Watches whether there is anybody.
#[derive(Debug)]
pub struct Audience(PipeReader);

impl Audience {
    /// Of a pipe or a socket, until the process ends. Of a file, which has no other end, nobody ever leaves.
    ///
    /// # Errors
    /// When the system has no thread or no pipe left.
    pub fn of(out: &impl AsFd) -> io::Result<Audience> {
        let (told, teller) = io::pipe()?;
        let out = out.as_fd().try_clone_to_owned()?;
        let watch = move || {
            wait(&out);
            drop(teller);
        };
        thread::Builder::new().name("audience".to_owned()).spawn(watch)?;
        Ok(Audience(told))
    }
}

/// Ready to be read from once nobody is there any more.
impl AsFd for Audience {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// That the other end is closed is told without being asked for. What cannot be watched is never left.
fn wait(out: &OwnedFd) {
    let mut fds = [PollFd::new(out, PollFlags::empty())];
    loop {
        match poll(&mut fds, None) {
            Err(Errno::INTR) => {}
            Ok(_) if fds[0].revents().intersects(PollFlags::ERR | PollFlags::HUP) => return,
            Ok(_) | Err(_) => thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::Timespec;

    fn has_left(audience: &Audience, wait: i64) -> bool {
        let mut fds = [PollFd::new(audience, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: wait, tv_nsec: 0 })).expect("a poll") == 1
    }

    #[test]
    fn whoever_closes_the_other_end_has_left() {
        let (reader, writer) = io::pipe().expect("a pipe");
        let audience = Audience::of(&writer).expect("a watch");
        assert!(!has_left(&audience, 0));
        drop(reader);
        assert!(has_left(&audience, 30));
    }

    #[test]
    fn a_file_is_never_left() {
        let file = tempfile::tempfile().expect("a file");
        assert!(!has_left(&Audience::of(&file).expect("a watch"), 0));
    }
}
