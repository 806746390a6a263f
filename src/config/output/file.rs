//! What `[[log.output]]` of type `file` has beside the rest.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::config::finding::{Complaint, quoted};
use crate::config::reader::Section;
use crate::config::tree::Node;
use crate::config::value::{account, boolean, choice, count_limit, duration, is_off, mode, name, size};
use crate::pipeline::{Compression, FileSettings, Rotate};

/// The keys of a file; `None` where its path is not known.
pub(super) fn read(section: &mut Section<'_>) -> Option<FileSettings> {
    let origin = section.origin();
    let reader = section.reader;
    let path = section.require("path", "\"logs/access.log\"", |node| {
        let text = name(node)?;
        if text.ends_with('/') {
            return Err(Complaint::new(format!("{} is a folder", quoted(&text)), "write the path of a file in it"));
        }
        Ok(reader.sources.borrow().path(node.at, &text))
    });
    let mut file = FileSettings { origin, ..FileSettings::new(PathBuf::new()) };
    file.rotate = section.table("rotate").and_then(rotate);
    file.mode = section.read("mode", mode);
    file.owner = section.read("owner", account);
    file.group = section.read("group", account);
    section.set("create_directories", &mut file.create_directories, boolean);
    path.map(|path| FileSettings { path, ..file })
}

/// Whether two paths are written alike, but for what does not count in one. What links hide only shows on the disk.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    let parts = |path: &Path| {
        let parts = path.components().filter(|part| *part != Component::CurDir);
        parts.map(|part| part.as_os_str().to_owned()).collect::<Vec<_>>()
    };
    parts(one) == parts(other)
}

/// `rotate`; `None` where nothing says when.
fn rotate(mut section: Section<'_>) -> Option<Rotate> {
    let at = section.at;
    let said = section.has("size") || section.has("every");
    let size = section.read("size", file_size).flatten();
    let every = section.read("every", period).flatten();
    let keep = section.read("keep", keep).unwrap_or(KEEP);
    let compress = section.read("compress", compression).flatten();
    if !said {
        let hint = "write size = \"50MB\", every = \"1d\", or both; without `rotate` the file just grows";
        section.reader.error(at, "`log.output.rotate` does not say when", hint);
    }
    (size.is_some() || every.is_some()).then_some(Rotate { size, every, keep, compress })
}

/// A week of days and some more, as the interface's own example has it.
const KEEP: usize = 10;

/// The size of a file.
fn file_size(node: &Node) -> Result<Option<u64>, Complaint> {
    if is_off(node) {
        return Ok(None);
    }
    match size(node)? {
        bytes @ SMALLEST.. => Ok(Some(bytes)),
        bytes => Err(Complaint::new(format!("{bytes} bytes hold hardly a record"), "write \"4KB\" at least")),
    }
}

const SMALLEST: u64 = 4 << 10;

/// A period that the clock can be cut into.
fn period(node: &Node) -> Result<Option<Duration>, Complaint> {
    if is_off(node) {
        return Ok(None);
    }
    let period = duration(node)?;
    let seconds = period.as_secs();
    let even = period.subsec_nanos() == 0 && seconds >= 60;
    let even = even && if seconds < DAY { DAY.is_multiple_of(seconds) } else { seconds.is_multiple_of(DAY) };
    let hint = "whole minutes or hours that a day can be cut into, such as \"15m\" or \"6h\", or whole days: \"1d\"";
    let refused = || Complaint::new("files cannot be cut by it on the clock", hint);
    even.then_some(Some(period)).ok_or_else(refused)
}

const DAY: u64 = 86_400;

/// How many closed files stay: there must be an end to them.
fn keep(node: &Node) -> Result<usize, Complaint> {
    let refused = || Complaint::new("that many files cannot stay", format!("write a number from 1 to {MOST_KEPT}"));
    count_limit(node)?.filter(|count| *count <= MOST_KEPT).ok_or_else(refused)
}

const MOST_KEPT: usize = 10_000;

/// `"gzip"`, `"zstd"`, `"off"`.
fn compression(node: &Node) -> Result<Option<Compression>, Complaint> {
    choice(node, &[("gzip", Some(Compression::Gzip)), ("zstd", Some(Compression::Zstd)), ("off", None)])
}
