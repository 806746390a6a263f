//! The shop as a process of its own, as applications are: whoever wants to see how it looks when one dies kills it. After a
//! while it is back, where it was.

use std::io::{self, BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::app::App;

/// How long a shop that has died is away: long enough for an alert, and short enough to wait for.
pub(super) const AWAY: Duration = Duration::from_secs(10);

/// What becomes of the shop.
#[derive(Debug, Clone, Copy)]
pub(super) enum News {
    /// It has ended without being asked to.
    Gone(ExitStatus),
    /// It serves again, as this process.
    Back(u32),
}

/// Opens the shop for as long as somebody holds the other end of standard input, and says on standard output where.
///
/// # Errors
/// When the address is not to be had, or nobody reads what is said.
pub(super) fn serve(address: SocketAddr) -> io::Result<()> {
    let app = App::start_at(address)?;
    super::super::write_whole(&format!("{}\n", app.address()), &mut io::stdout().lock())?;
    // Nothing is ever sent: it ends with whoever opened it, however that one ends.
    let waited = io::stdin().lock().read(&mut [0]);
    app.stop();
    waited.map(drop)
}

/// The shop that runs; it is closed when this is dropped.
#[derive(Debug)]
pub(super) struct ShopProcess {
    address: SocketAddr,
    id: u32,
    lifeline: Lifeline,
    /// Dropping it is the signal.
    stop: Option<SyncSender<()>>,
    keeper: Option<JoinHandle<()>>,
}

/// What the shop lives by.
type Lifeline = Arc<Mutex<Option<ChildStdin>>>;

impl ShopProcess {
    /// Opens the shop on a free port of the loopback; `tell` hears what becomes of it.
    ///
    /// # Errors
    /// When this program cannot be started once more, or says nothing of an address.
    pub(super) fn start(tell: impl Fn(News) + Send + 'static) -> io::Result<ShopProcess> {
        let (mut child, address) = spawn(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let (id, lifeline) = (child.id(), Arc::new(Mutex::new(child.stdin.take())));
        let (stop, stopped) = sync_channel(0);
        let keeper = Keeper { address, lifeline: Arc::clone(&lifeline), stopped };
        let keeper = std::thread::Builder::new().name("demo-keeper".into()).spawn(move || keeper.keep(child, &tell))?;
        Ok(ShopProcess { address, id, lifeline, stop: Some(stop), keeper: Some(keeper) })
    }

    /// Where it serves, also when it is back.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process that it was first.
    pub(super) fn id(&self) -> u32 {
        self.id
    }
}

impl Drop for ShopProcess {
    fn drop(&mut self) {
        // In this order: whoever opens it again meanwhile finds that it is over.
        self.stop = None;
        hold(&self.lifeline, None);
        if let Some(keeper) = self.keeper.take() {
            // A panic over there has been reported on stderr by then.
            let _ = keeper.join();
        }
    }
}

/// Opens the shop again when it has died.
struct Keeper {
    address: SocketAddr,
    lifeline: Lifeline,
    stopped: Receiver<()>,
}

impl Keeper {
    fn keep(self, mut child: Child, tell: &impl Fn(News)) {
        while let Ok(status) = child.wait() {
            if self.is_over() {
                return;
            }
            tell(News::Gone(status));
            let Some(next) = self.open_again() else { return };
            tell(News::Back(next.id()));
            child = next;
        }
    }

    /// `None`: it is over.
    fn open_again(&self) -> Option<Child> {
        while let Err(RecvTimeoutError::Timeout) = self.stopped.recv_timeout(AWAY) {
            // Somebody may have taken the port meanwhile: then later.
            let Ok((mut child, _)) = spawn(self.address) else { continue };
            hold(&self.lifeline, child.stdin.take());
            if self.is_over() {
                hold(&self.lifeline, None);
            }
            return Some(child);
        }
        None
    }

    fn is_over(&self) -> bool {
        self.stopped.try_recv() == Err(TryRecvError::Disconnected)
    }
}

fn hold(lifeline: &Lifeline, end: Option<ChildStdin>) {
    *lifeline.lock().unwrap_or_else(PoisonError::into_inner) = end;
}

/// This program once more, as the shop alone, which has said where it serves.
fn spawn(address: SocketAddr) -> io::Result<(Child, SocketAddr)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["demo", "--shop", &address.to_string()]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    // Ctrl-C is for the proxy, which has requests to finish there.
    command.process_group(0);
    let mut child = command.spawn()?;
    match said(&mut child) {
        Some(address) => Ok((child, address)),
        None => {
            // Whatever it does instead, it is no shop.
            let _ = child.kill();
            let _ = child.wait();
            Err(io::Error::other("it does not say where it serves"))
        }
    }
}

fn said(child: &mut Child) -> Option<SocketAddr> {
    let mut line = String::new();
    BufReader::new(child.stdout.take()?).read_line(&mut line).ok()?;
    line.trim_end().parse().ok()
}
