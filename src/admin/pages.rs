//! The dashboard's files over HTTP: kept by browsers, which ask each time whether they are still the same.

use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::dashboard::{Asset, POLICY};

use super::answer::Answer;

/// A file, or that it is as it was. Pages are not kept at all, so that whoever has logged out and goes back comes to where one
/// logs in.
pub(super) fn show(asset: &'static Asset, headers: &HeaderMap) -> Answer {
    let form = asset.form(takes_gzip(headers));
    if asset.is_page() {
        return guarded(encoded(Answer::new(StatusCode::OK, asset.content_type(), form.content), form.is_gzip));
    }
    let is_known = headers.get_all(IF_NONE_MATCH).iter().any(|field| names(field, &form.tag));
    let answer = match is_known {
        true => Answer::bare(StatusCode::NOT_MODIFIED),
        false => Answer::new(StatusCode::OK, asset.content_type(), form.content),
    };
    let answer = encoded(answer, form.is_gzip && !is_known).with(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    match HeaderValue::try_from(form.tag) {
        Ok(tag) => answer.with(ETAG, tag),
        Err(_) => answer,
    }
}

fn encoded(answer: Answer, is_gzip: bool) -> Answer {
    let answer = answer.with(VARY, HeaderValue::from_static("accept-encoding"));
    if is_gzip { answer.with(CONTENT_ENCODING, HeaderValue::from_static("gzip")) } else { answer }
}

/// What a page may do, whatever is in it.
fn guarded(answer: Answer) -> Answer {
    let fields = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
        (HeaderName::from_static("x-frame-options"), "DENY"),
    ];
    fields.into_iter().fold(answer, |answer, (name, value)| answer.with(name, HeaderValue::from_static(value)))
}

/// Whether gzip is named, and not with a quality of 0 (RFC 9110 §12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|field| field.to_str().ok());
    codings.flat_map(|field| field.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let quality = parts.find_map(|part| part.strip_prefix("q="));
        is_gzip && quality.is_none_or(|quality| quality.parse().is_ok_and(|quality: f32| quality > 0.0))
    })
}

/// Weakly compared, as RFC 9110 §13.1.2 has it.
fn names(field: &HeaderValue, tag: &str) -> bool {
    let tags = field.to_str().unwrap_or_default().split(',').map(str::trim);
    tags.map(|known| known.strip_prefix("W/").unwrap_or(known)).any(|known| known == "*" || known == tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{all, find};

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().expect("a value"))).collect()
    }

    #[test]
    fn a_file_that_is_known_is_not_sent_again() {
        for asset in all().filter(|asset| !asset.is_page()) {
            for accept in ["gzip", "identity"] {
                let first = show(asset, &headers(&[("accept-encoding", accept)]));
                let tag = first.headers[ETAG].to_str().expect("a tag").to_owned();
                for known in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
                    let again = show(asset, &headers(&[("accept-encoding", accept), ("if-none-match", &known)]));
                    assert_eq!((again.status.as_u16(), again.content.len()), (304, 0), "{} {known}", asset.name);
                    assert_eq!(
                        (&again.headers[ETAG], &again.headers[CACHE_CONTROL]),
                        (&first.headers[ETAG], &first.headers[CACHE_CONTROL])
                    );
                }
                assert_eq!(show(asset, &headers(&[("if-none-match", "\"other\"")])).status.as_u16(), 200);
            }
        }
    }

    #[test]
    fn gzip_is_for_whoever_takes_it() {
        let page = find("/").expect("the page");
        let coding = |accept: &str| {
            let answer = show(page, &headers(&[("accept-encoding", accept)]));
            answer.headers.get(CONTENT_ENCODING).map(|coding| coding.to_str().expect("a word").to_owned())
        };
        for takes in ["gzip", "br, gzip;q=0.5", "GZIP"] {
            assert_eq!(coding(takes).as_deref(), Some("gzip"), "{takes}");
        }
        for not in ["", "br", "gzip;q=0", "x-gzip", "gzip;q=no"] {
            assert_eq!(coding(not), None, "{not}");
        }
    }

    #[test]
    fn every_page_says_what_it_may_do() {
        for asset in all() {
            let headers = show(asset, &HeaderMap::new()).headers;
            assert_eq!(headers.contains_key(CONTENT_SECURITY_POLICY), asset.is_page(), "{}", asset.name);
            assert_eq!(headers[CACHE_CONTROL] == "no-store", asset.is_page(), "{}", asset.name);
        }
    }
}
