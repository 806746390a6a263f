//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// A request-logging reverse proxy: put it in front of the app you have, and read the truth about every request.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, propagate_version = true)]
pub struct Arguments {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the proxy: JSON on stdout, or coloured lines on a terminal
    Run(ConfigArguments),
    /// Run the proxy before a small built-in shop with a few visitors
    Demo,
    /// Say all that is wrong with the configuration, and look at its certificates and names
    Check(ConfigArguments),
    /// The route table: list it, or ask it
    Routes {
        /// Where the table is.
        #[command(flatten)]
        config: ConfigArguments,
        /// What to do with it
        #[command(subcommand)]
        command: RoutesCommand,
    },
    /// Check a log: every request that started has ended, and no record is missing
    Verify(super::verify::Arguments),
}

/// Where the configuration is.
#[derive(Debug, Args)]
pub struct ConfigArguments {
    /// The configuration file; gatelog.toml in this directory if there is one
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Send requests to this server; may be given more than once
    #[arg(long, value_name = "URL", global = true)]
    pub upstream: Vec<String>,
}

/// What can be asked of the route table.
#[derive(Debug, Subcommand)]
pub enum RoutesCommand {
    /// All routes in the order in which they are tried
    List,
    /// What a path resolves to
    Match {
        /// `[METHOD] PATH`; `-` answers each line of standard input with a line of JSON
        #[arg(value_name = "[METHOD] PATH", num_args = 1..=2, required = true)]
        words: Vec<String>,
        /// Answer with one line of JSON
        #[arg(long)]
        json: bool,
    },
}
