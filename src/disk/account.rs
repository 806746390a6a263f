//! Users and groups, by name or by number.

use nix::unistd::{Gid, Group, Uid, User};

/// Whom a file is given to; `None`: it stays whose it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Owner {
    /// Its number.
    pub user: Option<u32>,
    /// Its number.
    pub group: Option<u32>,
}

/// The number of a user; `None` where there is no such one. Numbers need no account.
pub fn user(name: &str) -> Option<u32> {
    let known = || User::from_name(name).ok().flatten().map(|user| user.uid.as_raw());
    name.parse().ok().or_else(known)
}

/// The number of a group; `None` where there is no such one.
pub fn group(name: &str) -> Option<u32> {
    let known = || Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw());
    name.parse().ok().or_else(known)
}

/// Whether this process may give files to a user: its own, or any if it is root.
pub fn may_give_to_user(user: u32) -> bool {
    let own = nix::unistd::geteuid();
    own.is_root() || own == Uid::from_raw(user)
}

/// Whether this process may give its files to a group: one of its own, or any if it is root.
pub fn may_give_to_group(group: u32) -> bool {
    let group = Gid::from_raw(group);
    let is_member = || nix::unistd::getgroups().is_ok_and(|groups| groups.contains(&group));
    nix::unistd::geteuid().is_root() || nix::unistd::getegid() == group || is_member()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_names_or_numbers() {
        assert_eq!((user("root"), group("root")), (Some(0), Some(0)));
        assert_eq!((user("12345"), group("12345")), (Some(12_345), Some(12_345)));
        assert_eq!((user("no such user"), group("no such group")), (None, None));
    }

    #[test]
    fn what_is_ones_own_may_be_given_to_oneself() {
        assert!(may_give_to_user(nix::unistd::geteuid().as_raw()));
        assert!(may_give_to_group(nix::unistd::getegid().as_raw()));
    }
}
