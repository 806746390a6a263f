//! `gatelog store`: filled from logs, looked through, copied out, made smaller; each with what it says and its exit code.

use std::fs;

use crate::support::command::{Kept, LOG, gatelog, said, text};

#[test]
fn what_is_imported_is_exported_byte_for_byte_in_the_order_of_time() {
    let mut shuffled = LOG;
    shuffled.reverse();
    let kept = Kept::of(&shuffled.join("\n"));
    let told = said(&["store", "import", &kept.log(), "--store", &kept.store()]);
    assert_eq!(told, format!("6 records imported into {}, 0 lines are no records\n", kept.store()));
    let all: String = LOG.iter().map(|line| format!("{line}\n")).collect();
    assert_eq!(said(&["store", "export", "--store", &kept.store()]), all);
    let some =
        said(&["store", "export", "status>=500", "--until", "2026-11-22T11:02:37.0001Z", "--store", &kept.store()]);
    assert_eq!(some, format!("{}\n", LOG[2]));
    let logfmt = said(&["store", "export", "order_failed", "--format", "logfmt", "--store", &kept.store()]);
    assert!(logfmt.starts_with("timestamp=2026-11-22T11:02:38.000000Z level=INFO"), "{logfmt}");
    let clean = said(&["store", "check", "--store", &kept.store()]);
    assert!(clean.contains(" 6 records, ") && clean.ends_with(": nothing is wrong\n"), "{clean}");
}

#[test]
fn lines_that_are_no_records_are_named_and_the_others_are_imported() {
    let kept = Kept::of(&format!("{}\n\nnonsense\n{{\"a\":1}}\n{}", LOG[0], LOG[1]));
    let missing = kept.path("none").display().to_string();
    let output = gatelog(&["store", "import", &kept.log(), &missing, "--store", &kept.store()]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let errors = text(&output.stderr);
    assert!(errors.contains(&format!("{}:3: it is no JSON object\n", kept.log())), "{errors}");
    assert!(errors.contains(&format!("{}:4: it has no timestamp\n", kept.log())), "{errors}");
    assert!(errors.contains(&format!("gatelog: {missing}: No such file")), "{errors}");
    assert!(text(&output.stdout).starts_with("2 records imported into "), "{output:?}");
    assert_eq!(said(&["search", "--oldest", "--store", &kept.store()]), format!("{}\n{}\n", LOG[0], LOG[1]));
}

#[test]
fn bad_lines_beyond_the_first_are_counted() {
    let kept = Kept::of(&vec!["nonsense"; 50].join("\n"));
    let output = gatelog(&["store", "import", &kept.log(), "--store", &kept.store()]);
    let errors = text(&output.stderr);
    assert_eq!((output.status.code(), errors.lines().count()), (Some(1), 21), "{errors}");
    assert!(errors.ends_with("and 30 more lines that are no records\n"), "{errors}");
}

#[test]
fn a_damaged_file_is_named_and_the_rest_is_answered() {
    let kept = Kept::new().stored();
    fs::write(kept.path("data").join("00000000.segment"), vec![7; 8192]).unwrap();
    fs::write(kept.path("data").join("notes.txt"), "mine").unwrap();
    let output = gatelog(&["store", "check", "--store", &kept.store()]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = text(&output.stdout);
    assert!(
        told.contains("00000000.segment: ") && told.contains("foreign: ") && told.contains("notes.txt: "),
        "{told}"
    );
    assert!(told.ends_with(": 2 problems\n"), "{told}");
    let search = gatelog(&["search", "--oldest", "--store", &kept.store()]);
    assert_eq!(text(&search.stdout).lines().count(), LOG.len(), "{search:?}");
    assert!(text(&search.stderr).contains("00000000.segment"), "{search:?}");
}

#[test]
fn segments_go_by_age_and_size_and_only_when_it_is_said() {
    let kept = Kept::new().stored();
    let unsaid = gatelog(&["store", "prune", "--store", &kept.store()]);
    assert_eq!(unsaid.status.code(), Some(2), "{unsaid:?}");
    for [name, value] in [["--age", "soon"], ["--size", "big"]] {
        let output = gatelog(&["store", "prune", "--store", &kept.store(), name, value]);
        assert_eq!(output.status.code(), Some(2), "{name}");
    }
    assert_eq!(said(&["store", "prune", "--store", &kept.store(), "--size", "1GB"]), "0 segments removed, 0 bytes\n");
    assert_eq!(said(&["search", "--store", &kept.store()]).lines().count(), LOG.len());
    let told = said(&["store", "prune", "--store", &kept.store(), "--size", "1KB"]);
    assert!(told.ends_with(" bytes\n") && !told.starts_with('0'), "{told}");
    assert_eq!(said(&["search", "--store", &kept.store()]), "");
}

#[test]
fn a_store_that_is_not_there_is_not_made_but_by_an_import() {
    let kept = Kept::new();
    for asked in [&["store", "check"][..], &["store", "export"], &["store", "prune", "--age", "1d"]] {
        let output = gatelog(&[asked, &["--store", &kept.store()]].concat());
        assert_eq!(output.status.code(), Some(1), "{asked:?}");
        assert!(text(&output.stderr).contains("No such file"), "{output:?}");
        assert!(!kept.path("data").exists());
    }
}
