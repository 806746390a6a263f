//! `gatelog alerts`: what fires, quiet for a while, whether notices arrive, and what rules would have done.

mod replay;
mod shown;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::place::configuration;
use super::running::{AdminArguments, Running};
use super::{closed_output, complain, misused};
use crate::alert::channel::send_once;
use crate::alert::{From, Notice, Settings};
use crate::config::{self, Environment};
use crate::filter::nearest;
use crate::time;

/// What can be done about alerts.
#[derive(Debug, Subcommand)]
pub enum AlertsCommand {
    /// Rules of the proxy that runs, and what each has come to
    List(ListArguments),
    /// Nobody is told of a rule for a while; `*` is all rules
    Silence(SilenceArguments),
    /// Send a notice through a channel of the configuration, now, and say what came of it
    Test(TestArguments),
    /// What the rules of the configuration would have done on these logs
    Replay(ReplayArguments),
}

/// Which proxy.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// The configuration that names the admin listener; gatelog.toml in this directory unless said otherwise
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where it is.
    #[command(flatten)]
    pub admin: AdminArguments,
    /// As the proxy says it: JSON
    #[arg(long)]
    pub json: bool,
}

/// Which rule, and for how long.
#[derive(Debug, Args)]
pub struct SilenceArguments {
    /// The rule's name, or `*` for all
    #[arg(value_name = "RULE")]
    pub rule: String,
    /// How long: 30m, 1h, 2d; 0 ends a silence
    #[arg(long = "for", value_name = "SPAN")]
    pub span: String,
    /// What for, for those who look
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
    /// The configuration that names the admin listener; gatelog.toml in this directory unless said otherwise
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where it is.
    #[command(flatten)]
    pub admin: AdminArguments,
}

/// Which channel.
#[derive(Debug, Args)]
pub struct TestArguments {
    /// The channel's name
    #[arg(value_name = "CHANNEL")]
    pub channel: String,
    /// The configuration; gatelog.toml in this directory unless said otherwise
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Which logs.
#[derive(Debug, Args)]
pub struct ReplayArguments {
    /// The logs, the oldest first: JSON of any schema, plain, gzip or zstd; `-` is standard input
    #[arg(value_name = "LOG", required = true)]
    pub files: Vec<PathBuf>,
    /// The configuration; gatelog.toml in this directory unless said otherwise
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A JSON object for each thing that would have happened
    #[arg(long)]
    pub json: bool,
}

/// Does it.
///
/// # Errors
/// What went wrong, for people.
pub fn alerts(command: &AlertsCommand, environment: &Environment) -> anyhow::Result<ExitCode> {
    match command {
        AlertsCommand::List(arguments) => list(arguments, environment),
        AlertsCommand::Silence(arguments) => silence(arguments, environment),
        AlertsCommand::Test(arguments) => test(arguments, environment),
        AlertsCommand::Replay(arguments) => match settings(arguments.config.as_deref(), environment) {
            Ok((settings, _)) => replay::replay(settings.rules, arguments),
            Err(why) => Ok(misused(&why)),
        },
    }
}

fn list(arguments: &ListArguments, environment: &Environment) -> anyhow::Result<ExitCode> {
    let running = match Running::of(&arguments.admin, arguments.config.as_deref(), environment) {
        Ok(running) => running,
        Err(why) => return Ok(said(&why)),
    };
    let mut out = io::stdout().lock();
    let mut page = 1;
    loop {
        let answer = match running.json(&format!("/api/alerts?per_page=200&page={page}")) {
            Ok(answer) => answer,
            Err(why) => return Ok(failed(&why)),
        };
        let text = if arguments.json { format!("{answer}\n") } else { shown::table(&answer, page == 1) };
        if let Err(error) = out.write_all(text.as_bytes()) {
            return closed_output(error);
        }
        if answer["has_next"] != true {
            return out.flush().map(|()| ExitCode::SUCCESS).or_else(closed_output);
        }
        page += 1;
    }
}

fn silence(arguments: &SilenceArguments, environment: &Environment) -> anyhow::Result<ExitCode> {
    let running = match Running::of(&arguments.admin, arguments.config.as_deref(), environment) {
        Ok(running) => running,
        Err(why) => return Ok(said(&why)),
    };
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut target = format!("/api/alerts/silences?rule={}&for={}", encoded(&arguments.rule), encoded(&arguments.span));
    if let Some(comment) = &arguments.comment {
        target += &format!("&comment={}", encoded(comment));
    }
    match running.post(&target) {
        Ok(answer) => super::show(shown::silence(&answer).as_bytes()),
        Err(why) => Ok(failed(&why)),
    }
}

fn test(arguments: &TestArguments, environment: &Environment) -> anyhow::Result<ExitCode> {
    let (settings, from) = match settings(arguments.config.as_deref(), environment) {
        Ok(found) => found,
        Err(why) => return Ok(misused(&why)),
    };
    let Some(channel) = settings.channels.iter().find(|channel| channel.name == arguments.channel) else {
        return Ok(misused(&no_channel(&arguments.channel, &settings)));
    };
    let link = settings.link.as_ref().map(ToString::to_string);
    let notice = Notice::of_test(&channel.name, link, &from, time::wall_now());
    match send_once(channel, &[Arc::new(notice)]) {
        Ok(()) => super::show(format!("{}: the notice was taken\n", channel.name).as_bytes()),
        Err(why) => Ok(failed(&format!("{}: {}", channel.name, chain(&why)))),
    }
}

/// An error with all its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_said = cause.to_string();
        if !said.ends_with(&cause_said) {
            said.push_str(&format!(": {cause_said}"));
        }
        source = cause.source();
    }
    said
}

fn no_channel(name: &str, settings: &Settings) -> String {
    let names = settings.channels.iter().map(|channel| channel.name.as_str());
    let near = nearest(name, names.clone()).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    let known = names.collect::<Vec<_>>().join(", ");
    let known =
        if known.is_empty() { "there is no [[alerts.channel]]".to_owned() } else { format!("there are {known}") };
    format!("gatelog: `{name}` is no channel: {near}{known}")
}

/// The alerts of the configuration, and who notices are from.
fn settings(named: Option<&Path>, environment: &Environment) -> Result<(Settings, From), String> {
    let found = configuration(named, environment).map_err(|why| why.to_string())?;
    let (file, config) = found
        .ok_or_else(|| format!("gatelog: there is no {} here; name one with --config FILE", config::DEFAULT_FILE))?;
    let [service, environment] = [config.record.service, config.record.environment].map(Option::unwrap_or_default);
    let settings = config.alerts.ok_or_else(|| format!("gatelog: {} has no [alerts]", file.display()))?;
    Ok((settings, From { service, environment }))
}

fn said(why: &impl ToString) -> ExitCode {
    misused(&why.to_string())
}

fn failed(why: &impl ToString) -> ExitCode {
    complain(&[format!("gatelog: {}", why.to_string())]);
    ExitCode::FAILURE
}
