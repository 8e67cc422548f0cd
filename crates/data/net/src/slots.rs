//! One entry for every open socket of the worker, walked by the tick.
//!
//! An operation marks its entry when it starts and when it ends, which costs a few stores. All that takes
//! time to happen (deadlines, clients that hang up, draining) is found by the walk, which makes the
//! pending operation complete by shutting the socket down, or says which read to cancel. The outcome is
//! read from the entry when the operation ends.
//!
//! A passed deadline is the end of a socket, except for a read from a client: that ends alone, so that
//! the client can still be told why.
//!
//! A write may still be under way when its caller goes on. It keeps the deadline that it was started
//! with, or takes an earlier one that is set later.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use seam::Stage;

use crate::Tick;
use crate::system::{self, Half};

/// The socket is open.
const OPEN: u16 = 1;
/// A read is awaited, or was awaited when its future was dropped.
const READING: u16 = 1 << 1;
/// A write is under way.
const WRITING: u16 = 1 << 2;
/// A deadline passed while an operation was pending: the socket is shut down.
const EXPIRED: u16 = 1 << 3;
/// The paired client hung up, or the worker is closing: the socket is shut down.
const ABORTED: u16 = 1 << 4;
/// The peer of this client connection hung up.
const GONE: u16 = 1 << 5;
/// Nothing is under way: the connection waits for its next request.
const IDLE: u16 = 1 << 6;
/// The client side of a pair.
const PAIRED_CLIENT: u16 = 1 << 7;
/// The upstream side of a pair.
const PAIRED_UPSTREAM: u16 = 1 << 8;
/// The other end is a client.
const CLIENT: u16 = 1 << 9;
/// A deadline passed while a client's read was pending: no more is read until a new one is set.
const LATE: u16 = 1 << 10;

const PENDING: u16 = READING | WRITING;
const PAIRED: u16 = PAIRED_CLIENT | PAIRED_UPSTREAM;

/// The deadline that never comes.
const NO_DEADLINE: u64 = u64::MAX;

/// Ticks a connection must have been idle before a drain closes it: a client that got its last reply
/// just now may have sent its next request already.
const DRAIN_IDLE_TICKS: u32 = 10;

/// After a write failed, a read gets this long to bring what the peer said before: it may have refused
/// a request that it did not read to its end.
const LAST_WORDS_TIME: Duration = Duration::from_secs(1);

/// What the walk reads of each socket; small, because it reads them all.
#[derive(Clone, Copy)]
struct Entry {
    deadline: u64,
    write_deadline: u64,
    fd: RawFd,
    /// Index of the other side while paired; next free index while free.
    partner: u32,
    /// Number of the pair, so that an old tie cannot end a new one.
    pairing: u32,
    /// Tick at which the pending operation began.
    since: u32,
    flags: u16,
}

/// The entries of a worker.
pub(crate) struct Slots {
    entries: Vec<Entry>,
    first_free: u32,
    ticks: u32,
    pairings: u32,
    hang_ups: HangUps,
}

/// The clients one `poll` asks about. Kept for its capacity.
struct HangUps {
    polled: Vec<libc::pollfd>,
    indices: Vec<u32>,
}

/// What one walk is to look for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk {
    pub(crate) now: Tick,
    pub(crate) stage: Stage,
    /// Whether to ask for clients that hung up this time.
    pub(crate) find_hang_ups: bool,
}

/// A tie between two entries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tie {
    client: u32,
    number: u32,
}

/// Where the list of free entries ends.
const NONE: u32 = u32::MAX;

/// What a client's hanging up looks like to `poll`. It includes a client that only shut its sending half
/// down: nearly all that do have gone, and waiting for a model costs money.
const HANG_UP_EVENTS: libc::c_short = libc::POLLRDHUP;

impl Slots {
    /// No entries, with room for `count`.
    pub(crate) fn with_capacity(count: usize) -> Self {
        Self {
            entries: Vec::with_capacity(count),
            first_free: NONE,
            ticks: 0,
            pairings: 0,
            hang_ups: HangUps { polled: Vec::new(), indices: Vec::new() },
        }
    }

    /// An entry for `fd`, which must stay open until [`Self::close`]. Indices are given out from 0 on and
    /// again after [`Self::free`].
    pub(crate) fn insert(&mut self, fd: RawFd) -> u32 {
        let entry = Entry {
            deadline: NO_DEADLINE,
            write_deadline: NO_DEADLINE,
            fd,
            partner: NONE,
            pairing: 0,
            since: self.ticks,
            flags: OPEN,
        };
        let index = self.first_free;
        if let Some(free) = self.entries.get_mut(index as usize) {
            self.first_free = free.partner;
            *free = entry;
            return index;
        }
        self.entries.push(entry);
        (self.entries.len() - 1) as u32
    }

    /// Leaves the socket alone from here on.
    pub(crate) fn close(&mut self, index: u32) {
        self.unpair(index);
        let entry = self.entry(index);
        entry.flags = 0;
        entry.fd = -1;
    }

    /// Gives a closed entry's index free.
    pub(crate) fn free(&mut self, index: u32) {
        let first_free = self.first_free;
        self.entry(index).partner = first_free;
        self.first_free = index;
    }

    fn entry(&mut self, index: u32) -> &mut Entry {
        // Indices come from `insert` alone and entries are never taken away.
        &mut self.entries[index as usize]
    }

    fn unpair(&mut self, index: u32) {
        let entry = *self.entry(index);
        if entry.flags & PAIRED == 0 {
            return;
        }
        self.entry(index).flags &= !PAIRED;
        self.entry(entry.partner).flags &= !PAIRED;
    }

    /// Says that the other end is a client.
    pub(crate) fn set_client(&mut self, index: u32) {
        self.entry(index).flags |= CLIENT;
    }

    /// Starts to wait for a read, unless the socket is spoilt.
    pub(crate) fn begin_read(&mut self, index: u32) -> io::Result<()> {
        self.begin(index, READING, READING | EXPIRED | ABORTED | LATE)
    }

    /// Starts a write, unless the socket is spoilt.
    pub(crate) fn begin_write(&mut self, index: u32) -> io::Result<()> {
        self.begin(index, WRITING, READING | EXPIRED | ABORTED)?;
        let entry = self.entry(index);
        entry.write_deadline = entry.deadline;
        Ok(())
    }

    fn begin(&mut self, index: u32, operation: u16, obstacles: u16) -> io::Result<()> {
        let ticks = self.ticks;
        let entry = self.entry(index);
        if entry.flags & obstacles != 0 {
            return Err(spoilt(entry.flags));
        }
        entry.flags |= operation;
        entry.since = ticks;
        Ok(())
    }

    /// Ends the awaited read. An error says that the walk ended it.
    pub(crate) fn end_read(&mut self, index: u32) -> io::Result<()> {
        let entry = self.entry(index);
        entry.flags &= !READING;
        if entry.flags & (EXPIRED | ABORTED | LATE) == 0 {
            Ok(())
        } else {
            Err(spoilt(entry.flags))
        }
    }

    /// The write has ended, in whatever way.
    pub(crate) fn end_write(&mut self, index: u32) {
        let entry = self.entry(index);
        entry.flags &= !WRITING;
        entry.write_deadline = NO_DEADLINE;
    }

    /// The write has failed at `now`.
    pub(crate) fn fail_write(&mut self, index: u32, now: Tick) {
        self.end_write(index);
        let entry = self.entry(index);
        entry.deadline = entry.deadline.min((now + LAST_WORDS_TIME).as_millis());
    }

    /// An error if nothing may be written any more.
    pub(crate) fn check(&mut self, index: u32) -> io::Result<()> {
        let flags = self.entry(index).flags;
        if flags & (EXPIRED | ABORTED) == 0 { Ok(()) } else { Err(spoilt(flags)) }
    }

    /// Sets the moment after which a pending operation is ended; `None` for never. A late client may
    /// be read from again.
    pub(crate) fn set_deadline(&mut self, index: u32, deadline: Option<Tick>) {
        let entry = self.entry(index);
        entry.deadline = deadline.map_or(NO_DEADLINE, Tick::as_millis);
        entry.write_deadline = entry.write_deadline.min(entry.deadline);
        entry.flags &= !LATE;
    }

    /// Says whether the connection waits for its next request.
    pub(crate) fn set_idle(&mut self, index: u32, is_idle: bool) {
        let flags = &mut self.entry(index).flags;
        *flags = if is_idle { *flags | IDLE } else { *flags & !IDLE };
    }

    /// Whether nothing is under way, no read was dropped half-way, and the walk has not shut the socket
    /// down.
    pub(crate) fn is_sound(&mut self, index: u32) -> bool {
        self.entry(index).flags & (PENDING | EXPIRED | ABORTED | GONE) == 0
    }

    /// Whether the walk found that the peer hung up.
    pub(crate) fn is_gone(&mut self, index: u32) -> bool {
        self.entry(index).flags & GONE != 0
    }

    /// Ties the two together until [`Self::untie`]. A side that was tied before is freed.
    pub(crate) fn pair(&mut self, client: u32, upstream: u32) -> Tie {
        self.unpair(client);
        self.unpair(upstream);
        self.pairings = self.pairings.wrapping_add(1);
        let number = self.pairings;
        for (own, other, flag) in
            [(client, upstream, PAIRED_CLIENT), (upstream, client, PAIRED_UPSTREAM)]
        {
            let entry = self.entry(own);
            entry.partner = other;
            entry.pairing = number;
            entry.flags |= flag;
        }
        Tie { client, number }
    }

    /// Unties what is still tied.
    pub(crate) fn untie(&mut self, tie: Tie) {
        if self.entry(tie.client).pairing == tie.number {
            self.unpair(tie.client);
        }
    }

    /// Looks at all sockets, and adds those to `cancelled` whose read has to be cancelled.
    pub(crate) fn walk(&mut self, walk: Walk, cancelled: &mut Vec<u32>) {
        self.ticks = self.ticks.wrapping_add(1);
        let ticks = self.ticks;
        for index in 0..self.entries.len() {
            let Some(entry) = self.entries.get_mut(index) else { break };
            // Most sockets have nothing pending.
            if entry.flags & (PENDING | PAIRED_CLIENT) == 0 && walk.stage != Stage::Closing {
                continue;
            }
            if entry.check_time(ticks, walk) {
                cancelled.push(index as u32);
            } else if walk.find_hang_ups && entry.flags & PAIRED_CLIENT != 0 {
                let (fd, partner) = (entry.fd, entry.partner);
                self.ask_about(index as u32, fd, partner);
            }
        }
        self.end_hung_up();
    }

    /// Adds a client to the ones polled if its upstream has kept it waiting for more than a tick.
    fn ask_about(&mut self, client: u32, fd: RawFd, upstream: u32) {
        let ticks = self.ticks;
        let upstream = self.entry(upstream);
        let waited = ticks.wrapping_sub(upstream.since);
        if upstream.flags & PENDING != 0 && upstream.flags & ABORTED == 0 && waited > 1 {
            self.hang_ups.polled.push(system::poll_entry(fd, HANG_UP_EVENTS));
            self.hang_ups.indices.push(client);
        }
    }

    /// Polls the collected clients and cuts the upstreams of those that hung up.
    fn end_hung_up(&mut self) {
        let mut hang_ups = std::mem::replace(
            &mut self.hang_ups,
            HangUps { polled: Vec::new(), indices: Vec::new() },
        );
        // On an error nothing is marked, and the next round asks again.
        if !hang_ups.polled.is_empty() && system::poll_now(&mut hang_ups.polled).is_ok() {
            for (polled, client) in hang_ups.polled.iter().zip(&hang_ups.indices) {
                if polled.revents != 0 {
                    self.end_pair_of(*client);
                }
            }
        }
        hang_ups.polled.clear();
        hang_ups.indices.clear();
        self.hang_ups = hang_ups;
    }

    fn end_pair_of(&mut self, client: u32) {
        let entry = self.entry(client);
        entry.flags |= GONE;
        let upstream = entry.partner;
        self.entry(upstream).abort();
    }
}

impl Entry {
    /// Ends what may wait no longer. True when the pending read has to be cancelled for it.
    fn check_time(&mut self, ticks: u32, walk: Walk) -> bool {
        let now = walk.now.as_millis();
        if self.flags & WRITING != 0 && self.write_deadline <= now {
            self.expire();
        }
        let is_late = self.flags & READING != 0 && self.deadline <= now && self.end_read();
        match walk.stage {
            Stage::Running | Stage::Leaving => {}
            Stage::Draining => self.end_idle(ticks),
            Stage::Closing => self.abort(),
        }
        is_late
    }

    /// Ends the pending read. True when it has to be cancelled for that.
    fn end_read(&mut self) -> bool {
        self.deadline = NO_DEADLINE;
        let is_client = self.flags & CLIENT != 0;
        if is_client {
            self.flags |= LATE;
        } else {
            self.expire();
        }
        is_client
    }

    fn expire(&mut self) {
        (self.deadline, self.write_deadline) = (NO_DEADLINE, NO_DEADLINE);
        self.flags |= EXPIRED;
        system::shut_down(self.fd, Half::Both);
    }

    /// Makes an idle client connection read the end of its stream. What the client has sent already is
    /// still read first.
    fn end_idle(&mut self, ticks: u32) {
        let is_waiting = self.flags & (IDLE | READING) == IDLE | READING;
        if is_waiting && ticks.wrapping_sub(self.since) >= DRAIN_IDLE_TICKS {
            self.flags &= !IDLE;
            system::shut_down(self.fd, Half::Read);
        }
    }

    fn abort(&mut self) {
        if self.flags & OPEN != 0 && self.flags & ABORTED == 0 {
            self.flags |= ABORTED;
            system::shut_down(self.fd, Half::Both);
        }
    }
}

/// The error of an operation on a socket that must not be used any more.
#[cold]
fn spoilt(flags: u16) -> io::Error {
    if flags & (EXPIRED | LATE) != 0 {
        return io::Error::from(io::ErrorKind::TimedOut);
    }
    if flags & ABORTED != 0 {
        return io::Error::from(io::ErrorKind::ConnectionAborted);
    }
    // An earlier read was dropped while it was pending and may have taken bytes with it.
    io::Error::from(io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests;
