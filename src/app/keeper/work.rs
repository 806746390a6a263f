//! The thread: takes batches, gives their lines numbers, and passes them on.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::count;
use super::stream::{Chunk, Stream};
use super::vault::Vault;
use crate::pipeline::batch::Line;
use crate::pipeline::{Health, Load, Port, Queue, Stamp};
use crate::store::recent::Recent;

/// Longest sleep without a wake-up.
const PARK: Duration = Duration::from_secs(1);
/// How much less than a serving thread it gets where both want the processor: a tenth of a core beside one that is busy.
/// That is enough for all records of some ten thousand requests a second; at the lowest priority it would get next to
/// nothing just when there is most to store, and more would be taken from requests.
const NICE: i32 = 10;

/// What others have to say to it.
#[derive(Debug, Default)]
pub(super) struct Shared {
    stamp: Mutex<Option<Stamp>>,
}

impl Shared {
    /// Records carry this from now on.
    pub(super) fn restamp(&self, stamp: Stamp) {
        *self.stamp.lock().unwrap_or_else(PoisonError::into_inner) = Some(stamp);
    }

    fn take_stamp(&self) -> Option<Stamp> {
        self.stamp.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What the thread does.
pub(super) struct Work {
    queue: Arc<Queue>,
    health: Arc<Health>,
    shared: Arc<Shared>,
    stream: Stream,
    recent: Option<Arc<Recent>>,
    vault: Option<Vault>,
}

impl Work {
    pub(super) fn new(
        port: &Port,
        stamp: &Stamp,
        shared: Arc<Shared>,
        recent: Option<Arc<Recent>>,
        vault: Option<Vault>,
    ) -> Work {
        Work {
            queue: Arc::clone(&port.queue),
            health: Arc::clone(&port.health),
            shared,
            stream: Stream::new(&port.name, stamp),
            recent,
            vault,
        }
    }

    /// Works until the queue is closed and all is stored, or cannot be.
    pub(super) fn run(mut self) {
        // Of this thread alone; where it is refused, it is as the others are.
        let _ = rustix::process::setpriority_process(None, NICE);
        loop {
            // Read before the queue is emptied: whatever was pushed before the close is then seen.
            let closed = self.queue.is_closed();
            self.drain();
            if closed {
                return self.finish();
            }
            self.queue.park(self.vault.as_ref().map_or(PARK, |vault| vault.patience().min(PARK)));
        }
    }

    /// Takes what waits.
    fn drain(&mut self) {
        self.shared.take_stamp().iter().for_each(|stamp| self.stream.restamp(stamp));
        while let Some(load) = self.queue.pop() {
            self.accept(load);
        }
        self.stream.lose(&self.queue.take_untold());
        self.go_on();
        self.queue.set_digits(self.stream.digits());
    }

    fn accept(&mut self, mut load: Load) {
        self.stream.lose(load.lost());
        self.tell();
        self.recent.iter().for_each(|recent| count::load(recent, &load));
        if self.vault.is_none() && load.fills_its_memory() {
            return self.leave(load);
        }
        if load.lines() > 0 {
            let chunk = self.stream.chunk(&mut load, self.queue.batch_memory());
            self.pass_on(chunk);
        }
        self.queue.recycle(load);
    }

    /// Lines that go into memory only stay where they are.
    fn leave(&mut self, load: Load) {
        let (lines, bytes) = (load.lines(), load.bytes());
        let memory = load.memory() + lines as usize * size_of::<Line>();
        self.health.count_written(lines, bytes as u64);
        let unread = self.stream.leave(load, &self.queue);
        if let Some(recent) = &self.recent {
            recent.refer_to(Box::new(unread), lines, memory);
        }
    }

    /// Tells what is missing, unless the line would be missing as well.
    fn tell(&mut self) {
        if self.vault.as_ref().is_none_or(Vault::is_well) {
            self.pass_on_told();
        }
    }

    fn pass_on_told(&mut self) {
        for chunk in self.stream.told() {
            self.recent.iter().for_each(|recent| count::told(recent, &chunk));
            self.pass_on(chunk);
        }
    }

    fn pass_on(&mut self, chunk: Chunk) {
        self.recent.iter().for_each(|recent| recent.keep(&chunk.text, chunk.lines));
        let used = match &mut self.vault {
            Some(vault) => vault.take(chunk),
            None => {
                self.health.count_written(chunk.lines, chunk.text.len() as u64);
                Some(chunk)
            }
        };
        used.into_iter().for_each(|chunk| self.stream.recycle(chunk));
        self.learn();
    }

    /// What was lost on the way into the store.
    fn learn(&mut self) {
        if let Some(vault) = &mut self.vault {
            self.stream.miss(vault.lost());
        }
    }

    fn go_on(&mut self) {
        if let Some(vault) = &mut self.vault {
            vault.tick();
        }
        self.learn();
        self.tell();
    }

    /// Nothing more comes: what waits is stored, and what is missing is told, as far as the store takes it.
    fn finish(mut self) {
        self.store_all();
        if self.vault.as_ref().is_some_and(Vault::is_open) {
            // A word that is lost has one more try.
            for _ in 0..2 {
                self.pass_on_told();
                self.store_all();
            }
        }
        self.vault.into_iter().for_each(Vault::close);
    }

    fn store_all(&mut self) {
        self.vault.iter_mut().for_each(|vault| vault.store_all(&self.queue));
        self.learn();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Expression;
    use crate::pipeline::{Batch, Format, Losses, OutputSettings, Reason, Written};
    use crate::record::timestamp;
    use crate::sinks::Neighbour;
    use crate::store::recent::Limits;
    use crate::store::{Order, Question, Reader, Records, Settings, Writer};
    use proptest::prelude::*;
    use serde_json::Value;
    use std::path::Path;

    const NOW: u64 = 1_795_345_356_000_000;

    fn stamp() -> Stamp {
        Stamp { instance: "i".into(), record: Default::default() }
    }

    fn port() -> Port {
        let settings = OutputSettings { name: "store".into(), queue: 1 << 30, ..OutputSettings::default() };
        Port::new(&settings, Format::Json)
    }

    fn batch(lines: u64, text: &str, lost: u64, hole: usize) -> Batch {
        let mut batch = Batch { hole, lost: Losses::of(Reason::QueueFull, lost), ..Batch::default() };
        for _ in 0..lines {
            batch.bytes.extend_from_slice(
                format!("{{\"timestamp\":\"{}\",\"level\":\"INFO\",\"seq\":", timestamp(NOW)).as_bytes(),
            );
            let at = batch.bytes.len();
            batch.bytes.resize(at + hole, b'0');
            batch.bytes.extend_from_slice(format!(",\"path\":\"{text}\"}}\n").as_bytes());
            batch.close_line(Written::Numbered(at));
        }
        batch
    }

    fn records(records: &dyn Records) -> Vec<Value> {
        let filter = Expression::parse("").unwrap();
        let (since, until, order) = (None, None, Order::Oldest);
        let question = Question { filter, since, until, order, skip: 0, limit: 1 << 20, count_to: 0 };
        let page = records.search(&question, &|| false).unwrap();
        page.lines.iter().map(|line| serde_json::from_str(&line.json).unwrap()).collect()
    }

    /// Each number up to the last one is a record's or told as lost. Returns how many are lost.
    fn lost(records: &[Value]) -> u64 {
        let number = |record: &Value, name: &str| record[name].as_u64().unwrap();
        let mut seen: Vec<u64> = records.iter().map(|record| number(record, "seq")).collect();
        seen.sort_unstable();
        let losses: Vec<_> = records.iter().filter(|record| record["event"] == "log_loss").collect();
        let told =
            |seq: u64| losses.iter().any(|loss| (number(loss, "from_seq")..=number(loss, "to_seq")).contains(&seq));
        assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "a number twice: {seen:?}");
        let missing: Vec<u64> = (1..=*seen.last().unwrap()).filter(|seq| seen.binary_search(seq).is_err()).collect();
        assert!(missing.iter().all(|seq| told(*seq)), "missing, and not told: {missing:?} {losses:?}");
        missing.len() as u64
    }

    fn work(port: &Port, folder: &Path, neighbour: Neighbour) -> (Work, Arc<Recent>) {
        let recent = Recent::new(Limits::default());
        let vault = Vault::open(&Settings::new(folder), port, neighbour).unwrap();
        (Work::new(port, &stamp(), Arc::default(), Some(Arc::clone(&recent)), Some(vault)), recent)
    }

    fn end(port: &Port, work: Work) {
        port.queue.end();
        work.run();
    }

    #[test]
    fn what_comes_while_another_process_has_the_store_waits_for_it_and_is_in_memory_at_once() {
        let (folder, port) = (tempfile::tempdir().unwrap(), port());
        let other = Writer::open(Settings::new(folder.path())).unwrap();
        let (mut work, recent) = work(&port, folder.path(), Neighbour::present());
        port.queue.push(batch(300, "x", 0, 0)).unwrap();
        work.drain();
        assert_eq!((recent.held().lines, port.health.written()), (300, 0));
        drop(other);
        end(&port, work);
        assert_eq!(records(&Reader::new(folder.path())).len(), 300);
        assert_eq!((port.health.written(), port.health.dropped()), (300, [0; 6]));
    }

    #[test]
    fn what_finds_no_room_to_wait_in_is_lost_and_told() {
        let (folder, port) = (tempfile::tempdir().unwrap(), port());
        let other = Writer::open(Settings::new(folder.path())).unwrap();
        let (mut work, _) = work(&port, folder.path(), Neighbour::present());
        let long = "x".repeat(900_000);
        for _ in 0..3 {
            port.queue.push(batch(30, &long, 0, 0)).unwrap();
        }
        work.drain();
        assert_eq!(port.health.dropped()[Reason::QueueFull as usize], 30);
        drop(other);
        end(&port, work);
        let records = records(&Reader::new(folder.path()));
        assert_eq!((records.len(), lost(&records)), (61, 30));
    }

    #[test]
    fn a_store_that_is_never_let_go_of_loses_what_waits_and_says_so() {
        let (folder, port) = (tempfile::tempdir().unwrap(), port());
        let _other = Writer::open(Settings::new(folder.path())).unwrap();
        let (work, _) = work(&port, folder.path(), Neighbour::present());
        port.queue.push(batch(7, "x", 0, 0)).unwrap();
        end(&port, work);
        assert_eq!(port.health.dropped()[Reason::Shutdown as usize], 7);
        assert!(port.health.condition().failing);
    }

    #[test]
    fn a_stamp_that_changes_changes_what_is_told_and_no_number() {
        let (folder, port) = (tempfile::tempdir().unwrap(), port());
        let (mut work, _) = work(&port, folder.path(), Neighbour::default());
        port.queue.push(batch(1, "x", 2, 0)).unwrap();
        work.drain();
        let mut next = stamp();
        next.record.service = Some("shop".into());
        work.shared.restamp(next);
        port.queue.push(batch(1, "x", 3, 0)).unwrap();
        end(&port, work);
        let records = records(&Reader::new(folder.path()));
        let told = |record: &&Value| record["event"] == "log_loss";
        let services: Vec<_> = records.iter().filter(told).map(|record| record["service"].as_str()).collect();
        assert_eq!((services, lost(&records)), (vec![None, Some("shop")], 5));
    }

    /// From now on the newest segment takes nothing, or takes lines again.
    fn break_it(folder: &Path, broken: bool) {
        let names = crate::disk::paths::names(folder).unwrap();
        // An older one is being sealed.
        let newest = names.iter().filter(|name| name.ends_with(".hot")).max().unwrap();
        let file = rusqlite::Connection::open(folder.join(newest)).unwrap();
        let trigger =
            "CREATE TRIGGER IF NOT EXISTS broken BEFORE INSERT ON record BEGIN SELECT raise(FAIL, 'broken'); END";
        file.execute_batch(if broken { trigger } else { "DROP TRIGGER IF EXISTS broken" }).unwrap();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn every_number_is_a_records_or_told_whatever_happens_to_the_file(
            script in prop::collection::vec((0..40_u64, 0..3_u64, 0..3_usize, any::<bool>(), 0..5_u8), 1..12),
        ) {
            let (folder, port) = (tempfile::tempdir().unwrap(), port());
            let (mut work, recent) = work(&port, folder.path(), Neighbour::default());
            let mut offered = 1;
            for (lines, lost, hole, shared, then) in script {
                offered += lines + lost;
                let batch = batch(lines, "x", lost, hole);
                let load = if shared { Load::Shared(port.queue.share(batch)) } else { Load::Own(batch) };
                port.queue.offer(load).unwrap();
                work.drain();
                if let Some(vault) = work.vault.as_mut().filter(|_| then < 3) {
                    // It has nothing begun then, and can be broken from without.
                    vault.store_all(&port.queue);
                    break_it(folder.path(), then == 0);
                }
            }
            work.drain();
            work.vault.iter_mut().for_each(|vault| vault.store_all(&port.queue));
            break_it(folder.path(), false);
            port.queue.push(batch(1, "last", 0, 0)).unwrap();
            end(&port, work);
            let (stored, held) = (records(&Reader::new(folder.path())), records(&*recent));
            let told = |records: &[Value]| records.iter().filter(|record| record["event"] == "log_loss").count() as u64;
            prop_assert_eq!(held.len() as u64 - told(&held) + lost(&held), offered);
            prop_assert!(stored.len() as u64 - told(&stored) + lost(&stored) >= offered);
            let dropped: u64 = port.health.dropped().iter().sum();
            prop_assert_eq!(port.health.written() + dropped, held.len() as u64);
            prop_assert_eq!(port.health.written(), stored.len() as u64);
        }
    }
}
