//! An OpenTelemetry collector: OTLP/HTTP, protobuf, logs.
//!
//! Lines come in the OpenTelemetry schema, whose names and types are those of the protocol's own data model, so that
//! nothing is renamed here. Partial success is honoured: what was refused is counted and never sent again, as the
//! protocol has it.

mod convert;
mod proto;

use bytes::Bytes;
use prost::Message;

use crate::net::post::{Answer, Client, Interest};
use crate::pipeline::{OtlpSettings, Port, Stamp};

use super::delivery::{self, Collector, Verdict};
use super::handover::Started;
use super::http::{client, excerpt, judge};
use super::lines::Lines;
use super::peer::NetworkError;

/// Bytes of the longest answer that is read.
const LONGEST_ANSWER: usize = 64 * 1024;

/// Starts the thread of an output of type `otlp`; `taken` as for [`delivery::start`].
///
/// # Errors
///
/// What is in the way.
pub fn start(port: &Port, stamp: &Stamp, settings: &OtlpSettings, taken: bool) -> Result<Started, NetworkError> {
    let collector = || Ok(OtlpCollector { client: client(&settings.request, settings.delivery.timeout)? });
    let collectors: Result<Vec<_>, NetworkError> = (0..settings.delivery.concurrency).map(|_| collector()).collect();
    Ok(delivery::start(port, stamp, &settings.delivery, collectors?, taken)?)
}

/// Posts lines as `ExportLogsServiceRequest`.
struct OtlpCollector {
    client: Client,
}

impl Collector for OtlpCollector {
    async fn deliver(&mut self, lines: &Lines) -> Verdict {
        let body = Bytes::from(convert::request(lines).encode_to_vec());
        match self.client.post(body, "application/x-protobuf", Interest::Body(LONGEST_ANSWER)).await {
            Ok(answer) => judge(&answer).unwrap_or_else(|| verdict(&answer)),
            Err(said) => Verdict::Again { said, after: None },
        }
    }
}

/// What a 2xx says. The status has accepted the records, so that a body which is none is reported and no reason to send
/// them again.
fn verdict(answer: &Answer) -> Verdict {
    let parsed = answer.whole.then(|| proto::Response::decode(answer.body.as_slice()).ok()).flatten();
    let Some(response) = parsed else {
        let said = format!("{}, but no answer of OTLP{}", answer.status, excerpt(&answer.body));
        return Verdict::Fewer { rejected: 0, said };
    };
    match response.partial_success {
        Some(partial) if partial.rejected_log_records > 0 || !partial.error_message.is_empty() => Verdict::Fewer {
            rejected: u64::try_from(partial.rejected_log_records).unwrap_or(0),
            said: format!("partial success{}", excerpt(partial.error_message.as_bytes())),
        },
        _ => Verdict::Accepted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    fn judged(body: Vec<u8>) -> Verdict {
        verdict(&Answer { status: StatusCode::OK, retry_after: None, location: None, body, whole: true })
    }

    #[test]
    fn partial_success_is_counted() {
        let partial = |rejected, message: &str| {
            let partial = proto::PartialSuccess { rejected_log_records: rejected, error_message: message.into() };
            judged(proto::Response { partial_success: Some(partial) }.encode_to_vec())
        };
        assert_eq!(judged(Vec::new()), Verdict::Accepted);
        assert_eq!(partial(0, ""), Verdict::Accepted);
        let said = "partial success: too old".to_owned();
        assert_eq!(partial(3, "too old"), Verdict::Fewer { rejected: 3, said: said.clone() });
        assert_eq!(partial(0, "too old"), Verdict::Fewer { rejected: 0, said });
    }

    #[test]
    fn garbage_behind_a_200_is_reported_and_nothing_is_sent_again() {
        assert!(matches!(judged(b"<html>".to_vec()), Verdict::Fewer { rejected: 0, said } if said.contains("<html>")));
    }
}
