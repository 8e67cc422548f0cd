//! epoll: every socket is registered once, edge-triggered, and operations are tried when they start
//! unless it is known that they would fail.
//!
//! A read that brought less than it had room for has emptied the socket: it is not tried again before the
//! kernel reports news. So an exchange on two connections takes six system calls: one each to send and to
//! receive, and two to wait.

use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::lane::{Lane, Read, Write};
use super::reactor::{Interest, Io};
use crate::{Buffer, system};

/// Events taken at once.
const EVENTS_MAX: usize = 256;

/// What makes a read worth trying.
const READABLE: EventFlags =
    EventFlags::IN.union(EventFlags::RDHUP).union(EventFlags::HUP).union(EventFlags::ERR);

/// After which every read succeeds at once.
const ENDED: EventFlags = EventFlags::RDHUP.union(EventFlags::HUP).union(EventFlags::ERR);

/// What makes a write worth trying.
const WRITABLE: EventFlags = EventFlags::OUT.union(EventFlags::HUP).union(EventFlags::ERR);

/// In an event's data: the rest is the key of a watch and not the index of a lane.
const IS_WATCH: u64 = 1 << 63;

pub(super) struct Epoll {
    epoll: OwnedFd,
    /// Kept for its capacity.
    events: Vec<Event>,
    busy_poll: Option<Duration>,
}

impl Epoll {
    pub(super) fn build(busy_poll: Option<Duration>) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let mut events = Vec::with_capacity(EVENTS_MAX);
        // A sandbox may refuse to wait, and a worker that cannot would ask without end.
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        match epoll::wait(&epoll, spare_capacity(&mut events), Some(&at_once)) {
            Ok(_) | Err(Errno::INTR) => Ok(Self { epoll, events, busy_poll }),
            Err(error) => Err(error.into()),
        }
    }

    /// Registers a socket.
    pub(super) fn open(&self, index: u32, lane: &Lane) -> io::Result<()> {
        let Some(fd) = &lane.fd else { return Ok(()) };
        let interest = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        Ok(epoll::add(&self.epoll, fd, EventData::new_u64(index.into()), interest)?)
    }

    /// Gives up what is under way. Closing the socket takes its registration along.
    pub(super) fn release(&self, lane: &mut Lane) {
        (lane.read, lane.write) = (Read::Idle, Write::Idle);
    }

    /// Goes on with a pending read, if that may succeed.
    pub(super) fn try_read(&self, index: u32, io: &mut Io) {
        let lane = io.lane(index);
        if lane.read != Read::Pending || !lane.may_be_readable {
            return;
        }
        let Some(fd) = &lane.fd else { return };
        let is_new = lane.input.capacity() == 0;
        if is_new {
            lane.input = Buffer::new();
        }
        let room = lane.input.spare();
        let received = loop {
            match recv(fd, lane.input.spare_mut(), RecvFlags::DONTWAIT) {
                Err(Errno::INTR) => {}
                Ok((count, _)) => break Ok(count),
                Err(error) => break Err(error),
            }
        };
        match received {
            Ok(count) => {
                lane.input.advance(count);
                lane.may_be_readable = count == room || lane.is_ended;
                io.finish_read(index, Ok(count as u32));
            }
            Err(Errno::AGAIN) => {
                lane.may_be_readable = false;
                if is_new {
                    // A read that waits holds no memory.
                    lane.input = Buffer::unallocated();
                }
            }
            Err(error) => io.finish_read(index, Err(error.raw_os_error())),
        }
    }

    /// Goes on with a pending write, if that may succeed.
    pub(super) fn try_write(&self, index: u32, io: &mut Io) {
        let lane = io.lane(index);
        let Some(fd) = &lane.fd else { return };
        while lane.write == Write::Pending && lane.may_be_writable {
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            match send(fd, lane.output.as_slice(), flags) {
                Ok(count) => {
                    lane.output.consume(count);
                    if lane.output.is_empty() {
                        return io.finish_write(index, Ok(()));
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => lane.may_be_writable = false,
                Err(error) => return io.finish_write(index, Err(error.raw_os_error())),
            }
        }
    }

    pub(super) fn watch(&self, key: usize, fd: RawFd, interest: Interest) -> io::Result<()> {
        let flags = match interest {
            Interest::Readable => EventFlags::IN | EventFlags::ET,
            Interest::Writable => EventFlags::OUT | EventFlags::ONESHOT,
        };
        let data = EventData::new_u64(IS_WATCH | key as u64);
        Ok(epoll::add(&self.epoll, system::borrow(&fd), data, flags)?)
    }

    pub(super) fn unwatch(&self, key: usize, io: &mut Io) {
        let watched = io.watches.remove(key);
        // An error says that it is not registered, which is what is wanted.
        let _ = epoll::delete(&self.epoll, system::borrow(&watched.fd));
    }

    /// Takes the events there are; waits for one if it may. After an error there is no use in another
    /// turn.
    pub(super) fn turn(&mut self, io: &mut Io, may_wait: bool) -> io::Result<()> {
        let mut events = std::mem::take(&mut self.events);
        self.take_events(&mut events, may_wait)?;
        for event in &events {
            let Event { flags, data, .. } = *event;
            self.react(data.u64(), flags, io);
        }
        events.clear();
        self.events = events;
        Ok(())
    }

    fn take_events(&self, events: &mut Vec<Event>, may_wait: bool) -> io::Result<()> {
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let polls_until = self.busy_poll.filter(|_| may_wait).map(|time| Instant::now() + time);
        loop {
            let is_polling = polls_until.is_some_and(|end| Instant::now() < end);
            let timeout = (is_polling || !may_wait).then_some(&at_once);
            let waited = epoll::wait(&self.epoll, spare_capacity(events), timeout);
            let waited = waited.map_err(io::Error::from);
            #[cfg(test)]
            let waited = super::tests::injected(waited);
            match waited {
                // Interrupted is as good as nothing.
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                Ok(_) | Err(_) if is_polling && events.is_empty() => {}
                Ok(_) | Err(_) => return Ok(()),
            }
        }
    }

    fn react(&self, data: u64, flags: EventFlags, io: &mut Io) {
        if data & IS_WATCH != 0 {
            if let Some(watched) = io.watches.get_mut((data & !IS_WATCH) as usize) {
                watched.notify();
            }
            return;
        }
        let index = data as u32;
        // An event of a socket closed meanwhile may meet the next one with its index, and makes it try in
        // vain.
        let lane = io.lane(index);
        lane.may_be_readable |= flags.intersects(READABLE);
        lane.is_ended |= flags.intersects(ENDED);
        lane.may_be_writable |= flags.intersects(WRITABLE);
        self.try_read(index, io);
        self.try_write(index, io);
    }
}
