//! gatelog: a request-logging reverse proxy.
#![forbid(unsafe_code)]

pub mod cli;
pub mod config;
pub mod exchange;
pub mod listen;
pub mod pipeline;
pub mod record;
pub mod routes;
pub mod upstream;
