//! A small JSON reader and writer made for translation: read once into a flat index, walk without allocating, copy
//! what needs no change byte for byte.

mod constant;
mod merge;
mod raw;
mod read;
mod scan;
mod string;
mod text;
mod write;

pub(crate) use constant::Constant;
pub(crate) use merge::merge;
pub(crate) use raw::Raw;
pub(crate) use read::{Index, Kind};
pub(crate) use scan::{Cursor, find_member, skip_space, value_at};
pub(crate) use string::{StringText, string_text};
pub(crate) use text::Text;
pub(crate) use write::{Array, Object, write_str};

/// Containers may be nested this deep. Vendors' own parsers stop between 32 and 512.
pub const DEPTH_MAX: usize = 128;

/// Largest document: offsets are kept in 32 bits.
pub const DOCUMENT_BYTES_MAX: usize = u32::MAX as usize;

/// Why bytes are not a JSON document we read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Not JSON, or not UTF-8; the offset in bytes.
    Syntax(usize),
    /// Nested deeper than [`DEPTH_MAX`].
    Depth,
    /// Longer than [`DOCUMENT_BYTES_MAX`].
    Length,
}
