//! Every way to log in against servers on loopback, and renewal by a clock that is turned by hand.

mod aws;
mod harness;
mod logins;
mod renewing;
mod signatures;
