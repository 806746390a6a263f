//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::alerts::AlertsCommand;
use super::demo::DemoArguments;
use super::place::PlaceArguments;
use super::running::AdminArguments;
use super::store::StoreCommand;
use super::top::TopArguments;

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
    Demo(DemoArguments),
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
    /// Find records by a filter, or one request's whole story by its id
    Search(SearchArguments),
    /// Count: records, requests, errors, response times, by hour and route
    Stats(StatsArguments),
    /// Show the newest records, of the proxy that runs or of a log, and those that come
    Tail(TailArguments),
    /// What the proxy does now: rates, routes, what runs, what is slow
    Top(TopArguments),
    /// Care of a store: check it, copy records out of it or into it, make it smaller
    Store {
        /// What to do with it
        #[command(subcommand)]
        command: StoreCommand,
    },
    /// What fires, quiet for a while, whether notices arrive, what rules would have done
    Alerts {
        /// What to do
        #[command(subcommand)]
        command: AlertsCommand,
    },
    /// Check a log: every request that started has ended, and no record is missing
    Verify(super::verify::Arguments),
    /// Write what a shell needs to complete commands and options, for it to read
    Completions {
        /// Which shell
        #[arg(value_enum, value_name = "SHELL")]
        shell: clap_complete::Shell,
    },
    /// Write the manual page: `gatelog man | man -l -`
    Man,
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

/// A filter may begin with a minus; with two it is an option that there is not.
///
/// # Errors
/// As the user is to read it.
pub fn no_option(text: &str) -> Result<String, String> {
    if text.starts_with("--") { Err("there is no such option".to_owned()) } else { Ok(text.to_owned()) }
}

/// What is searched for, and where.
#[derive(Debug, Args)]
pub struct SearchArguments {
    /// Which records, such as 'status>=500 route:checkout "connection reset"'; all without one
    #[arg(default_value = "*", value_name = "FILTER", allow_hyphen_values = true, value_parser = no_option)]
    pub filter: String,
    /// Where they are.
    #[command(flatten)]
    pub place: PlaceArguments,
    /// None older: 15m, 24h, 7d ago, today, yesterday, 11:02, 2026-11-22, 2026-11-22T11:02:36Z; local time without an offset
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true)]
    pub since: Option<String>,
    /// Only older ones, as in --since
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true)]
    pub until: Option<String>,
    /// Which page, from 1
    #[arg(long, default_value_t = 1)]
    pub page: usize,
    /// Records on a page
    #[arg(long, default_value_t = 50)]
    pub limit: usize,
    /// The oldest first
    #[arg(long)]
    pub oldest: bool,
    /// All records of this request, and where its time went
    #[arg(long, value_name = "ID")]
    pub request_id: Option<String>,
    /// All fields of each record
    #[arg(long)]
    pub detail: bool,
    /// A table on a terminal, JSON elsewhere, unless said otherwise
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Show and read times in UTC, not in local time
    #[arg(long)]
    pub utc: bool,
}

/// What is counted, and where.
#[derive(Debug, Args)]
pub struct StatsArguments {
    /// Which records; all without one, which a store answers from counts that it keeps
    #[arg(default_value = "*", value_name = "FILTER", allow_hyphen_values = true, value_parser = no_option)]
    pub filter: String,
    /// Where they are.
    #[command(flatten)]
    pub place: PlaceArguments,
    /// None older, as in search; 24h of a store, everything of log files
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true)]
    pub since: Option<String>,
    /// Only older ones; now
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true)]
    pub until: Option<String>,
    /// Tables on a terminal, JSON elsewhere, unless said otherwise
    #[arg(long, value_enum)]
    pub format: Option<StatsFormat>,
    /// Read times in UTC, not in local time; they are always shown in UTC
    #[arg(long)]
    pub utc: bool,
}

/// How statistics are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum StatsFormat {
    /// Tables with bars, for people
    Table,
    /// One object, as the admin listener's pages have them
    Json,
}

impl StatsFormat {
    /// The form of records that goes with it.
    pub fn as_records(self) -> Format {
        match self {
            StatsFormat::Table => Format::Table,
            StatsFormat::Json => Format::Json,
        }
    }
}

/// Which of the newest records are shown.
#[derive(Debug, Args)]
pub struct TailArguments {
    /// Which records; all without one
    #[arg(default_value = "*", value_name = "FILTER", allow_hyphen_values = true, value_parser = no_option)]
    pub filter: String,
    /// A log instead: JSON of any schema; one that is compressed does not grow
    #[arg(long, value_name = "LOG", conflicts_with_all = ["store", "config", "admin"])]
    pub file: Option<PathBuf>,
    /// The newest of the store in this folder instead
    #[arg(long, value_name = "DIR", conflicts_with_all = ["config", "admin"])]
    pub store: Option<PathBuf>,
    /// The configuration of the proxy that runs; gatelog.toml in this directory unless said otherwise
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Which proxy is asked.
    #[command(flatten)]
    pub admin: AdminArguments,
    /// Go on with the records that come, through rotation, until Ctrl-C
    #[arg(long, short)]
    pub follow: bool,
    /// How many there are at first
    #[arg(long, short = 'n', default_value_t = 10)]
    pub limit: usize,
    /// A line for people on a terminal, JSON elsewhere, unless said otherwise
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Show times in UTC, not in local time
    #[arg(long)]
    pub utc: bool,
}

/// How records are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Aligned columns, for people
    Table,
    /// As they were written, one a line
    Json,
    /// key=value pairs, one record a line
    Logfmt,
}
