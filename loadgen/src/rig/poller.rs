//! Waiting for sockets: epoll, edge-triggered, with every socket registered once for everything. A timer among
//! them ends waits to the nanosecond, where epoll itself knows milliseconds.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

use super::limits::EVENTS_MAX;

/// What the kernel said about one socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Readiness {
    /// What the socket was registered with.
    pub token: u64,
    /// Something can be read, be it the end.
    pub is_readable: bool,
    /// Something can be written, or the connection failed.
    pub is_writable: bool,
    /// The other side has ended its half or the whole connection: read on until the end shows.
    pub is_ended: bool,
}

/// The set of sockets waited for, and what was reported last.
pub(crate) struct Poller {
    epoll: OwnedFd,
    timer: OwnedFd,
    events: Vec<Event>,
}

/// What the timer is registered with: no socket has it.
const TIMER: u64 = u64::MAX - 1;

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        // Edge-triggered, so that it need not be read.
        let interest = EventFlags::IN | EventFlags::ET;
        epoll::add(&epoll, &timer, EventData::new_u64(TIMER), interest)?;
        Ok(Self { epoll, timer, events: Vec::with_capacity(EVENTS_MAX) })
    }

    /// Registers a socket until it is closed. Being edge-triggered costs nothing where the kernel
    /// has nothing new to tell: it mentions room for writing again only to who ran out of it.
    pub(crate) fn add(&self, socket: impl AsFd, token: u64) -> io::Result<()> {
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(&self.epoll, socket, EventData::new_u64(token), flags)?;
        Ok(())
    }

    /// Registers a listening socket, whose connections need not be accepted all at once.
    pub(crate) fn add_listener(&self, socket: impl AsFd, token: u64) -> io::Result<()> {
        epoll::add(&self.epoll, socket, EventData::new_u64(token), EventFlags::IN)?;
        Ok(())
    }

    /// Waits until something happens or the time is over (zero: only looks; `None`: without end).
    /// How many events there are.
    pub(crate) fn wait(&mut self, timeout_ns: Option<u64>) -> io::Result<usize> {
        const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
        let timeout = match timeout_ns {
            Some(0) => Some(&NOW),
            Some(timeout_ns) => {
                self.set_timer(timeout_ns)?;
                None
            }
            None => None,
        };
        self.events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), timeout) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        // A copy: the field of a packed struct cannot be borrowed.
        self.events.retain(|event| { event.data }.u64() != TIMER);
        Ok(self.events.len())
    }

    fn set_timer(&self, timeout_ns: u64) -> io::Result<()> {
        let it_value = Timespec {
            tv_sec: (timeout_ns / 1_000_000_000).cast_signed(),
            tv_nsec: (timeout_ns % 1_000_000_000).cast_signed(),
        };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }

    /// One of the events the last `wait` counted.
    #[inline]
    pub(crate) fn event(&self, index: usize) -> Readiness {
        let Event { flags, data } = self.events[index];
        let is_ended = flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR);
        Readiness {
            token: data.u64(),
            is_readable: flags.contains(EventFlags::IN) || is_ended,
            is_writable: flags.contains(EventFlags::OUT) || is_ended,
            is_ended,
        }
    }
}
