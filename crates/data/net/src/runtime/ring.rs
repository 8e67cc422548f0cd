//! io_uring: everything started goes to the kernel in one call with the wait for what comes next, so an
//! exchange on two connections takes two system calls.
//!
//! Three things make that so. A small send is told not to wait, so that it always completes while it is
//! submitted; the wait asks for that many completions more, and a send alone wakes nobody. A read names no
//! buffer: the kernel takes one of those lent to it ([`Blocks`]) when bytes have come. And a read that
//! cannot succeed at once does not try.
//!
//! What a small send could not do in one go the driver does in a second one that waits.
#![expect(unsafe_code, reason = "the kernel works on memory named by addresses")]

use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use io_uring::types::{CancelBuilder, Fd, SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, cqueue, opcode, squeue};

use super::blocks::{Blocks, GROUP};
use super::lane::{Lane, Read, Write};
use super::reactor::{Interest, Io, Plan};
use crate::Buffer;

/// A write up to this size is tried without waiting, and its caller goes on meanwhile.
pub(crate) const SMALL_BYTES_MAX: usize = 64 * 1024;

/// Completions there is room for, per submission: a turn may complete more than it submits.
const COMPLETIONS_PER_SUBMISSION: u32 = 4;

/// Entries of the ring that finds out whether the kernel allows rings.
const PROBE_ENTRIES: u32 = 8;

/// At the end of a worker: time the kernel gets to give back what it works on.
const SHUTDOWN_TIME_MAX: Duration = Duration::from_secs(1);

/// One wait of them.
const SHUTDOWN_WAIT: Timespec = Timespec::new().nsec(50_000_000);

/// Poll before the first try (Linux 5.19).
const POLL_FIRST: u16 = 1;

/// What a completion is about, in the low bits of its user data.
const KIND_BITS: u32 = 2;
const READ: u64 = 0;
const WRITE: u64 = 1;
const WATCH: u64 = 2;
const CANCEL: u64 = 3;

/// What a ring is asked for. Each kernel that has one has those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Features {
    /// Completions wait for the thread's next system call (Linux 5.19).
    Cooperative,
    /// One thread submits, and completions wait until it asks for them (Linux 6.1): 3 % less latency.
    Deferred,
}

impl Features {
    /// The best that the kernel allows this process. Found out on a thread of its own: taking a ring down
    /// interrupts the system calls of the thread that made it.
    pub(crate) fn probe() -> io::Result<Self> {
        let prober = std::thread::Builder::new().name("ring-probe".to_owned());
        let probed =
            prober.spawn(|| Self::Deferred.try_out().or_else(|_| Self::Cooperative.try_out()));
        probed?.join().unwrap_or_else(|_| Err(io::Error::other("the probe for io_uring failed")))
    }

    /// Lists of blocks are as old as all else that is needed, so where there are any the rest is there.
    fn try_out(self) -> io::Result<Self> {
        let blocks = Blocks::new();
        let ring = self.build(PROBE_ENTRIES, false);
        let registered = ring.and_then(|ring| blocks.register(&ring.submitter()));
        registered.map(|()| self).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => {
                let missing = "the kernel is older than 5.19 and lacks operations that are needed";
                io::Error::new(io::ErrorKind::Unsupported, missing)
            }
            _ => error,
        })
    }

    fn build(self, entries: u32, announces: bool) -> io::Result<IoUring> {
        let mut builder = IoUring::builder();
        builder.setup_submit_all().setup_coop_taskrun().setup_clamp();
        builder.setup_cqsize(entries.saturating_mul(COMPLETIONS_PER_SUBMISSION));
        if announces {
            builder.setup_taskrun_flag();
        }
        match self {
            Self::Cooperative => {}
            Self::Deferred => {
                builder.setup_single_issuer().setup_defer_taskrun();
            }
        }
        builder.build(entries)
    }
}

pub(super) struct Ring {
    // Before the blocks: the kernel must not take one that has gone.
    ring: IoUring,
    blocks: Blocks,
    /// Small sends among the entries not submitted yet, as far as nobody waits for them.
    small_sends: usize,
    /// Entries the queue had no room for.
    backlog: VecDeque<squeue::Entry>,
    /// Completions that are going to come.
    in_flight: usize,
    /// Kept for its capacity.
    completed: Vec<cqueue::Entry>,
    busy_poll: Option<Duration>,
}

impl Ring {
    pub(super) fn build(features: Features, plan: Plan) -> io::Result<Self> {
        let ring = features.build(plan.ring_entries, plan.busy_poll.is_some())?;
        let blocks = Blocks::new();
        blocks.register(&ring.submitter())?;
        Ok(Self {
            ring,
            blocks,
            small_sends: 0,
            backlog: VecDeque::new(),
            in_flight: 0,
            completed: Vec::new(),
            busy_poll: plan.busy_poll,
        })
    }

    /// Starts the read that `lane` has been prepared for.
    pub(super) fn start_read(&mut self, index: u32, lane: &mut Lane) {
        let fd = Fd(lane.raw_fd());
        let order = if lane.may_be_readable { 0 } else { POLL_FIRST };
        let entry = if lane.input.capacity() == 0 {
            opcode::Recv::new(fd, std::ptr::null_mut(), 0)
                .buf_group(GROUP)
                .ioprio(order)
                .build()
                .flags(squeue::Flags::BUFFER_SELECT)
        } else {
            let room = lane.input.spare_mut();
            opcode::Recv::new(fd, room.as_mut_ptr(), length(room)).ioprio(order).build()
        };
        self.push(entry.user_data(user_data(READ, index)));
    }

    /// Starts the write that `lane` has been prepared for, or goes on with it.
    pub(super) fn start_write(&mut self, index: u32, lane: &Lane) {
        let fd = Fd(lane.raw_fd());
        let bytes = lane.output.as_slice();
        let is_small = is_small(lane);
        let flags = if is_small { libc::MSG_DONTWAIT } else { libc::MSG_WAITALL };
        let order = if lane.may_be_writable { 0 } else { POLL_FIRST };
        let entry = opcode::Send::new(fd, bytes.as_ptr(), length(bytes))
            .flags(flags | libc::MSG_NOSIGNAL)
            .ioprio(order)
            .build();
        self.push(entry.user_data(user_data(WRITE, index)));
        self.small_sends += usize::from(is_small);
    }

    /// Somebody waits for one of the small sends: their completion ends the wait after all.
    pub(super) fn wake_on_sends(&mut self) {
        self.small_sends = 0;
    }

    /// Makes the pending read of `index` end.
    pub(super) fn cancel_read(&mut self, index: u32) {
        self.cancel(user_data(READ, index));
    }

    /// Makes everything end that would not end by itself.
    pub(super) fn release(&mut self, index: u32, lane: &Lane) {
        if lane.read == Read::Pending {
            self.cancel(user_data(READ, index));
        }
        if lane.write == Write::Pending {
            // The socket closes with the completion.
            self.wake_on_sends();
            if !is_small(lane) {
                self.cancel(user_data(WRITE, index));
            }
        }
    }

    pub(super) fn watch(&mut self, key: usize, fd: RawFd, interest: Interest) {
        let (events, is_repeated) = match interest {
            Interest::Readable => (libc::POLLIN, true),
            Interest::Writable => (libc::POLLOUT, false),
        };
        let entry = opcode::PollAdd::new(Fd(fd), events as u32).multi(is_repeated).build();
        self.push(entry.user_data(user_data(WATCH, key as u32)));
    }

    pub(super) fn unwatch(&mut self, key: usize, io: &mut Io) {
        let is_over = io.watches.get(key).is_some_and(|watched| watched.is_over);
        if is_over {
            io.watches.remove(key);
        } else {
            self.cancel(user_data(WATCH, key as u32));
        }
    }

    fn cancel(&mut self, target: u64) {
        let entry = opcode::AsyncCancel::new(target).build();
        self.push(entry.user_data(user_data(CANCEL, 0)));
    }

    /// Adapts the number of lent blocks to what was used lately.
    pub(super) fn trim(&mut self) {
        self.blocks.trim();
    }

    fn push(&mut self, entry: squeue::Entry) {
        self.in_flight += 1;
        if self.backlog.is_empty() {
            if self.try_push(&entry) {
                return;
            }
            // What is submitted now has its completions waiting before the turn.
            let _ = self.ring.submit();
            if self.try_push(&entry) {
                return;
            }
        }
        self.backlog.push_back(entry);
    }

    fn try_push(&mut self, entry: &squeue::Entry) -> bool {
        // SAFETY: what an entry points to is memory of a buffer that its lane holds until the completion,
        // wherever the lane moves; the lanes are kept if the kernel does not complete everything. The
        // descriptor is the lane's or the watch's, open until then too.
        unsafe { self.ring.submission().push(entry).is_ok() }
    }

    fn push_backlog(&mut self) {
        while let Some(entry) = self.backlog.front().cloned()
            && self.try_push(&entry)
        {
            self.backlog.pop_front();
        }
    }

    /// Submits everything and takes what has completed; waits for something if it may. After an error
    /// there is no use in another turn.
    pub(super) fn turn(&mut self, io: &mut Io, may_wait: bool) -> io::Result<()> {
        self.blocks.refill();
        self.push_backlog();
        let may_wait = may_wait && self.backlog.is_empty() && self.ring.completion().is_empty();
        let may_wait = may_wait && !self.finds_by_polling()?;
        let wanted = if may_wait { 1 + self.small_sends } else { 0 };
        self.small_sends = 0;
        self.enter(wanted)?;
        self.react(io);
        Ok(())
    }

    /// One system call: submits all and waits for `wanted` completions.
    fn enter(&mut self, wanted: usize) -> io::Result<()> {
        #[cfg(test)]
        super::tests::ENTERS.set(super::tests::ENTERS.get() + 1);
        let count = self.ring.submission().len() as u32;
        let flags = EnterFlags::GETEVENTS.bits();
        // SAFETY: without an argument there is nothing for the kernel to read but the ring itself.
        let entered =
            unsafe { self.ring.submitter().enter::<()>(count, wanted as u32, flags, None) };
        #[cfg(test)]
        let entered = super::tests::injected(entered);
        match entered {
            // What was not submitted stays in the queue for the next turn, which comes when the
            // completions have been taken.
            Err(error) if !is_passing(&error) => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Asks without sleeping for as long as the settings say; whether there is something.
    fn finds_by_polling(&mut self) -> io::Result<bool> {
        let Some(time) = self.busy_poll else { return Ok(false) };
        self.small_sends = 0;
        self.enter(0)?;
        let end = Instant::now() + time;
        loop {
            if !self.ring.completion().is_empty() || self.ring.submission().taskrun() {
                return Ok(true);
            }
            if Instant::now() >= end {
                return Ok(false);
            }
            std::hint::spin_loop();
        }
    }

    fn react(&mut self, io: &mut Io) {
        let mut completed = std::mem::take(&mut self.completed);
        completed.extend(self.ring.completion());
        for completion in completed.drain(..) {
            let flags = completion.flags();
            if !cqueue::more(flags) {
                self.in_flight -= 1;
            }
            let data = completion.user_data();
            let index = (data >> KIND_BITS) as u32;
            match data & ((1 << KIND_BITS) - 1) {
                READ => self.complete_read(index, completion.result(), flags, io),
                WRITE => self.complete_write(index, completion.result(), io),
                WATCH => self.complete_watch(index as usize, cqueue::more(flags), io),
                _ => {}
            }
        }
        self.completed = completed;
    }

    fn complete_read(&mut self, index: u32, result: i32, flags: u32, io: &mut Io) {
        let lane = io.lane(index);
        let count = u32::try_from(result);
        if let Some(number) = cqueue::buffer_select(flags) {
            lane.input = self.blocks.take(number, count.unwrap_or(0) as usize);
        } else if let Ok(count) = count {
            lane.input.advance(count as usize);
        }
        let outcome = count.map_err(|_| -result);
        if lane.is_released {
            return io.finish_read(index, outcome);
        }
        match outcome {
            Ok(count) => {
                lane.may_be_readable = cqueue::sock_nonempty(flags) || count == 0;
                io.finish_read(index, Ok(count));
            }
            Err(libc::ENOBUFS) => {
                self.blocks.note_shortage();
                let has_bytes = !lane.may_be_readable;
                if has_bytes {
                    // It had waited until there were bytes: they get memory of their own.
                    lane.input = Buffer::new();
                }
                lane.may_be_readable = has_bytes;
                self.start_read(index, lane);
            }
            Err(libc::EINTR | libc::EAGAIN) => {
                lane.may_be_readable = false;
                self.start_read(index, lane);
            }
            Err(code) => io.finish_read(index, Err(code)),
        }
    }

    fn complete_write(&mut self, index: u32, result: i32, io: &mut Io) {
        let lane = io.lane(index);
        let outcome = match u32::try_from(result) {
            Ok(sent) => {
                lane.output.consume(sent as usize);
                Ok(lane.output.is_empty())
            }
            Err(_) if matches!(-result, libc::EAGAIN | libc::EINTR) => Ok(false),
            Err(_) => Err(-result),
        };
        match outcome {
            Ok(false) if !lane.is_released => {
                lane.may_be_writable = false;
                self.start_write(index, lane);
            }
            Ok(is_whole) => {
                lane.may_be_writable |= is_whole;
                io.finish_write(index, Ok(()));
            }
            Err(code) => io.finish_write(index, Err(code)),
        }
    }

    fn complete_watch(&mut self, key: usize, goes_on: bool, io: &mut Io) {
        let Some(watched) = io.watches.get_mut(key) else { return };
        if watched.is_released {
            if !goes_on {
                io.watches.remove(key);
            }
            return;
        }
        watched.notify();
        if goes_on {
            return;
        }
        match watched.interest {
            Interest::Readable => self.watch(key, watched.fd, Interest::Readable),
            Interest::Writable => watched.is_over = true,
        }
    }

    /// Takes everything back from the kernel; whether that succeeded.
    pub(super) fn shut_down(mut self, io: &mut Io) -> bool {
        io.watches.iter_mut().for_each(|(_, watched)| watched.is_released = true);
        let entry = opcode::AsyncCancel2::new(CancelBuilder::any()).build();
        self.push(entry.user_data(user_data(CANCEL, 0)));
        let end = Instant::now() + SHUTDOWN_TIME_MAX;
        while self.in_flight > 0 && Instant::now() < end {
            self.push_backlog();
            let wait = SubmitArgs::new().timespec(&SHUTDOWN_WAIT);
            let submitted = self.ring.submitter().submit_with_args(1, &wait);
            self.react(io);
            if submitted.is_err_and(|error| !is_passing(&error)) {
                break;
            }
        }
        let is_over = self.in_flight == 0;
        if !is_over {
            // The kernel may still fill a block.
            std::mem::forget(self);
        }
        is_over
    }
}

/// Whether entering may succeed the next time: a signal came, the completion queue is full, there is no
/// memory just now, or nothing came in time. All else would be asked again without end.
fn is_passing(error: &io::Error) -> bool {
    let passing = [libc::EINTR, libc::EAGAIN, libc::EBUSY, libc::ETIME];
    error.raw_os_error().is_some_and(|code| passing.contains(&code))
}

fn is_small(lane: &Lane) -> bool {
    lane.may_be_writable && lane.output.len() <= SMALL_BYTES_MAX
}

fn user_data(kind: u64, index: u32) -> u64 {
    u64::from(index) << KIND_BITS | kind
}

/// The kernel takes no more than this at once anyway.
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(i32::MAX as u32)
}
