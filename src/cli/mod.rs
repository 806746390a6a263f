//! The commands, one file each; no logic that another flow needs.

pub mod alerts;
pub mod arguments;
pub mod asking;
pub mod audience;
pub mod check;
pub mod completions;
pub mod demo;
pub mod manual;
pub mod place;
pub mod routes;
pub mod run;
pub mod running;
pub mod search;
pub mod shown;
pub mod stats;
pub mod store;
pub mod tail;
pub mod top;
pub mod verify;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use crate::app::preflight::{ask_own, system_resolve};
use crate::config::{Environment, Severity, Source};
use crate::routes::Table;

use arguments::{Arguments, Command, ConfigArguments, RoutesCommand};

/// Wrong usage, or a configuration that cannot be served.
const MISUSED: u8 = 2;

/// Runs the command that the process was started with.
///
/// # Errors
/// What went wrong, for people; the exit code is then 1.
pub fn main() -> anyhow::Result<ExitCode> {
    let environment = Environment::new(std::env::vars_os());
    match Arguments::parse().command {
        Command::Run(arguments) => run::run(source(&arguments, &environment), environment),
        Command::Demo(arguments) => demo::run(&arguments, &environment),
        Command::Check(arguments) => {
            let source = source(&arguments, &environment);
            check::check(&source, &environment, &system_resolve, &ask_own, &mut io::stdout().lock())
                .map(ExitCode::from)
                .or_else(closed_output)
        }
        Command::Routes { config, command } => routes_command(&config, command, &environment),
        Command::Search(arguments) => search::search(&arguments, &environment),
        Command::Stats(arguments) => stats::stats(&arguments, &environment),
        Command::Tail(arguments) => tail::tail(&arguments, &environment),
        Command::Top(arguments) => top::top(&arguments, &environment),
        Command::Store { command } => store::store(&command, &environment),
        Command::Alerts { command } => alerts::alerts(&command, &environment),
        Command::Verify(arguments) => {
            let report = verify::verify(&arguments.files, arguments.options, &mut io::stdout().lock());
            report.map(|report| ExitCode::from(report.exit_code())).context("the log cannot be verified")
        }
        Command::Completions { shell } => show(&completions::script(shell)),
        Command::Man => show(manual::page()?.as_bytes()),
    }
}

fn source(arguments: &ConfigArguments, environment: &Environment) -> Source {
    Source::choose(arguments.config.clone(), arguments.upstream.clone(), environment)
}

fn routes_command(
    config: &ConfigArguments,
    command: RoutesCommand,
    environment: &Environment,
) -> anyhow::Result<ExitCode> {
    let Some(table) = table(&source(config, environment), environment) else { return Ok(ExitCode::from(MISUSED)) };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written = match command {
        RoutesCommand::List => routes::list(&table, &mut out).map(|()| true),
        RoutesCommand::Match { words, json } => match words.as_slice() {
            [path] if path == "-" => routes::answer_lines(&table, io::stdin().lock(), &mut out).map(|()| true),
            [path] => routes::show(&table, "GET", path, json, &mut out),
            [method, path] => routes::show(&table, method, path, json, &mut out),
            _ => Ok(false),
        },
    };
    let matched = written.and_then(|matched| out.flush().map(|()| matched));
    matched.map(|matched| if matched { ExitCode::SUCCESS } else { ExitCode::FAILURE }).or_else(closed_output)
}

/// The table alone: certificates and names are not looked at, and upstreams are not needed.
fn table(source: &Source, environment: &Environment) -> Option<Table> {
    let loaded = crate::config::load(source, environment);
    if loaded.table.is_none() {
        complain(&loaded.problems.iter().filter(|problem| problem.severity == Severity::Error).collect::<Vec<_>>());
    }
    loaded.table
}

/// A reader that has seen enough is no failure.
fn closed_output(error: io::Error) -> anyhow::Result<ExitCode> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(ExitCode::SUCCESS) } else { Err(error.into()) }
}

/// Writes it all at once.
fn write_whole(text: &str, out: &mut impl Write) -> io::Result<()> {
    out.write_all(text.as_bytes()).and_then(|()| out.flush())
}

/// Writes it to stdout.
fn show(text: &[u8]) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text).and_then(|()| out.flush());
    written.map(|()| ExitCode::SUCCESS).or_else(closed_output)
}

/// Wrong usage: said on stderr, exit code 2.
fn misused(why: &str) -> ExitCode {
    complain(&[why]);
    ExitCode::from(MISUSED)
}

/// Problems go to stderr: stdout belongs to the records.
fn complain(problems: &[impl std::fmt::Display]) {
    let mut stderr = io::stderr().lock();
    for problem in problems {
        // Where stderr is closed there is nobody to tell.
        let _ = writeln!(stderr, "{problem}");
    }
}
