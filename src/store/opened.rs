//! A segment that is open to be read: which of its blocks and rows a plan leaves.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crc32fast::Hasher;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, ToSql, params_from_iter};

use super::ask::Stop;
use super::block;
use super::encode::{ODD_REQUEST, odd, request_hash};
use super::error::Error;
use super::file::{self, Form};
use super::lexicon::Lexicon;
use super::plan::{self, Plan};
use super::postings;
use super::signature::{self, Asked, Named, SLICE};
use super::stored::{self, COLUMNS, Stored};
use super::stored_line::StoredLine;
use crate::filter::Pattern;

/// Rows that are looked at one by one; where there are more of them, whole blocks are.
const MAX_PICKED: usize = 100_000;

/// Rows of a block that are looked at whatever is known of the block.
const MAX_FEW: usize = 8;
/// Rows of a block that are looked at one by one.
const MAX_MARKED: u32 = 1024;
/// Words of the dictionary that may each be meant.
const MAX_WORDS: usize = 64;

/// A segment.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) number: u64,
    pub(super) form: Form,
    version: i64,
    path: PathBuf,
    file: Connection,
    lexicon: Lexicon,
}

/// A block that may hold what is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) id: i64,
    pub(super) lines: u64,
    /// Microseconds since the Unix epoch.
    pub(super) oldest: u64,
    pub(super) newest: u64,
}

/// Which rows may be meant.
#[derive(Debug, Default)]
pub(super) struct Picked {
    /// These alone, in the order of their numbers; `None`: any of them.
    rows: Option<Vec<i64>>,
    /// How many lines of each of these rows are meant, where that is known of all of them without reading them.
    lines: Option<Vec<u64>>,
    /// And all rows of blocks with one of these words.
    words: BTreeSet<u32>,
    /// For each text that must be there: the words that it may be, and where else it may stand.
    texts: Vec<(Vec<u32>, Vec<String>, String)>,
    /// Marks of the rows that may be meant, in blocks that have them.
    marks: Option<Asked>,
}

impl Opened {
    /// `None`: it is being made, and holds nothing yet.
    pub(super) fn open(folder: &Path, number: u64, form: Form) -> Result<Option<Opened>, Error> {
        let path = file::path(folder, number, form);
        if form == Form::Hot && file::is_empty(&path)? {
            return Ok(None);
        }
        let (file, version) = file::open_known(&path, form)?;
        file.set_prepared_statement_cache_capacity(32);
        Ok(Some(Opened { number, form, version, path, file, lexicon: Lexicon::default() }))
    }

    /// The same for one that may be sealed between being listed and being opened; one may be removed as well, which is no
    /// trouble.
    pub(super) fn open_or_sealed(folder: &Path, number: u64, form: Form) -> Result<Option<Opened>, Error> {
        match Opened::open(folder, number, form) {
            Err(Error::Disk { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => match form {
                Form::Hot => Opened::open_or_sealed(folder, number, Form::Sealed),
                _ => Ok(None),
            },
            opened => opened,
        }
    }

    /// What the engine says.
    pub(super) fn error(&self, error: rusqlite::Error) -> Error {
        Error::engine(&self.path)(error)
    }

    /// From now on all is as it is now.
    pub(super) fn begin(&self) -> rusqlite::Result<()> {
        self.file.execute_batch("BEGIN")
    }

    /// Until now.
    pub(super) fn end(&self) -> rusqlite::Result<()> {
        self.file.execute_batch("COMMIT")
    }

    /// The number of the last row; 0 where there is none.
    pub(super) fn last_row(&self) -> rusqlite::Result<i64> {
        self.file.query_row("SELECT coalesce(max(id), 0) FROM record", [], |row| row.get(0))
    }

    /// How many lines are in it.
    pub(super) fn lines(&self) -> rusqlite::Result<u64> {
        self.file.query_row("SELECT coalesce(sum(lines), 0) FROM block", [], |row| row.get(0))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The rows that came after the one of this number: the number of each, and where it is, in the order of their numbers.
    pub(super) fn rows_after(&self, number: u32) -> rusqlite::Result<Vec<(u32, u32)>> {
        let sql = match self.form {
            Form::Sealed => "SELECT n, id FROM record WHERE n > ?1",
            Form::Hot | Form::Part => "SELECT id, id FROM record WHERE id > ?1",
        };
        let mut select = self.file.prepare_cached(sql)?;
        let rows = select.query_map([number], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut rows: Vec<(u32, u32)> = rows.collect::<rusqlite::Result<_>>()?;
        rows.sort_unstable();
        Ok(rows)
    }

    /// The blocks with lines of the time that is asked for.
    pub(super) fn blocks(&self, plan: &Plan) -> rusqlite::Result<Vec<Candidate>> {
        let sql = "SELECT id, lines, oldest, newest FROM block WHERE newest >= ?1 AND oldest < ?2";
        let until = plan.until.unwrap_or(u64::MAX).min(i64::MAX as u64);
        let mut select = self.file.prepare_cached(sql)?;
        let rows = select.query_map([plan.since, until], |row| {
            Ok(Candidate { id: row.get(0)?, lines: row.get(1)?, oldest: row.get(2)?, newest: row.get(3)? })
        })?;
        rows.collect()
    }

    /// Which rows an index leaves.
    pub(super) fn pick(&self, plan: &Plan) -> rusqlite::Result<Picked> {
        let mut picked = Picked::default();
        for (members, text) in &plan.texts {
            picked.texts.push((self.spellings(text)?, members.clone(), text.clone()));
        }
        let is_sealed = self.form == Form::Sealed;
        if !is_sealed {
            picked.marks = self.marks(plan)?;
        }
        picked.rows = match plan {
            _ if picked.marks.is_some() => None,
            Plan { request: Some(id), .. } if is_sealed => {
                let values = [Sql::Integer(request_hash(id)), Sql::Integer(ODD_REQUEST)];
                self.ids("SELECT id FROM record INDEXED BY by_request WHERE request IN (?1, ?2)", &values)?
            }
            Plan { only_user: Some(pattern), user: Some(user), .. }
                if is_sealed && self.version >= file::WITH_POSTINGS =>
            {
                let (rows, lines) = self.of_user(user, pattern)?;
                picked.lines = lines;
                Some(rows)
            }
            Plan { user: Some(user), .. } if is_sealed => {
                let (values, places) = self.user(user, 1)?;
                self.ids(&format!("SELECT id FROM record INDEXED BY by_user WHERE user IN ({places})"), &values)?
            }
            Plan { words: Some(pattern), .. } if is_sealed && self.version < file::WITH_POSTINGS => {
                self.search(pattern, &mut picked.words)?
            }
            Plan { words: Some(pattern), .. } if is_sealed => self.with_texts(pattern)?,
            Plan { status: Some((least, _)), .. } if *least >= 500 => {
                let sql = "SELECT id FROM record INDEXED BY failed WHERE status >= 500 AND status >= ?1";
                self.ids(sql, &[Sql::Integer(*least)])?
            }
            Plan { duration: Some(least), .. } if *least >= 1_000_000 => {
                let sql = "SELECT id FROM record INDEXED BY long WHERE duration >= 1000000 AND duration >= ?1";
                self.ids(sql, &[Sql::Integer(*least)])?
            }
            Plan { level: Some(least), .. } => {
                let sql = "SELECT id FROM record INDEXED BY grave WHERE level >= 2 AND level >= ?1";
                self.ids(sql, &[Sql::Integer(*least)])?
            }
            _ => None,
        };
        Ok(picked)
    }

    /// The rows that may be of a user, and how many lines of each are; `None` where that takes reading them.
    fn of_user(&self, user: &str, pattern: &Pattern) -> rusqlite::Result<(Vec<i64>, Option<Vec<u64>>)> {
        let mut select = self.file.prepare_cached("SELECT id, both FROM record INDEXED BY by_user WHERE user = ?1")?;
        let (mut found, mut is_known) = (Vec::new(), true);
        for value in self.user(user, 1)?.0 {
            let is_meant = match &value {
                Sql::Text(text) => pattern.matches(text.as_bytes()),
                Sql::Integer(number) => u32::try_from(*number)
                    .ok()
                    .and_then(|number| self.lexicon.word(&self.file, number))
                    .is_some_and(|word| pattern.matches(word.as_bytes())),
                _ => false,
            };
            let before = found.len();
            let rows = select.query_map([&value], |row| {
                Ok((row.get(0)?, u64::from(is_meant) * (1 + u64::from(row.get::<_, bool>(1)?))))
            })?;
            found.extend(rows.collect::<rusqlite::Result<Vec<(i64, u64)>>>()?);
            // What is no text has to be looked at.
            is_known &= !matches!(value, Sql::Blob(_)) || found.len() == before;
        }
        found.sort_unstable();
        let (rows, lines) = found.into_iter().unzip();
        Ok((rows, is_known.then_some(lines)))
    }

    /// How many lines of a block are meant, where that is known.
    pub(super) fn count(&self, block: i64, picked: &Picked) -> Option<u64> {
        let (rows, lines) = (picked.rows.as_ref()?, picked.lines.as_ref()?);
        Some(lines[within(rows, block)].iter().sum())
    }

    /// Marks of one of which all rows that are meant have all.
    fn marks(&self, plan: &Plan) -> rusqlite::Result<Option<Asked>> {
        Ok(match plan {
            Plan { request: Some(id), .. } => Some(vec![signature::of_name(Named::Request, id).collect()]),
            Plan { user: Some(user), .. } => Some(vec![signature::of_name(Named::User, user).collect()]),
            Plan { words: Some(pattern), .. } => match signature::asked_texts(pattern.pieces()) {
                Some(marks) => {
                    let words = self.lexicon.matching(&self.file, pattern, MAX_WORDS)?;
                    let words = words.map(|words| words.into_iter().map(|word| signature::of_word(word).collect()));
                    words.map(|words| std::iter::once(marks).chain(words).collect())
                }
                None => None,
            },
            _ => None,
        })
    }

    /// The rows of a block that have marks; `None` where it has no signature, or most rows do.
    fn marked(&self, block: i64, asked: &Asked) -> rusqlite::Result<Option<Vec<i64>>> {
        const WORDS: usize = SLICE / 8;
        let mut select = self.file.prepare_cached("SELECT rows FROM slice WHERE id = ?1")?;
        let mut any = [0_u64; WORDS];
        for marks in asked {
            let mut all = [u64::MAX; WORDS];
            for mark in marks {
                let slice = select.query_row([block << signature::BITS | i64::from(*mark)], |row| {
                    let rows = row.get_ref(0)?.as_blob()?;
                    all.iter_mut().zip(rows.chunks_exact(8)).for_each(|(all, rows)| {
                        *all &= rows.try_into().map_or(u64::MAX, u64::from_le_bytes);
                    });
                    Ok(())
                });
                if slice.optional()?.is_none() {
                    return Ok(None);
                }
                if all.iter().all(|rows| *rows == 0) {
                    break;
                }
            }
            any.iter_mut().zip(all).for_each(|(any, all)| *any |= all);
        }
        let rows = any.iter().map(|rows| rows.count_ones()).sum::<u32>();
        let has = |row: &i64| any[*row as usize / 64] >> (*row % 64) & 1 == 1;
        let first = block << block::BITS;
        Ok((rows <= MAX_MARKED).then(|| (0..1 << block::BITS).filter(has).map(|row| first + row).collect()))
    }

    fn ids(&self, sql: &str, values: &[Sql]) -> rusqlite::Result<Option<Vec<i64>>> {
        let mut select = self.file.prepare_cached(sql)?;
        let rows = select.query_map(params_from_iter(values), |row| row.get(0))?;
        let mut ids: Vec<i64> = rows.take(MAX_PICKED + 1).collect::<rusqlite::Result<_>>()?;
        ids.sort_unstable();
        Ok((ids.len() <= MAX_PICKED).then_some(ids))
    }

    /// Rows with the trigrams of a pattern.
    fn with_texts(&self, pattern: &Pattern) -> rusqlite::Result<Option<Vec<i64>>> {
        let trigrams = plan::trigrams(pattern);
        if trigrams.is_empty() { Ok(None) } else { postings::find(&self.file, &trigrams, MAX_PICKED) }
    }

    /// The same of the first format; `words` are those of the dictionary that the pattern is in.
    fn search(&self, pattern: &Pattern, words: &mut BTreeSet<u32>) -> rusqlite::Result<Option<Vec<i64>>> {
        let Some(query) = plan::of_engine(pattern) else { return Ok(None) };
        let Some(ids) = self.ids("SELECT rowid FROM search WHERE search MATCH ?1", &[Sql::Text(query)])? else {
            return Ok(None);
        };
        let mut rows = Vec::new();
        for id in ids {
            match u32::try_from(-id) {
                Ok(word) if id < 0 => {
                    let is_in = self.lexicon.word(&self.file, word).is_none_or(|text| pattern.matches(text.as_bytes()));
                    words.extend(is_in.then_some(word));
                }
                _ => rows.push(id),
            }
        }
        Ok(Some(rows))
    }

    /// The words that are this text, but for the case of their letters.
    fn spellings(&self, text: &str) -> rusqlite::Result<Vec<u32>> {
        let mut select = self.file.prepare_cached("SELECT id FROM word WHERE text = ?1 COLLATE NOCASE")?;
        let rows = select.query_map([text], |row| row.get(0))?;
        rows.collect()
    }

    /// What the column of users may hold for one, and as many places for it.
    fn user(&self, user: &str, first: usize) -> rusqlite::Result<(Vec<Sql>, String)> {
        let mut values = vec![Sql::Text(user.to_owned()), odd()];
        values.extend(self.spellings(user)?.into_iter().map(|word| Sql::Integer(word.into())));
        let places: Vec<String> = (first..first + values.len()).map(|at| format!("?{at}")).collect();
        Ok((values, places.join(", ")))
    }

    /// Calls `each` with the rows of a block that may be meant, the last ones first if `newest`, until it says no. It says
    /// `None` of one that makes no sense. Returns the numbers of those that make none: they are left out, the others are not.
    pub(super) fn rows(
        &self,
        id: i64,
        plan: &Plan,
        picked: &Picked,
        newest: bool,
        mut each: impl FnMut(&Stored<'_>, &Connection, &Lexicon) -> Option<bool>,
    ) -> Result<Vec<i64>, Error> {
        let mut senseless = Vec::new();
        self.each_row(id, plan, picked, newest, |row| {
            let goes_on = self.make_out(row, &mut each)?;
            if goes_on.is_none() {
                senseless.push(row.get(0).unwrap_or_default());
            }
            Ok(goes_on.unwrap_or(true))
        })?;
        Ok(senseless)
    }

    /// What `read` makes of a row; `None` where it makes no sense.
    fn make_out<T>(
        &self,
        row: &rusqlite::Row<'_>,
        read: impl FnOnce(&Stored<'_>, &Connection, &Lexicon) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let made = Stored::read(row, 0).and_then(|stored| {
            let made = read(&stored, &self.file, &self.lexicon);
            self.lexicon.failure().map(|()| made)
        });
        made.or_else(|error| if is_of_the_row(&error) { Ok(None) } else { Err(self.error(error)) })
    }

    fn each_row(
        &self,
        id: i64,
        plan: &Plan,
        picked: &Picked,
        newest: bool,
        mut show: impl FnMut(&rusqlite::Row<'_>) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let error = |error| self.error(error);
        let (from, to) = (id << block::BITS, (id + 1) << block::BITS);
        let few = picked.rows.as_ref().map(|rows| within(rows, id)).filter(|rows| rows.len() <= MAX_FEW);
        let is_whole = match few {
            // To look at these is no more than to look whether to.
            Some(_) if picked.words.is_empty() => Some(false),
            _ => self.may_hold(id, picked).map_err(error)?,
        };
        let marked = match &picked.marks {
            Some(asked) if is_whole.is_some() => self.marked(id, asked).map_err(error)?,
            _ => None,
        };
        let rows = match (is_whole, &picked.rows, &marked) {
            (None, ..) => return Ok(()),
            (_, _, Some(rows)) => rows.as_slice(),
            (Some(false), Some(rows), None) => &rows[within(rows, id)],
            _ => return self.scan(from, to, plan, newest, show),
        };
        let mut select =
            self.file.prepare_cached(&format!("SELECT {COLUMNS} FROM record WHERE id = ?1")).map_err(error)?;
        for at in 0..rows.len() {
            let id = rows[if newest { rows.len() - 1 - at } else { at }];
            let mut found = select.query([id]).map_err(error)?;
            if let Some(row) = found.next().map_err(error)?
                && !show(row)?
            {
                break;
            }
        }
        Ok(())
    }

    fn scan(
        &self,
        from: i64,
        to: i64,
        plan: &Plan,
        newest: bool,
        mut show: impl FnMut(&rusqlite::Row<'_>) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let error = |error| self.error(error);
        let (clauses, values) = self.clauses(from, to, plan).map_err(error)?;
        let order = if newest { "DESC" } else { "ASC" };
        let sql = format!("SELECT {COLUMNS} FROM record NOT INDEXED WHERE {clauses} ORDER BY id {order}");
        let mut select = self.file.prepare_cached(&sql).map_err(error)?;
        let mut rows = select.query(params_from_iter(values)).map_err(error)?;
        while let Some(row) = rows.next().map_err(error)? {
            if !show(row)? {
                break;
            }
        }
        Ok(())
    }

    /// What the columns say; all values are bound.
    fn clauses(&self, from: i64, to: i64, plan: &Plan) -> rusqlite::Result<(String, Vec<Sql>)> {
        let mut clauses = "id >= ?1 AND id < ?2".to_owned();
        let mut values = vec![Sql::Integer(from), Sql::Integer(to)];
        let mut and = |clause: &str, value: i64| {
            values.push(Sql::Integer(value));
            clauses.push_str(&format!(" AND {}", clause.replace('?', &format!("?{}", values.len()))));
        };
        and("at >= ?", i64::try_from(plan.since).unwrap_or(i64::MAX));
        if let Some((least, greatest)) = plan.status {
            and("status >= ?", least);
            and("(status <= ? OR typeof(status) = 'blob')", greatest);
        }
        plan.duration.into_iter().for_each(|least| and("duration >= ?", least));
        plan.level.into_iter().for_each(|least| and("level >= ?", least));
        if let Some(id) = &plan.request {
            and("request IN (?, -1)", request_hash(id));
        }
        if let Some(user) = &plan.user {
            let (users, places) = self.user(user, values.len() + 1)?;
            clauses.push_str(&format!(" AND user IN ({places})"));
            values.extend(users);
        }
        Ok((clauses, values))
    }

    /// Whether a block can hold what is wanted at all; and whether in rows that were not picked.
    fn may_hold(&self, id: i64, picked: &Picked) -> rusqlite::Result<Option<bool>> {
        if picked.texts.is_empty() && picked.words.is_empty() {
            return Ok(Some(false));
        }
        let mut select = self.file.prepare_cached("SELECT words, digest FROM block WHERE id = ?1")?;
        select.query_row([id], |row| {
            let (words, digest) = (row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?);
            let uses = |wanted: &dyn Fn(u32) -> bool| !block::each_word(words, |word| !wanted(word));
            let holds = |(spellings, members, text): &(Vec<u32>, Vec<String>, String)| {
                block::may_hold(digest, text)
                    || members.iter().any(|member| block::may_be_opaque(digest, member))
                    || block::may_be_opaque(digest, super::encode::EVERYTHING)
                    || (!spellings.is_empty() && uses(&|word| spellings.contains(&word)))
            };
            if !picked.texts.iter().all(holds) {
                return Ok(None);
            }
            Ok(Some(!picked.words.is_empty() && uses(&|word| picked.words.contains(&word))))
        })
    }

    /// A row by its number; `None` where it makes no sense.
    pub(super) fn row<T>(
        &self,
        id: i64,
        read: impl FnOnce(&Stored<'_>, &Connection, &Lexicon) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let error = |error| self.error(error);
        let mut select =
            self.file.prepare_cached(&format!("SELECT {COLUMNS} FROM record WHERE id = ?1")).map_err(error)?;
        let mut rows = select.query([id]).map_err(error)?;
        let row = rows.next().map_err(error)?.ok_or_else(|| Error::broken(&self.path, "a row is gone"))?;
        self.make_out(row, read)
    }

    /// Looks through all of it: the engine's own check, and each row as it was written.
    pub(super) fn check(&self, stop: Stop<'_>) -> Result<Checked, Error> {
        let error = |error| self.error(error);
        let mut checked = Checked::default();
        self.file
            .pragma_query(None, "integrity_check", |row| {
                let said: String = row.get(0)?;
                checked.wrong.extend((said != "ok").then_some(said));
                Ok(())
            })
            .map_err(error)?;
        self.begin().map_err(error)?;
        for block in self.blocks(&Plan::default()).map_err(error)? {
            checked.partial |= stop();
            if checked.partial {
                break;
            }
            self.check_block(&block, &mut checked)?;
        }
        if self.form == Form::Sealed {
            for (name, of, _) in stored::SUMMED.iter().filter(|(_, _, since)| *since <= self.version) {
                let known = self.sum("SELECT value FROM sum WHERE name = ?1", name).map_err(error)?;
                let wrong = known != Some(stored::sum(&self.file, of).map_err(error)?);
                checked.wrong.extend(wrong.then(|| format!("{name}: not as it was written")));
            }
        }
        self.end().map_err(error)?;
        Ok(checked)
    }

    fn check_block(&self, block: &Candidate, checked: &mut Checked) -> Result<(), Error> {
        let (mut lines, mut sum, time) = (0, Hasher::new(), block.oldest..=block.newest);
        let senseless = self.rows(block.id, &Plan::default(), &Picked::default(), false, |row, file, lexicon| {
            row.sum(&mut sum);
            let read = row.lines(file, lexicon).filter(|lines| lines.iter().all(StoredLine::is_known))?;
            lines += read.len() as u64;
            let late = read.iter().any(|line| !time.contains(&line.at));
            checked.wrong.extend(late.then(|| format!("record {} is not of its block's time", row.id)));
            Some(checked.wrong.len() < MAX_WRONG)
        })?;
        checked.wrong.extend(senseless.iter().take(MAX_WRONG).map(|id| format!("record {id} makes no sense")));
        checked.records += lines;
        let known = self.sum("SELECT sum FROM block WHERE id = ?1", &block.id).map_err(|error| self.error(error))?;
        let wrong = known.is_some_and(|known| known != sum.finalize());
        checked.wrong.extend(wrong.then(|| format!("block {}: not as it was written", block.id)));
        if lines != block.lines && checked.wrong.is_empty() {
            checked.wrong.push(format!("block {}: {lines} records of {}", block.id, block.lines));
        }
        Ok(())
    }
}

impl Opened {
    fn sum(&self, sql: &str, of: &dyn ToSql) -> rusqlite::Result<Option<u32>> {
        self.file.query_row(sql, [of], |row| row.get(0)).optional().map(Option::flatten)
    }
}

/// Which of some rows are those of a block.
fn within(rows: &[i64], block: i64) -> std::ops::Range<usize> {
    let behind = |block: i64| rows.partition_point(|id| *id < block << block::BITS);
    behind(block)..behind(block + 1)
}

/// Whether it is what a row holds that is wrong: the engine itself had nothing to say against it.
fn is_of_the_row(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_none()
}

/// What is wrong with a segment.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) records: u64,
    pub(super) wrong: Vec<String>,
    pub(super) partial: bool,
}

/// Things that are wrong with a segment; with more of them it is not looked through any further.
const MAX_WRONG: usize = 100;
