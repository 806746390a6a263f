//! The admin listener: health, metrics, what runs now, reloads. Its own thread, its own limits, nothing that a request's way
//! waits for.
//!
//! ```text
//! socket ── listen ── access ── router ──> health · metrics · inflight · upstreams · reload
//!                                              │         │          │                  │
//!                                           pulses   Collect   cores' answers    whoever reads files
//! ```
//!
//! It is served by [`crate::listen`], as traffic is, with limits of its own ([`server`]). Who may ask is decided in one place
//! ([`access`]), before anything is looked at; who may not is told in the log, and made to wait ([`guard`]). A page is an arm of [`router`]; lists are cut by [`query::Page`]; what goes
//! wrong is an RFC 9457 problem ([`answer`]). What a core has to say it says in a message, bounded in size and in time
//! ([`cores`]): nothing of its own is shared.

pub mod access;
pub mod answer;
pub mod ask;
mod body;
pub mod cores;
pub mod guard;
mod health;
mod inflight;
pub mod query;
pub mod refused;
pub mod reload;
mod router;
pub mod server;
pub mod settings;
mod upstreams;

pub use access::Access;
pub use cores::{CoreEnd, CoreLine, Pulse, Question};
pub use guard::Intrusion;
pub use refused::Refused;
pub use reload::{ReloadOutcome, ReloadProblem, ReloadReport, ReloadRequest};
pub use server::{Admin, Sources, start};
pub use settings::Settings;
