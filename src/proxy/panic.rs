//! A panic ends one exchange, not the process.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Polls a future; `None` if it panicked, and then it must not be polled again.
pub(super) fn poll<F: Future>(future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
    // What the panic may have left half-done is dropped with the future, and seen by nobody.
    match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
        Ok(Poll::Ready(output)) => Poll::Ready(Some(output)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(_) => Poll::Ready(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::pin::pin;

    #[tokio::test]
    async fn a_panic_becomes_none() {
        let (mut fine, mut broken) = (pin!(async { 7 }), pin!(async { panic!("on purpose") }));
        assert_eq!(poll_fn(|cx| poll(fine.as_mut(), cx)).await, Some(7));
        assert_eq!(poll_fn(|cx| poll(broken.as_mut(), cx)).await, None::<()>);
    }
}
