//! Composition root: what is configured becomes what runs.

pub mod preflight;
