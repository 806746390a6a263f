//! An upstream's bytes: a head is read the same however it is cut, and the chunked coding as an independent reader reads
//! it.
//!
//! The first byte chooses the request's method and the size of the pieces; the others are what the server sends.

use bytes::BytesMut;
use gatelog::net::chunked::{Scanner, Stretch};
use gatelog::upstream::Framing;
use gatelog::upstream::response::{MAX_HEAD, ResponseHead, take_head};
use http::{HeaderMap, Method};

/// The target. Returns whether there was a head.
pub fn run(data: &[u8]) -> bool {
    let Some((choice, bytes)) = data.split_first() else { return false };
    let method = [Method::GET, Method::HEAD, Method::POST, Method::CONNECT][usize::from(choice & 3)].clone();
    let piece = usize::from(choice >> 2) + 1;
    let (whole, rest) = head(bytes, bytes.len().max(1), &method);
    let (cut, _) = head(bytes, piece, &method);
    assert_eq!(shown(&whole), shown(&cut), "in pieces of {piece}: {}", bytes.escape_ascii());
    let Ok(Some((head, fields))) = whole else { return false };
    judge(&head, &fields, &method, bytes.len() - rest.len());
    if head.framing == Framing::Chunked {
        let body = chunks(&rest, rest.len().max(1));
        assert_eq!(body, chunks(&rest, piece), "in pieces of {piece}: {}", rest.escape_ascii());
        if let Ok((data, true)) = body {
            assert_eq!(Some(data), independent(&rest).map(|(data, _)| data), "{}", rest.escape_ascii());
        }
    }
    true
}

type Taken = Result<Option<(ResponseHead, HeaderMap)>, String>;

/// The first head of a stream that comes in pieces, and what is left of the stream.
fn head(bytes: &[u8], piece: usize, method: &Method) -> (Taken, Vec<u8>) {
    let mut buffer = BytesMut::new();
    let mut pieces = bytes.chunks(piece);
    for piece in pieces.by_ref() {
        buffer.extend_from_slice(piece);
        let mut fields = HeaderMap::new();
        match take_head(&mut buffer, method, &mut fields) {
            Ok(None) => {}
            Ok(Some(head)) => {
                let rest = pieces.fold(buffer.to_vec(), |rest, piece| [&rest, piece].concat());
                return (Ok(Some((head, fields))), rest);
            }
            Err(error) => return (Err(error.to_string()), Vec::new()),
        }
    }
    (Ok(None), Vec::new())
}

/// What two readings have to agree in; why something was refused may depend on how much of it was there.
fn shown(taken: &Taken) -> String {
    match taken {
        Ok(Some((head, fields))) => format!("{head:?} {fields:?}"),
        Ok(None) => "more".to_owned(),
        Err(_) => "refused".to_owned(),
    }
}

fn judge(head: &ResponseHead, fields: &HeaderMap, method: &Method, length: usize) {
    let fields = head.interim.as_deref().unwrap_or(fields);
    assert!(length <= MAX_HEAD);
    assert!((100..600).contains(&head.status.as_u16()), "{head:?}");
    let bodiless =
        *method == Method::HEAD || head.status.is_informational() || matches!(head.status.as_u16(), 204 | 304);
    assert_eq!(head.framing == Framing::None, bodiless, "{head:?}");
    assert!(!(head.keep_alive && head.framing == Framing::Close), "{head:?}");
    let both = fields.contains_key("content-length") && fields.contains_key("transfer-encoding");
    assert!(!both && fields.get_all("content-length").iter().count() <= 1, "{fields:?}");
    for value in fields.values() {
        assert!(!value.as_bytes().iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)), "{fields:?}");
    }
}

/// The data of a chunked body as the scanner reads it in pieces, and whether its end is there.
fn chunks(mut bytes: &[u8], piece: usize) -> Result<(Vec<u8>, bool), String> {
    let (mut scanner, mut data) = (Scanner::default(), Vec::new());
    while !bytes.is_empty() && !scanner.is_end() {
        let piece = &bytes[..piece.min(bytes.len())];
        let taken = match scanner.next(piece).map_err(|error| error.to_string())? {
            Stretch::Data(taken) => {
                data.extend_from_slice(&piece[..taken]);
                taken
            }
            Stretch::Coding(taken) | Stretch::Trailer(taken) => taken,
            Stretch::End => 0,
        };
        assert!(taken > 0, "it goes on for ever: {}", bytes.escape_ascii());
        bytes = &bytes[taken..];
    }
    Ok((data, scanner.is_end()))
}

/// The data of a whole body and its length in bytes, by a reader of somebody else's, which takes more than we do.
pub fn independent(body: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut rest, mut data) = (body, Vec::new());
    loop {
        let Ok(httparse::Status::Complete((line, size))) = httparse::parse_chunk_size(rest) else { return None };
        rest = &rest[line..];
        let size = usize::try_from(size).ok()?;
        if size == 0 {
            let mut fields = [httparse::EMPTY_HEADER; 64];
            let Ok(httparse::Status::Complete((end, _))) = httparse::parse_headers(rest, &mut fields) else {
                return None;
            };
            return Some((data, body.len() - rest.len() + end));
        }
        data.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
}
