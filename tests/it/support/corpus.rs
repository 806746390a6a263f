//! Hostile input as data: what `tests/corpus/README.md` describes, as far as requests and answers share it.

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Bytes: each character stands for the byte of its number.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Text {
    /// As they are.
    Plain(String),
    /// Many times the same; `{n}` stands for the running number.
    Repeated {
        /// What.
        repeat: Box<Text>,
        /// How often.
        times: usize,
    },
    /// One after another.
    Joined(Vec<Text>),
}

impl Text {
    /// The bytes themselves.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let byte = |char| u8::try_from(u32::from(char)).expect("a character that is a byte");
        self.chars().chars().map(byte).collect()
    }

    /// The same with a character a byte.
    pub(crate) fn chars(&self) -> String {
        match self {
            Text::Plain(text) => text.clone(),
            Text::Joined(texts) => texts.iter().map(Text::chars).collect(),
            Text::Repeated { repeat, times } => {
                let repeat = repeat.chars();
                (0..*times).map(|number| repeat.replace("{n}", &number.to_string())).collect()
            }
        }
    }
}

#[derive(Deserialize)]
struct Table<T> {
    cases: Vec<T>,
}

/// The cases of one file.
pub(crate) fn read<T: DeserializeOwned>(file: &str) -> Vec<T> {
    toml::from_str::<Table<T>>(file).unwrap().cases
}
