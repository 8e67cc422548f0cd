//! One file per stage of a request, in the order of the pipeline.

pub(crate) mod choose;
pub(crate) mod judge;
pub(crate) mod open;
pub(crate) mod peek;
pub(crate) mod prepare;
pub(crate) mod read;
pub(crate) mod record;
pub(crate) mod relay;
pub(crate) mod send;
pub(crate) mod splice;
pub(crate) mod watch;
