//! What crosses between the planes.

use std::hint::black_box;
use std::io;

use seam::Published;

use super::must;
use crate::gateway::snapshot_of;
use crate::{Case, Step};

pub(super) const CASES: &[Case] = &[
    Case::on_caller("seam/current-snapshot", 100_000, current_snapshot),
    Case::on_caller("seam/current-snapshot-to-keep", 100_000, current_snapshot_to_keep),
];

fn current_snapshot() -> io::Result<Step> {
    let mut reader = Published::new(snapshot_of("{}")?).reader();
    Ok(Box::new(move || must(black_box(&mut reader).current().upstreams.is_empty())))
}

fn current_snapshot_to_keep() -> io::Result<Step> {
    let mut reader = Published::new(snapshot_of("{}")?).reader();
    Ok(Box::new(move || must(black_box(&mut reader).current_local().upstreams.is_empty())))
}
