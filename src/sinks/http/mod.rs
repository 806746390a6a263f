//! An HTTP collector: batches are posted as `{"logs": […]}`, as NDJSON, or as `_bulk` of Elasticsearch and OpenSearch.
//!
//! HTTP/1.1, one connection for each request in flight, kept alive. hyper's connection does the protocol; there is no
//! pool, since there is nothing to share. Redirects are not followed: they are reported, and the batch is tried again. What
//! is read of an answer is bounded in bytes and in time.

mod answer;
mod body;
mod bulk;
mod client;
mod moment;

use bytes::Bytes;

use crate::net::post::{Client, Interest};
use crate::pipeline::{HttpBody, HttpSettings, Port, Stamp};

use super::delivery::{self, Collector, Verdict};
use super::handover::Started;
use super::lines::Lines;
use super::peer::NetworkError;

pub use crate::net::post::excerpt;
pub use answer::judge;
pub use client::client;

/// Starts the thread of an output of type `http`; `taken` as for [`delivery::start`].
///
/// # Errors
///
/// What is in the way.
pub fn start(port: &Port, stamp: &Stamp, settings: &HttpSettings, taken: bool) -> Result<Started, NetworkError> {
    let collector = || {
        let client = client(&settings.request, settings.delivery.timeout)?;
        Ok(HttpCollector { client, body: settings.body.clone() })
    };
    let collectors: Result<Vec<_>, NetworkError> = (0..settings.delivery.concurrency).map(|_| collector()).collect();
    Ok(delivery::start(port, stamp, &settings.delivery, collectors?, taken)?)
}

/// Posts lines in one of the three forms.
struct HttpCollector {
    client: Client,
    body: HttpBody,
}

impl Collector for HttpCollector {
    async fn deliver(&mut self, lines: &Lines) -> Verdict {
        let (body, kind, interest) = match &self.body {
            HttpBody::Logs => (body::logs(lines), "application/json", Interest::Status),
            HttpBody::Ndjson => (lines.bytes().to_vec(), "application/x-ndjson", Interest::Status),
            HttpBody::Elasticsearch { index } => {
                (bulk::body(index, lines), "application/x-ndjson", Interest::Body(bulk::LONGEST_ANSWER))
            }
        };
        let answer = match self.client.post(Bytes::from(body), kind, interest).await {
            Ok(answer) => answer,
            Err(said) => return Verdict::Again { said, after: None },
        };
        match (judge(&answer), &self.body) {
            (Some(verdict), _) => verdict,
            (None, HttpBody::Elasticsearch { .. }) => bulk::verdict(&answer, lines.len()),
            (None, _) => Verdict::Accepted,
        }
    }
}
