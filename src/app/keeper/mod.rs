//! Records that are kept to be asked for: one more output of the pipeline, whose lines go into memory and into the store.
//!
//! ```text
//! cores ──> Queue ──> thread `log-store`:  Stream ── numbers, log_loss ──> Chunk ──> Recent   the newest, for the live view
//!                                                                          └──────> Vault    until they are in the store
//! ```
//!
//! It takes the batches that a `format = "json"` output has, too, so that it costs a core next to nothing. Whatever the
//! store does, the newest records are in memory at once; what cannot be stored yet waits, up to a limit, and what is lost
//! is counted and told in its own stream ([`vault`]).
//!
//! Where there is no store, the last hour is counted as its lines come by ([`count`]): memory holds the lines of seconds only
//! where there are many, and statistics are of all of them.
//!
//! Where there is neither a store nor an admin listener that anybody could ask, there is none of this.

mod breath;
mod count;
mod stream;
mod vault;
mod work;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use super::StartError;
use crate::exchange::Traffic;
use crate::pipeline::{Format, OutputSettings, Port, RESERVED, Stamp};
use crate::record::{self, Schema};
use crate::sinks::Neighbour;
use crate::store::recent::{Limits, Recent};
use crate::store::rollup::RouteName;
use crate::store::{self, Archive, Reader};
use vault::Vault;
use work::{Shared, Work};

/// Bytes that may wait for its thread: two seconds of 20,000 requests.
const QUEUE: usize = 64 << 20;

/// The thread, and the ways to it.
#[derive(Debug)]
pub(super) struct Keeper {
    port: Port,
    recent: Option<Arc<Recent>>,
    store: Option<Arc<Reader>>,
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

impl Keeper {
    /// Opens the store, where one is configured, and starts the thread. `is_asked`: somebody may want to see the newest
    /// records. A store that the `neighbour` writes to is waited for. `traffic` knows the names of routes.
    ///
    /// # Errors
    /// A store that cannot be opened; no thread.
    pub(super) fn start(
        store: Option<&store::Settings>,
        is_asked: bool,
        stamp: &Stamp,
        neighbour: Neighbour,
        traffic: &Arc<Traffic>,
    ) -> Result<Option<Keeper>, StartError> {
        if store.is_none() && !is_asked {
            return Ok(None);
        }
        let [stored, recent] = RESERVED;
        let name = if store.is_some() { stored } else { recent };
        let settings = OutputSettings { name: name.to_owned(), queue: QUEUE, ..OutputSettings::default() };
        let port = Port::new(&settings, format(&stamp.record));
        // A store has its rollups.
        let (port, recent) = match store {
            Some(_) => (port, is_asked.then(|| Recent::new(Limits::default()))),
            None => (port.with_gists(), Some(Recent::counting(Limits::default(), names(traffic)))),
        };
        let vault = store.map(|settings| Vault::open(settings, &port, neighbour)).transpose()?;
        let store = vault.as_ref().map(|vault| Arc::new(vault.reader()));
        let shared = Arc::new(Shared::default());
        let work = Work::new(&port, stamp, Arc::clone(&shared), recent.clone(), vault);
        let named = std::thread::Builder::new().name(format!("log-{}", settings.name));
        let thread = named.spawn(move || work.run()).map_err(StartError::System)?;
        port.queue.attach(thread.thread().clone());
        Ok(Some(Keeper { port, recent, store, shared, thread }))
    }

    /// The way to it, for records that are written like this.
    pub(super) fn port(&self, record: &record::Settings) -> Port {
        self.port.laid_out(format(record))
    }

    /// Records carry something else from now on.
    pub(super) fn restamp(&self, stamp: &Stamp) {
        self.shared.restamp(stamp.clone());
    }

    /// The newest records, where they are kept.
    pub(super) fn recent(&self) -> Option<&Arc<Recent>> {
        self.recent.as_ref()
    }

    /// What is asked about the past: the store, else the newest records.
    pub(super) fn archive(&self) -> Option<Arc<dyn Archive>> {
        match &self.store {
            Some(store) => Some(Arc::clone(store) as Arc<dyn Archive>),
            None => self.recent.clone().map(|recent| recent as Arc<dyn Archive>),
        }
    }

    /// Lets it store what waits, at most until then.
    pub(super) fn finish(&self, until: Instant) {
        self.port.queue.end();
        super::wait(|| self.thread.is_finished(), until);
    }
}

/// The names of routes by their places.
fn names(traffic: &Arc<Traffic>) -> RouteName {
    let traffic = Arc::clone(traffic);
    Box::new(move |place| traffic.name(place))
}

/// The native schema, as an output of JSON lines has it, too, unless these are to be in another one.
fn format(record: &record::Settings) -> Format {
    if record.schema == Schema::Native { Format::Json } else { Format::Native }
}
