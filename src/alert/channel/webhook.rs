//! Notices by HTTP POST.
//!
//! 2xx is delivered. 408, 429 and 5xx are tried again, after what `Retry-After` asks for where it is said; so is a redirect,
//! which is not followed: whoever moved the place may change the configuration within the hour. Other 4xx are refusals.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use serde_json::Value;

use crate::alert::settings::{WebhookBody, WebhookSettings};
use crate::alert::words::{Batch, alertmanager, json, pagerduty, slack};
use crate::net::post::{Answer, Client, Interest, excerpt};

use super::means::{Unusable, Verdict};

/// Posts to one URL.
pub(super) struct Webhook {
    client: Client,
    body: WebhookBody,
    /// What an answer may repeat, and nobody else is to see.
    secrets: Vec<String>,
}

/// The requests that a message takes.
#[derive(Debug)]
pub(super) struct Posts {
    /// Those that are still to be sent, in order.
    left: VecDeque<Bytes>,
    /// Whether any was taken.
    any: bool,
    /// What was said to those that were refused.
    refused: Vec<String>,
}

impl Webhook {
    pub(super) fn new(settings: &WebhookSettings, timeout: Duration) -> Result<Webhook, Unusable> {
        let url: Uri = settings.url.expose().parse().map_err(|_| Unusable::Url)?;
        if !matches!(url.scheme_str(), Some("http" | "https")) {
            return Err(Unusable::Url);
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &settings.headers {
            let mut sent = HeaderValue::from_str(value.expose()).map_err(|_| Unusable::Header(name.clone()))?;
            sent.set_sensitive(true);
            headers.append(name, sent);
        }
        let client = Client::new(settings.peer.dialer()?, &url, headers, timeout);
        Ok(Webhook { client, body: settings.body.clone(), secrets: secrets(settings, &url) })
    }

    /// Writes a batch in the format of the other side.
    pub(super) fn write(&self, batch: &Batch) -> Posts {
        let bodies = match &self.body {
            WebhookBody::Json => vec![json::batch(batch)],
            WebhookBody::Slack => vec![slack::batch(batch)],
            WebhookBody::PagerDuty { routing_key } => pagerduty::events(batch, routing_key.expose()),
            WebhookBody::Alertmanager => vec![alertmanager::alerts(batch)],
        };
        let left = bodies.iter().map(Value::to_string).map(Bytes::from).collect();
        Posts { left, any: false, refused: Vec::new() }
    }

    /// Sends what is left, in order; those that were taken or refused are not sent again.
    pub(super) async fn send(&mut self, posts: &mut Posts) -> Verdict {
        while let Some(body) = posts.left.front() {
            match self.post(body.clone()).await {
                Verdict::Again { said, after } => return Verdict::Again { said, after },
                Verdict::Delivered { .. } => posts.any = true,
                Verdict::Refused { said } => posts.refused.push(said),
            }
            posts.left.pop_front();
        }
        Verdict::of_all(posts.any, &posts.refused)
    }

    async fn post(&mut self, body: Bytes) -> Verdict {
        match self.client.post(body, "application/json", Interest::Status).await {
            Ok(answer) => judge(&answer, |said| self.without_secrets(said)),
            Err(said) => Verdict::again(self.without_secrets(said)),
        }
    }

    fn without_secrets(&self, said: String) -> String {
        self.secrets.iter().fold(said, |said, secret| said.replace(secret, "***"))
    }
}

/// What a message of a server may repeat: the path is the secret of most of these URLs. One that is too short to be any would
/// leave nothing to read.
fn secrets(settings: &WebhookSettings, url: &Uri) -> Vec<String> {
    let mut secrets = vec![settings.url.expose().to_owned(), url.path().to_owned()];
    secrets.extend(url.query().map(str::to_owned));
    secrets.extend(settings.headers.iter().map(|(_, value)| value.expose().to_owned()));
    if let WebhookBody::PagerDuty { routing_key } = &settings.body {
        secrets.push(routing_key.expose().to_owned());
    }
    secrets.retain(|secret| secret.len() >= 8);
    secrets
}

fn judge(answer: &Answer, clean: impl Fn(String) -> String) -> Verdict {
    let status = answer.status;
    // Before it is cut: a half of a secret is one as well.
    let body = clean(String::from_utf8_lossy(&answer.body).into_owned());
    let said = format!("{status}{}", excerpt(body.as_bytes()));
    match status {
        _ if status.is_success() => Verdict::Delivered { but: None },
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            Verdict::Again { said, after: answer.retry_after }
        }
        _ if status.is_client_error() => Verdict::Refused { said },
        _ if status.is_redirection() => Verdict::again(format!("{status}, which is not followed")),
        _ => Verdict::Again { said, after: answer.retry_after },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Target;
    use crate::secret::Secret;

    fn settings(url: &str) -> WebhookSettings {
        let peer = Target { host: "127.0.0.1".to_owned(), port: 1, tls: None };
        WebhookSettings { origin: 0, url: Secret::new(url), peer, body: WebhookBody::Json, headers: Vec::new() }
    }

    fn judged(status: u16) -> Verdict {
        let status = StatusCode::from_u16(status).unwrap();
        let retry_after = Some(Duration::from_secs(7));
        judge(&Answer { status, retry_after, location: None, body: b"no\x1b way".to_vec(), whole: true }, |said| said)
    }

    #[test]
    fn statuses_are_taken_refused_or_tried_again() {
        for status in [200, 202, 204] {
            assert_eq!(judged(status), Verdict::Delivered { but: None }, "{status}");
        }
        for status in [400, 401, 403, 404, 410, 413, 422] {
            assert!(matches!(judged(status), Verdict::Refused { .. }), "{status}");
        }
        for status in [408, 429, 500, 503] {
            assert!(matches!(judged(status), Verdict::Again { after: Some(_), .. }), "{status}");
        }
        assert!(matches!(judged(302), Verdict::Again { after: None, .. }));
        assert_eq!(judged(404), Verdict::Refused { said: "404 Not Found: no way".to_owned() });
    }

    #[test]
    fn what_is_secret_is_not_repeated() {
        let mut settings = settings("http://127.0.0.1:1/services/T0/B0/s3cret?key=abcdefgh");
        settings.headers.push((http::header::AUTHORIZATION, Secret::new("Bearer t0ken")));
        let webhook = Webhook::new(&settings, Duration::from_secs(1)).unwrap();
        let said = "no /services/T0/B0/s3cret here for Bearer t0ken, key=abcdefgh".to_owned();
        assert_eq!(webhook.without_secrets(said), "no *** here for ***, ***");
    }

    #[test]
    fn a_url_or_a_header_that_cannot_be_is_refused_without_showing_it() {
        for url in ["s3cret", "/s3cret", "http://a b/s3cret"] {
            let error = Webhook::new(&settings(url), Duration::from_secs(1)).err().unwrap();
            assert_eq!(error.to_string(), "its `url` is not an HTTP URL");
        }
        let mut settings = settings("http://127.0.0.1:1/");
        settings.headers.push((http::header::AUTHORIZATION, Secret::new("s3cret\r\nx: y")));
        let error = Webhook::new(&settings, Duration::from_secs(1)).err().unwrap();
        assert_eq!(error.to_string(), "the value of its header `authorization` cannot be sent");
    }
}
