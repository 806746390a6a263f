//! A log as blocks of whole lines: so much at a time as one thread is given, whatever the log's length.

use std::io::{self, Read};

use memchr::{memchr, memchr_iter, memrchr};

/// Bytes of the longest line that is read, without its end; a longer one is passed over. A record of ours is bounded far
/// below.
pub const LONGEST_LINE: usize = 1 << 20;

/// Cuts a stream between its lines.
#[derive(Debug)]
pub struct Blocks<R> {
    source: R,
    /// What was read of the next block already.
    rest: Vec<u8>,
    size: usize,
    /// Of the next block's first line, from 1.
    line: u64,
    /// Bytes before the next block.
    offset: u64,
    is_at_end: bool,
    failure: Option<io::Error>,
}

/// Lines that stand behind one another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// Whole lines with their ends; the log's last line may be without.
    pub bytes: Vec<u8>,
    /// The number of its first line, from 1.
    pub line: u64,
    /// Bytes of the log before it.
    pub offset: u64,
    /// It is but one line, longer than [`LONGEST_LINE`], which is left out.
    pub is_too_long: bool,
}

impl<R: Read> Blocks<R> {
    /// Reads about `size` bytes at a time, at least 1; a line that is longer makes its block longer.
    pub fn new(source: R, size: usize) -> Blocks<R> {
        let size = size.clamp(1, LONGEST_LINE);
        Blocks { source, rest: Vec::new(), size, line: 1, offset: 0, is_at_end: false, failure: None }
    }

    /// The next block, in the memory of one that is done with; `None` at the end.
    ///
    /// # Errors
    /// Those of the source, after everything that could be read before them. Nothing comes behind one.
    pub fn next(&mut self, used: Vec<u8>) -> io::Result<Option<Block>> {
        let mut bytes = used;
        bytes.clear();
        bytes.append(&mut self.rest);
        let mut wanted = self.size;
        loop {
            self.fill(&mut bytes, wanted);
            if let Some(end) = memrchr(b'\n', &bytes) {
                self.rest.extend_from_slice(&bytes[end + 1..]);
                bytes.truncate(end + 1);
                return Ok(Some(self.block(bytes)));
            }
            if bytes.len() > LONGEST_LINE {
                return Ok(Some(self.pass_over(bytes)));
            }
            if self.is_at_end {
                return self.last(bytes);
            }
            wanted = (bytes.len() * 4).clamp(self.size, LONGEST_LINE + 1);
        }
    }

    /// Lines before the next block.
    pub fn lines(&self) -> u64 {
        self.line - 1
    }

    fn fill(&mut self, bytes: &mut Vec<u8>, wanted: usize) {
        let missing = wanted.saturating_sub(bytes.len());
        if self.is_at_end || missing == 0 {
            return;
        }
        match self.source.by_ref().take(missing as u64).read_to_end(bytes) {
            Ok(read) => self.is_at_end = read < missing,
            Err(error) => {
                self.is_at_end = true;
                self.failure = Some(error);
            }
        }
    }

    fn block(&mut self, bytes: Vec<u8>) -> Block {
        let block = Block { line: self.line, offset: self.offset, bytes, is_too_long: false };
        self.line += memchr_iter(b'\n', &block.bytes).count() as u64;
        self.offset += block.bytes.len() as u64;
        block
    }

    /// What stands behind the last line feed. A line that was cut off by an error is none.
    fn last(&mut self, bytes: Vec<u8>) -> io::Result<Option<Block>> {
        match self.failure.take() {
            Some(failure) => Err(failure),
            None if bytes.is_empty() => Ok(None),
            None => Ok(Some(self.block(bytes))),
        }
    }

    /// Skips the line that begins with these bytes.
    fn pass_over(&mut self, mut bytes: Vec<u8>) -> Block {
        let block = Block { line: self.line, offset: self.offset, bytes: Vec::new(), is_too_long: true };
        self.line += 1;
        loop {
            if let Some(end) = memchr(b'\n', &bytes) {
                self.offset += end as u64 + 1;
                self.rest.extend_from_slice(&bytes[end + 1..]);
                return block;
            }
            self.offset += bytes.len() as u64;
            bytes.clear();
            if self.is_at_end {
                return block;
            }
            self.fill(&mut bytes, self.size);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &[u8], size: usize) -> Vec<Block> {
        let mut blocks = Blocks::new(text, size);
        std::iter::from_fn(|| blocks.next(Vec::new()).unwrap()).collect()
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_and_those_around_it_stay() {
        let long = vec![b'x'; LONGEST_LINE + 1];
        let text = [b"a\n", long.as_slice(), b"\nb\n"].concat();
        for size in [1, 7, 1 << 16, LONGEST_LINE] {
            let blocks = all(&text, size);
            let shown: Vec<_> = blocks.iter().map(|block| (block.line, block.is_too_long)).collect();
            assert_eq!(shown, [(1, false), (2, true), (3, false)], "{size}");
            assert_eq!(blocks[2].offset, text.len() as u64 - 2);
            assert_eq!(blocks[2].bytes, b"b\n");
        }
    }

    #[test]
    fn a_line_that_just_fits_is_read() {
        for end in ["", "\n"] {
            let line = [vec![b'x'; LONGEST_LINE].as_slice(), end.as_bytes()].concat();
            assert!(all(&line, 100).iter().all(|block| block.bytes == line && !block.is_too_long));
        }
        let endless = vec![b'x'; 3 * LONGEST_LINE];
        assert_eq!(all(&endless, 100).iter().map(|block| block.is_too_long).collect::<Vec<_>>(), [true]);
    }

    #[test]
    fn an_error_comes_behind_the_lines_that_were_read() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::InvalidData.into())
            }
        }
        let mut blocks = Blocks::new(b"a\nb\ncut".chain(Broken), 100);
        assert_eq!(blocks.next(Vec::new()).unwrap().unwrap().bytes, b"a\nb\n");
        assert_eq!(blocks.next(Vec::new()).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(blocks.next(Vec::new()).unwrap(), None);
    }

    proptest! {
        #[test]
        fn blocks_are_the_log_cut_between_its_lines(text in "[ab\n]{0,60}", size in 1usize..20) {
            let (mut line, mut offset) = (1, 0);
            for block in all(text.as_bytes(), size) {
                prop_assert_eq!((block.line, block.offset), (line, offset));
                line += block.bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
                offset += block.bytes.len() as u64;
                prop_assert!(block.bytes.ends_with(b"\n") || offset == text.len() as u64);
                prop_assert!(!block.bytes.is_empty());
            }
            prop_assert_eq!(offset, text.len() as u64);
        }
    }
}
