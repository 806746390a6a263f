//! The load that gatelog is trained with: `gatelog-train GATELOG`.
//!
//! A compiler that knows which branches are taken and which functions are called together makes a faster program of the
//! same code. `dist/build` has gatelog count them under this load: it starts that binary in front of a small application
//! (`app`) and sends it what an ordinary day brings (`visitors`), plain and over TLS, HTTP/1.1 and HTTP/2, on kept
//! connections and new ones, first as it is by default, then with all that may be switched on. A few seconds in all, on
//! the loopback only. It fails where an answer is not what it should be: nobody is to be trained on errors.

use std::process::Command;

use anyhow::Context;
use gatelog_train::app;
use gatelog_train::proxy::{Extent, Proxy};
use gatelog_train::visitors::{self, Plan, Protocol};

/// Requests of the longest part.
const MANY: usize = 30_000;

fn main() -> anyhow::Result<()> {
    let gatelog = std::env::args_os().nth(1).context("usage: gatelog-train GATELOG")?;
    let gatelog = std::path::absolute(gatelog)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let app = app::start().await?;
        for (extent, share) in [(Extent::Default, 1), (Extent::Everything, 8)] {
            let proxy = Proxy::start(Command::new(&gatelog), app, extent).await?;
            for plan in day(MANY / share) {
                visitors::visit(&proxy, &plan).await.with_context(|| format!("{extent:?}, {plan:?}"))?;
            }
            proxy.stop().await?;
        }
        Ok(())
    })
}

/// All kinds of connections; those that carry most requests most often.
fn day(many: usize) -> [Plan; 7] {
    use Protocol::{Http1, Http2};
    let plan = |tls, protocol, connections, requests| Plan { tls, protocol, connections, requests, only: None };
    [
        plan(false, Http1, 64, many / 64),
        plan(true, Http1, 64, many / 64),
        plan(true, Http2, 16, many / 16),
        plan(false, Http2, 4, many / 40),
        plan(false, Http1, many / 8, 1),
        plan(true, Http1, many / 40, 1),
        plan(true, Http2, many / 80, 2),
    ]
}
