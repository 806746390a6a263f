//! Where records are: in log files, in a store's folder, or in the store that a configuration names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use crate::config::{self, Config, Environment, Severity, Source};
use crate::disk::paths;
use crate::search::files::LogFiles;
use crate::store::{Archive, AskError, Reader};

/// Where to look. Nothing said is the store of the configuration in this directory.
#[derive(Debug, Args)]
pub struct PlaceArguments {
    /// The logs: JSON of any schema, plain, gzip or zstd; `-` is standard input
    #[arg(long, value_name = "LOG", num_args = 1.., conflicts_with_all = ["store", "config"])]
    pub file: Vec<PathBuf>,
    /// The folder of a store, whether a proxy writes to it or not
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    pub store: Option<PathBuf>,
    /// The configuration whose store is meant; gatelog.toml in this directory unless said otherwise
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// A place that holds records.
#[derive(Debug)]
pub enum Place {
    /// Logs.
    Files(Arc<LogFiles>),
    /// A store, read beside whoever writes to it.
    Store(Arc<Reader>),
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum NoPlace {
    /// Nothing says where to look: wrong usage.
    #[error("gatelog: {0}")]
    Unnamed(String),
    /// It cannot be read.
    #[error("gatelog: {0}")]
    Unreadable(#[from] AskError),
}

impl Place {
    /// The place that is meant.
    ///
    /// # Errors
    /// When nothing names one, or what is named cannot be read at all.
    pub fn open(arguments: &PlaceArguments, environment: &Environment) -> Result<Place, NoPlace> {
        if !arguments.file.is_empty() {
            return Ok(Place::Files(Arc::new(LogFiles::open(&arguments.file)?)));
        }
        let folder = folder(arguments.store.as_deref(), arguments.config.as_deref(), environment)?;
        paths::names(&folder).map_err(|source| AskError::Unreadable { path: folder.display().to_string(), source })?;
        Ok(Place::Store(Arc::new(Reader::new(&folder))))
    }

    /// As whoever asks sees it.
    pub fn archive(&self) -> Arc<dyn Archive> {
        match self {
            Place::Files(files) => Arc::clone(files) as Arc<dyn Archive>,
            Place::Store(reader) => Arc::clone(reader) as Arc<dyn Archive>,
        }
    }

    /// How far a question is, for whoever waits; of a store it is only known that it goes on.
    pub fn progress(&self) -> String {
        let Place::Files(files) = self else { return "looking through the store".to_owned() };
        let progress = files.progress();
        match progress.all {
            Some(all) => format!("{} of {} MB", progress.read >> 20, all >> 20),
            None => format!("{} MB", progress.read >> 20),
        }
    }
}

/// The folder of the store that is meant.
///
/// # Errors
/// When nothing names one.
pub fn folder(store: Option<&Path>, config: Option<&Path>, environment: &Environment) -> Result<PathBuf, NoPlace> {
    const HOW: &str = "name a store with --store DIR, or logs with --file LOG…";
    if let Some(folder) = store {
        return Ok(folder.to_owned());
    }
    let Some((file, config)) = configuration(config, environment)? else {
        return Err(NoPlace::Unnamed(format!("there is no {} here; {HOW}", config::DEFAULT_FILE)));
    };
    let store = config.store.map(|store| store.path);
    store.ok_or_else(|| NoPlace::Unnamed(format!("{} has no [store]; {HOW}", file.display())))
}

/// The configuration that is named, or the one that is here, if there is one.
///
/// # Errors
/// When it has errors: what it says then need not be what the proxy that runs was told.
pub fn configuration(named: Option<&Path>, environment: &Environment) -> Result<Option<(PathBuf, Config)>, NoPlace> {
    let source = Source::choose(named.map(Path::to_owned), Vec::new(), environment);
    let Some(file) = source.file.clone() else { return Ok(None) };
    let loaded = config::load(&source, environment);
    let Some(config) = loaded.config else {
        let errors = loaded.problems.iter().filter(|problem| problem.severity == Severity::Error);
        let told: Vec<String> = errors.map(ToString::to_string).collect();
        return Err(NoPlace::Unnamed(format!("{} cannot be used\n{}", file.display(), told.join("\n"))));
    };
    Ok(Some((file, config)))
}
