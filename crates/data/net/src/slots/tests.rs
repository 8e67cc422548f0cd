//! Tests of the walk without sockets: descriptor -1 stands for one, and shutting it down does nothing.

use std::time::{Duration, Instant};

use super::*;

const NO_FD: RawFd = -1;

fn slots() -> Slots {
    Slots::with_capacity(4)
}

/// Walks at `now`; the sockets whose read is to be cancelled.
fn walk_at(slots: &mut Slots, now: Tick) -> Vec<u32> {
    let mut cancelled = Vec::new();
    slots.walk(Walk { now, stage: Stage::Running, find_hang_ups: false }, &mut cancelled);
    cancelled
}

fn kind(result: io::Result<()>) -> Option<io::ErrorKind> {
    result.err().map(|error| error.kind())
}

#[test]
fn a_freed_index_is_used_again() {
    let mut slots = slots();
    let (first, second) = (slots.insert(NO_FD), slots.insert(NO_FD));
    slots.close(first);
    let third = slots.insert(NO_FD);
    assert!(third != first && third != second);
    slots.free(first);
    assert_eq!(slots.insert(NO_FD), first);
}

#[test]
fn a_deadline_ends_only_what_is_pending() {
    let start = crate::now();
    let later = start + Duration::from_secs(1);
    let mut slots = slots();
    let (idle, busy) = (slots.insert(NO_FD), slots.insert(NO_FD));
    slots.set_deadline(idle, Some(later));
    slots.set_deadline(busy, Some(later));
    slots.begin_write(busy).unwrap();
    walk_at(&mut slots, start);
    slots.check(busy).unwrap();
    walk_at(&mut slots, later);
    assert!(slots.is_sound(idle));
    assert_eq!(kind(slots.check(busy)), Some(io::ErrorKind::TimedOut));
    slots.end_write(busy);
    assert_eq!(kind(slots.begin_write(busy)), Some(io::ErrorKind::TimedOut));
    assert_eq!(kind(slots.begin_read(busy)), Some(io::ErrorKind::TimedOut));
}

#[test]
fn a_late_client_can_be_written_to_and_read_from_with_a_new_deadline() {
    let start = crate::now();
    let mut slots = slots();
    let client = slots.insert(NO_FD);
    slots.set_client(client);
    slots.set_deadline(client, Some(start));
    slots.begin_read(client).unwrap();
    assert_eq!(walk_at(&mut slots, start), [client]);
    assert_eq!(kind(slots.end_read(client)), Some(io::ErrorKind::TimedOut));
    assert_eq!(kind(slots.begin_read(client)), Some(io::ErrorKind::TimedOut));
    slots.begin_write(client).unwrap();
    walk_at(&mut slots, start + Duration::from_secs(3600));
    slots.check(client).unwrap();
    slots.end_write(client);
    slots.set_deadline(client, None);
    slots.begin_read(client).unwrap();
    slots.end_read(client).unwrap();
}

#[test]
fn a_clients_write_that_expires_is_fatal() {
    let start = crate::now();
    let mut slots = slots();
    let client = slots.insert(NO_FD);
    slots.set_client(client);
    slots.set_deadline(client, Some(start));
    slots.begin_write(client).unwrap();
    assert!(walk_at(&mut slots, start).is_empty());
    assert_eq!(kind(slots.check(client)), Some(io::ErrorKind::TimedOut));
    slots.set_deadline(client, None);
    assert_eq!(kind(slots.begin_write(client)), Some(io::ErrorKind::TimedOut));
}

#[test]
fn a_lifted_deadline_does_not_end_a_read() {
    let start = crate::now();
    let mut slots = slots();
    let socket = slots.insert(NO_FD);
    slots.set_deadline(socket, Some(start));
    slots.set_deadline(socket, None);
    slots.begin_read(socket).unwrap();
    walk_at(&mut slots, start + Duration::from_secs(3600));
    slots.end_read(socket).unwrap();
}

#[test]
fn a_write_keeps_its_deadline_and_takes_earlier_ones() {
    let start = crate::now();
    let after = |seconds| start + Duration::from_secs(seconds);
    let mut slots = slots();
    for (later, expires) in [(None, 20), (Some(after(30)), 20), (Some(after(10)), 10)] {
        let socket = slots.insert(NO_FD);
        slots.set_deadline(socket, Some(after(20)));
        slots.begin_write(socket).unwrap();
        slots.set_deadline(socket, later);
        walk_at(&mut slots, after(expires - 1));
        slots.check(socket).unwrap();
        walk_at(&mut slots, after(expires));
        assert_eq!(kind(slots.check(socket)), Some(io::ErrorKind::TimedOut), "{later:?}");
    }
}

#[test]
fn a_failed_write_leaves_a_read_little_time() {
    let start = crate::now();
    let mut slots = slots();
    let upstream = slots.insert(NO_FD);
    slots.set_deadline(upstream, Some(start + Duration::from_secs(600)));
    slots.begin_write(upstream).unwrap();
    slots.begin_read(upstream).unwrap();
    slots.fail_write(upstream, start);
    walk_at(&mut slots, start);
    slots.check(upstream).unwrap();
    walk_at(&mut slots, start + LAST_WORDS_TIME);
    assert_eq!(kind(slots.end_read(upstream)), Some(io::ErrorKind::TimedOut));
}

#[test]
fn a_dropped_read_spoils_the_socket() {
    let mut slots = slots();
    let socket = slots.insert(NO_FD);
    slots.begin_read(socket).unwrap();
    assert!(!slots.is_sound(socket));
    assert_eq!(kind(slots.begin_read(socket)), Some(io::ErrorKind::BrokenPipe));
    assert_eq!(kind(slots.begin_write(socket)), Some(io::ErrorKind::BrokenPipe));
}

#[test]
fn an_old_tie_leaves_later_pairs_alone() {
    let mut slots = slots();
    let [client, first, second] = [(); 3].map(|()| slots.insert(NO_FD));
    let old = slots.pair(client, first);
    let new = slots.pair(client, second);
    slots.untie(old);
    assert_ne!(slots.entry(client).flags & PAIRED_CLIENT, 0);
    assert_ne!(slots.entry(second).flags & PAIRED_UPSTREAM, 0);
    assert_eq!(slots.entry(first).flags & PAIRED, 0);
    slots.untie(new);
    assert_eq!(slots.entry(client).flags & PAIRED, 0);
    assert_eq!(slots.entry(second).flags & PAIRED, 0);
}

#[test]
fn a_closed_side_unties_the_other() {
    let mut slots = slots();
    let (client, upstream) = (slots.insert(NO_FD), slots.insert(NO_FD));
    slots.pair(client, upstream);
    slots.close(upstream);
    assert_eq!(slots.entry(client).flags & PAIRED, 0);
}

#[test]
fn closing_ends_everything_at_once() {
    let mut slots = slots();
    let socket = slots.insert(NO_FD);
    let walk = Walk { now: crate::now(), stage: Stage::Closing, find_hang_ups: false };
    slots.walk(walk, &mut Vec::new());
    assert_eq!(kind(slots.begin_write(socket)), Some(io::ErrorKind::ConnectionAborted));
}

/// 20,000 sockets at 2.5 ns each are 50 µs with optimisation; without it this still has to be far from
/// the length of a tick.
#[test]
fn a_walk_over_many_pending_sockets_is_short() {
    let mut slots = slots();
    for _ in 0..20_000 {
        let socket = slots.insert(NO_FD);
        slots.begin_write(socket).unwrap();
    }
    let walks = 20;
    let start = Instant::now();
    for _ in 0..walks {
        walk_at(&mut slots, crate::now());
    }
    let one = start.elapsed() / walks;
    println!("one walk over 20,000 pending sockets: {one:?}");
    assert!(one < Duration::from_millis(10), "{one:?}");
}
