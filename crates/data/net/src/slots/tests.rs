//! Tests of the walk without sockets: descriptor -1 stands for one, and shutting it down does nothing.

use std::time::{Duration, Instant};

use super::*;

const NO_FD: RawFd = -1;

fn walk_at(now: Tick) -> Walk {
    Walk { now, stage: Stage::Running, park_ticks: 3, find_hang_ups: false }
}

#[test]
fn a_freed_slot_is_used_again() {
    let first = Slot::new(NO_FD);
    let second = Slot::new(NO_FD);
    let index = first.index;
    drop(first);
    assert_eq!(open_count(), 1);
    let third = Slot::new(NO_FD);
    assert_eq!(third.index, index);
    assert_ne!(third.index, second.index);
}

#[test]
fn a_deadline_ends_only_what_is_pending() {
    let start = crate::now();
    let later = start + Duration::from_secs(1);
    let (idle, busy) = (Slot::new(NO_FD), Slot::new(NO_FD));
    idle.set_deadline(Some(later));
    busy.set_deadline(Some(later));
    busy.begin_write().unwrap();
    walk(walk_at(start));
    walk(walk_at(later));
    assert!(idle.is_sound());
    assert_eq!(busy.end().unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(busy.begin_write().unwrap_err().kind(), io::ErrorKind::TimedOut);
}

#[test]
fn a_late_client_can_be_written_to_and_read_from_with_a_new_deadline() {
    let start = crate::now();
    let client = Slot::new(NO_FD);
    client.set_client();
    client.set_deadline(Some(start));
    client.begin_read(false).unwrap();
    walk(walk_at(start));
    assert_eq!(client.end().unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(client.begin_read(false).err().map(|e| e.kind()), Some(io::ErrorKind::TimedOut));
    client.begin_write().unwrap();
    walk(walk_at(start + Duration::from_secs(3600)));
    client.end().unwrap();
    client.set_deadline(None);
    client.begin_read(false).unwrap();
    client.end().unwrap();
}

#[test]
fn a_clients_write_that_expires_is_fatal() {
    let start = crate::now();
    let client = Slot::new(NO_FD);
    client.set_client();
    client.set_deadline(Some(start));
    client.begin_write().unwrap();
    walk(walk_at(start));
    assert_eq!(client.end().unwrap_err().kind(), io::ErrorKind::TimedOut);
    client.set_deadline(None);
    assert_eq!(client.begin_write().unwrap_err().kind(), io::ErrorKind::TimedOut);
}

#[test]
fn a_lifted_deadline_does_not_fire() {
    let start = crate::now();
    let slot = Slot::new(NO_FD);
    slot.set_deadline(Some(start));
    slot.set_deadline(None);
    slot.begin_write().unwrap();
    walk(walk_at(start + Duration::from_secs(3600)));
    slot.end().unwrap();
}

#[test]
fn a_dropped_operation_spoils_the_socket() {
    let slot = Slot::new(NO_FD);
    slot.begin_write().unwrap();
    assert!(!slot.is_sound());
    assert_eq!(slot.begin_write().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn a_dropped_pair_leaves_later_pairs_alone() {
    let (client, first, second) = (Slot::new(NO_FD), Slot::new(NO_FD), Slot::new(NO_FD));
    let old = Slot::pair(&client, &first);
    let new = Slot::pair(&client, &second);
    drop(old);
    let flags = |slot: &Slot| SLOTS.with_borrow_mut(|slots| slots.entry(slot.index).flags);
    assert_ne!(flags(&client) & PAIRED_CLIENT, 0);
    assert_ne!(flags(&second) & PAIRED_UPSTREAM, 0);
    assert_eq!(flags(&first) & PAIRED, 0);
    drop(new);
    assert_eq!(flags(&client) & PAIRED, 0);
    assert_eq!(flags(&second) & PAIRED, 0);
}

#[test]
fn a_closed_side_unties_the_other() {
    let (client, upstream) = (Slot::new(NO_FD), Slot::new(NO_FD));
    let _pair = Slot::pair(&client, &upstream);
    drop(upstream);
    let flags = SLOTS.with_borrow_mut(|slots| slots.entry(client.index).flags);
    assert_eq!(flags & PAIRED, 0);
}

#[test]
fn closing_ends_everything_at_once() {
    let slot = Slot::new(NO_FD);
    walk(Walk { stage: Stage::Closing, ..walk_at(crate::now()) });
    assert_eq!(slot.begin_write().unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
}

/// 20,000 sockets at 2.5 ns each are 50 µs with optimisation; without it this still has to be far from
/// the length of a tick.
#[test]
fn a_walk_over_many_idle_sockets_is_short() {
    let slots: Vec<_> = (0..20_000).map(|_| Slot::new(NO_FD)).collect();
    slots.iter().for_each(|slot| slot.begin_write().unwrap());
    let walks = 20;
    let start = Instant::now();
    for _ in 0..walks {
        walk(walk_at(crate::now()));
    }
    let one = start.elapsed() / walks;
    println!("one walk over {} pending sockets: {one:?}", slots.len());
    assert!(one < Duration::from_millis(10), "{one:?}");
}
