//! What configuration is read with: variables and files, both given by the caller.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::Path;

/// Bytes that a file of the configuration may hold. It is read whole.
pub const FILE_LIMIT: u64 = 4 << 20;

/// The process environment, and a way to files: nothing below `app` looks for either by itself.
pub struct Environment {
    variables: BTreeMap<String, String>,
    read: Box<ReadFile>,
}

/// How a file is read, whole.
type ReadFile = dyn Fn(&Path) -> io::Result<Vec<u8>> + Send + Sync;

impl Environment {
    /// These variables, and the files of this machine. Variables that are no UTF-8 are made so.
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Environment {
        let text = |text: OsString| text.to_string_lossy().into_owned();
        let variables = variables.into_iter().map(|(name, value)| (text(name), text(value))).collect();
        Environment { variables, read: Box::new(|path| crate::disk::read(path, FILE_LIMIT)) }
    }

    /// These variables, and whatever files the closure knows.
    pub fn with_files(
        variables: impl IntoIterator<Item = (String, String)>,
        read: impl Fn(&Path) -> io::Result<Vec<u8>> + Send + Sync + 'static,
    ) -> Environment {
        Environment { variables: variables.into_iter().collect(), read: Box::new(read) }
    }

    /// The value of one variable; an empty one is set.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// All of them, by name.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A file, whole.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        (self.read)(path)
    }
}

/// Names only: values may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Environment").field("variables", &self.variables.keys()).finish_non_exhaustive()
    }
}
