//! Instructions that gatelog needs for a request, held to a budget: `gatelog-budget GATELOG BUDGET [FOLDER]`.
//!
//! Seconds differ from machine to machine and from minute to minute; the instructions of the same program under the same
//! load hardly do. gatelog runs under valgrind's callgrind in front of the application that it is trained with, with the
//! features that a user has by default: timeouts, limits, ids, trace context, a route table, two JSON lines a request to a
//! file. Of each scenario a part goes first, uncounted; then all threads are counted, without the kernel. BUDGET is a JSON
//! object of scenarios and their instructions a request. Exits 1 where one takes more than the [`MARGIN`] above its own.
//! Where the instructions are is told by `callgrind_annotate FOLDER/counts.1`, a file for each scenario in their order.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, bail, ensure};
use gatelog_train::app;
use gatelog_train::proxy::{Extent, Proxy};
use gatelog_train::visitors::{self, Plan, Protocol};

/// What is above is a regression. The same program is counted to within one in a hundred, bodies of many pieces two; a program
/// that was trained anew is another one, since the load that trains it differs in its timing.
const MARGIN: f64 = 1.05;
/// The part of the requests that is sent before anything is counted.
const WARM: usize = 4;

/// What is counted: its name, and the visitors whose requests are counted.
fn scenarios() -> [(&'static str, Plan); 9] {
    use Protocol::{Http1, Http2};
    let plan =
        |tls, protocol, connections, requests, only| Plan { tls, protocol, connections, requests, only: Some(only) };
    [
        ("h1", plan(false, Http1, 64, 50, "/api/")),
        ("h1new", plan(false, Http1, 1_600, 1, "/api/")),
        ("tls", plan(true, Http1, 64, 50, "/api/")),
        ("tlsnew", plan(true, Http1, 400, 1, "/api/")),
        ("h2", plan(true, Http2, 16, 200, "/api/")),
        ("h2c", plan(false, Http2, 16, 200, "/api/")),
        ("chunked", plan(false, Http1, 64, 50, "/reports/")),
        ("dl64k", plan(false, Http1, 16, 40, "/static/")),
        ("up40k", plan(false, Http1, 16, 40, "/uploads/")),
    ]
}

fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let usage = "usage: gatelog-budget GATELOG BUDGET [FOLDER]";
    let (gatelog, budget) = (arguments.next().context(usage)?, arguments.next().context(usage)?);
    let forgotten = tempfile::tempdir()?;
    let folder = arguments.next().map_or_else(|| forgotten.path().to_owned(), PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    let text = std::fs::read_to_string(&budget).with_context(|| format!("{} cannot be read", budget.display()))?;
    let budget: BTreeMap<String, f64> = serde_json::from_str(&text)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let counted = tokio::task::LocalSet::new()
        .block_on(&runtime, count(&std::path::absolute(gatelog)?, &folder.canonicalize()?))?;
    judge(&counted, &budget)
}

/// Instructions a request, by scenario; what callgrind has counted is left in the folder.
async fn count(gatelog: &Path, folder: &Path) -> anyhow::Result<Vec<(&'static str, f64)>> {
    let app = app::start().await?;
    let proxy = Proxy::start(under_callgrind(gatelog, folder), app, Extent::Default).await?;
    let mut counted = Vec::new();
    for (name, plan) in scenarios() {
        let fewer = match plan.requests {
            1 => Plan { connections: plan.connections / WARM, ..plan },
            requests => Plan { requests: requests / WARM, ..plan },
        };
        visitors::visit(&proxy, &fewer).await.with_context(|| format!("{name}, before it is counted"))?;
        control("--zero", &proxy).await?;
        visitors::visit(&proxy, &plan).await.context(name)?;
        control("--dump", &proxy).await?;
        let requests = (plan.connections * plan.requests) as f64;
        counted.push((name, total(folder, counted.len() + 1)? / requests));
    }
    proxy.stop().await?;
    Ok(counted)
}

fn under_callgrind(gatelog: &Path, folder: &Path) -> Command {
    let mut command = Command::new("valgrind");
    let mut counts = OsString::from("--callgrind-out-file=");
    counts.push(folder.join("counts"));
    command.args(["--tool=callgrind", "--quiet"]).arg(counts).arg(gatelog).stderr(Stdio::null());
    command
}

/// Has callgrind do something now.
async fn control(what: &'static str, proxy: &Proxy) -> anyhow::Result<()> {
    let id = proxy.id().to_string();
    let asked = move || Command::new("callgrind_control").args([what, &id]).output();
    let output = tokio::task::spawn_blocking(asked).await?.context("callgrind_control does not start")?;
    ensure!(output.status.success(), "callgrind_control {what}: {}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}

/// All instructions of a dump.
fn total(folder: &Path, dump: usize) -> anyhow::Result<f64> {
    let path = folder.join(format!("counts.{dump}"));
    let text = std::fs::read_to_string(&path).with_context(|| format!("{} is not there", path.display()))?;
    let count = text.lines().find_map(|line| line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")));
    Ok(count.context("a dump without a sum")?.trim().parse()?)
}

fn judge(counted: &[(&str, f64)], budget: &BTreeMap<String, f64>) -> anyhow::Result<ExitCode> {
    println!("{:10} {:>14} {:>10} {:>7}", "scenario", "instructions", "budget", "ratio");
    let mut over = Vec::new();
    for (name, instructions) in counted {
        let Some(budget) = budget.get(*name) else { bail!("{name} has no budget: {instructions:.0} a request") };
        let ratio = instructions / budget;
        println!("{name:10} {instructions:>14.0} {budget:>10.0} {ratio:>7.3}");
        if ratio > MARGIN {
            over.push(*name);
        }
    }
    if over.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("over the budget by more than {:.0} %: {}", (MARGIN - 1.0) * 100.0, over.join(", "));
    Ok(ExitCode::FAILURE)
}
