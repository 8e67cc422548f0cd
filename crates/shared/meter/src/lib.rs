//! What an owner has used and whether there is room for more: exact, shared by all workers.
#![forbid(unsafe_code)]

mod gate;
mod seats;

pub use gate::{Full, Gate, Permit, WhenFull};
pub use seats::{NoSeat, Seat, Seats};
