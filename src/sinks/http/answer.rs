//! What a collector's answer means, by its status alone.

use http::StatusCode;

use crate::net::post::{Answer, excerpt};
use crate::sinks::delivery::Verdict;

/// What became of a batch; `None` where the status says that it was taken, and the body may say more.
///
/// 408, 429 and 5xx are worth another attempt. So is a redirect, which is not followed: whoever moved the collector may
/// change the configuration, and until then nothing is lost. 413 is about the size of the batch. Other 4xx are refusals for good.
pub fn judge(answer: &Answer) -> Option<Verdict> {
    let status = answer.status;
    let said = format!("{status}{}", excerpt(&answer.body));
    match status {
        _ if status.is_success() => None,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            Some(Verdict::Again { said, after: answer.retry_after })
        }
        StatusCode::PAYLOAD_TOO_LARGE => Some(Verdict::TooLarge { said }),
        _ if status.is_client_error() => Some(Verdict::Rejected { said }),
        _ if status.is_redirection() => {
            let location = answer.location.as_deref().map(|location| excerpt(location.as_bytes())).unwrap_or_default();
            Some(Verdict::Again { said: format!("{status}{location}, which is not followed"), after: None })
        }
        _ => Some(Verdict::Again { said, after: answer.retry_after }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn judged(status: u16) -> Option<Verdict> {
        let after = Some(Duration::from_secs(7));
        let status = StatusCode::from_u16(status).unwrap();
        let location = Some("http://elsewhere/".to_owned());
        judge(&Answer { status, retry_after: after, location, body: b"no\x1b[31m\n way ".to_vec(), whole: true })
    }

    #[test]
    fn statuses_are_taken_refused_or_tried_again() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(judged(status), None, "{status}");
        }
        for status in [400, 401, 403, 404, 409, 418, 422, 451] {
            assert!(matches!(judged(status), Some(Verdict::Rejected { .. })), "{status}");
        }
        assert!(matches!(judged(413), Some(Verdict::TooLarge { .. })));
        for status in [408, 429, 500, 502, 503, 504, 599] {
            assert!(matches!(judged(status), Some(Verdict::Again { after: Some(_), .. })), "{status}");
        }
        for status in [301, 302, 304, 307, 308, 600, 999] {
            assert!(matches!(judged(status), Some(Verdict::Again { .. })), "{status}");
        }
    }

    #[test]
    fn what_was_said_is_shown_on_one_short_line_without_controls() {
        let Some(Verdict::Rejected { said }) = judged(403) else { panic!("a refusal") };
        assert_eq!(said, "403 Forbidden: no [31m way");
        let Some(Verdict::Again { said, .. }) = judged(302) else { panic!("another attempt") };
        assert_eq!(said, "302 Found: http://elsewhere/, which is not followed");
    }
}
