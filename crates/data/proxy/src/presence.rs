//! Waiting only as long as the caller is there.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use net::Connection;

use crate::reject::Reject;
use crate::stages::read::gone;

/// While something is waited for, the caller's presence is checked this often.
const PRESENCE_INTERVAL: Duration = Duration::from_millis(250);

/// Runs `future` while the caller is there. What is ready at once costs nothing more.
pub(crate) async fn while_present<F: Future>(
    client: &Connection,
    future: F,
) -> Result<F::Output, Reject> {
    let mut future = pin!(future);
    let first = poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    });
    if let Some(output) = first.await {
        return Ok(output);
    }
    loop {
        // Boxed, like every future off the warm path: a task is as large as its largest one.
        let mut interval = Box::pin(net::sleep(PRESENCE_INTERVAL));
        let next = poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            interval.as_mut().poll(context).map(|()| None)
        });
        match next.await {
            Some(output) => return Ok(output),
            None if client.is_gone() => return Err(gone()),
            None => {}
        }
    }
}
