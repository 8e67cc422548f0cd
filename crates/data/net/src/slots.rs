//! One slot for every open socket of the worker, walked by the tick.
//!
//! An operation marks its slot when it starts and when it ends, which costs a few stores. All that takes
//! time to happen (deadlines, parked reads, clients that hang up, draining) is found by the walk, which
//! makes the pending operation complete by shutting the socket down or by cancelling it. The outcome is
//! read from the slot when the operation ends.
//!
//! A passed deadline is the end of a socket, except for a read from a client: that ends alone, so that
//! the client can still be told why.

use std::cell::RefCell;
use std::io;
use std::marker::PhantomData;
use std::os::fd::RawFd;

use monoio::io::{CancelHandle, Canceller};
use seam::Stage;

use crate::Tick;
use crate::system::{self, Half};

/// The socket is open.
const OPEN: u16 = 1;
/// A read is pending, or was pending when its future was dropped.
const READING: u16 = 1 << 1;
/// A write is pending, or was pending when its future was dropped.
const WRITING: u16 = 1 << 2;
/// The pending read holds a buffer without data, which it can give back.
const PARKABLE: u16 = 1 << 3;
/// A deadline passed while an operation was pending: the socket is shut down.
const EXPIRED: u16 = 1 << 4;
/// The paired client hung up, or the worker is closing: the socket is shut down.
const ABORTED: u16 = 1 << 5;
/// The peer of this client connection hung up.
const GONE: u16 = 1 << 6;
/// Nothing is under way: the connection waits for its next request.
const IDLE: u16 = 1 << 7;
/// The client side of a pair.
const PAIRED_CLIENT: u16 = 1 << 8;
/// The upstream side of a pair.
const PAIRED_UPSTREAM: u16 = 1 << 9;
/// The other end is a client.
const CLIENT: u16 = 1 << 10;
/// The pending read can be cancelled.
const CANCELLABLE: u16 = 1 << 11;
/// A deadline passed while a client's read was pending: no more is read until a new one is set.
const LATE: u16 = 1 << 12;

const PENDING: u16 = READING | WRITING;
const PAIRED: u16 = PAIRED_CLIENT | PAIRED_UPSTREAM;

/// The value of `Entry::deadline` that never comes.
const NO_DEADLINE: u64 = u64::MAX;

/// Ticks a connection must have been idle before a drain closes it: a client that got its last reply
/// just now may have sent its next request already.
const DRAIN_IDLE_TICKS: u32 = 10;

thread_local! {
    static SLOTS: RefCell<Slots> = const { RefCell::new(Slots::new()) };
}

/// What the walk reads of each socket; small, because it reads them all.
#[derive(Clone, Copy)]
struct Entry {
    deadline: u64,
    fd: RawFd,
    /// Slot of the other side while paired; next free slot while not open.
    partner: u32,
    /// Number of the pair, so that an old [`Pairing`] cannot end a new one.
    pairing: u32,
    /// Tick at which the pending operation began.
    since: u32,
    flags: u16,
}

struct Slots {
    entries: Vec<Entry>,
    /// Beside the entries, because the walk needs it only to park. Kept for the next socket.
    cancellers: Vec<Option<Canceller>>,
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
    /// A parkable read pending for so many ticks is parked.
    pub(crate) park_ticks: u32,
    /// Whether to ask for clients that hung up this time.
    pub(crate) find_hang_ups: bool,
}

/// Where a free-slot list ends.
const NONE: u32 = u32::MAX;

impl Slots {
    const fn new() -> Self {
        Self {
            entries: Vec::new(),
            cancellers: Vec::new(),
            first_free: NONE,
            ticks: 0,
            pairings: 0,
            hang_ups: HangUps { polled: Vec::new(), indices: Vec::new() },
        }
    }

    fn insert(&mut self, fd: RawFd) -> u32 {
        let entry = Entry {
            deadline: NO_DEADLINE,
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
        self.cancellers.push(None);
        (self.entries.len() - 1) as u32
    }

    fn remove(&mut self, index: u32) {
        self.unpair(index);
        let first_free = self.first_free;
        let entry = self.entry(index);
        entry.flags = 0;
        entry.fd = -1;
        entry.partner = first_free;
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

    /// Starts an operation of the kind `flags`, unless the socket is spoilt.
    fn begin(&mut self, index: u32, flags: u16) -> io::Result<()> {
        let ticks = self.ticks;
        let entry = self.entry(index);
        let obstacles = entry.flags & (PENDING | EXPIRED | ABORTED | LATE);
        if obstacles & !LATE != 0 || (obstacles != 0 && flags & READING != 0) {
            return Err(spoilt(entry.flags));
        }
        entry.flags |= flags;
        entry.since = ticks;
        Ok(())
    }

    fn walk(&mut self, walk: Walk, cancelled: &mut Vec<Canceller>) {
        self.ticks = self.ticks.wrapping_add(1);
        let ticks = self.ticks;
        for index in 0..self.entries.len() {
            let Some(entry) = self.entries.get_mut(index) else { break };
            // Most sockets have nothing pending that is older than a tick.
            if entry.flags & (PENDING | PAIRED_CLIENT) == 0 && walk.stage != Stage::Closing {
                continue;
            }
            let is_late = entry.check_time(ticks, walk);
            let waited = ticks.wrapping_sub(entry.since);
            if is_late || (entry.flags & PARKABLE != 0 && waited >= walk.park_ticks) {
                entry.flags &= !PARKABLE;
                cancelled.extend(self.cancellers.get_mut(index).and_then(Option::take));
            } else if walk.find_hang_ups && entry.flags & PAIRED_CLIENT != 0 {
                let (fd, partner) = (entry.fd, entry.partner);
                self.ask_about(index as u32, fd, partner);
            }
        }
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

/// What a client's hanging up looks like to `poll`. It includes a client that only shut its sending half
/// down: nearly all that do have gone, and waiting for a model costs money.
const HANG_UP_EVENTS: libc::c_short = libc::POLLRDHUP;

impl Entry {
    /// Ends what may wait no longer. True when the pending read has to be cancelled for it.
    fn check_time(&mut self, ticks: u32, walk: Walk) -> bool {
        let is_over = self.flags & PENDING != 0 && self.deadline <= walk.now.as_millis();
        let is_late = is_over && self.expire();
        match walk.stage {
            Stage::Running | Stage::Leaving => {}
            Stage::Draining => self.end_idle(ticks),
            Stage::Closing => self.abort(),
        }
        is_late
    }

    /// Ends the pending operation. True when it has to be cancelled for that.
    fn expire(&mut self) -> bool {
        self.deadline = NO_DEADLINE;
        let is_client_read = self.flags & (CLIENT | READING) == CLIENT | READING;
        if !is_client_read {
            self.flags |= EXPIRED;
            system::shut_down(self.fd, Half::Both);
            return false;
        }
        self.flags |= LATE;
        let is_cancellable = self.flags & CANCELLABLE != 0;
        if !is_cancellable {
            // It is parked, and waits for the socket to become readable.
            system::shut_down(self.fd, Half::Read);
        }
        is_cancellable
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

/// Makes room for `count` sockets at once, so that opening one allocates nothing.
pub(crate) fn reserve(count: usize) {
    SLOTS.with_borrow_mut(|slots| {
        slots.entries.reserve(count);
        slots.cancellers.reserve(count);
    });
}

/// Walks all slots of this worker.
pub(crate) fn walk(walk: Walk) {
    let mut cancelled = Vec::new();
    SLOTS.with_borrow_mut(|slots| {
        slots.walk(walk, &mut cancelled);
        slots.end_hung_up();
    });
    // Outside of the borrow: cancelling wakes tasks.
    for canceller in cancelled {
        drop(canceller.cancel());
    }
}

/// Sockets open on this thread.
#[cfg(test)]
fn open_count() -> usize {
    SLOTS.with_borrow(|slots| slots.entries.iter().filter(|entry| entry.flags & OPEN != 0).count())
}

/// The place of one open socket. The slot is freed on drop.
pub(crate) struct Slot {
    index: u32,
    /// The index means something on this thread only.
    _not_send: PhantomData<*const ()>,
}

impl Slot {
    /// A slot for `fd`, which must stay open as long as the slot.
    pub(crate) fn new(fd: RawFd) -> Self {
        let index = SLOTS.with_borrow_mut(|slots| slots.insert(fd));
        Self { index, _not_send: PhantomData }
    }

    /// Says that the other end is a client.
    pub(crate) fn set_client(&self) {
        SLOTS.with_borrow_mut(|slots| slots.entry(self.index).flags |= CLIENT);
    }

    /// Starts a read. One that `is_parkable` and every read from a client has to be cancellable
    /// through the handle.
    pub(crate) fn begin_read(&self, is_parkable: bool) -> io::Result<Option<CancelHandle>> {
        SLOTS.with_borrow_mut(|slots| {
            let is_client = slots.entry(self.index).flags & CLIENT != 0;
            if !is_parkable && !is_client {
                slots.begin(self.index, READING)?;
                return Ok(None);
            }
            let parkable = if is_parkable { PARKABLE } else { 0 };
            slots.begin(self.index, READING | CANCELLABLE | parkable)?;
            let canceller = slots.cancellers.get_mut(self.index as usize);
            Ok(canceller.map(|canceller| canceller.get_or_insert_default().handle()))
        })
    }

    /// Starts waiting for something to read.
    pub(crate) fn begin_wait(&self) -> io::Result<()> {
        SLOTS.with_borrow_mut(|slots| slots.begin(self.index, READING))
    }

    /// Starts a write.
    pub(crate) fn begin_write(&self) -> io::Result<()> {
        SLOTS.with_borrow_mut(|slots| slots.begin(self.index, WRITING))
    }

    /// Ends the pending operation. An error says that the walk ended it.
    pub(crate) fn end(&self) -> io::Result<()> {
        SLOTS.with_borrow_mut(|slots| {
            let entry = slots.entry(self.index);
            // A write that follows a late read ends like any other.
            let is_late = entry.flags & (READING | LATE) == READING | LATE;
            entry.flags &= !(PENDING | PARKABLE | CANCELLABLE);
            let is_spoilt = entry.flags & (EXPIRED | ABORTED) != 0;
            if is_late || is_spoilt { Err(spoilt(entry.flags)) } else { Ok(()) }
        })
    }

    /// Sets the moment after which a pending operation is ended; `None` for never. A late client may
    /// be read from again.
    pub(crate) fn set_deadline(&self, deadline: Option<Tick>) {
        SLOTS.with_borrow_mut(|slots| {
            let entry = slots.entry(self.index);
            entry.deadline = deadline.map_or(NO_DEADLINE, Tick::as_millis);
            entry.flags &= !LATE;
        });
    }

    /// Says whether the connection waits for its next request.
    pub(crate) fn set_idle(&self, is_idle: bool) {
        SLOTS.with_borrow_mut(|slots| {
            let flags = &mut slots.entry(self.index).flags;
            *flags = if is_idle { *flags | IDLE } else { *flags & !IDLE };
        });
    }

    /// Whether no operation was dropped half-way and the walk has not shut the socket down.
    pub(crate) fn is_sound(&self) -> bool {
        SLOTS.with_borrow_mut(|slots| {
            slots.entry(self.index).flags & (PENDING | EXPIRED | ABORTED | GONE) == 0
        })
    }

    /// Whether the walk found that the peer hung up.
    pub(crate) fn is_marked_gone(&self) -> bool {
        SLOTS.with_borrow_mut(|slots| slots.entry(self.index).flags & GONE != 0)
    }

    /// Ties the two together until the result is dropped. A side that was tied before is freed.
    pub(crate) fn pair(client: &Self, upstream: &Self) -> Pairing {
        SLOTS.with_borrow_mut(|slots| {
            slots.unpair(client.index);
            slots.unpair(upstream.index);
            slots.pairings = slots.pairings.wrapping_add(1);
            let number = slots.pairings;
            for (own, other, flag) in [
                (client.index, upstream.index, PAIRED_CLIENT),
                (upstream.index, client.index, PAIRED_UPSTREAM),
            ] {
                let entry = slots.entry(own);
                entry.partner = other;
                entry.pairing = number;
                entry.flags |= flag;
            }
            Pairing { client: client.index, number, _not_send: PhantomData }
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // An error means that the thread is ending.
        let _ = SLOTS.try_with(|slots| slots.borrow_mut().remove(self.index));
    }
}

/// A tie between two slots, undone on drop.
pub(crate) struct Pairing {
    client: u32,
    number: u32,
    _not_send: PhantomData<*const ()>,
}

impl Drop for Pairing {
    fn drop(&mut self) {
        let untie = |slots: &RefCell<Slots>| {
            let slots = &mut *slots.borrow_mut();
            if slots.entry(self.client).pairing == self.number {
                slots.unpair(self.client);
            }
        };
        // An error means that the thread is ending.
        let _ = SLOTS.try_with(untie);
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
    // An earlier operation was dropped while it was pending and may have taken bytes with it.
    io::Error::from(io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests;
