//! Whole configurations: the files of `config/`, and what is said about bad ones.

mod alerts;
mod bad;
mod good;

use super::*;

/// No variables, and the files of this machine.
fn plain() -> Environment {
    Environment::new([])
}

/// A configuration in memory, without files.
fn text(text: &str) -> Loaded {
    with_variables(text, &[])
}

fn with_variables(text: &str, variables: &[(&str, &str)]) -> Loaded {
    let variables = variables.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    let environment = Environment::with_files(variables, |_| Err(std::io::ErrorKind::NotFound.into()));
    load_bytes("gatelog.toml", text.as_bytes().to_vec(), &environment)
}

/// All problems as a user reads them.
fn shown(loaded: &Loaded) -> String {
    loaded.problems.iter().map(|problem| format!("{problem}\n")).collect()
}
