//! `gatelog completions SHELL`: what a shell needs to complete gatelog's commands and options.

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use super::arguments::Arguments;

/// The script, for the shell to read.
pub fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    let mut command = Arguments::command();
    let name = command.get_name().to_owned();
    generate(shell, &mut command, name, &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn the_script_of_every_shell_knows_every_command() {
        for shell in Shell::value_variants() {
            let script = String::from_utf8(script(*shell)).expect("text");
            for command in Arguments::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
            assert!(script.contains("--follow") || script.contains("follow"), "{shell}");
        }
    }
}
