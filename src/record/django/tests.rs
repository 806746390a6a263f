//! Whole lines of both styles.

use super::*;
use crate::record::tests::samples::each;

fn lines(style: Style) -> String {
    let mut out = Vec::new();
    each(|_, record| Django::new(style, 4242).record(record, 3, &mut out));
    String::from_utf8(out).unwrap()
}

#[test]
fn verbose_has_time_module_process_and_thread() {
    assert_eq!(
        lines(Style::Verbose),
        r#"INFO 2026-11-22 11:02:36,000 request 4242 3 Request started: GET /posts/42/?page=2&q=a+b view="blog:post detail" ip=203.0.113.7 request_id=01997f3e-0001-7000-8000-000000000001
WARNING 2026-11-22 11:02:36,000 request 4242 3 Slow request detected: GET /posts/42/?page=2&q=a+b 53.2ms phase=wait view="blog:post detail" user=alice ip=203.0.113.7 request_id=01997f3e-0001-7000-8000-000000000001
INFO 2026-11-22 11:02:36,000 request 4242 3 Request completed: GET /posts/42/?page=2&q=a+b 200 53.2ms view="blog:post detail" user=alice ip=203.0.113.7 request_id=01997f3e-0001-7000-8000-000000000001
ERROR 2026-11-22 11:02:36,000 request 4242 3 Request failed with exception: PURGE /\xff" 502 0.3ms outcome=upstream_refused view=unknown request_id=f1 connection_refused: 127.0.0.1:8000 refused\u{a}the connection
ERROR 2026-11-22 11:02:36,000 request 4242 3 Request completed: PURGE /\xff" 502 0.3ms outcome=upstream_refused view=unknown request_id=f1 connection_refused: 127.0.0.1:8000 refused\u{a}the connection
WARNING 2026-11-22 11:02:36,000 security 4242 3 Request rejected: bare_lf: a line ends without CR 400 ip=192.0.2.1:999 request_id=r1
WARNING 2026-11-22 11:02:36,000 proxy 4242 3 Log records lost: 3 of stdout (seq 4 to 6): queue_full
INFO 2026-11-22 11:02:36,000 proxy 4242 3 Server started message="x y" listen=http://[::]:80,https://[::]:443 workers=2
"#
    );
}

#[test]
fn simple_is_the_same_without_what_stands_between_level_and_message() {
    let verbose = lines(Style::Verbose);
    let without = verbose.lines().map(|line| {
        let mut columns = line.splitn(7, ' ');
        let level = columns.next().unwrap();
        format!("{level} {}\n", columns.nth(5).unwrap())
    });
    assert_eq!(lines(Style::Simple), without.collect::<String>());
}
