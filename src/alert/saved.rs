//! What is kept over a restart: which alerts fire, who was told when, and what is silenced. What was measured is not.

use serde::{Deserialize, Serialize};

use super::lifecycle::Life;
use super::notice::Group;
use super::silence::Silences;

/// The form that is written, and the latest that is read.
const VERSION: u32 = 1;

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Saved {
    /// Alerts that are not quiet, or were told of not long ago.
    pub alerts: Vec<SavedAlert>,
    /// Those in force, and some that have ended.
    pub silences: Silences,
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedAlert {
    /// The rule's name.
    pub rule: String,
    /// Which of its alerts.
    pub group: Option<Group>,
    /// Where it is.
    pub life: Life,
}

/// Why nothing is remembered.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// It is no JSON of ours.
    #[error("it makes no sense: {0}")]
    Senseless(#[from] serde_json::Error),
    /// A later version has written it.
    #[error("it is of version {0}, and {VERSION} is the latest that this program knows")]
    Newer(u32),
}

#[derive(Serialize, Deserialize)]
struct Version {
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    alerts: Vec<SavedAlert>,
    silences: Silences,
}

impl Saved {
    /// As it stands in the file.
    pub fn write(&self) -> Vec<u8> {
        let Saved { alerts, silences } = self.clone();
        let mut text = serde_json::to_vec_pretty(&File { version: VERSION, alerts, silences }).unwrap_or_default();
        text.push(b'\n');
        text
    }

    /// What a file says.
    ///
    /// # Errors
    /// It makes no sense, or is of a later version.
    pub fn read(text: &[u8]) -> Result<Saved, SavedError> {
        let Version { version } = serde_json::from_slice(text)?;
        if version > VERSION {
            return Err(SavedError::Newer(version));
        }
        let File { alerts, silences, .. } = serde_json::from_slice(text)?;
        Ok(Saved { alerts, silences })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_as_it_was() {
        let group = Some(Group { by: "route".into(), name: None });
        let alert = SavedAlert { rule: "errors".into(), group, life: Life::default() };
        let saved = Saved { alerts: vec![alert], silences: Silences::default() };
        assert_eq!(Saved::read(&saved.write()).expect("ours"), saved);
    }

    #[test]
    fn what_makes_no_sense_is_no_state() {
        assert!(matches!(Saved::read(b""), Err(SavedError::Senseless(_))));
        assert!(matches!(Saved::read(b"{\"version\":1}"), Err(SavedError::Senseless(_))));
        let newer = Saved::read(b"{\"version\":2,\"other\":[]}").expect_err("a later version");
        assert_eq!(newer.to_string(), "it is of version 2, and 1 is the latest that this program knows");
    }
}
