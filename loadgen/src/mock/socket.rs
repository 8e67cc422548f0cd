//! The two settings of the operating system that no safe interface reaches from here.

use std::io;
use std::mem;
use std::os::fd::RawFd;

/// Resets a TCP connection at once; what was not sent yet is lost.
///
/// `socket` is the descriptor of a stream the caller still holds. Lingering for no time would do
/// the same on close, but monoio shuts a stream down in order before it closes it.
pub(crate) fn reset(socket: RawFd) -> io::Result<()> {
    let nowhere =
        libc::sockaddr { sa_family: libc::AF_UNSPEC as libc::sa_family_t, sa_data: [0; 14] };
    let size = mem::size_of::<libc::sockaddr>() as libc::socklen_t;
    #[expect(
        unsafe_code,
        reason = "monoio's stream lends no BorrowedFd, so the safe wrappers cannot be used; \
                  the kernel copies the address before the call returns"
    )]
    let result = unsafe { libc::connect(socket, &raw const nowhere, size) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Raises the limit of open files as far as it goes. A mock holds a socket for every stream.
pub(crate) fn raise_file_limit() -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    #[expect(unsafe_code, reason = "std has no interface for it; `limit` outlives both calls")]
    let result = unsafe {
        match libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) {
            0 => {
                limit.rlim_cur = limit.rlim_max;
                libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit)
            }
            error => error,
        }
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
