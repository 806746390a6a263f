//! What leads clients to TLS and keeps them there: redirects to `https`, and the promise to speak it (RFC 6797).

use bytes::Bytes;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use crate::exchange::Exchange;
use crate::listen::{Client, Redirect};

use super::admit::Admitted;
use super::failure::{Failure, Refused};
use super::respond::Answer;
use super::{Body, Proxy};

/// `https` where nothing else is said.
const HTTPS: u16 = 443;

impl Proxy {
    /// Sends the client to the same place over TLS. 308, not 301: the method stays what it is.
    pub(super) fn redirect(
        &self,
        exchange: &Exchange,
        client: &Client,
        head: &Parts,
        admitted: &Admitted,
        redirect: Redirect,
    ) -> Result<Response<Body>, Failure> {
        // Only HTTP/1.0 may leave the host out, and then there is nowhere to send it.
        let host = admitted.host.as_ref().and_then(|host| host.to_str().ok()).ok_or(Failure::Refused(Refused::Host))?;
        let location = location(host, head, redirect).ok_or(Failure::Refused(Refused::Host))?;
        exchange.concluded_here();
        let mut headers = HeaderMap::new();
        headers.insert(header::LOCATION, location);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        Ok(self.own(exchange, client, StatusCode::PERMANENT_REDIRECT, Answer { headers, body: Bytes::new() }))
    }
}

/// The same host, path and query; the port is that of the redirect, whatever the client's was.
fn location(host: &str, head: &Parts, redirect: Redirect) -> Option<HeaderValue> {
    let authority: Authority = host.parse().ok()?;
    let host = authority.host();
    let target = head.uri.path_and_query().map(|target| target.as_str()).filter(|target| target.starts_with('/'));
    let target = target.unwrap_or("/");
    let location = match redirect.port {
        HTTPS => format!("https://{host}{target}"),
        port => format!("https://{host}:{port}{target}"),
    };
    HeaderValue::from_str(&location).ok().filter(|_| !host.is_empty())
}

/// Adds `Strict-Transport-Security` where the listener has one and the application has said nothing itself.
pub(super) fn promise(headers: &mut HeaderMap, client: &Client) {
    if let Some(hsts) = &client.wire.entrance().hsts
        && !headers.contains_key(header::STRICT_TRANSPORT_SECURITY)
    {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, hsts.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn sent_to(host: &str, target: &str, port: u16) -> Option<String> {
        let head = Request::builder().uri(target).body(()).expect("a request").into_parts().0;
        location(host, &head, Redirect { port }).map(|location| location.to_str().expect("ASCII").to_owned())
    }

    #[test]
    fn host_path_and_query_stay_and_the_port_does_not() {
        let sent = sent_to("Shop.example:8080", "/a%20b/?q=1&r", 443);
        assert_eq!(sent.as_deref(), Some("https://Shop.example/a%20b/?q=1&r"));
        assert_eq!(sent_to("[::1]:80", "/", 8443).as_deref(), Some("https://[::1]:8443/"));
        assert_eq!(sent_to("a", "http://b/c?d", 443).as_deref(), Some("https://a/c?d"));
        assert_eq!(sent_to("a", "*", 443).as_deref(), Some("https://a/"));
    }

    #[test]
    fn nobody_is_sent_to_no_host() {
        assert_eq!(sent_to("", "/", 443), None);
        assert_eq!(sent_to(":80", "/", 443), None);
    }
}
