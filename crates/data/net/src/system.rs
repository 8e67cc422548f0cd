//! System calls that the standard library and socket2 don't offer, each behind a safe function.
#![expect(unsafe_code, reason = "calls into libc; every block says what makes it sound")]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Most descriptors in one ancillary message; the kernel's `SCM_MAX_FD` is 253.
pub(crate) const PASSED_FDS_MAX: usize = 128;

/// Room for the ancillary data of one message: a header and the descriptors.
const ANCILLARY_BYTES: usize = 32 + PASSED_FDS_MAX * size_of::<RawFd>();

/// The first descriptor a service manager passes (`SD_LISTEN_FDS_START`).
const SERVICE_MANAGER_FD_FIRST: RawFd = 3;

/// Milliseconds of the coarse monotonic clock.
pub(crate) fn coarse_millis() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live timespec of ours. The clock exists on every Linux this runs on;
    // were it missing, time would stand at zero (test `time_moves_on_but_not_within_a_turn`).
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut time) };
    time.tv_sec as u64 * 1_000 + time.tv_nsec as u64 / 1_000_000
}

/// The halves of a connection to shut down.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Half {
    Read,
    Write,
    Both,
}

/// Shuts a socket down. A pending operation on it completes; that the peer has already gone is no error.
pub(crate) fn shut_down(fd: RawFd, half: Half) {
    let how = match half {
        Half::Read => libc::SHUT_RD,
        Half::Write => libc::SHUT_WR,
        Half::Both => libc::SHUT_RDWR,
    };
    // SAFETY: takes plain numbers. A descriptor that is not a connected socket is an error code, which
    // leaves nothing to do.
    unsafe { libc::shutdown(fd, how) };
}

/// What [`poll_now`] asks about a socket.
pub(crate) fn poll_entry(fd: RawFd, events: libc::c_short) -> libc::pollfd {
    libc::pollfd { fd, events, revents: 0 }
}

/// Fills in the `revents` of all entries without waiting.
pub(crate) fn poll_now(entries: &mut [libc::pollfd]) -> io::Result<()> {
    let count = entries.len() as libc::nfds_t;
    // SAFETY: pointer and count are of one live slice. Closed descriptors are reported, not touched.
    let ready = unsafe { libc::poll(entries.as_mut_ptr(), count, 0) };
    if ready < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Lends a descriptor to a function that wants one with a lifetime.
pub(crate) fn borrow(owner: &impl AsRawFd) -> BorrowedFd<'_> {
    // SAFETY: `owner` stays borrowed as long as the result lives, so it cannot close the descriptor.
    unsafe { BorrowedFd::borrow_raw(owner.as_raw_fd()) }
}

/// Binds the calling thread to one core.
pub(crate) fn pin_to_core(core: usize) -> io::Result<()> {
    if core >= libc::CPU_SETSIZE as usize {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    // SAFETY: an all-zero set is the empty set.
    let mut set: libc::cpu_set_t = unsafe { MaybeUninit::zeroed().assume_init() };
    // SAFETY: `core` is below the number of bits in the set, checked above.
    unsafe { libc::CPU_SET(core, &mut set) };
    // SAFETY: pointer and size are of the live set; 0 means the calling thread.
    let result = unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Switches transparent huge pages off for the process: with them a 16 KiB buffer of which one page was
/// touched becomes resident in full.
pub(crate) fn disable_huge_pages() -> io::Result<()> {
    let (on, unused): (libc::c_ulong, libc::c_ulong) = (1, 0);
    // SAFETY: this option takes numbers only.
    let result = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, on, unused, unused, unused) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Raises the soft limits for open files and locked memory to the hard ones. Returns the number of files
/// this process may open.
pub fn raise_limits() -> io::Result<u64> {
    raise_limit(libc::RLIMIT_MEMLOCK)?;
    raise_limit(libc::RLIMIT_NOFILE)
}

fn raise_limit(resource: libc::__rlimit_resource_t) -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel fills in the struct the pointer is to.
    if unsafe { libc::getrlimit(resource, &raw mut limit) } < 0 {
        return Err(io::Error::last_os_error());
    }
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: the kernel reads the struct the pointer is to.
    if unsafe { libc::setrlimit(resource, &raw const limit) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(limit.rlim_cur)
}

/// The descriptors a service manager passed to this process (`LISTEN_FDS`), closed on exec from now on.
/// Call it once: every call claims to own them.
pub(crate) fn service_manager_fds(count: usize) -> Vec<OwnedFd> {
    let count = RawFd::try_from(count.min(PASSED_FDS_MAX)).unwrap_or(0);
    (SERVICE_MANAGER_FD_FIRST..SERVICE_MANAGER_FD_FIRST + count)
        .filter(|fd| {
            // SAFETY: takes numbers only; on a closed descriptor it fails.
            let result = unsafe { libc::fcntl(*fd, libc::F_SETFD, libc::FD_CLOEXEC) };
            result >= 0
        })
        .map(|fd| {
            // SAFETY: open as just seen, and by the protocol ours to use and close.
            unsafe { OwnedFd::from_raw_fd(fd) }
        })
        .collect()
}

/// The user id of the process at the other end of a Unix socket.
pub(crate) fn peer_user(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let mut credentials = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes into the struct, which has that size.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut length,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(credentials.uid) }
}

/// The user id this process runs as.
pub(crate) fn own_user() -> u32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}

/// Ancillary data with the alignment its headers need.
#[repr(C, align(16))]
struct Ancillary([u8; ANCILLARY_BYTES]);

/// Sends `byte` with copies of up to [`PASSED_FDS_MAX`] descriptors.
pub(crate) fn send_fds(socket: BorrowedFd<'_>, byte: u8, fds: &[OwnedFd]) -> io::Result<()> {
    if fds.len() > PASSED_FDS_MAX {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    let mut ancillary = Ancillary([0; ANCILLARY_BYTES]);
    let mut payload = libc::iovec { iov_base: (&raw const byte).cast_mut().cast(), iov_len: 1 };
    let mut message = message_header(&mut payload, &mut ancillary);
    let bytes = size_of_val(fds) as libc::c_uint;
    // SAFETY: computes with numbers only.
    message.msg_controllen = unsafe { libc::CMSG_SPACE(bytes) } as usize;
    // SAFETY: the header points to `ancillary`, which is aligned and larger than one header.
    let header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    // SAFETY: `header` is inside `ancillary`, and `fds` (transparent over numbers) fit behind it as
    // checked at the top (test `descriptors_arrive_in_batches`).
    unsafe {
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(bytes) as usize;
        let target = libc::CMSG_DATA(header);
        std::ptr::copy_nonoverlapping(fds.as_ptr().cast::<u8>(), target, size_of_val(fds));
    }
    // SAFETY: all that the message points to lives until the call returns.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Receives one byte and the descriptors sent with it. `None` at the end of the stream.
pub(crate) fn receive_fds(socket: BorrowedFd<'_>) -> io::Result<Option<(u8, Vec<OwnedFd>)>> {
    let mut byte = 0_u8;
    let mut ancillary = Ancillary([0; ANCILLARY_BYTES]);
    let mut payload = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let mut message = message_header(&mut payload, &mut ancillary);
    let flags = libc::MSG_CMSG_CLOEXEC;
    // SAFETY: the kernel writes only into `byte` and `ancillary`, with the lengths given.
    let received = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) };
    match received {
        1.. => Ok(Some((byte, passed_fds(&message)))),
        0 => Ok(None),
        _ => Err(io::Error::last_os_error()),
    }
}

fn message_header(payload: &mut libc::iovec, ancillary: &mut Ancillary) -> libc::msghdr {
    // SAFETY: all zero is a valid message without address, payload or ancillary data.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = payload;
    message.msg_iovlen = 1;
    message.msg_control = ancillary.0.as_mut_ptr().cast();
    message.msg_controllen = ANCILLARY_BYTES;
    message
}

/// The descriptors in a message just received.
fn passed_fds(message: &libc::msghdr) -> Vec<OwnedFd> {
    // SAFETY: the kernel filled in `msg_control` and its length; the result is inside or null.
    let header = unsafe { libc::CMSG_FIRSTHDR(message) };
    // SAFETY: null or a header written by the kernel.
    let Some(found) = (unsafe { header.as_ref() }) else {
        return Vec::new();
    };
    if found.cmsg_level != libc::SOL_SOCKET || found.cmsg_type != libc::SCM_RIGHTS {
        return Vec::new();
    }
    // SAFETY: computes with numbers only.
    let overhead = unsafe { libc::CMSG_LEN(0) } as usize;
    let count = found.cmsg_len.saturating_sub(overhead) / size_of::<RawFd>();
    // SAFETY: the data starts behind the header.
    let first = unsafe { libc::CMSG_DATA(header) }.cast::<RawFd>();
    (0..count)
        .map(|index| {
            // SAFETY: the kernel wrote `count` open descriptors there, which are ours now.
            unsafe { OwnedFd::from_raw_fd(first.add(index).read_unaligned()) }
        })
        .collect()
}

/// Anonymous memory that costs nothing until it is touched. Never given back: a ring may still hold a
/// pointer into it when its worker ends.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: *mut u8,
    bytes: usize,
}

impl Mapping {
    /// Maps `bytes` of zeroes.
    pub(crate) fn new(bytes: usize) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new mapping at an address the kernel chooses touches no memory in use.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), bytes, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { start: start.cast(), bytes })
    }

    /// The part from `offset` of `length` bytes.
    pub(crate) fn piece(&self, offset: usize, length: usize) -> Option<Piece> {
        let end = offset.checked_add(length)?;
        if end > self.bytes {
            return None;
        }
        // SAFETY: `offset` is inside the mapping, checked above.
        let start = std::ptr::NonNull::new(unsafe { self.start.add(offset) })?;
        Some(Piece { start, length })
    }

    /// Where a piece of this mapping begins.
    pub(crate) fn offset_of(&self, piece: &Piece) -> usize {
        piece.start.as_ptr().addr() - self.start.addr()
    }
}

/// Size of a page of memory in bytes; a power of two.
pub(crate) fn page_bytes() -> usize {
    rustix::param::page_size()
}

/// Exclusive use of a part of a [`Mapping`]: whoever makes pieces hands each out once.
#[derive(Debug)]
pub(crate) struct Piece {
    start: std::ptr::NonNull<u8>,
    length: usize,
}

impl Piece {
    /// Its size in bytes.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Its bytes.
    pub(crate) fn as_slice(&self) -> &[u8] {
        // SAFETY: mapped for ever, zeroed at first, and nobody else uses this part.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }

    /// Its bytes, to write.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as in `as_slice`, and `self` is borrowed for writing.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }

    /// Gives the memory behind it back to the system; it reads as zeroes afterwards. Only for pieces of
    /// whole pages.
    pub(crate) fn forget_contents(&mut self) {
        let page_mask = page_bytes() - 1;
        debug_assert_eq!((self.start.addr().get() | self.length) & page_mask, 0, "not whole pages");
        // SAFETY: the pages belong to this piece alone, and all-zero bytes are valid bytes.
        unsafe { libc::madvise(self.start.as_ptr().cast(), self.length, libc::MADV_DONTNEED) };
    }
}
