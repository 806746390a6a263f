//! `gatelog run`: the proxy.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use tokio::runtime::Builder;

use crate::app::preflight::{Ready, prepare, system_resolve};
use crate::app::signals::{Reopens, Stops};
use crate::app::{App, Ending, Reopener, diagnostics};
use crate::config::{Environment, Source};

use super::{MISUSED, complain};

/// Runs the proxy until it is told to stop.
///
/// # Errors
/// What kept it from serving although the configuration is good.
pub fn run(source: &Source, environment: &Environment) -> anyhow::Result<ExitCode> {
    let (ready, problems) = prepare(source, environment, &system_resolve);
    complain(&problems);
    match ready {
        Some(ready) => serve(ready, |_| {}),
        None => Ok(ExitCode::from(MISUSED)),
    }
}

/// Serves a configuration until a signal; `started` is called once connections are accepted.
///
/// # Errors
/// What kept it from serving.
pub fn serve(ready: Ready, started: impl FnOnce(&App)) -> anyhow::Result<ExitCode> {
    let runtime = Builder::new_current_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(async {
        let mut stops = Stops::install().context("signals cannot be handled")?;
        let reopens = Reopens::install().context("signals cannot be handled")?;
        let app = App::start(ready)?;
        tokio::spawn(reopen(reopens, app.reopener()));
        diagnostics::install(Arc::clone(app.announcer()));
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
async fn reopen(mut reopens: Reopens, reopener: Reopener) {
    loop {
        reopens.next().await;
        reopener.reopen();
    }
}

/// The first stop drains, the second one hurries: they are waited for one after the other.
async fn next(stops: &std::cell::RefCell<&mut Stops>) {
    std::future::poll_fn(|cx| {
        let mut stops = stops.borrow_mut();
        std::pin::pin!(stops.next()).as_mut().poll(cx)
    })
    .await;
}
