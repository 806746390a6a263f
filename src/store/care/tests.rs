//! A store that is filled, looked through, copied out and made smaller by hand.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::filter::Expression;
use crate::record::timestamp;
use crate::store::{Error, Settings, Writer};

const NOW: u64 = 1_795_345_356_000_000;
const HOUR: u64 = 3_600_000_000;

fn line(at: u64, path: &str) -> String {
    format!(
        "{{\"timestamp\":\"{}\",\"level\":\"INFO\",\"event\":\"request_completed\",\"path\":\"{path}\"}}\n",
        timestamp(at)
    )
}

fn imported(folder: &Path, logs: &[String]) -> Imported {
    let mut import = Import::open(Settings { seal_lines: 100, batch_lines: 30, ..Settings::new(folder) }).unwrap();
    for log in logs {
        import.read("a.log", &mut log.as_bytes(), NOW, &|| false, &mut |_| ()).unwrap();
    }
    import.finish(NOW).unwrap()
}

fn everything() -> Selection {
    Selection { filter: Expression::parse("").unwrap(), since: None, until: None }
}

fn exported(folder: &Path, selection: &Selection) -> Vec<String> {
    let mut lines = Vec::new();
    let done = export(folder, selection, &|| false, &mut |line| {
        lines.push(format!("{}\n", line.json));
        Ok(())
    });
    let done = done.unwrap();
    assert_eq!(done, Exported { lines: lines.len() as u64, ..Exported::default() });
    lines
}

#[test]
fn what_is_imported_comes_out_in_the_order_of_time() {
    let folder = tempfile::tempdir().unwrap();
    // Logs of two machines, one after the other, of the same time.
    let log = |name: &str, of: u64| -> String {
        (0..400).map(|at| line(NOW + (at * 7919 % 400) * 1000 + of, &format!("/{name}/{at}"))).collect()
    };
    let logs = [log("a", 1), log("b", 2)];
    assert_eq!(imported(folder.path(), &logs), Imported { records: 800, bad: 0, partial: false });
    let mut expected: Vec<String> = logs.concat().split_inclusive('\n').map(str::to_owned).collect();
    expected.sort();
    assert_eq!(exported(folder.path(), &everything()), expected);
    let some = Selection {
        filter: Expression::parse("path:/b/*").unwrap(),
        since: Some(NOW + 10_000),
        until: Some(NOW + 20_000),
    };
    let expected: Vec<String> = expected
        .into_iter()
        .filter(|line| {
            line.contains("/b/")
                && (timestamp(NOW + 10_000)..timestamp(NOW + 20_000)).contains(&line[14..41].to_owned())
        })
        .collect();
    assert_eq!(expected.len(), 10);
    assert_eq!(exported(folder.path(), &some), expected);
    let findings = check(folder.path(), &|| false).unwrap();
    assert_eq!((findings.records, findings.problems.as_slice()), (800, &[][..]));
}

#[test]
fn lines_that_are_no_records_are_told_by_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let long = format!("{{\"timestamp\":\"{}\",\"a\":\"{}\"}}\n", timestamp(NOW), "x".repeat(3 << 20));
    let log = [line(NOW, "/"), "\n".into(), "[]\n".into(), "{\"a\":1}\r\n".into(), long, line(NOW, "/")[..40].into()]
        .concat();
    let mut import = Import::open(Settings::new(folder.path())).unwrap();
    let mut told = Vec::new();
    let mut log: &[u8] = log.as_bytes();
    import.read("b.log", &mut log, NOW, &|| false, &mut |bad| told.push((bad.line, bad.why))).unwrap();
    let last = (6, "it is no JSON object");
    assert_eq!(told, [(3, "it is no JSON object"), (4, "it has no timestamp"), (5, "it is too long"), last]);
    assert_eq!(import.finish(NOW).unwrap(), Imported { records: 1, bad: 4, partial: false });
}

#[test]
fn a_store_that_somebody_writes_to_is_not_filled_and_keeps_what_is_not_sealed() {
    let folder = tempfile::tempdir().unwrap();
    imported(folder.path(), &[line(NOW - HOUR, "/old")]);
    let mut writer = Writer::open(Settings::new(folder.path())).unwrap();
    writer.ingest(line(NOW - HOUR, "/hot").as_bytes(), NOW).unwrap();
    writer.commit().unwrap();
    assert!(matches!(Import::open(Settings::new(folder.path())), Err(Error::Taken { .. })));
    let all = Pruning { age: Some(Duration::from_secs(1)), size: None };
    let pruned = prune(folder.path(), all, NOW).unwrap();
    assert_eq!((pruned.segments, pruned.beside_writer), (1, true));
    assert_eq!(exported(folder.path(), &everything()), [line(NOW - HOUR, "/hot")]);
    drop(writer);
    let pruned = prune(folder.path(), all, NOW).unwrap();
    assert_eq!((pruned.segments, pruned.beside_writer), (1, false));
    assert_eq!(exported(folder.path(), &everything()), Vec::<String>::new());
}

#[test]
fn what_is_wrong_is_told_by_name() {
    let folder = tempfile::tempdir().unwrap();
    imported(folder.path(), &[(0..50).map(|at| line(NOW + at, "/")).collect()]);
    for (name, content) in [("00000007.segment", "no database"), ("notes.txt", "x"), ("00000008.hot.broken", "x")] {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let findings = check(folder.path(), &|| false).unwrap();
    let told: Vec<_> = findings.problems.iter().map(|problem| (problem.file.as_str(), problem.fault)).collect();
    let expected =
        [("00000007.segment", Fault::Foreign), ("00000008.hot.broken", Fault::SetAside), ("notes.txt", Fault::Foreign)];
    assert_eq!(told, expected);
    assert_eq!(findings.records, 50);
    assert!(check(folder.path(), &|| true).unwrap().partial);
    assert!(check(&folder.path().join("none"), &|| false).is_err());
}
