//! One file per command; no logic that another flow needs.

pub mod routes;
