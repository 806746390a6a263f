//! A batch as a message: text and HTML side by side, the records as an attachment, and headers by which mail programs put
//! all that is said about one alert into one thread.

use std::time::{Duration, UNIX_EPOCH};

use lettre::Message;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Body, Mailbox, MaybeString, MultiPart, SinglePart};
use ring::digest::{SHA256, digest};

use crate::alert::notice::{Kind, Notice};
use crate::alert::words::{Batch, cut, headline, html, line, text};

/// Characters of a header of ours.
const HEADER: usize = 200;
/// Alerts of a batch whose threads it is put into.
const THREADS: usize = 10;
/// Bytes of the attachment, which is as many whole records as that holds.
const RECORDS: usize = 512 * 1024;

/// Writes a message. `now` is in microseconds since the Unix epoch.
pub(super) fn write(
    batch: &Batch,
    from: &Mailbox,
    to: &[Mailbox],
    prefix: &str,
    now: u64,
) -> Result<Vec<u8>, lettre::error::Error> {
    let subject = [line(prefix, HEADER), headline(batch)].join(" ");
    let mut builder = Message::builder()
        .from(from.clone())
        .date(UNIX_EPOCH + Duration::from_secs(now / 1_000_000))
        .subject(word(subject.trim()))
        .message_id(Some(message_id(batch, from.email.domain(), now)))
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .raw_header(header("X-Gatelog-Alert", &keys(batch)));
    for mailbox in to {
        builder = builder.to(mailbox.clone());
    }
    let threads = threads(batch, from.email.domain());
    if let Some(first) = threads.first() {
        builder = builder.in_reply_to(first.clone()).references(threads.join(" "));
    }
    Ok(builder.multipart(content(batch))?.formatted())
}

fn content(batch: &Batch) -> MultiPart {
    let part = |kind, text: String| {
        SinglePart::builder().header(kind).body(encoded(text, ContentTransferEncoding::QuotedPrintable))
    };
    let words = MultiPart::alternative()
        .singlepart(part(ContentType::TEXT_PLAIN, text::batch(batch)))
        .singlepart(part(ContentType::TEXT_HTML, html::batch(batch)));
    let records = records(batch);
    match ContentType::parse("application/x-ndjson") {
        Ok(kind) if !records.is_empty() => {
            let body = encoded(records, ContentTransferEncoding::Base64);
            let attachment = Attachment::new("records.jsonl".to_owned()).body(body, kind);
            MultiPart::mixed().multipart(words).singlepart(attachment)
        }
        _ => words,
    }
}

/// In an encoding that takes anything: what the library would choose may leave line feeds as they are, which no mail may have.
fn encoded(content: impl Into<MaybeString>, encoding: ContentTransferEncoding) -> Body {
    Body::new_with_encoding(content, encoding).unwrap_or_else(Body::new)
}

/// The records as they are in the log, those of the first notice first, none twice.
fn records(batch: &Batch) -> Vec<u8> {
    let mut lines: Vec<&str> = Vec::new();
    let mut room = RECORDS;
    for record in batch.notices.iter().flat_map(|notice| &notice.evidence.records).map(|record| record.trim_end()) {
        if record.len() < room && !lines.contains(&record) {
            room -= record.len() + 1;
            lines.push(record);
        }
    }
    lines.iter().flat_map(|line| [line.as_bytes(), b"\n"]).collect::<Vec<_>>().concat()
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), word(value))
}

/// What is neither an encoded word nor looks like one: programs would read it as what it encodes.
fn word(text: &str) -> String {
    line(text, 2 * HEADER).replace("=?", "= ?")
}

fn keys(batch: &Batch) -> String {
    let keys: Vec<String> = batch.notices.iter().take(THREADS).map(|notice| line(&notice.key, HEADER)).collect();
    cut(&keys.join(", "), HEADER).into_owned()
}

/// What the threads of a batch begin with: the message that an alert fired with, whether or not it was ever sent alone.
fn threads(batch: &Batch, domain: &str) -> Vec<String> {
    let is_beginning = begins(batch).is_some();
    let alerts = batch.notices.iter().filter(|notice| !is_beginning && notice.kind != Kind::Test);
    let mut threads = Vec::new();
    for root in alerts.map(|notice| root(notice, domain)) {
        if threads.len() < THREADS && !threads.contains(&root) {
            threads.push(root);
        }
    }
    threads
}

/// The notice that an alert fired with, where the message is about nothing else.
fn begins(batch: &Batch) -> Option<&Notice> {
    match batch.notices.as_slice() {
        [only] if only.kind == Kind::Fired => Some(only),
        _ => None,
    }
}

/// The id of the message that an alert fires with: the same for all who know its key and since when it is so.
fn root(notice: &Notice, domain: &str) -> String {
    format!("<alert.{}.{}@{domain}>", hash(&[&notice.key]), notice.since)
}

fn message_id(batch: &Batch, domain: &str, now: u64) -> String {
    match begins(batch) {
        Some(fired) => root(fired, domain),
        None => {
            let keys: Vec<&str> = batch.notices.iter().map(|notice| notice.key.as_str()).collect();
            let nonce = uuid::Uuid::now_v7().simple();
            format!("<notice.{}.{now}.{nonce}@{domain}>", hash(&keys))
        }
    }
}

fn hash(keys: &[&str]) -> String {
    let digest = digest(&SHA256, keys.join("\0").as_bytes());
    digest.as_ref().iter().take(10).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
