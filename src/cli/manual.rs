//! `gatelog man`: the manual page, all commands with their options on one, as `man -l` reads it (roff, man(7)).

use std::io;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::arguments::Arguments;

/// How each part of a page begins by itself; here it is needed once.
const PREAMBLE: [&str; 2] = [".ie \\n(.g .ds Aq \\(aq", ".el .ds Aq '"];

/// The page.
///
/// # Errors
/// When it cannot be made.
pub fn page() -> io::Result<String> {
    let mut whole = Arguments::command();
    whole.build();
    let man = Man::new(whole.clone());
    let mut page = part(|out| man.render_title(out))?;
    PREAMBLE.iter().for_each(|line| page.extend([line, "\n"]));
    page += &part(|out| man.render_name_section(out))?;
    page += &part(|out| man.render_synopsis_section(out))?;
    page += &part(|out| man.render_description_section(out))?;
    page += &part(|out| man.render_options_section(out))?;
    page += ".SH COMMANDS\n";
    commands(&whole, &mut page)?;
    Ok(page)
}

/// A section for each command, and for each of its own.
fn commands(parent: &Command, page: &mut String) -> io::Result<()> {
    for command in parent.get_subcommands().filter(|command| command.get_name() != "help") {
        let man = Man::new(command.clone());
        let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
        page.extend([".SS \"", name, "\"\n"]);
        *page += &unheaded(&part(|out| man.render_description_section(out))?);
        *page += &unheaded(&part(|out| man.render_synopsis_section(out))?);
        *page += &unheaded(&part(|out| man.render_options_section(out))?);
        commands(command, page)?;
    }
    Ok(())
}

fn part(render: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> io::Result<String> {
    let mut part = Vec::new();
    render(&mut part)?;
    let text = String::from_utf8_lossy(&part);
    Ok(text.lines().filter(|line| !PREAMBLE.contains(line)).flat_map(|line| [line, "\n"]).collect())
}

/// Paragraphs in place of sections.
fn unheaded(part: &str) -> String {
    let paragraph = |line| if str::starts_with(line, ".SH ") { ".PP" } else { line };
    part.lines().flat_map(|line| [paragraph(line), "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(parent: &Command, page: &str) {
        for command in parent.get_subcommands().filter(|command| command.get_name() != "help") {
            let heading = format!(".SS \"{}\"\n", command.get_bin_name().expect("a whole name"));
            assert_eq!(page.matches(&heading).count(), 1, "{heading}");
            let options = command.get_arguments().filter_map(|argument| argument.get_long());
            options.for_each(|option| assert!(page.contains(&option.replace('-', "\\-")), "{heading}: {option}"));
            check(command, page);
        }
    }

    #[test]
    fn the_page_has_a_title_and_every_command_with_its_options() {
        let page = page().expect("a page");
        assert!(page.starts_with(".TH gatelog 1 "), "{page}");
        for line in PREAMBLE.iter().chain(&[".SH NAME", ".SH SYNOPSIS", ".SH COMMANDS"]) {
            assert_eq!(page.lines().filter(|there| there == line).count(), 1, "{line}");
        }
        let mut whole = Arguments::command();
        whole.build();
        check(&whole, &page);
    }
}
