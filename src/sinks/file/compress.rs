//! Closed files are compressed in the background: one thread for all outputs, at the lowest priority.
//!
//! It is told nothing but to look: whatever closed file it finds uncompressed is its work, so that what a killed process
//! left half done is done by the next one, and nothing waits in memory. A file is compressed under a name of its own
//! (`….tmp`), brought to the disk (fsync), renamed, and only then is its source removed: at no moment is a line missing.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use super::archive::{GZIP, ZSTD, uncompressed};
use crate::disk::paths;
use crate::pipeline::Compression;
use crate::sinks::neighbour::Neighbour;
use crate::sinks::trouble::Trouble;

/// What is read before anything else is looked at.
const STEP: usize = 64 * 1024;
/// What failed is tried again after this time.
const AGAIN: Duration = Duration::from_secs(60);
/// The lowest priority of Linux and others.
const NICE: i32 = 19;
const UNFINISHED: &str = ".tmp";

/// The closed files of one log.
#[derive(Debug)]
pub(in crate::sinks) struct Family {
    pub(in crate::sinks) folder: PathBuf,
    /// The name of the open file.
    pub(in crate::sinks) base: String,
    pub(in crate::sinks) compression: Compression,
    pub(in crate::sinks) trouble: Trouble,
}

/// The thread; it stops when this is dropped.
#[derive(Debug)]
pub(in crate::sinks) struct Compressor {
    thread: JoinHandle<()>,
    stop: Arc<AtomicBool>,
    given: Given,
}

/// The logs that are its work from now on, until it has taken them.
type Given = Arc<Mutex<Option<Vec<Family>>>>;

impl Compressor {
    /// A thread that has nothing to do yet. Beside another process it leaves everything to that one.
    pub(in crate::sinks) fn start(neighbour: Neighbour) -> io::Result<Compressor> {
        let stop = Arc::new(AtomicBool::new(false));
        let given = Given::default();
        let taken = Arc::clone(&given);
        let stopped = Arc::clone(&stop);
        let work = move || {
            // Without it the work is done all the same.
            let _ = rustix::process::nice(NICE);
            let mut families: Vec<Family> = Vec::new();
            while !stopped.load(Ordering::Acquire) {
                families = take(&taken).unwrap_or(families);
                if !neighbour.is_there() {
                    families.iter_mut().for_each(|family| family.compress(&stopped));
                }
                std::thread::park_timeout(AGAIN);
            }
        };
        let thread = std::thread::Builder::new().name("log-compress".into()).spawn(work)?;
        Ok(Compressor { thread, stop, given })
    }

    /// Has the closed files of these logs compressed from now on, and no others; begins with what is there.
    pub(in crate::sinks) fn compress(&self, families: Vec<Family>) {
        *self.given.lock().unwrap_or_else(PoisonError::into_inner) = Some(families);
        self.thread.thread().unpark();
    }

    /// Has it stop at the next opportunity: what it has not finished it removes, and the source stays.
    pub(in crate::sinks) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
    }

    /// Whether it has stopped.
    pub(in crate::sinks) fn has_stopped(&self) -> bool {
        self.thread.is_finished()
    }

    /// Wakes it when a file was closed.
    pub(in crate::sinks) fn waker(&self) -> Thread {
        self.thread.thread().clone()
    }
}

fn take(given: &Given) -> Option<Vec<Family>> {
    given.lock().unwrap_or_else(PoisonError::into_inner).take()
}

impl Drop for Compressor {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Family {
    /// Compresses all that is not yet, the oldest first.
    fn compress(&mut self, stop: &AtomicBool) {
        match self.compress_all(stop) {
            Ok(()) => self.trouble.over(),
            Err(error) => self.trouble.failed("cannot compress a closed file", &error),
        }
    }

    fn compress_all(&self, stop: &AtomicBool) -> io::Result<()> {
        let mut names = paths::names(&self.folder)?;
        names.sort();
        for name in names {
            match name.strip_suffix(UNFINISHED) {
                Some(name) if uncompressed(&self.base, name).is_some() => {
                    paths::remove(&self.folder.join(format!("{name}{UNFINISHED}")))?;
                }
                None if uncompressed(&self.base, &name).as_ref() == Some(&name) => {
                    compress(&self.folder, &name, self.compression, stop)?;
                }
                _ => {}
            }
            if stop.load(Ordering::Acquire) {
                break;
            }
        }
        Ok(())
    }
}

/// Puts a compressed file in the place of one.
fn compress(folder: &Path, name: &str, compression: Compression, stop: &AtomicBool) -> io::Result<()> {
    let ending = match compression {
        Compression::Gzip => GZIP,
        Compression::Zstd => ZSTD,
    };
    let source_path = folder.join(name);
    let (unfinished, finished) =
        (folder.join(format!("{name}{ending}{UNFINISHED}")), folder.join(format!("{name}{ending}")));
    if paths::look(&finished).is_err() {
        let source = paths::open(&source_path)?;
        let look = paths::look_at(&source)?;
        let target = paths::make(&unfinished, 0o600)?;
        // Who may read the source may read this; not everybody can give it to its owner.
        let _ = paths::give(&target, None, Some(look.owner.0), Some(look.owner.1));
        paths::give(&target, Some(look.mode), None, None)?;
        if !encode(source, &target, compression, stop)? {
            paths::remove(&unfinished)?;
            return Ok(());
        }
        target.sync_all()?;
        paths::rename(&unfinished, &finished)?;
        paths::sync_folder(folder)?;
    }
    // Whoever removed the source meanwhile, as one file too many, did not know of the other.
    if !paths::remove(&source_path)? {
        paths::remove(&finished)?;
    }
    Ok(())
}

/// Returns whether it came to the end before it was told to stop.
fn encode(source: File, target: &File, compression: Compression, stop: &AtomicBool) -> io::Result<bool> {
    match compression {
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(target, flate2::Compression::default());
            Ok(pour(source, &mut encoder, stop)? && encoder.finish().map(|_| true)?)
        }
        Compression::Zstd => {
            let mut encoder = zstd::stream::write::Encoder::new(target, zstd::DEFAULT_COMPRESSION_LEVEL)?;
            encoder.include_checksum(true)?;
            Ok(pour(source, &mut encoder, stop)? && encoder.finish().map(|_| true)?)
        }
    }
}

fn pour(mut source: File, target: &mut impl Write, stop: &AtomicBool) -> io::Result<bool> {
    let mut step = vec![0; STEP];
    loop {
        match source.read(&mut step)? {
            0 => return Ok(true),
            _ if stop.load(Ordering::Acquire) => return Ok(false),
            read => target.write_all(&step[..read])?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{Format, OutputSettings, Port};
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt;

    const FIRST: &str = "a.log-20260801T120000.000000Z";
    const SECOND: &str = "a.log-20260801T120000.000001Z";

    fn family(folder: &Path, compression: Compression) -> Family {
        let port = Port::new(&OutputSettings::default(), Format::Json);
        Family { folder: folder.to_owned(), base: "a.log".into(), compression, trouble: Trouble::new(&port) }
    }

    /// Every file and what it holds, unpacked.
    fn contents(folder: &Path) -> BTreeMap<String, String> {
        let read = |name: String| {
            let bytes = std::fs::read(folder.join(&name)).unwrap();
            let mut text = String::new();
            match name.rsplit('.').next() {
                Some("gz") => flate2::read::GzDecoder::new(&*bytes).read_to_string(&mut text).unwrap(),
                Some("zst") => zstd::Decoder::new(&*bytes).unwrap().read_to_string(&mut text).unwrap(),
                _ => (&*bytes).read_to_string(&mut text).unwrap(),
            };
            (name, text)
        };
        paths::names(folder).unwrap().into_iter().map(read).collect()
    }

    #[test]
    fn closed_files_are_compressed_whole_and_others_left_alone() {
        for (compression, ending) in [(Compression::Gzip, "gz"), (Compression::Zstd, "zst")] {
            let folder = tempfile::tempdir().unwrap();
            let long = "a line\n".repeat(100_000);
            std::fs::write(folder.path().join(FIRST), &long).unwrap();
            std::fs::write(folder.path().join(SECOND), "").unwrap();
            std::fs::write(folder.path().join("a.log"), "open\n").unwrap();
            family(folder.path(), compression).compress(&AtomicBool::new(false));
            let expected = [
                ("a.log".to_owned(), "open\n".to_owned()),
                (format!("{FIRST}.{ending}"), long),
                (format!("{SECOND}.{ending}"), String::new()),
            ];
            assert_eq!(contents(folder.path()), BTreeMap::from(expected));
        }
    }

    #[test]
    fn what_a_killed_process_left_is_cleaned_up_and_done_again() {
        let folder = tempfile::tempdir().unwrap();
        // Killed while it compressed the first, and after it renamed the second.
        std::fs::write(folder.path().join(FIRST), "one\n").unwrap();
        std::fs::write(folder.path().join(format!("{FIRST}.gz.tmp")), "half").unwrap();
        std::fs::write(folder.path().join(SECOND), "two\n").unwrap();
        let mut done = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        done.write_all(b"two\n").unwrap();
        std::fs::write(folder.path().join(format!("{SECOND}.gz")), done.finish().unwrap()).unwrap();
        family(folder.path(), Compression::Gzip).compress(&AtomicBool::new(false));
        let expected = [(format!("{FIRST}.gz"), "one\n".to_owned()), (format!("{SECOND}.gz"), "two\n".to_owned())];
        assert_eq!(contents(folder.path()), BTreeMap::from(expected));
    }

    #[test]
    fn one_that_is_told_to_stop_leaves_the_source() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FIRST), "one\n").unwrap();
        compress(folder.path(), FIRST, Compression::Gzip, &AtomicBool::new(true)).unwrap();
        assert_eq!(contents(folder.path()), BTreeMap::from([(FIRST.to_owned(), "one\n".to_owned())]));
    }

    #[test]
    fn a_source_that_is_removed_meanwhile_takes_its_compressed_file_with_it() {
        let folder = tempfile::tempdir().unwrap();
        // The other way to the same end: the compressed file is there, and the source is gone when its turn comes.
        std::fs::write(folder.path().join(format!("{FIRST}.gz")), "x").unwrap();
        compress(folder.path(), FIRST, Compression::Gzip, &AtomicBool::new(false)).unwrap();
        assert_eq!(paths::names(folder.path()).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_compressed_file_is_as_readable_as_its_source() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FIRST);
        std::fs::write(&path, "one\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o604)).unwrap();
        family(folder.path(), Compression::Gzip).compress(&AtomicBool::new(false));
        let mode = std::fs::metadata(folder.path().join(format!("{FIRST}.gz"))).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o604);
    }
}
