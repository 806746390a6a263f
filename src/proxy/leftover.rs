//! What a client still sends of a request that is answered already.
//!
//! Over HTTP/1 the next request comes behind it, so that it is either read to its end, for nothing, or the connection ends
//! with the answer, and the answer says so (RFC 9112 §9.3, §9.6). A client that is not told sends its next request into
//! a connection that is closed, and cannot know what became of it. What is small is read, as nginx and Go's server do:
//! refusing uploads then costs nobody a new connection.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use http::header::{CONNECTION, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode, Version};
use http_body::Body as _;

use super::attempt::SharedBody;
use super::body::RequestBody;

/// Most that is read for nothing, in bytes.
const MOST: u64 = 64 * 1024;
/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whoever wanted this body has done with it, unless others hold it still; `answer` is on its way.
pub(super) fn settle<B>(body: SharedBody, head: &Parts, waits_for_leave: bool, answer: &mut Response<B>) {
    let is_wanted = Rc::strong_count(&body) > 1;
    if is_wanted || !is_in_the_way(&body, head) || answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return;
    }
    if may_be_read(&body.borrow(), waits_for_leave) {
        tokio::task::spawn_local(tokio::time::timeout(PATIENCE, discard(body)));
    } else {
        say_it_is_the_last(answer);
    }
}

/// Who waits for a 100 may send its body all the same, or its next request (RFC 9110 §10.1.1).
fn may_be_read(body: &RequestBody, waits_for_leave: bool) -> bool {
    !body.is_broken() && body.remaining() <= MOST && (!waits_for_leave || body.is_touched())
}

/// The server takes no more of it once it has answered.
pub(super) fn give_up<B>(body: &SharedBody, head: &Parts, answer: &mut Response<B>) {
    if is_in_the_way(body, head) {
        say_it_is_the_last(answer);
    }
}

/// HTTP/2 resets the stream.
fn is_in_the_way(body: &SharedBody, head: &Parts) -> bool {
    head.version < Version::HTTP_2 && !body.borrow().is_whole()
}

fn say_it_is_the_last<B>(answer: &mut Response<B>) {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
}

async fn discard(body: SharedBody) {
    let mut left = MOST;
    while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut *body.borrow_mut()).poll_frame(cx)).await {
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        if length > left {
            return;
        }
        left -= length;
    }
}
