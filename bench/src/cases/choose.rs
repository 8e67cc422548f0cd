//! Whom to ask: targets by model, a key by weight, a permit to ask at all.

use std::hint::black_box;
use std::io;
use std::sync::Arc;

use meter::Gate;
use snapshot::{Snapshot, Upstream};

use super::must;
use crate::gateway::snapshot_of;
use crate::{Case, Step};

pub(super) const CASES: &[Case] = &[
    Case::on_caller("choose/targets/provider-and-model", 10_000, || {
        targets("openai/gpt-4o-mini", 1)
    }),
    Case::on_caller("choose/targets/model-alone", 2000, || targets("gpt-4o-mini", 2)),
    Case::on_caller("choose/keys-of-model", 10_000, keys_of_model),
    Case::on_caller("choose/key/of-2-weights", 50_000, || key(2)),
    Case::on_caller("choose/key/of-8-weights", 50_000, || key(8)),
    Case::on_caller("choose/key/of-64-weights", 50_000, || key(64)),
    Case::on_caller("choose/permit", 50_000, permit),
];

/// Two providers that serve the same model, `openai` by `keys` keys of different weights.
fn two_providers(keys: usize) -> io::Result<Snapshot> {
    let key = |index: usize| {
        let weight = 1 + index % 7;
        format!(
            r#"{{"name":"k{index}","value":"sk-{index}","models":["gpt-4o-mini"],"weight":{weight}}}"#
        )
    };
    let keys: Vec<String> = (0..keys).map(key).collect();
    snapshot_of(&format!(
        r#"{{"providers":{{"openai":{{"keys":[{}]}},"openrouter":{{"keys":[{}]}}}}}}"#,
        keys.join(","),
        key(0)
    ))
}

fn targets(model: &'static str, count: usize) -> io::Result<Step> {
    let snapshot = two_providers(1)?;
    Ok(Box::new(move || must(proxy::bench::targets(&snapshot, black_box(model)) == count)))
}

/// The provider whose keys the cases are about.
fn openai(keys: usize) -> io::Result<Arc<Upstream>> {
    let snapshot = two_providers(keys)?;
    let upstream = snapshot.upstream("openai").cloned();
    Ok(upstream.ok_or(io::ErrorKind::NotFound)?)
}

fn keys_of_model() -> io::Result<Step> {
    let upstream = openai(2)?;
    Ok(Box::new(move || must(upstream.keys.pool(black_box("gpt-4o-mini")).len() == 2)))
}

fn key(count: usize) -> io::Result<Step> {
    let pool = openai(count)?.keys.pool("gpt-4o-mini").clone();
    must(pool.len() == count)?;
    let mut random = 0_u64;
    Ok(Box::new(move || {
        // Fibonacci hashing: the same evenly spread numbers each time.
        random = random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        must(black_box(&pool).draw(black_box(random)).is_some())
    }))
}

fn permit() -> io::Result<Step> {
    let gate = Arc::new(Gate::new(1000, 1000));
    Ok(Box::new(move || must(black_box(&gate).try_enter().is_some())))
}
