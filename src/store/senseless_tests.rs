//! Rows whose bytes make no sense: they are left out, counted and told, and the rest of their segment answers.

use std::path::Path;

use super::care::{Selection, check, export};
use super::rollup::Range;
use super::tests::small;
use super::*;
use crate::filter::Expression;
use crate::record::timestamp;

const NOW: u64 = 1_795_345_356_000_000;
const HOUR: u64 = 3_600_000_000;

/// What is done to three rows of a hundred: a payload that ends too soon, one of another shape, a word that nobody knows, a
/// number where a blob was.
const DAMAGES: [&str; 4] = [
    "UPDATE record SET own = substr(own, 1, 2) WHERE id IN (10, 50, 90)",
    "UPDATE record SET own = x'ffffffffffffffffff', shape = 77 WHERE id IN (10, 50, 90)",
    "UPDATE record SET user = 4000000 WHERE id IN (10, 50, 90)",
    "UPDATE record SET at = 'yesterday' WHERE id IN (10, 50, 90)",
];

fn line(at: u64) -> String {
    let moment = timestamp(NOW + at);
    format!(
        "{{\"timestamp\":\"{moment}\",\"level\":\"INFO\",\"event\":\"request_completed\",\"path\":\"/{at}\",\
         \"user_id\":\"u{}\",\"status_code\":200,\"duration\":0.5}}\n",
        at % 7
    )
}

/// A segment of a hundred lines, sealed or not, with damage; the file's name.
fn damaged(folder: &Path, is_sealed: bool, damage: &str) -> &'static str {
    let mut writer = Writer::open(small(folder)).unwrap();
    writer.ingest((0..100).map(line).collect::<String>().as_bytes(), NOW).unwrap();
    writer.roll(NOW).unwrap();
    if is_sealed {
        writer.take_care(NOW).unwrap();
    }
    drop(writer);
    let name = if is_sealed { "00000001.segment" } else { "00000001.hot" };
    let file = rusqlite::Connection::open(folder.join(name)).unwrap();
    assert_eq!(file.execute(damage, []).unwrap(), 3, "{damage}");
    name
}

fn question(filter: &str, order: Order) -> Question {
    let filter = Expression::parse(filter).unwrap();
    Question { filter, since: None, until: None, order, skip: 0, limit: 1000, count_to: 1000 }
}

#[test]
fn rows_that_make_no_sense_are_left_out_and_told_and_the_others_answer() {
    for (damage, is_sealed) in DAMAGES.iter().flat_map(|damage| [(damage, true), (damage, false)]) {
        let folder = tempfile::tempdir().unwrap();
        let name = damaged(folder.path(), is_sealed, damage);
        let reader = Reader::new(folder.path());
        for (filter, order) in [("", Order::Newest), ("", Order::Oldest), ("level:info", Order::Newest)] {
            let page = reader.search(&question(filter, order), &|| false).unwrap();
            assert_eq!(page.lines.len(), 97, "{damage}, {filter}: {:?}", page.troubles);
            assert_eq!(page.troubles.len(), 1, "{damage}, {filter}: {:?}", page.troubles);
            assert!(page.troubles[0].contains(name) && page.troubles[0].ends_with(": 3"), "{:?}", page.troubles);
        }
        let selection = Selection { filter: Expression::parse("").unwrap(), since: None, until: None };
        let exported = export(folder.path(), &selection, &|| false, &mut |_| Ok(())).unwrap();
        assert_eq!((exported.lines, exported.troubles.len()), (97, 1), "{damage}");
        let range = Range { since: NOW - HOUR, until: NOW + HOUR };
        let statistics = reader.statistics(range, &Expression::parse("level:info").unwrap(), &|| false).unwrap();
        let counted = statistics.stats().total_records;
        // Statistics do not look at users.
        let expected = if damage.contains("user") { (100, 0) } else { (97, 1) };
        assert_eq!((counted, statistics.troubles().len()), expected, "{damage}: {:?}", statistics.troubles());
        let findings = check(folder.path(), &|| false).unwrap();
        assert!(findings.problems.iter().filter(|problem| problem.file == name).count() >= 3, "{damage}");
    }
}
