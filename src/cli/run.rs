//! `gatelog run`: the proxy.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};

use crate::app::operate::{ReloadRequest, report};
use crate::app::preflight::{Ready, prepare, system_resolve};
use crate::app::signals::{Requests, Stops};
use crate::app::{App, Control, Ending, Reloaded, diagnostics, systemd};
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
/// again leaves SIGHUP as it is.
///
/// # Errors
/// What kept it from serving.
pub fn serve(ready: Ready, read: Option<Arc<Read>>, started: impl FnOnce(&App)) -> anyhow::Result<ExitCode> {
    let runtime = Builder::new_current_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(async {
        let mut stops = Stops::install().context("signals cannot be handled")?;
        let reopens = Requests::reopen().context("signals cannot be handled")?;
        let reloads = read.map(|read| Requests::reload().map(|requests| (requests, read)));
        let reloads = reloads.transpose().context("signals cannot be handled")?;
        let mut app = App::start(ready)?;
        tokio::spawn(reopen(reopens, Arc::clone(app.control())));
        diagnostics::install(Arc::clone(app.announcer()));
        let status = app.control().status();
        let asked = app.take_reload_requests();
        match reloads {
            Some((signals, read)) => {
                let (wishes, control) = (Wishes { signals, asked }, Arc::clone(app.control()));
                drop(tokio::spawn(reload(wishes, read, control)));
            }
            // Whoever asks is told that there is nothing to read again.
            None => drop(asked),
        }
        systemd::ready(&status);
        started(&app);
        let stops = std::cell::RefCell::new(&mut stops);
        let (stop, hurry) = (next(&stops), next(&stops));
        Ok(match app.serve(stop, hurry).await {
            Ending::Drained | Ending::CutOff => ExitCode::SUCCESS,
            Ending::Failed => ExitCode::FAILURE,
        })
    })
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
        systemd::reloading();
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
