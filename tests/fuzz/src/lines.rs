//! Logs of any bytes, in blocks of any size: every line is handed on once, as it stands, and what is found in them is what
//! is found in one piece.

use gatelog::filter::Expression;
use gatelog::search::files::LogFiles;
use gatelog::search::files::blocks::Blocks;
use gatelog::store::{Order, Page, Question, Records, Total};

/// The first byte is the size of a block; the rest is a log. Says how many records are in it.
pub fn run(data: &[u8]) -> usize {
    let Some((size, log)) = data.split_first() else { return 0 };
    let size = usize::from(*size) + 1;
    let mut blocks = Blocks::new(log, size);
    let (mut text, mut lines) = (Vec::new(), 1);
    while let Some(block) = blocks.next(Vec::new()).expect("memory can be read") {
        assert_eq!((block.offset, block.line), (text.len() as u64, lines), "where a block is");
        lines += block.bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        text.extend_from_slice(&block.bytes);
        assert!(block.bytes.ends_with(b"\n") || text.len() == log.len(), "a line is cut");
    }
    assert_eq!(text, log, "what was handed on");
    let (pieces, whole) = (search(log, size), search(log, 1 << 20));
    assert_eq!(pieces.lines, whole.lines, "what is found");
    assert_eq!(pieces.troubles, whole.troubles, "what is wrong");
    assert_eq!((pieces.total, pieces.partial), (whole.total, whole.partial));
    if !whole.partial {
        assert_eq!(whole.total, Total::Exact(whole.lines.len() as u64));
    }
    whole.lines.len()
}

fn search(log: &[u8], size: usize) -> Page {
    let log: Box<dyn std::io::Read + Send> = Box::new(std::io::Cursor::new(log.to_vec()));
    let files = LogFiles::streams(vec![("log".to_owned(), log)]).paced(1, size);
    let filter = Expression::parse("*").expect("it is a filter");
    let (order, limit) = (Order::Newest, 1 << 20);
    let question = Question { filter, since: None, until: None, order, skip: 0, limit, count_to: u64::MAX };
    files.search(&question, &|| false).expect("streams can be read")
}
