//! Configuration: raw (as written), resolved into the settings of every module, every problem at once with its place.
//!
//! The way of a file: `tree` parses it and puts variables into its strings, `overrides` puts `GATELOG_…` variables
//! over it, and the modules named like its sections (`listen`, `identity`, `upstream`, `routes`, `log`) read
//! it key by key through a `reader::Section`, which collects complaints and knows what nobody asked for.
//! Nothing here looks at the process: variables and files come from the [`Environment`] that the caller gives.

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use environment::{Environment, FILE_LIMIT};
pub use origin::Places;
pub use problem::{Place, Problem, Severity};
pub use value::{bytes, span};

use crate::routes::Table;

mod address;
mod admin;
mod alerts;
mod capture;
mod environment;
mod events;
mod expand;
mod filter;
mod finding;
mod identity;
mod later;
mod listen;
mod log;
mod mask;
mod origin;
mod output;
mod overrides;
mod problem;
mod reader;
mod redact;
mod resolve;
mod routes;
mod sample;
mod secret;
mod source;
mod store;
mod tree;
mod unknown;
mod upstream;
mod value;

/// The settled configuration of the whole program.
#[derive(Debug, Clone)]
pub struct Config {
    /// `workers`: threads that serve; `None` is one a core.
    pub workers: Option<usize>,
    /// `shutdown_grace`.
    pub shutdown_grace: Duration,
    /// `[[listen]]`, at least one.
    pub listeners: Vec<crate::listen::ListenSettings>,
    /// `[limits]`.
    pub limits: crate::listen::Limits,
    /// `[identity]` and when to write what.
    pub exchange: crate::exchange::Settings,
    /// `[[upstream]]`, in order.
    pub upstreams: Vec<crate::upstream::Settings>,
    /// `[converters]` and `[[route]]`.
    pub routes: crate::routes::Settings,
    /// What records hold.
    pub record: crate::record::Settings,
    /// Which records go where.
    pub pipeline: crate::pipeline::Settings,
    /// `[store]`; without it the newest records are in memory only.
    pub store: Option<crate::store::Settings>,
    /// `[alerts]`; without it nobody is told anything.
    pub alerts: Option<crate::alert::Settings>,
    /// `[admin]`.
    pub admin: crate::admin::Settings,
}

/// Where configuration comes from.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// The file; `None` is defaults alone.
    pub file: Option<PathBuf>,
    /// `--upstream URL`, repeated: the servers of the default upstream, in place of those in the file.
    pub upstreams: Vec<String>,
}

impl Source {
    /// What a command means: the file it names, else `gatelog.toml` if there is one here, else defaults.
    pub fn choose(named: Option<PathBuf>, upstreams: Vec<String>, environment: &Environment) -> Source {
        let here = PathBuf::from(DEFAULT_FILE);
        let missing = |path: &Path| environment.read(path).is_err_and(|it| it.kind() == std::io::ErrorKind::NotFound);
        let file = named.or_else(|| (!missing(&here)).then_some(here));
        Source { file, upstreams }
    }
}

/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "gatelog.toml";

/// What came of a configuration.
#[derive(Debug)]
pub struct Loaded {
    /// The settled configuration; `None` as soon as one problem is an error.
    pub config: Option<Config>,
    /// The table that its routes compile to, whatever else is wrong; `None` where a pattern has an error.
    pub table: Option<Table>,
    /// All that is wrong with it or surely not meant, in the order of the text.
    pub problems: Vec<Problem>,
    /// Where everything stands that carries an `origin`.
    pub places: Places,
    partial: Option<Config>,
}

impl Loaded {
    /// What could be settled in spite of the problems: not to run with, but to look for further ones in.
    pub(crate) fn partial(&self) -> Option<&Config> {
        self.config.as_ref().or(self.partial.as_ref())
    }
}

/// Reads and settles a configuration. Never fails: what is wrong is among the problems.
///
/// Defaults are overridden by the file, the file by `GATELOG_…` variables, and those by `source.upstreams`.
pub fn load(source: &Source, environment: &Environment) -> Loaded {
    resolve::load(source, environment)
}

/// Settles a configuration that is in memory, called `name` in its problems.
pub fn load_bytes(name: &str, bytes: Vec<u8>, environment: &Environment) -> Loaded {
    resolve::load_bytes(name, bytes, environment)
}

/// Any bytes as a configuration file, with no files and no variables around it: what the fuzzer calls.
pub fn fuzz(data: &[u8]) -> Loaded {
    let environment = Environment::with_files([], |_| Err(std::io::ErrorKind::NotFound.into()));
    load_bytes("fuzz.toml", data.to_vec(), &environment)
}

#[cfg(test)]
mod tests;
