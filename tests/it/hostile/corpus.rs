//! The cases of `tests/corpus/requests`, as `tests/corpus/README.md` describes them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Allowed, Case, Seen};
use crate::support::corpus::{Text, read};

macro_rules! tables {
    ($($name:ident),*) => {
        $(
            /// The table of this name.
            pub(super) fn $name() -> Vec<Case> {
                read::<Raw>(include_str!(concat!("../../corpus/requests/", stringify!($name), ".toml")))
                    .into_iter()
                    .map(Case::from)
                    .collect()
            }
        )*

        /// All of them.
        pub(super) fn all() -> Vec<Case> {
            [$($name()),*].into_iter().flatten().collect()
        }
    };
}

tables!(framing, chunks, fields, request_line, hosts, controls, sizes, smuggling);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    send: Text,
    refused: Option<Vec<u16>>,
    broken: Option<Vec<u16>>,
    after: Option<Vec<RawSeen>>,
    passed: Option<Vec<RawSeen>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawSeen {
    Bare(String),
    Full(Full),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Full {
    request: Text,
    body: Option<Text>,
    #[serde(default)]
    has: BTreeMap<String, String>,
    #[serde(default)]
    lacks: Vec<String>,
}

impl From<Raw> for Case {
    fn from(raw: Raw) -> Case {
        let seen = |raw: Option<Vec<RawSeen>>| raw.unwrap_or_default().into_iter().map(Seen::from).collect();
        let allowed = match (raw.refused, raw.broken, raw.passed) {
            (Some(with), None, None) => Allowed::Refused { after: seen(raw.after), with },
            (None, Some(with), None) => Allowed::Broken(with),
            (None, None, Some(all)) => Allowed::Passed(seen(Some(all))),
            (Some(with), None, Some(all)) => Allowed::Either(with, seen(Some(all))),
            _ => panic!("{}: no outcome, or two that exclude each other", raw.name),
        };
        Case { name: raw.name, bytes: raw.send.bytes(), allowed }
    }
}

impl From<RawSeen> for Seen {
    fn from(raw: RawSeen) -> Seen {
        let full = match raw {
            RawSeen::Bare(request) => {
                Full { request: Text::Plain(request), body: None, has: BTreeMap::new(), lacks: Vec::new() }
            }
            RawSeen::Full(full) => full,
        };
        let request = full.request.bytes();
        let space = request.iter().position(|byte| *byte == b' ').unwrap();
        Seen {
            method: String::from_utf8(request[..space].to_vec()).unwrap(),
            target: request[space + 1..].to_vec(),
            body: full.body.map(|body| body.bytes()).unwrap_or_default(),
            has: full.has.into_iter().collect(),
            lacks: full.lacks,
        }
    }
}
