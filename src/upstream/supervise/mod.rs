//! Who looks after the servers of all upstreams: which addresses their names have, how they answer health checks, who is
//! left out for failing and who comes back.
//!
//! One thread for the process, with a runtime of its own: requests never wait for any of it, and none of it waits for a
//! request. It alone decides ([`ward`]); the cores tell it what they see by counters, and follow its snapshots.

mod check;
mod health;
mod resolve;
mod tier;
mod ward;

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use super::cluster::Cluster;
use super::status::State;
pub use resolve::look_up;
use ward::Ward;

/// How long a start waits for names to be resolved for the first time.
const FIRST_NAMES: Duration = Duration::from_secs(6);

/// A server went down or came up.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// The upstream's name.
    pub upstream: &'a str,
    /// The server, as records have it.
    pub address: &'a str,
    /// What it is now.
    pub state: State,
    /// What decided it, in either direction: `ejected` or `health_check`.
    pub reason: &'static str,
    /// How long it was up before it went down, or down before it came up.
    pub lasted: Duration,
    /// What went wrong last, where anything did.
    pub error: Option<&'a str>,
    /// Servers of the upstream that are up, and how many there are.
    pub up: usize,
    /// See `up`.
    pub servers: usize,
}

/// The name of a server stopped resolving, or resolves again.
#[derive(Debug, Clone, Copy)]
pub struct NameChange<'a> {
    /// The upstream's name.
    pub upstream: &'a str,
    /// The name that was asked for.
    pub host: &'a str,
    /// What is wrong, and how many addresses stay in use all the same; `None`: it resolves again.
    pub lost: Option<(&'a str, usize)>,
}

/// Who is told of each change, once.
pub trait Herald: Send + Sync {
    /// A server went down or came up.
    fn tell(&self, change: &Change<'_>);

    /// A name stopped resolving, or resolves again.
    fn tell_name(&self, change: &NameChange<'_>);
}

/// The thread that looks after upstreams. It ends when this is dropped, or when all of them are no more.
#[derive(Debug)]
pub struct Supervisor {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Supervisor {
    /// Looks after these upstreams from now on. Returns when names have been asked for once, or after some seconds.
    ///
    /// # Errors
    ///
    /// When there can be no thread or no runtime.
    pub fn start(clusters: &[Arc<Cluster>], herald: Arc<dyn Herald>) -> io::Result<Supervisor> {
        let clusters: Vec<Arc<Cluster>> = clusters.iter().filter(|cluster| ward::is_needed(cluster)).cloned().collect();
        if clusters.is_empty() {
            return Ok(Supervisor { stop: None, thread: None });
        }
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = sync_channel(1);
        let thread =
            std::thread::Builder::new().name("upstreams".to_owned()).spawn(
                move || match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
                    Ok(runtime) => {
                        runtime.block_on(look_after(&clusters, &herald, &ready, stopped));
                        // The system's resolver may still be waiting for an answer; nobody else does.
                        runtime.shutdown_background();
                    }
                    Err(error) => drop(ready.try_send(Err(error))),
                },
            )?;
        // Whatever is missing by then comes later; until it does, its requests say so.
        is_ready.recv_timeout(FIRST_NAMES).unwrap_or(Ok(()))?;
        Ok(Supervisor { stop: Some(stop), thread: Some(thread) })
    }
}

impl Supervisor {
    /// There is nothing to look after, or not any more.
    pub fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A panic there has been told already.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn look_after(
    clusters: &[Arc<Cluster>],
    herald: &Arc<dyn Herald>,
    ready: &SyncSender<io::Result<()>>,
    stopped: oneshot::Receiver<()>,
) {
    let (begun, mut begins) = mpsc::channel(clusters.len().max(1));
    let tend = |cluster: &Arc<Cluster>| {
        let ward = Ward::new(cluster, herald);
        tokio::task::spawn_local(tend(ward, Arc::clone(cluster), begun.clone()))
    };
    let tended: Vec<_> = clusters.iter().map(tend).collect();
    drop(begun);
    let work = async {
        for _ in clusters {
            let _ = begins.recv().await;
        }
        // Who started it may have gone on already.
        let _ = ready.try_send(Ok(()));
        for ward in tended {
            let _ = ward.await;
        }
    };
    tokio::select! {
        _ = stopped => {}
        () = work => {}
    }
}

/// Looks after one upstream until it is no more; its checks end with it.
async fn tend(ward: Rc<Ward>, cluster: Arc<Cluster>, begun: mpsc::Sender<()>) {
    let tasks = LocalSet::new();
    let work = async {
        let _ = tokio::task::spawn_local(Rc::clone(&ward).begin()).await;
        let _ = begun.try_send(());
        ward.watch().await;
    };
    tokio::select! {
        () = tasks.run_until(work) => {}
        () = cluster.retired() => {}
    }
}
