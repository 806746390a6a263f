//! gatelog: a request-logging reverse proxy.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests write files, and ask the environment for their own")
)]

pub mod cli;
pub mod app;
pub mod listen;
pub mod proxy;
pub mod upstream;
pub mod routes;
pub mod exchange;
pub mod record;
pub mod pipeline;
pub mod sinks;
pub mod config;
pub mod net;
pub mod disk;
pub mod secret;
pub mod time;
