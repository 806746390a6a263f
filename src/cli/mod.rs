//! The commands, one file each; no logic that another flow needs.

pub mod check;
pub mod demo;
pub mod routes;
pub mod verify;
