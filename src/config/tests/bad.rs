//! What is refused, and how: each `tests/config/NAME.toml` has what is said about it beside it, in `NAME.txt`.
//!
//! After a change of wording, `BLESS=1 cargo test config` writes the `.txt` files anew; read the difference.

use proptest::prelude::*;

use super::*;

/// Files of `tests/config`, by paths relative to it, so that no path of this machine is in a message.
fn examples() -> Environment {
    let root = example_folder();
    Environment::with_files([], move |path| crate::disk::read(&root.join(path), FILE_LIMIT))
}

fn example_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config")
}

fn example_names() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(example_folder()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<PathBuf> = entries.map(PathBuf::from).collect();
    names.retain(|name| name.extension().is_some_and(|extension| extension == "toml"));
    names.sort();
    names
}

#[test]
fn bad_files_are_answered_with_all_their_problems() {
    let names = example_names();
    assert!(names.len() >= 25, "{names:?}");
    for name in names {
        let loaded = load(&Source { file: Some(name.clone()), upstreams: Vec::new() }, &examples());
        let expected = example_folder().join(&name).with_extension("txt");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&expected, shown(&loaded)).unwrap();
        }
        assert_eq!(shown(&loaded), std::fs::read_to_string(&expected).unwrap(), "{}", name.display());
        let errors = loaded.problems.iter().any(|problem| problem.severity == Severity::Error);
        assert_eq!(loaded.config.is_none(), errors, "{}", name.display());
    }
}

#[test]
fn no_problem_shows_a_secret() {
    for name in example_names() {
        let loaded = load(&Source { file: Some(name), upstreams: Vec::new() }, &examples());
        assert!(!format!("{}{:?}", shown(&loaded), loaded.config).contains("hunter2"));
    }
}

#[test]
fn every_problem_has_a_place_and_a_hint() {
    for name in example_names() {
        let loaded = load(&Source { file: Some(name), upstreams: Vec::new() }, &examples());
        for problem in loaded.problems {
            assert!(!problem.hint.is_empty() && !problem.message.is_empty());
            assert!(problem.place.line.is_some(), "{problem}");
        }
    }
}

#[test]
fn variables_that_set_nothing_are_warned_about() {
    let variables = [
        ("GATELOG_LOG__LEVL", "debug"),
        ("GATELOG_VENV", "/venv"),
        ("GATELOG_", "x"),
        ("GATELOG_WORKERS__X", "1"),
        ("GATELOG_UPSTREAM__7__NAME", "x"),
    ];
    let loaded = with_variables(&format!("workers = 1\n{UPSTREAM}"), &variables);
    assert!(loaded.config.is_some());
    assert!(loaded.problems.iter().all(|problem| problem.severity == Severity::Warning));
    assert_eq!(loaded.problems.len(), variables.len(), "{}", shown(&loaded));
    let misspelt = "warning: unknown key `levl` in `log`\n --> GATELOG_LOG__LEVL\n  |\n  | GATELOG_LOG__LEVL=debug\n  | \
                    ^^^^^^^^^^^^^^^^^\n  = hint: did you mean `log.level`? levels are separated by two underscores\n";
    assert!(shown(&loaded).contains(misspelt), "{}", shown(&loaded));
}

#[test]
fn a_bad_value_in_a_variable_is_shown_in_the_variable() {
    let loaded = with_variables(UPSTREAM, &[("GATELOG_LOG__LEVEL", "debgu")]);
    let expected = "error: `log.level`: `debgu` is none of its values\n --> GATELOG_LOG__LEVEL\n  |\n  | \
                    GATELOG_LOG__LEVEL=debgu\n  |                    ^^^^^\n  = hint: did you mean \"debug\"?\n\n";
    assert_eq!(shown(&loaded), expected);
    let loaded = with_variables(UPSTREAM, &[("GATELOG_IDENTITY__HASH_KEY", "hunter2")]);
    assert!(loaded.config.is_none() && !shown(&loaded).contains("hunter2"), "{}", shown(&loaded));
}

#[test]
fn a_bad_argument_is_shown_as_it_was_given() {
    let source = Source { file: None, upstreams: vec!["localhost:8000".into()] };
    let loaded = load(&source, &plain());
    let expected = "error: `--upstream`: `localhost:8000` is no URL of a server\n --> command line\n  |\n  | \
                    --upstream localhost:8000\n  |            ^^^^^^^^^^^^^^\n  = hint: write http://localhost:8000\n\n";
    assert_eq!(shown(&loaded), expected);
}

#[test]
fn nothing_to_run_with_is_said_with_what_to_do() {
    let loaded = load(&Source::default(), &plain());
    assert!(
        shown(&loaded).starts_with("error: there is no upstream to send requests to\n --> command line\n  = hint: ")
    );
    let loaded = load(&Source { file: Some("missing.toml".into()), ..Source::default() }, &examples());
    assert!(shown(&loaded).starts_with("error: the configuration cannot be read: "), "{}", shown(&loaded));
}

const UPSTREAM: &str = "[[upstream]]\nname = \"app\"\nservers = [\"http://127.0.0.1:8000\"]\n";

/// Loads, checks what must hold whatever was loaded, and gives the number of problems.
fn settled(loaded: &Loaded) -> Result<(), TestCaseError> {
    let errors = loaded.problems.iter().any(|problem| problem.severity == Severity::Error);
    prop_assert_eq!(loaded.config.is_none(), errors);
    for problem in &loaded.problems {
        let shown = problem.to_string();
        prop_assert!(shown.lines().count() >= 3);
        prop_assert!(!shown.chars().any(|character| character.is_control() && character != '\n'));
    }
    Ok(())
}

/// Lines that mean something, put together at random: they get further than random bytes do.
fn line() -> impl Strategy<Value = String> {
    let known: Vec<String> = example_names()
        .iter()
        .flat_map(|name| {
            std::fs::read(example_folder().join(name))
                .unwrap()
                .split(|byte| *byte == b'\n')
                .map(|line| String::from_utf8_lossy(line).into_owned())
                .collect::<Vec<_>>()
        })
        .collect();
    prop_oneof![8 => prop::sample::select(known), 1 => "[ -~]{0,20}", 1 => any::<String>()]
}

proptest! {
    #[test]
    fn any_bytes_are_problems_or_a_configuration(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        settled(&fuzz(&bytes))?;
    }

    #[test]
    fn any_mixture_of_lines_is_problems_or_a_configuration(lines in prop::collection::vec(line(), 0..30)) {
        settled(&fuzz(lines.join("\n").as_bytes()))?;
    }

    #[test]
    fn any_variables_are_problems_or_a_configuration(
        variables in prop::collection::vec(("GATELOG_[A-Z0-9_]{0,24}", any::<String>()), 0..6),
    ) {
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        settled(&with_variables(UPSTREAM, &variables))?;
    }
}

#[test]
fn nesting_beyond_reason_is_refused() {
    let deep = 10_000;
    let texts = [
        format!("a = {}", "[".repeat(deep)),
        format!("a = {}{}", "[".repeat(deep), "]".repeat(deep)),
        format!("a = {}", "{a = ".repeat(deep)),
        format!("{}a = 1", "a.".repeat(deep)),
        format!("[{}a]", "a.".repeat(deep)),
        format!("{}{}", "[[route]]\nprefix = \"a\"\nroute = [", "{ prefix = \"a\", route = [".repeat(deep)),
    ];
    for text in texts {
        assert!(fuzz(text.as_bytes()).config.is_none());
    }
    let name = format!("GATELOG_{}X", "A__".repeat(deep / 3));
    assert_eq!(with_variables(UPSTREAM, &[(&name, "1")]).problems.len(), 1);
}
