//! Messages as a mail program reads them.

use mailparse::{MailHeaderMap, ParsedMail, parse_mail};
use proptest::prelude::*;

use super::*;
use crate::alert::words::samples;

const NOW: u64 = 1_785_585_601_000_000;

fn of(notices: Vec<Notice>, prefix: &str) -> Vec<u8> {
    let batch = Batch { notices: notices.into_iter().map(Into::into).collect(), dropped: 0 };
    let to = ["ops@example.com", "Jürgen Groß <j@example.com>"].map(|address| super::super::mailbox(address).unwrap());
    write(&batch, &super::super::mailbox("gatelog <log@example.org>").unwrap(), &to, prefix, NOW).unwrap()
}

fn header(mail: &ParsedMail, name: &str) -> String {
    let values = mail.headers.get_all_values(name);
    assert_eq!(values.len(), 1, "{name}: {values:?}");
    values[0].clone()
}

fn names(mail: &ParsedMail) -> Vec<String> {
    mail.headers.iter().map(|header| header.get_key()).collect()
}

#[test]
fn a_mail_has_text_html_and_the_records() {
    let bytes = of(vec![samples::notice(Kind::Fired)], "[gatelog]");
    let mail = parse_mail(&bytes).unwrap();
    assert_eq!(
        header(&mail, "Subject"),
        "[gatelog] FIRING critical: error_rate route=checkout, 12 records in 1m, above 10 - shop (production)"
    );
    assert_eq!(header(&mail, "From"), "\"gatelog\" <log@example.org>".replace('"', ""));
    assert_eq!(header(&mail, "To"), "ops@example.com, Jürgen Groß <j@example.com>");
    assert_eq!(header(&mail, "Date"), "Sat, 01 Aug 2026 12:00:01 +0000");
    assert_eq!(header(&mail, "Auto-Submitted"), "auto-generated");
    assert_eq!(header(&mail, "X-Gatelog-Alert"), "error_rate/route=checkout");
    let words = &mail.subparts[0];
    assert_eq!(
        (mail.ctype.mimetype.as_str(), words.ctype.mimetype.as_str()),
        ("multipart/mixed", "multipart/alternative")
    );
    let body = |part: &ParsedMail| part.get_body().unwrap().replace("\r\n", "\n");
    assert_eq!(words.subparts[0].ctype.mimetype, "text/plain");
    assert_eq!(body(&words.subparts[0]).trim_end(), include_str!("../../words/samples/fired.txt").trim_end());
    assert_eq!(words.subparts[1].ctype.mimetype, "text/html");
    assert_eq!(body(&words.subparts[1]).trim_end(), include_str!("../../words/samples/fired.html").trim_end());
    let attachment = &mail.subparts[1];
    assert_eq!(attachment.get_content_disposition().params["filename"], "records.jsonl");
    let records = String::from_utf8(attachment.get_body_raw().unwrap()).unwrap();
    assert_eq!(records.lines().collect::<Vec<_>>(), samples::notice(Kind::Fired).evidence.records);
}

#[test]
fn all_that_is_said_of_an_alert_is_one_thread() {
    let [fired, repeated, resolved] =
        [Kind::Fired, Kind::Repeated, Kind::Resolved].map(|kind| of(vec![samples::notice(kind)], ""));
    let fired = parse_mail(&fired).unwrap();
    let root = header(&fired, "Message-ID");
    assert!(fired.headers.get_first_value("References").is_none());
    let mut ids = vec![root.clone()];
    for later in [repeated, resolved] {
        let later = parse_mail(&later).unwrap();
        assert_eq!((header(&later, "In-Reply-To"), header(&later, "References")), (root.clone(), root.clone()));
        ids.push(header(&later, "Message-ID"));
    }
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
}

#[test]
fn a_mail_of_several_is_in_the_threads_of_all() {
    let other = Notice { key: "other".to_owned(), ..samples::notice(Kind::Fired) };
    let both = of(vec![samples::notice(Kind::Fired), other.clone()], "");
    let alone = [samples::notice(Kind::Fired), other].map(|notice| of(vec![notice], ""));
    let roots = alone.map(|mail| header(&parse_mail(&mail).unwrap(), "Message-ID")).join(" ");
    assert_eq!(header(&parse_mail(&both).unwrap(), "References"), roots);
    assert_eq!(header(&parse_mail(&both).unwrap(), "X-Gatelog-Alert"), "error_rate/route=checkout, other");
}

#[test]
fn a_notice_without_records_has_no_attachment() {
    let mut notice = samples::notice(Kind::Test);
    notice.evidence.records.clear();
    let bytes = of(vec![notice], "");
    let mail = parse_mail(&bytes).unwrap();
    assert_eq!((mail.ctype.mimetype.as_str(), mail.subparts.len()), ("multipart/alternative", 2));
}

#[test]
fn a_subject_beyond_ascii_is_encoded_and_read_back() {
    let notice = Notice { summary: "12 Aufträge in 1m, über 10 €".to_owned(), ..samples::notice(Kind::Fired) };
    let bytes = of(vec![notice], "[läden]");
    assert!(bytes.is_ascii());
    let subject = header(&parse_mail(&bytes).unwrap(), "Subject");
    assert!(
        subject.starts_with("[läden] FIRING critical: error_rate route=checkout, 12 Aufträge in 1m, über 10 €"),
        "{subject}"
    );
}

proptest! {
    #[test]
    fn no_text_becomes_a_header_and_no_line_is_too_long(one in samples::any_notice(), prefix in any::<String>()) {
        let kind = one.kind;
        let bytes = of(vec![one], &prefix);
        prop_assert!(bytes.is_ascii());
        let text = String::from_utf8(bytes.clone()).unwrap();
        for line in text.split("\r\n") {
            prop_assert!(line.len() <= 998 && !line.contains(['\r', '\n']), "{line:?}");
        }
        let mail = parse_mail(&bytes).unwrap();
        let mut expected = vec!["From", "Date", "Subject", "Message-ID", "Auto-Submitted", "X-Gatelog-Alert", "To"];
        if matches!(kind, Kind::Repeated | Kind::Resolved) {
            expected.extend(["In-Reply-To", "References"]);
        }
        expected.extend(["MIME-Version", "Content-Type"]);
        prop_assert_eq!(names(&mail), expected);
        prop_assert!(!header(&mail, "Subject").contains(['\r', '\n']));
        prop_assert_eq!(mail.subparts.len(), 2);
    }
}
