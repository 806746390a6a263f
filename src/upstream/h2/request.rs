//! The head of a request as HTTP/2 wants it. It is written once, in HTTP/1.1, whatever the server speaks; this is its
//! translation (RFC 9113 §8.2.2 and §8.3).

use h2::ext::Protocol;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderName, HeaderValue, Method, Request, Uri, Version};

/// A head, and what its answer is to be judged by.
pub(super) struct Translated {
    pub(super) request: Request<()>,
    /// It offers this protocol: an extended CONNECT (RFC 8441).
    pub(super) offer: Option<Offer>,
}

/// What an HTTP/1.1 server would have to repeat.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) protocol: HeaderValue,
    pub(super) key: Option<HeaderValue>,
}

/// Translates a head that this proxy has written. `None` where HTTP/2 has no way to say it.
pub(super) fn translate(head: &[u8], scheme: &Scheme) -> Option<Translated> {
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let mut words = lines.next()?.split(|byte| *byte == b' ');
    let (method, target) = (Method::from_bytes(words.next()?).ok()?, words.next()?);
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.version_mut() = Version::HTTP_2;
    let (mut authority, mut protocol) = (None, None);
    for line in lines.take_while(|line| !line.is_empty()) {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii_start());
        match name {
            b"host" => authority = Some(Authority::try_from(value).ok()?),
            b"upgrade" => protocol = Some(HeaderValue::from_bytes(value).ok()?),
            // Between two hops only, or of no use there: a server that wants no body resets its stream.
            b"connection" | b"transfer-encoding" | b"expect" => {}
            name => {
                let value = HeaderValue::from_bytes(value).ok()?;
                request.headers_mut().append(HeaderName::from_bytes(name).ok()?, value);
            }
        }
    }
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(scheme.clone());
    uri.authority = authority;
    uri.path_and_query = Some(PathAndQuery::try_from(target).ok()?);
    *request.uri_mut() = Uri::from_parts(uri).ok()?;
    let offer = protocol.map(|protocol| offer(&mut request, protocol));
    Some(Translated { request, offer })
}

/// Makes an extended CONNECT of it, for the first of the protocols: `:protocol` names one.
fn offer(request: &mut Request<()>, protocols: HeaderValue) -> Offer {
    let first = protocols.to_str().unwrap_or_default().split(',').next().unwrap_or_default().trim();
    let protocol = HeaderValue::from_str(first).unwrap_or(protocols);
    *request.method_mut() = Method::CONNECT;
    request.extensions_mut().insert(Protocol::from(protocol.to_str().unwrap_or_default()));
    Offer { key: request.headers_mut().remove(http::header::SEC_WEBSOCKET_KEY), protocol }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;
    use proptest::prelude::*;

    fn read(head: &str) -> Translated {
        translate(head.as_bytes(), &Scheme::HTTP).expect("a head")
    }

    #[test]
    fn a_head_keeps_all_but_what_http2_says_otherwise() {
        let head = "POST /a?b=c HTTP/1.1\r\nhost: app:80\r\nte: trailers\r\nconnection: te\r\ncontent-type: application/grpc\r\n\
                    x: 1\r\nx: \r\ntransfer-encoding: chunked\r\n\r\n";
        let Translated { request, offer } = read(head);
        assert_eq!(
            (request.method().as_str(), request.uri().to_string()),
            ("POST", "http://app/a?b=c".replace("app", "app:80"))
        );
        let fields: Vec<_> = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let expected: [(&str, &[u8]); 4] =
            [("te", b"trailers"), ("content-type", b"application/grpc"), ("x", b"1"), ("x", b"")];
        assert_eq!(fields, expected);
        assert_eq!(offer, None);
    }

    #[test]
    fn an_offer_of_another_protocol_is_an_extended_connect() {
        let head = "GET /ws HTTP/1.1\r\nhost: app\r\nupgrade: websocket, other\r\nconnection: upgrade\r\nsec-websocket-key: k\r\n\r\n";
        let Translated { request, offer } = read(head);
        assert_eq!((request.method(), request.uri().path()), (&Method::CONNECT, "/ws"));
        assert_eq!(request.extensions().get::<Protocol>().map(Protocol::as_str), Some("websocket"));
        assert!(request.headers().is_empty());
        let key = Some(HeaderValue::from_static("k"));
        assert_eq!(offer, Some(Offer { protocol: HeaderValue::from_static("websocket"), key }));
    }

    proptest! {
        #[test]
        fn fields_are_carried_byte_for_byte(
            fields in proptest::collection::vec(("[a-z][a-z0-9-]{0,8}", "[!-~\u{80}-\u{ff}]([ -~]{0,20}[!-~])?"), 0..20),
        ) {
            let lines: String = fields.iter().map(|(name, value)| format!("x-{name}: {value}\r\n")).collect();
            let request = read(&format!("GET / HTTP/1.1\r\nhost: a\r\n{lines}\r\n")).request;
            let mut expected = HeaderMap::new();
            for (name, value) in &fields {
                let name = HeaderName::try_from(format!("x-{name}")).expect("a name");
                expected.append(name, HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
            }
            prop_assert_eq!(request.headers(), &expected);
        }

        #[test]
        fn any_bytes_are_a_head_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = translate(&bytes, &Scheme::HTTP);
        }
    }

    #[test]
    fn every_target_is_carried() {
        for (line, path) in [("OPTIONS *", "*"), ("GET /?", "/?"), ("GET /%20;x", "/%20;x")] {
            let request = read(&format!("{line} HTTP/1.1\r\nhost: a\r\n\r\n")).request;
            assert_eq!(request.uri().path_and_query().map(PathAndQuery::as_str), Some(path));
        }
        assert!(translate(b"GET\r\n\r\n", &Scheme::HTTP).is_none());
    }
}
