//! The store held against a naive look at all records: random questions, failing disks, kills, full disks, damaged files.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(
    clippy::disallowed_methods,
    reason = "the bans are on production code; files and processes of tests are their own"
)]

/// Records of all kinds, made up.
mod records;

/// What is asked of them, made up.
mod questions;

/// The answers that a look at every record gives.
mod naive;

/// Every place that holds records gives the answers of the naive look.
mod agreement;

/// What a writer does in a day, and what must be true of its store whatever happens.
mod work;

/// A disk that misbehaves on purpose.
mod disk;

/// Killed, or without power, at every call to the disk.
mod crash;

/// Calls to the disk fail.
mod faults;
