//! The admin listener: health, metrics, what runs now, what was, reloads. Its own thread, its own limits, nothing that a
//! request's way waits for.
//!
//! ```text
//! socket ── listen ── access ── router ──> health · metrics · inflight · upstreams · reload · logs, statistics · tail
//!                                              │         │          │                  │            │             │
//!                                           pulses   Collect   cores' answers   whoever reads    Archive       Recent
//!                                                                                   files      few threads  a bounded ring
//! ```
//!
//! It is served by [`crate::listen`], as traffic is, with limits of its own ([`server`]). Who may ask is decided in one place
//! ([`access`]), before anything is looked at; who may not is told in the log, and made to wait ([`guard`]). A page is an arm
//! of [`router`]; lists are cut by [`query::Page`]; what goes wrong is an RFC 9457 problem ([`refused`], [`answer`]). What a
//! core has to say it says in a message, bounded in size and in time ([`cores`]): nothing of its own is shared. Records that
//! were written are looked for on threads of their own, for a bounded time and no longer than somebody waits ([`ask`]); those
//! that come are followed from a ring, by so many followers, of whom none has a queue ([`tail`]).
//!
//! The dashboard's files ([`crate::dashboard`]) are pages like any other ([`pages`]); people log in once and show a cookie from
//! then on ([`login`], [`session`]).
//!
//! All of it is described in `openapi.json`, which a test holds against what a running proxy answers.

pub mod access;
mod alerts;
pub mod answer;
pub mod ask;
mod asked;
mod body;
mod charts;
pub mod cores;
mod export;
mod facets;
pub mod guard;
mod health;
mod inflight;
mod login;
mod logs;
pub mod outputs;
mod pace;
mod pages;
pub mod query;
pub mod refused;
pub mod reload;
mod router;
pub mod server;
mod session;
pub mod settings;
mod statistics;
mod tail;
mod upstreams;

#[cfg(test)]
mod api_tests;

pub use access::Access;
pub use cores::{CoreEnd, CoreLine, Pulse, Question, ask_cores};
pub use guard::Intrusion;
pub use outputs::{Condition, OutputStatus, ProcessStatus};
pub use refused::Refused;
pub use reload::{ReloadOutcome, ReloadProblem, ReloadReport, ReloadRequest};
pub use server::{Admin, Sources, start};
pub use settings::Settings;
