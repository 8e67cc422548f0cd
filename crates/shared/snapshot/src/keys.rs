//! A provider's keys, ready for drawing one without a lock or an allocation.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::{Endpoint, NameTable, Secret, Sign};

/// Id and name of a provider key, shared with events and logs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KeyLabel {
    /// Key id.
    pub id: String,
    /// Key name.
    pub name: String,
}

/// One provider key, rendered for the wire.
#[derive(Debug)]
pub struct Key {
    /// Id and name.
    pub label: Arc<KeyLabel>,
    /// How its requests say who they are from.
    pub auth: KeyAuth,
    /// The region it is in, of clouds that have such.
    pub region: Option<Box<str>>,
    /// Weight as `int(weight × 100)`.
    pub weight: u32,
    /// `use_for_batch_api`.
    pub serves_batches: bool,
    /// It stands beside the key of the same label, for the models of one alias.
    pub is_elsewhere: bool,
    /// Model names as callers write them to the model id on the wire.
    pub aliases: NameTable<Arc<str>>,
    /// The names by which models behind aliases are judged, where their ids do not tell.
    pub likenesses: NameTable<Arc<str>>,
    /// Its addresses where they are part of the key (ollama, cloud providers), one for each root of
    /// the provider's services; empty where they are the provider's own.
    pub endpoints: Vec<Option<KeyEndpoint>>,
}

/// How requests with a key authenticate.
#[derive(Clone, Debug)]
pub enum KeyAuth {
    /// The same header lines each time, with their CRLF; empty for a key without a value.
    Line(Secret),
    /// Header lines made for each request.
    Signer(Arc<dyn Sign>),
}

impl KeyAuth {
    /// The fixed lines; empty where requests are signed one by one.
    pub fn line(&self) -> &str {
        match self {
            Self::Line(line) => line.expose(),
            Self::Signer(_) => "",
        }
    }
}

/// An address that belongs to one key.
#[derive(Debug)]
pub struct KeyEndpoint {
    /// Where to connect to.
    pub endpoint: Arc<Endpoint>,
    /// Path in front of every operation's path, without a slash at the end.
    pub base_path: Box<str>,
    /// How requests there authenticate, where that is not as at the key's other addresses.
    pub auth: Option<KeyAuth>,
}

impl Key {
    /// How its requests to services of one root authenticate.
    pub fn auth_at(&self, root: usize) -> &KeyAuth {
        self.endpoint(root).and_then(|there| there.auth.as_ref()).unwrap_or(&self.auth)
    }

    /// Its own address for services of one root.
    pub fn endpoint(&self, root: usize) -> Option<&KeyEndpoint> {
        self.endpoints.get(root)?.as_ref()
    }

    /// The model id on the wire for the model name the caller used.
    pub fn alias<'a>(&'a self, model: &str) -> Option<&'a Arc<str>> {
        self.aliases.get(model)
    }

    /// The name that tells what the model `id` is like, which the caller calls `alias`.
    pub fn likeness<'a>(&'a self, alias: &str, id: &'a str) -> &'a str {
        self.likenesses.get(alias).map_or(id, |likeness| likeness)
    }
}

/// The keys of one provider and who may serve which model.
#[derive(Debug, Default)]
pub struct KeyTable {
    /// Every usable key, sorted as configured.
    pub keys: Vec<Key>,
    /// Pools of models that some key names in an allow-list or a deny-list.
    by_model: NameTable<Pool>,
    /// Pool of every other model: the keys that allow all.
    other: Pool,
    /// Models that some key names to serve them: in its allow-list, or as an alias.
    listed: NameTable<()>,
    /// Every key, for requests that have to do with no model.
    whole: Pool,
    /// Of those, the ones that batches may use.
    batches: Pool,
}

/// Keys that may serve a model, with their weights summed up.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    /// Positions in [`KeyTable::keys`].
    members: Box<[u16]>,
    /// Running sum of weights; empty when all weights are zero (then all are equal).
    cumulative: Box<[u32]>,
}

impl KeyTable {
    /// Builds the pools from each key's model filter.
    pub(crate) fn new(keys: Vec<(Key, ModelFilter)>) -> Self {
        let named: BTreeSet<&str> = keys.iter().flat_map(|(_, filter)| filter.named()).collect();
        let pool = |model: &str| (model.into(), Pool::of(&keys, Some(model)));
        let by_model = named.into_iter().map(pool).collect();
        let listed = keys.iter().flat_map(|(key, filter)| listed_by(key, filter)).collect();
        let other = Pool::of(&keys, None);
        let whole = Pool::with(&keys, |key, _| !key.is_elsewhere);
        let batches = Pool::with(&keys, |key, _| !key.is_elsewhere && key.serves_batches);
        let keys = keys.into_iter().map(|(key, _)| key).collect();
        Self { keys, by_model, other, listed, whole, batches }
    }

    /// Every key, whatever models it serves.
    pub fn whole(&self) -> &Pool {
        &self.whole
    }

    /// Every key with `use_for_batch_api`.
    pub fn batches(&self) -> &Pool {
        &self.batches
    }

    /// The keys that may serve `model`, matched without regard to case.
    pub fn pool(&self, model: &str) -> &Pool {
        self.by_model.get(model).unwrap_or(&self.other)
    }

    /// No list says which key serves which model.
    pub fn is_unrestricted(&self) -> bool {
        self.by_model.is_empty()
    }

    /// Models that some key may serve and names, in its allow-list or as an alias (lower case).
    pub fn named_models(&self) -> impl Iterator<Item = &str> {
        self.listed.names()
    }

    /// Whether `model` is one of [`Self::named_models`].
    pub fn names_model(&self, model: &str) -> bool {
        self.listed.contains(model)
    }
}

/// The models that a key says it serves. What its deny-list holds is not among them.
fn listed_by<'k>(
    key: &'k Key,
    filter: &'k ModelFilter,
) -> impl Iterator<Item = (Box<str>, ())> + 'k {
    let allowed = filter.allowed.iter().flatten().map(String::as_str);
    let names = allowed.chain(key.aliases.names());
    names.filter(|name| filter.allows(Some(name))).map(|name| (name.into(), ()))
}

impl KeyTable {
    /// Whether requests with some key are signed over their whole body.
    pub fn signs_bodies(&self) -> bool {
        let covers_body = |auth: &KeyAuth| match auth {
            KeyAuth::Signer(signer) => signer.covers_body(),
            KeyAuth::Line(_) => false,
        };
        self.keys.iter().any(|key| covers_body(&key.auth))
    }
}

impl Pool {
    fn of(keys: &[(Key, ModelFilter)], model: Option<&str>) -> Self {
        Self::with(keys, |_, filter| filter.allows(model))
    }

    fn with(keys: &[(Key, ModelFilter)], fits: impl Fn(&Key, &ModelFilter) -> bool) -> Self {
        let (mut members, mut cumulative, mut sum) = (Vec::new(), Vec::new(), 0_u32);
        for (position, (key, filter)) in keys.iter().enumerate() {
            if fits(key, filter) {
                sum = sum.saturating_add(key.weight);
                members.push(position as u16);
                cumulative.push(sum);
            }
        }
        if sum == 0 {
            cumulative.clear();
        }
        Self { members: members.into(), cumulative: cumulative.into() }
    }

    /// No key may serve the model.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// How many keys there are to draw from.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Positions of the keys in the table.
    pub fn members(&self) -> &[u16] {
        &self.members
    }

    /// Draws a key by weight. `random` is uniform over all of `u64`. A key of weight 0 is never
    /// drawn while another has weight. `None` only for an empty pool.
    pub fn draw(&self, random: u64) -> Option<u16> {
        let position = match self.cumulative.last() {
            None => below(random, self.members.len() as u64) as usize,
            Some(sum) => {
                let point = below(random, u64::from(*sum)) as u32;
                self.cumulative.partition_point(|upper| *upper <= point)
            }
        };
        self.members.get(position).copied()
    }

    /// Draws among the members that `usable` accepts; for the rare second attempt.
    pub fn draw_among(
        &self,
        keys: &[Key],
        random: u64,
        usable: impl Fn(u16) -> bool,
    ) -> Option<u16> {
        let weight = |member: u16| keys.get(usize::from(member)).map_or(0, |key| key.weight);
        let left = || self.members.iter().copied().filter(|member| usable(*member));
        let sum: u64 = left().map(|member| u64::from(weight(member))).sum();
        if sum == 0 {
            let count = left().count() as u64;
            return left().nth(below(random, count) as usize);
        }
        let mut point = below(random, sum);
        left().find(|member| {
            let weight = u64::from(weight(*member));
            let hit = point < weight;
            point = point.saturating_sub(weight);
            hit
        })
    }
}

/// `random` scaled to `0..bound` (0 for an empty range).
fn below(random: u64, bound: u64) -> u64 {
    ((u128::from(random) * u128::from(bound)) >> 64) as u64
}

/// Which models a key serves; names in lower case.
#[derive(Debug)]
pub(crate) struct ModelFilter {
    /// `None` allows every model.
    pub(crate) allowed: Option<Vec<String>>,
    /// `None` denies every model.
    pub(crate) denied: Option<Vec<String>>,
}

impl ModelFilter {
    /// `model` = `None` asks for a model that no list names.
    fn allows(&self, model: Option<&str>) -> bool {
        let is_named =
            |list: &Vec<String>| model.is_some_and(|model| list.iter().any(|name| name == model));
        !self.denied.as_ref().is_none_or(is_named) && self.allowed.as_ref().is_none_or(is_named)
    }

    /// Gives the right to one model away to another filter, if there is that right.
    pub(crate) fn split_off(&mut self, model: &str) -> Option<Self> {
        if !self.allows(Some(model)) {
            return None;
        }
        self.denied.get_or_insert_default().push(model.to_owned());
        Some(Self { allowed: Some(vec![model.to_owned()]), denied: Some(Vec::new()) })
    }

    fn named(&self) -> impl Iterator<Item = &str> {
        self.allowed.iter().chain(&self.denied).flatten().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(weight: u32) -> Key {
        Key {
            label: Arc::default(),
            auth: KeyAuth::Line(Secret::default()),
            region: None,
            weight,
            serves_batches: false,
            is_elsewhere: false,
            aliases: NameTable::default(),
            likenesses: NameTable::default(),
            endpoints: Vec::new(),
        }
    }

    fn filter(allowed: Option<&[&str]>, denied: Option<&[&str]>) -> ModelFilter {
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        ModelFilter { allowed: allowed.map(owned), denied: denied.map(owned) }
    }

    fn table(weights: &[u32]) -> KeyTable {
        KeyTable::new(weights.iter().map(|w| (key(*w), filter(None, Some(&[])))).collect())
    }

    /// Draws `n` times at evenly spaced points and counts per key.
    fn shares(draw: impl Fn(u64) -> Option<u16>, keys: usize, n: u64) -> Vec<u64> {
        let mut counts = vec![0; keys];
        for i in 0..n {
            let step = u64::MAX / n;
            counts[usize::from(draw(i * step + step / 2).unwrap())] += 1;
        }
        counts
    }

    #[test]
    fn keys_are_drawn_by_weight() {
        let table = table(&[70, 0, 30]);
        assert_eq!(shares(|r| table.pool("m").draw(r), 3, 1000), [700, 0, 300]);
    }

    #[test]
    fn without_any_weight_all_are_equal() {
        let table = table(&[0, 0, 0, 0]);
        assert_eq!(shares(|r| table.pool("m").draw(r), 4, 1000), [250; 4]);
    }

    #[test]
    fn a_second_draw_leaves_out_what_was_used() {
        let table = table(&[70, 20, 10]);
        let draw = |r| table.pool("m").draw_among(&table.keys, r, |member| member != 0);
        assert_eq!(shares(draw, 3, 900), [0, 600, 300]);
        assert_eq!(table.pool("m").draw_among(&table.keys, 7, |_| false), None);
    }

    #[test]
    fn a_second_draw_takes_a_weightless_key_when_nothing_else_is_left() {
        let table = table(&[70, 0]);
        let drawn = table.pool("m").draw_among(&table.keys, u64::MAX, |member| member == 1);
        assert_eq!(drawn, Some(1));
    }

    #[test]
    fn lists_decide_which_keys_serve_a_model() {
        let table = KeyTable::new(vec![
            (key(1), filter(Some(&["gpt-4o"]), Some(&[]))),
            (key(1), filter(None, Some(&["gpt-4o"]))),
            (key(1), filter(Some(&[]), Some(&[]))),
            (key(1), filter(None, None)),
        ]);
        assert_eq!(table.pool("GPT-4o").members(), [0]);
        assert_eq!(table.pool("other").members(), [1]);
    }

    #[test]
    fn a_model_is_listed_by_a_key_that_names_and_serves_it() {
        let alias = |name: &str| {
            let aliases = [(name.into(), Arc::from("model-id"))].into_iter().collect();
            Key { aliases, ..key(1) }
        };
        let table = KeyTable::new(vec![
            (key(1), filter(Some(&["allowed", "both"]), Some(&["both"]))),
            (key(1), filter(None, Some(&["denied"]))),
            (alias("known"), filter(None, Some(&[]))),
            (alias("not-allowed"), filter(Some(&["allowed"]), Some(&[]))),
            (alias("refused"), filter(None, None)),
        ]);
        assert_eq!(table.named_models().collect::<Vec<_>>(), ["allowed", "known"]);
        assert!(table.names_model("Allowed") && !table.names_model("denied"));
    }

    #[test]
    fn requests_without_a_model_may_use_keys_that_serve_none() {
        let table = KeyTable::new(vec![
            (key(1), filter(Some(&[]), None)),
            (Key { serves_batches: true, ..key(1) }, filter(None, Some(&[]))),
            (Key { serves_batches: true, is_elsewhere: true, ..key(1) }, filter(None, Some(&[]))),
        ]);
        assert_eq!(table.whole().members(), [0, 1]);
        assert_eq!(table.batches().members(), [1]);
    }

    #[test]
    fn an_empty_pool_draws_nothing() {
        assert_eq!(table(&[]).pool("m").draw(u64::MAX), None);
    }
}
