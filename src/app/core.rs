//! One serving thread: its runtime, its way into the log, its proxy, its listeners; nothing of it is shared but what
//! [`Generation`] says.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, watch};

use crate::admin::{CoreEnd, Pulse, Question};
use crate::exchange::Exchanges;
use crate::listen::{Crowd, Drain, Listener, Serving, Stage, Switch};
use crate::net::Outbox;
use crate::pipeline::{Intake, Routing};
use crate::proxy::{Proxy, Upstreams};
use crate::time::{self, Clock};

use super::service::Service;
use super::systemd::Beat;

/// A line waits for others at most this long while requests run, and hardly at all when none does.
const LONGEST_WAIT: Duration = Duration::from_millis(50);
const SHORTEST_WAIT: Duration = Duration::from_millis(2);
/// How often idle connections to servers are looked at.
const SWEEP: Duration = Duration::from_secs(1);
/// How long the last lines of a thread are offered to a queue that is full.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What a reload can change, as one value: each core takes the next one when it is woken for it, between two records, and
/// lets go of the one before.
#[derive(Debug)]
pub(super) struct Generation {
    /// Counted from 1.
    pub(super) number: u64,
    pub(super) routing: Routing,
    pub(super) service: Arc<Service>,
    pub(super) listeners: Arc<[Arc<Listener>]>,
    /// Cores that go by it.
    pub(super) taken: AtomicUsize,
}

impl Generation {
    pub(super) fn new(
        number: u64,
        routing: Routing,
        service: Arc<Service>,
        listeners: Arc<[Arc<Listener>]>,
    ) -> Generation {
        Generation { number, routing, service, listeners, taken: AtomicUsize::new(0) }
    }
}

/// A core before it runs.
pub(super) struct Core {
    /// Which one it is, counted from 0.
    pub(super) index: usize,
    pub(super) crowd: Arc<Crowd>,
    pub(super) stages: watch::Receiver<Stage>,
    pub(super) generations: watch::Receiver<Arc<Generation>>,
    /// Where it is asked what runs, and shows that it is alive.
    pub(super) line: CoreEnd,
    /// Told once, when the core has ended for whatever reason.
    pub(super) ended: mpsc::Sender<()>,
    /// Shows the service manager that this core is alive, where it asks.
    pub(super) beat: Option<Beat>,
}

/// Tasks that are polled before the sockets are asked again. A request takes four polls: so a burst of some sixty is read
/// as a whole, and then written as a whole ([`crate::net::outbox`]).
const EVENT_INTERVAL: u32 = 256;

impl Core {
    pub(super) fn spawn(self) -> io::Result<JoinHandle<io::Result<()>>> {
        std::thread::Builder::new().name(format!("core-{}", self.index)).spawn(move || {
            let _told = Told(self.ended.clone());
            self.run()
        })
    }

    fn run(mut self) -> io::Result<()> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .event_interval(EVENT_INTERVAL)
            .build_local(LocalOptions::default())?;
        let (service, intake, listeners) = first(&mut self.generations);
        let exchanges = Exchanges::new(&service.exchange, Rc::clone(&intake), Clock::system());
        let outbox = Rc::new(Outbox::default());
        let upstreams = Upstreams::new(&service.upstreams, &outbox);
        let proxy = Rc::new(Switch::new(Rc::new(service.proxy(Rc::clone(&exchanges), upstreams))));
        let drain = Rc::new(Drain::default());
        let limits = service.connection_limits();
        let serving =
            Rc::new(Serving::new(Rc::clone(&proxy), limits, Rc::clone(&drain), Rc::clone(&outbox), self.crowd));
        let follower = Follower {
            intake: Rc::clone(&intake),
            proxy: Rc::clone(&proxy),
            serving: Rc::clone(&serving),
            outbox: Rc::clone(&outbox),
            service: Arc::clone(&service),
            index: self.index,
        };
        runtime.spawn_local(send_posted(outbox));
        runtime.spawn_local(flush_often(Rc::clone(&intake), Rc::clone(&exchanges)));
        runtime.spawn_local(watch_thresholds(Rc::clone(&exchanges)));
        runtime.spawn_local(watch_progress(Rc::clone(&exchanges)));
        runtime.spawn_local(sweep(Rc::clone(&proxy), Rc::clone(&exchanges), Rc::clone(&intake), self.line.pulse));
        runtime.spawn_local(answer(Rc::clone(&exchanges), self.line.questions));
        runtime.spawn_local(follower.follow(self.generations));
        if let Some(beat) = self.beat {
            runtime.spawn_local(beat.go_on());
        }
        let served = runtime.block_on(async {
            serving.follow(&listeners, self.index)?;
            // Those that are closed later are nobody's then.
            drop(listeners);
            drain.follow(self.stages, serving.run()).await
        });
        exchanges.shut_down();
        // Whatever still runs is let go here, and writes how it ended.
        drop(runtime);
        exchanges.tell_suppressed(true);
        intake.flush_last(LAST_WORDS);
        served
    }
}

/// Tells that a core has ended, by a panic too.
struct Told(mpsc::Sender<()>);

impl Drop for Told {
    fn drop(&mut self) {
        // Nobody listens any more once the process is ending anyway.
        let _ = self.0.try_send(());
    }
}

/// What is in force when the core begins, which may be after a reload. The generation itself is not held on to: outputs
/// that are no more end when nobody has it any more.
fn first(generations: &mut watch::Receiver<Arc<Generation>>) -> (Arc<Service>, Rc<Intake>, Arc<[Arc<Listener>]>) {
    let generation = generations.borrow_and_update();
    generation.taken.fetch_add(1, Ordering::Release);
    let intake = Rc::new(Intake::new(&generation.routing));
    (Arc::clone(&generation.service), intake, Arc::clone(&generation.listeners))
}

/// What of a core goes by another generation when there is one.
struct Follower {
    intake: Rc<Intake>,
    proxy: Rc<Switch<Proxy>>,
    serving: Rc<Serving<Switch<Proxy>>>,
    outbox: Rc<Outbox>,
    service: Arc<Service>,
    /// Which core it is.
    index: usize,
}

impl Follower {
    /// Takes each generation as it comes, between two polls of a request; the last one is there for good.
    async fn follow(mut self, mut generations: watch::Receiver<Arc<Generation>>) {
        while generations.changed().await.is_ok() {
            let generation = Arc::clone(&generations.borrow_and_update());
            self.intake.swap(&generation.routing);
            if !Arc::ptr_eq(&self.service, &generation.service) {
                self.take(&generation.service);
            }
            if let Err(error) = self.serving.follow(&generation.listeners, self.index) {
                tracing::error!(target: "gatelog.proxy", core = self.index, %error, "a core cannot listen on a new socket");
            }
            generation.taken.fetch_add(1, Ordering::Release);
        }
    }

    /// Requests that run go on as they began; the next one of any connection goes by the new service.
    fn take(&mut self, service: &Arc<Service>) {
        let before = self.proxy.current();
        let exchanges = before.exchanges().follow(&service.exchange);
        let upstreams = before.upstreams().follow(&service.upstreams, &self.outbox);
        self.proxy.set(Rc::new(service.proxy(exchanges, upstreams)));
        self.serving.limit(service.connection_limits());
        self.service = Arc::clone(service);
    }
}

/// Hands lines over soon after they were written: at once when the core is idle, else when there are more of them.
async fn flush_often(intake: Rc<Intake>, exchanges: Rc<Exchanges>) {
    loop {
        intake.filled().await;
        let since = time::monotonic();
        let mut wait = SHORTEST_WAIT;
        loop {
            tokio::time::sleep(wait).await;
            let waited = since.elapsed();
            if exchanges.running() == 0 || waited >= LONGEST_WAIT {
                break;
            }
            wait = (wait * 2).min(LONGEST_WAIT - waited);
        }
        while intake.flush() {
            tokio::time::sleep(LONGEST_WAIT).await;
        }
    }
}

async fn send_posted(outbox: Rc<Outbox>) {
    outbox.run().await;
}

async fn watch_thresholds(exchanges: Rc<Exchanges>) {
    exchanges.watch_thresholds().await;
}

async fn watch_progress(exchanges: Rc<Exchanges>) {
    exchanges.watch_progress().await;
}

/// Says what runs to whoever asks.
async fn answer(exchanges: Rc<Exchanges>, mut questions: mpsc::Receiver<Question>) {
    while let Some(question) = questions.recv().await {
        let snapshot = exchanges.snapshot(question.limit());
        question.answer(snapshot);
    }
}

async fn sweep(proxy: Rc<Switch<Proxy>>, exchanges: Rc<Exchanges>, intake: Rc<Intake>, pulse: Arc<Pulse>) {
    loop {
        pulse.beat(time::monotonic());
        tokio::time::sleep(SWEEP).await;
        proxy.current().upstreams().sweep();
        exchanges.tell_suppressed(false);
        intake.hand_over_sightings();
    }
}
