//! Reading and writing at the same time: the same operations, asked for by polling.

use std::io;
use std::task::{Context, Poll, ready};

use super::Connection;
use crate::tls::layers::Decrypted;
use crate::{Buffer, Tick, pool};

impl Connection {
    /// What the peer sent next, in its buffer; an empty one is the end of the stream. Writes may be under
    /// way. No deadline ends it.
    pub fn poll_piece(&mut self, context: &Context<'_>) -> Poll<io::Result<Buffer>> {
        if !self.input.is_empty() {
            return Poll::Ready(Ok(self.take_input()));
        }
        if self.tls.is_some() {
            return self.poll_piece_secure(context);
        }
        let (received, piece) = ready!(self.socket.poll_receive(context));
        Poll::Ready(received.map(|_| piece))
    }

    fn poll_piece_secure(&mut self, context: &Context<'_>) -> Poll<io::Result<Buffer>> {
        loop {
            match self.decrypt()? {
                Decrypted::Bytes(_) => return Poll::Ready(Ok(self.take_input())),
                Decrypted::Closed => return Poll::Ready(Ok(Buffer::unallocated())),
                Decrypted::Starved => {
                    let (received, records) = ready!(self.socket.poll_receive(context));
                    let count = received?;
                    if let Some(tls) = &mut self.tls {
                        match count {
                            0 => tls.feed_end(),
                            _ => tls.feed(records),
                        }
                    }
                }
            }
        }
    }

    /// Ready when all of `piece` has been handed to the kernel or queued for it, or else with what is
    /// left in it. The kernel has to take each part of it by `deadline`.
    pub fn poll_send(
        &mut self,
        piece: &mut Buffer,
        deadline: Tick,
        context: &Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.socket.poll_written(context))?;
            if piece.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let output = match &mut self.tls {
                None => std::mem::take(piece),
                Some(tls) => {
                    let taken = tls.encrypt(piece.as_slice(), pool::block_bytes())?;
                    piece.consume(taken);
                    let mut records = Buffer::unallocated();
                    tls.take_outgoing(&mut records)?;
                    records
                }
            };
            self.socket.begin_send(output, deadline)?;
            if piece.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Says that nothing more will be sent. Ready when the kernel has taken all that was sent before.
    pub(crate) fn poll_end_sending(
        &mut self,
        deadline: Tick,
        context: &Context<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.socket.poll_written(context))?;
        if let Some(tls) = &mut self.tls {
            tls.end_sending();
            let mut records = Buffer::unallocated();
            tls.take_outgoing(&mut records)?;
            if !records.is_empty() {
                self.socket.begin_send(records, deadline)?;
                ready!(self.socket.poll_written(context))?;
            }
        }
        self.socket.end_sending();
        Poll::Ready(Ok(()))
    }
}
