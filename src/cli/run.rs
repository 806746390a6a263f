//! `gatelog run`: the proxy.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};

use crate::app::handover::{Handed, Image, Successor};
use crate::app::operate::{ReloadRequest, report};
use crate::app::preflight::{Ready, prepare, system_resolve};
use crate::app::signals::{Requests, Stops};
use crate::app::{App, Control, Ending, Reloaded, Stop, diagnostics, systemd};
use crate::config::{Environment, Problem, Source};

use super::{MISUSED, complain};

/// Reads the configuration again, and looks at everything around it.
pub type Read = dyn Fn() -> (Option<Ready>, Vec<Problem>) + Send + Sync;

/// Runs the proxy until it is told to stop.
///
/// # Errors
/// What kept it from serving although the configuration is good.
pub fn run(source: Source, environment: Environment) -> anyhow::Result<ExitCode> {
    let read = move || prepare(&source, &environment, &system_resolve);
    let (ready, problems) = read();
    complain(&problems);
    match ready {
        Some(ready) => serve(ready, Some(Arc::new(read)), |_| {}),
        None => Ok(ExitCode::from(MISUSED)),
    }
}

/// Serves a configuration until a signal; `started` is called once connections are accepted. What has no way to be `read`
/// again leaves SIGHUP as it is, and hands no sockets over.
///
/// # Errors
/// What kept it from serving.
pub fn serve(ready: Ready, read: Option<Arc<Read>>, started: impl FnOnce(&App)) -> anyhow::Result<ExitCode> {
    let runtime = Builder::new_current_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(async {
        let mut stops = Stops::install().context("signals cannot be handled")?;
        let reopens = Requests::reopen().context("signals cannot be handled")?;
        let repeats = read.map(Repeats::install).transpose()?;
        let handed = if repeats.is_some() { Handed::receive()? } else { None };
        let mut app = App::start(ready, handed.as_ref())?;
        let control = Arc::clone(app.control());
        tokio::spawn(reopen(reopens, Arc::clone(&control)));
        diagnostics::install(Arc::clone(app.announcer()));
        // Dropped, it tells whoever asks that there is nothing to read again.
        let asked = app.take_reload_requests();
        let handing = repeats.map(|Repeats { read, signals, handovers, image }| {
            tokio::spawn(reload(Wishes { signals, asked }, read, Arc::clone(&control)));
            app.handover(image).done(handovers)
        });
        systemd::ready(&control.status());
        started(&app);
        if let Some(handed) = handed {
            tokio::spawn(handed.take_over(control));
        }
        let stops = std::cell::RefCell::new(&mut stops);
        let (stop, hurry) = (stop(next(&stops), handing), next(&stops));
        Ok(match app.serve(stop, hurry).await {
            Ending::Drained | Ending::CutOff => ExitCode::SUCCESS,
            Ending::Failed => ExitCode::FAILURE,
        })
    })
}

/// What starts over: the configuration, or the whole program.
struct Repeats {
    read: Arc<Read>,
    signals: Requests,
    handovers: Requests,
    image: Image,
}

impl Repeats {
    fn install(read: Arc<Read>) -> anyhow::Result<Repeats> {
        let signals = Requests::reload().context("signals cannot be handled")?;
        let handovers = Requests::hand_over().context("signals cannot be handled")?;
        let image = Image::of_this_process().context("this program cannot be found")?;
        Ok(Repeats { read, signals, handovers, image })
    }
}

/// Whatever ends the serving first.
async fn stop(asked: impl Future<Output = ()>, handing: Option<impl Future<Output = Successor>>) -> Stop {
    let handed_over = async {
        match handing {
            Some(handing) => handing.await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = asked => Stop::Asked,
        successor = handed_over => Stop::HandedOver(successor),
    }
}

/// Opens files again whenever it is asked for.
async fn reopen(mut requests: Requests, control: Arc<Control>) {
    loop {
        requests.next().await;
        control.reopen();
    }
}

/// Reads the configuration again whenever it is asked for, one time after the other.
async fn reload(mut wishes: Wishes, read: Arc<Read>, control: Arc<Control>) {
    loop {
        let asked = wishes.next().await;
        systemd::reloading("reading the configuration again");
        let (ready, problems) = read_aside(Arc::clone(&read)).await;
        let reloaded = control.reload(ready, &problems).await;
        // Once the end has begun, it stays told.
        if reloaded != Reloaded::Ignored {
            systemd::ready(&control.status());
        }
        if let Some(asked) = asked {
            asked.answer(report(&control, reloaded, &problems));
        }
        if reloaded == Reloaded::Taken {
            let control = Arc::clone(&control);
            tokio::spawn(async move { control.tell_hanging().await });
        }
    }
}

/// Where reloads are asked for.
struct Wishes {
    signals: Requests,
    /// On the admin listener, where there is one.
    asked: Option<mpsc::Receiver<ReloadRequest>>,
}

impl Wishes {
    /// Waits for the next one; with whom to tell what came of it, if anybody waits for that.
    async fn next(&mut self) -> Option<ReloadRequest> {
        let asked = async {
            match &mut self.asked {
                Some(asked) => asked.recv().await,
                None => None,
            }
        };
        tokio::select! {
            () = self.signals.next() => None,
            Some(request) = asked => Some(request),
        }
    }
}

/// Names are resolved, which takes its time: on a thread that holds up neither signals nor the end.
async fn read_aside(read: Arc<Read>) -> (Option<Ready>, Vec<Problem>) {
    let (done, result) = oneshot::channel();
    let work = move || {
        // Nobody waits for it once the process is ending.
        let _ = done.send(read());
    };
    let spawned = std::thread::Builder::new().name("reload".into()).spawn(work);
    if let Err(error) = spawned {
        tracing::error!(target: "gatelog.proxy", %error, "the configuration cannot be read again");
    }
    // Without an answer nothing was found wrong, and nothing can be put in force.
    result.await.unwrap_or_default()
}

/// The first stop drains, the second one hurries: they are waited for one after the other.
async fn next(stops: &std::cell::RefCell<&mut Stops>) {
    std::future::poll_fn(|cx| {
        let mut stops = stops.borrow_mut();
        std::pin::pin!(stops.next()).as_mut().poll(cx)
    })
    .await;
}
