//! The stages of the end.

use std::sync::atomic::Ordering;

use seam::Stage;

use super::harness::{Running, eventually};

fn with_active(active: u64) -> Running {
    let running = Running::start(None);
    running.seam.stats[0].requests_active.store(active, Ordering::Relaxed);
    running
}

fn comes_to(running: &Running, stage: Stage) {
    eventually(&format!("{stage:?}"), || running.seam.stop.stage() == stage);
}

#[test]
fn an_idle_process_drains_at_once() {
    let running = with_active(0);
    running.handle().leave();
    comes_to(&running, Stage::Draining);
    assert_eq!(running.get("/health").status, 200, "the control plane stays until the end");
}

#[test]
fn a_busy_process_accepts_until_the_work_is_done() {
    let running = with_active(1);
    running.handle().leave();
    comes_to(&running, Stage::Leaving);
    running.seam.stats[0].requests_active.store(0, Ordering::Relaxed);
    comes_to(&running, Stage::Draining);
}

#[test]
fn a_successor_ends_the_accepting() {
    let running = with_active(1);
    running.handle().handed_over();
    comes_to(&running, Stage::Draining);
}

#[test]
fn the_order_to_close_ends_everything() {
    let running = with_active(1);
    running.handle().leave();
    comes_to(&running, Stage::Leaving);
    running.handle().close();
    comes_to(&running, Stage::Closing);
}
