//! Care of a store, beside whoever writes: full segments are sealed, old ones removed.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::error::Error;
use super::file::{self, Form};
use super::seal;
use super::settings::Settings;
use crate::disk::paths;
use crate::time::micros;

/// What is to be done about segments.
#[derive(Debug, Clone)]
pub(super) struct Care {
    folder: PathBuf,
    /// Microseconds.
    age: Option<u64>,
    bytes: Option<u64>,
}

/// Segments that were removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Removed {
    pub(super) segments: u64,
    pub(super) bytes: u64,
}

impl Care {
    pub(super) fn new(settings: &Settings) -> Care {
        Care::of(&settings.path, settings.age.map(micros), settings.size)
    }

    /// Of a folder whose segments are kept so many microseconds, and bytes.
    pub(super) fn of(folder: &Path, age: Option<u64>, bytes: Option<u64>) -> Care {
        Care { folder: folder.to_owned(), age, bytes }
    }

    /// Removes what is too old or too much, and seals the segments below this number.
    pub(super) fn all(&self, below: u64, now: u64, stop: &dyn Fn() -> bool) -> Result<(), Error> {
        self.retain(now, |number, _| number < below)?;
        let mut failed = Ok(());
        for (number, form) in file::list(&self.folder)? {
            if form == Form::Hot && number < below {
                match seal::seal(&self.folder, number, stop) {
                    Ok(true) => {}
                    Ok(false) => break,
                    // One that makes no sense does not keep the others from being sealed.
                    Err(error) => failed = failed.and(Err(error)),
                }
            }
        }
        self.retain(now, |number, _| number < below)?;
        failed
    }

    /// Removes whole segments, the oldest first, of those that may be removed.
    pub(super) fn retain(&self, now: u64, may: impl Fn(u64, Form) -> bool) -> Result<Removed, Error> {
        let segments: Vec<_> = file::list(&self.folder)?
            .into_iter()
            .map(|(number, form)| (number, form, self.size(number, form)))
            .collect();
        let mut total: u64 = segments.iter().map(|(_, _, bytes)| bytes).sum();
        let mut removed = Removed::default();
        for (number, form, bytes) in segments.into_iter().filter(|(number, form, _)| may(*number, *form)) {
            let is_much = self.bytes.is_some_and(|limit| total > limit);
            if is_much || self.is_old(number, form, now) {
                file::remove(&self.folder, number, form)?;
                total -= bytes;
                removed.segments += 1;
                removed.bytes += bytes;
            }
        }
        Ok(removed)
    }

    /// Whether its newest line is too old. What cannot be read is judged by when it was written.
    fn is_old(&self, number: u64, form: Form, now: u64) -> bool {
        let Some(age) = self.age else { return false };
        let path = file::path(&self.folder, number, form);
        let newest = file::open_to_read(&path, form).ok().and_then(|file| {
            file.query_row("SELECT max(newest) FROM block", [], |row| row.get::<_, Option<u64>>(0)).ok().flatten()
        });
        let newest = newest.or_else(|| paths::look(&path).ok().map(|look| look.modified));
        newest.is_some_and(|newest| newest.saturating_add(age) < now)
    }

    fn size(&self, number: u64, form: Form) -> u64 {
        let path = file::path(&self.folder, number, form);
        let log = path.with_extension("hot-wal");
        let files = if form == Form::Hot { vec![path, log] } else { vec![path] };
        files.iter().filter_map(|path| paths::look(path).ok()).map(|look| look.len).sum()
    }
}

/// Troubles that are kept until somebody asks.
const MAX_TROUBLES: usize = 16;

/// A thread that takes care.
#[derive(Debug)]
pub(super) struct Upkeep {
    wake: Option<SyncSender<(u64, u64)>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    troubles: Mutex<Vec<String>>,
}

impl Upkeep {
    pub(super) fn start(care: Care) -> std::io::Result<Upkeep> {
        let (wake, woken) = sync_channel(1);
        let shared = Arc::new(Shared::default());
        let own = shared.clone();
        let run = move || run(&care, &woken, &own);
        let thread = std::thread::Builder::new().name("gatelog-upkeep".to_owned()).spawn(run)?;
        Ok(Upkeep { wake: Some(wake), shared, thread: Some(thread) })
    }

    /// Segments below this number are complete. Where it is busy, it finds them the next time.
    pub(super) fn look_after(&self, below: u64, now: u64) {
        if let Some(wake) = &self.wake {
            // Full: it has yet to look; gone: there is nothing to be done.
            let _ = wake.try_send((below, now));
        }
    }

    pub(super) fn troubles(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.troubles.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// It stops at the next slice; what it was at is begun again another time.
impl Drop for Upkeep {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.wake = None;
        // A thread that has panicked has said so.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn run(care: &Care, woken: &Receiver<(u64, u64)>, shared: &Shared) {
    // Of this thread alone; where it is refused, all is done at the usual pace.
    let _ = rustix::process::setpriority_process(None, 19);
    while let Ok((below, now)) = woken.recv() {
        let stop = || shared.stop.load(Ordering::Relaxed);
        if let Err(error) = care.all(below, now, &stop) {
            let mut troubles = shared.troubles.lock().unwrap_or_else(PoisonError::into_inner);
            if troubles.len() < MAX_TROUBLES {
                troubles.push(error.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::record::timestamp;
    use crate::store::Writer;

    const NOW: u64 = 1_795_345_356_000_000;
    const HOUR: u64 = 3_600_000_000;

    fn segments(folder: &Path) -> usize {
        file::list(folder).unwrap().len()
    }

    /// One segment with a record, and the one that is written to.
    fn idle_store(folder: &Path) -> Writer {
        let age = Some(Duration::from_secs(2 * 3600));
        let mut writer = Writer::open(Settings { age, ..Settings::new(folder) }).unwrap();
        writer.ingest(format!("{{\"timestamp\":\"{}\"}}\n", timestamp(NOW)).as_bytes(), NOW).unwrap();
        writer.roll(NOW).unwrap();
        writer.take_care(NOW).unwrap();
        writer.start_upkeep().unwrap();
        assert_eq!(segments(folder), 2);
        writer
    }

    #[test]
    fn what_is_too_old_goes_though_nothing_more_comes() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = idle_store(folder.path());
        writer.tick(NOW + 3 * HOUR).unwrap();
        // What it was sent to do before it ends, it does.
        drop(writer);
        assert_eq!(segments(folder.path()), 1);
    }

    #[test]
    fn what_is_not_too_old_stays() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = idle_store(folder.path());
        writer.tick(NOW + HOUR).unwrap();
        drop(writer);
        assert_eq!(segments(folder.path()), 2);
    }
}
