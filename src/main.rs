//! argv in, exit code out.

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    gatelog::cli::main().unwrap_or_else(|error| {
        // Where stderr is closed there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "gatelog: {error:#}");
        ExitCode::FAILURE
    })
}
