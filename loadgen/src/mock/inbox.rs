//! What a connection has received and not yet used. One half of the connection's task fills it
//! while the other half waits, so that bytes and the end of the stream are seen at any time, also
//! in the middle of a reply.

use std::cell::RefCell;
use std::future::poll_fn;
use std::task::Poll;

use super::limits::INBOX_BYTES_MAX;

/// Received bytes. Both halves live in one task and are polled one after the other, so waiting
/// here needs no waker: see [`super::connection`].
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    has_ended: bool,
    /// Rises with every change, so that the other half is polled again.
    version: u64,
}

impl Inbox {
    /// Adds received bytes.
    pub(crate) fn push(&self, bytes: &[u8]) {
        self.change(|state| state.bytes.extend_from_slice(bytes));
    }

    /// Notes that the peer sends no more, or is gone.
    pub(crate) fn end(&self) {
        self.change(|state| state.has_ended = true);
    }

    /// Lets the owner take bytes off the start.
    pub(crate) fn with_bytes<T>(&self, use_them: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        self.change(|state| use_them(&mut state.bytes))
    }

    /// Waits until there is room for more bytes.
    pub(crate) async fn room(&self) {
        self.wait(|state| state.bytes.len() < INBOX_BYTES_MAX).await;
    }

    /// Waits until the version is another one; `false` at the end of the stream.
    pub(crate) async fn news(&self, since: u64) -> bool {
        self.wait(|state| state.version != since || state.has_ended).await;
        self.state.borrow().version != since
    }

    /// Waits until the peer sends no more.
    pub(crate) async fn ended(&self) {
        self.wait(|state| state.has_ended).await;
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.state.borrow().has_ended
    }

    pub(crate) fn version(&self) -> u64 {
        self.state.borrow().version
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.borrow_mut();
        state.version += 1;
        change(&mut state)
    }

    async fn wait(&self, is_done: impl Fn(&State) -> bool) {
        poll_fn(|_| match is_done(&self.state.borrow()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }
}
