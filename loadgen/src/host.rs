//! The machine underneath: what it is, whether it is quiet, where threads run, what processes use.

pub(crate) mod awake;
pub(crate) mod busy;
pub(crate) mod limits;
pub(crate) mod machine;
pub(crate) mod processes;
pub(crate) mod schedule;
pub(crate) mod snapshot;
pub(crate) mod syscalls;
