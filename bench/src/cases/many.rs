//! What takes less time than the step it is measured in, a thousand times in one: its microseconds are the
//! nanoseconds of one. Beside the cases of the same names, which count its instructions.

use std::hint::black_box;
use std::io;

use seam::Published;

use super::must;
use crate::gateway::snapshot_of;
use crate::{Case, Step};

pub(super) const CASES: &[Case] = &[
    Case::on_caller("choose/key/of-64-weights/1000-times", 50, keys),
    Case::on_caller("seam/current-snapshot/1000-times", 100, snapshots),
];

const TIMES: usize = 1000;

fn keys() -> io::Result<Step> {
    let key = |index: usize| {
        let weight = 1 + index % 7;
        format!(r#"{{"name":"k{index}","value":"sk-{index}","models":["*"],"weight":{weight}}}"#)
    };
    let keys: Vec<String> = (0..64).map(key).collect();
    let config = format!(r#"{{"providers":{{"openai":{{"keys":[{}]}}}}}}"#, keys.join(","));
    let snapshot = snapshot_of(&config)?;
    let upstream = snapshot.upstream("openai").ok_or(io::ErrorKind::NotFound)?;
    let pool = upstream.keys.pool("gpt-4o-mini").clone();
    must(pool.len() == keys.len())?;
    let mut random = 0_u64;
    Ok(Box::new(move || {
        let drawn = (0..TIMES).filter(|_| {
            // Fibonacci hashing: the same evenly spread numbers each time.
            random = random.wrapping_add(0x9E37_79B9_7F4A_7C15);
            black_box(&pool).draw(black_box(random)).is_some()
        });
        must(drawn.count() == TIMES)
    }))
}

fn snapshots() -> io::Result<Step> {
    let mut reader = Published::new(snapshot_of("{}")?).reader();
    Ok(Box::new(move || {
        let read = (0..TIMES).filter(|_| black_box(&mut reader).current().upstreams.is_empty());
        must(read.count() == TIMES)
    }))
}
