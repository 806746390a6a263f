//! A disk without room: storing stops, says so and counts, what was stored answers; when there is room again it goes on.

use gatelog::store::{Error, Reader, Records, Writer};

use crate::disk::{behind, run_behind, set};
use crate::naive::{Naive, everything};
use crate::records::NOW;
use crate::work::{lines, scratch, settings};

#[test]
fn a_full_disk_stops_the_storing_and_nothing_else() {
    let root = scratch();
    run_behind("full::days_of_a_full_disk", root.path(), None);
}

/// The process behind the disk: by itself it does nothing.
#[test]
fn days_of_a_full_disk() {
    let Some(root) = behind() else { return };
    let (lines, folder) = (lines(200), root.join("store"));
    let mut writer = Writer::open(settings(&folder)).unwrap();
    let mut stored: Vec<String> = Vec::new();
    let mut lost = 0;
    for (at, some) in lines.chunks(20).enumerate() {
        // Full from the third batch to the seventh.
        let is_full = (2..7).contains(&at);
        set(&root, if is_full { "enospc" } else { "none" }, 0, u64::MAX >> 1);
        let told = writer.ingest(some.join("\n").as_bytes(), NOW).and_then(|_| writer.commit());
        match told {
            Ok(written) => {
                stored.extend_from_slice(some);
                assert!(
                    !is_full && written.durable == stored.len() as u64 && written.lost == lost,
                    "{at}: {written:?}"
                );
            }
            Err(error) => {
                lost += error.lines;
                assert!(is_full && error.lines == 20, "{at}: {error}");
                // Later it is the opening that fails, of which SQLite says only that it does.
                assert!(at > 2 || matches!(error.source, Error::Full { .. }), "{at}: {error:?}");
            }
        }
        set(&root, "none", 0, 0);
        let page = Reader::new(&folder).search(&everything(), &|| false).unwrap();
        assert_eq!(page.troubles, Vec::<String>::new());
        Naive::of(&stored).judge(&everything(), &page).unwrap();
    }
    assert_eq!((lost, stored.len()), (100, 100));
}
