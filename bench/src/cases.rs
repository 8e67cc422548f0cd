//! The table, a file for each subject. To add a case, add an entry.

mod choose;
mod dialects;
mod many;
mod peek;
mod request;
mod seam;
mod splice;
mod stream;
mod translate;
mod wire;

use std::io;

use crate::Case;

/// Every subject.
pub(crate) const SUBJECTS: &[&[Case]] = &[
    wire::CASES,
    peek::CASES,
    splice::CASES,
    translate::CASES,
    dialects::CASES,
    stream::CASES,
    choose::CASES,
    seam::CASES,
    many::CASES,
    request::CASES,
];

/// A case that does not do what it is there for must not be measured.
fn must(is_as_meant: bool) -> io::Result<()> {
    if is_as_meant { Ok(()) } else { Err(unexpected()) }
}

#[cold]
fn unexpected() -> io::Error {
    io::Error::other("the step did not do what it is there for")
}
