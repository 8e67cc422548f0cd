//! Stage 5: what is asked for → an ordered list of targets, and the keys to try at each.

use std::borrow::Cow;

use dialect::Operation;
use snapshot::{Key, Pool, Snapshot, Upstream};

use crate::caller::{CallerHeaders, Pin};
use crate::limits::FALLBACKS_MAX;
use crate::reject::{Kind, Reject};
use crate::routes::{BareModel, Family};

/// A provider and the model to ask it for.
#[derive(Debug)]
pub(crate) struct Target<'r> {
    /// The provider, or the configured name of one that does not exist (an error of its own).
    pub(crate) upstream: Result<&'r Upstream, Reject>,
    /// Model as the caller named it, without the provider.
    pub(crate) model: Cow<'r, str>,
    /// The region that the key must be in.
    pub(crate) region: Option<Box<str>>,
    /// How the provider was found, in the product's vocabulary.
    pub(crate) routing_engine: &'static str,
}

/// Every target of a request.
#[derive(Debug)]
pub(crate) struct Targets<'r> {
    /// Tried first.
    pub(crate) primary: Target<'r>,
    /// Tried after it, in this order.
    pub(crate) fallbacks: Vec<Target<'r>>,
}

impl<'r> Targets<'r> {
    /// That provider alone, for what needs no model.
    pub(crate) fn of(snapshot: &'r Snapshot, provider: &str) -> Self {
        Self { primary: named(snapshot, provider, "".into()), fallbacks: Vec::new() }
    }

    /// The target of that index, 0 being the primary.
    pub(crate) fn at(&self, index: usize) -> Option<&Target<'r>> {
        match index.checked_sub(1) {
            None => Some(&self.primary),
            Some(index) => self.fallbacks.get(index),
        }
    }
}

/// What decides about model names that come without a provider. It is only looked at when one does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bare<'r> {
    pub(crate) family: Family,
    pub(crate) headers: &'r CallerHeaders,
    /// The head that `headers` was read from.
    pub(crate) bytes: &'r [u8],
}

impl<'r> Bare<'r> {
    fn model(self) -> BareModel<'r> {
        let user_agent = self.headers.user_agent.value(self.bytes);
        self.family.bare_model(user_agent, self.headers.model_provider.text(self.bytes))
    }
}

/// Who is to be asked for `model`, and for what after that.
pub(crate) fn targets<'r>(
    snapshot: &'r Snapshot,
    bare: Bare<'_>,
    model: &'r str,
    fallbacks: &'r [String],
    operation: Operation,
) -> Result<Targets<'r>, Reject> {
    if model.is_empty() {
        return Err(model_missing());
    }
    let mut targets = match snapshot.split_model(model) {
        (_, "") => return Err(model_missing()),
        (Some(provider), model) => {
            Targets { primary: named(snapshot, provider, model.into()), fallbacks: Vec::new() }
        }
        (None, model) => match bare.model() {
            BareModel::Listed(hint) => resolve(snapshot, hint, model, operation, fallbacks)?,
            BareModel::Always(provider) => {
                Targets { primary: named(snapshot, provider, model.into()), fallbacks: Vec::new() }
            }
        },
    };
    for fallback in fallbacks {
        let target = match snapshot.split_model(fallback) {
            (_, "") => None,
            (Some(provider), model) => Some(named(snapshot, provider, model.into())),
            (None, name) if bare.family.is_drop_in() => inheriting(&targets.primary, name),
            (None, _) => None,
        };
        targets.fallbacks.extend(target);
    }
    targets.fallbacks.truncate(FALLBACKS_MAX);
    Ok(targets)
}

fn named<'r>(snapshot: &'r Snapshot, provider: &str, model: Cow<'r, str>) -> Target<'r> {
    match snapshot.upstream(provider) {
        Some(upstream) => at(upstream, model, "core"),
        None => Target {
            upstream: Err(provider_unknown(provider)),
            model,
            region: None,
            routing_engine: "core",
        },
    }
}

fn at<'r>(upstream: &'r Upstream, model: Cow<'r, str>, routing_engine: &'static str) -> Target<'r> {
    let target = Target { upstream: Ok(upstream), model, region: None, routing_engine };
    if upstream.takes_region { without_region(target, upstream) } else { target }
}

/// A model that is named with its region in front.
#[cold]
fn without_region<'r>(target: Target<'r>, upstream: &Upstream) -> Target<'r> {
    let Some((region, model)) = upstream.split_region(&target.model) else { return target };
    let (region, model) = (Some(region.into()), model.to_owned());
    Target { region, model: model.into(), ..target }
}

/// On drop-in routes a fallback without provider is one of the primary's; base routes drop it.
fn inheriting<'r>(primary: &Target<'r>, model: &'r str) -> Option<Target<'r>> {
    let upstream = *primary.upstream.as_ref().ok()?;
    Some(at(upstream, model.into(), "core"))
}

/// Finds the providers of a bare model name: the one of `hint` first, else by name; the others
/// become fallbacks where the request brought none.
fn resolve<'r>(
    snapshot: &'r Snapshot,
    hint: Option<&str>,
    model: &'r str,
    operation: Operation,
    fallbacks: &[String],
) -> Result<Targets<'r>, Reject> {
    let candidates = snapshot
        .resolve(model)
        .map(|upstream| &**upstream)
        .filter(|upstream| upstream.serves(operation, model));
    let is_own = |upstream: &&Upstream| Some(&*upstream.name) == hint;
    let own = candidates.clone().find(is_own);
    let others = candidates.filter(|upstream| !is_own(upstream));
    let mut found =
        own.into_iter().chain(others).map(|upstream| at(upstream, model.into(), "model-catalog"));
    let primary = found.next().ok_or_else(provider_unresolved)?;
    let others = if fallbacks.is_empty() { found.collect() } else { Vec::new() };
    Ok(Targets { primary, fallbacks: others })
}

#[cold]
fn model_missing() -> Reject {
    let message =
        "could not auto resolve a model for the request, please specify a model explicitly";
    Reject::new(Kind::Unresolved, message)
}

#[cold]
fn provider_unresolved() -> Reject {
    let message = "could not auto resolve a provider for the request, please specify a provider \
                   explicitly";
    Reject::new(Kind::Unresolved, message)
}

#[cold]
fn provider_unknown(provider: &str) -> Reject {
    Reject::new(Kind::ProviderUnknown, format!("provider {provider} is not configured"))
}

/// Draws keys of one target for one request, each at most once per round.
#[derive(Debug)]
pub(crate) struct KeyDraw<'r> {
    table: &'r [Key],
    pool: Cow<'r, [u16]>,
    weighted: Option<&'r Pool>,
    /// The key in use.
    pub(crate) current: u16,
    parked: Vec<u16>,
    dead: Vec<u16>,
}

/// The keys that may serve `model` at `upstream`, with the first one drawn. `None` where the
/// provider needs no key.
pub(crate) fn keys<'r>(
    upstream: &'r Upstream,
    model: &str,
    region: Option<&str>,
    pin: Option<Pin<'_>>,
    random: u64,
) -> Result<Option<KeyDraw<'r>>, Reject> {
    if upstream.is_keyless {
        return Ok(None);
    }
    let pool = upstream.keys.pool(model);
    if let (None, Some(region)) = (pin, region) {
        return in_region(upstream.keys.keys.as_slice(), pool, region, random).map(Some);
    }
    let draw = draw_from(upstream, pool, pin, random)?;
    draw.map(Some).ok_or_else(|| no_key(upstream, model))
}

/// A key of `pool`, which is one of the provider's, with the others behind it; `None` where it is empty.
pub(crate) fn draw_from<'r>(
    upstream: &'r Upstream,
    pool: &'r Pool,
    pin: Option<Pin<'_>>,
    random: u64,
) -> Result<Option<KeyDraw<'r>>, Reject> {
    let table = upstream.keys.keys.as_slice();
    if let Some(pin) = pin {
        return pinned(table, pool, pin).map(Some);
    }
    Ok(pool.draw(random).map(|current| KeyDraw {
        table,
        pool: Cow::Borrowed(pool.members()),
        weighted: Some(pool),
        current,
        parked: Vec::new(),
        dead: Vec::new(),
    }))
}

/// The keys for a request that names no model.
pub(crate) fn keys_for_all<'r>(
    upstream: &'r Upstream,
    for_batches: bool,
    pin: Option<Pin<'_>>,
    random: u64,
) -> Result<Option<KeyDraw<'r>>, Reject> {
    if upstream.is_keyless {
        return Ok(None);
    }
    let keys = &upstream.keys;
    let pool = if for_batches { keys.batches() } else { keys.whole() };
    let draw = draw_from(upstream, pool, pin, random)?;
    draw.map(Some).ok_or_else(|| no_key_for_all(upstream))
}

fn pinned<'r>(table: &'r [Key], pool: &'r Pool, pin: Pin<'_>) -> Result<KeyDraw<'r>, Reject> {
    let fits = |member: &&u16| {
        table.get(usize::from(**member)).is_some_and(|key| match pin {
            Pin::Id(id) => key.label.id == id,
            Pin::Name(name) => key.label.name == name,
        })
    };
    match pool.members().iter().find(fits) {
        Some(member) => Ok(KeyDraw {
            table,
            pool: Cow::Owned(vec![*member]),
            weighted: None,
            current: *member,
            parked: Vec::new(),
            dead: Vec::new(),
        }),
        None => Err(pin_not_found(pin)),
    }
}

/// Those of the pool that are in a region, each as likely as the others.
#[cold]
fn in_region<'r>(
    table: &'r [Key],
    pool: &'r Pool,
    region: &str,
    random: u64,
) -> Result<KeyDraw<'r>, Reject> {
    let is_there = |member: &&u16| {
        let key = table.get(usize::from(**member));
        key.is_some_and(|key| key.region.as_deref() == Some(region))
    };
    let members: Vec<u16> = pool.members().iter().filter(is_there).copied().collect();
    let drawn = random.checked_rem(members.len() as u64).unwrap_or(0) as usize;
    let Some(current) = members.get(drawn).copied() else {
        let message = format!("no key that may be used is in {region}: add one with that region");
        return Err(Reject::new(Kind::NoKey, message));
    };
    Ok(KeyDraw {
        table,
        pool: Cow::Owned(members),
        weighted: None,
        current,
        parked: Vec::new(),
        dead: Vec::new(),
    })
}

impl<'r> KeyDraw<'r> {
    /// Every key that could have been drawn, by id.
    pub(crate) fn every(&self) -> Vec<&'r Key> {
        let at = |member: &u16| self.table.get(usize::from(*member));
        let mut keys: Vec<&'r Key> = self.pool.iter().filter_map(at).collect();
        keys.sort_by(|one, other| one.label.id.cmp(&other.label.id));
        keys
    }

    /// The key in use.
    pub(crate) fn key(&self) -> Option<&'r Key> {
        self.table.get(usize::from(self.current))
    }

    /// Keys that are not dead, without the one in use.
    pub(crate) fn live_others(&self) -> usize {
        let is_live = |member: &&u16| **member != self.current && !self.dead.contains(member);
        self.pool.iter().filter(is_live).count()
    }

    /// Of those, the ones not parked in this round.
    pub(crate) fn fresh_others(&self) -> usize {
        let is_fresh = |member: &&u16| {
            **member != self.current && !self.dead.contains(member) && !self.parked.contains(member)
        };
        self.pool.iter().filter(is_fresh).count()
    }

    /// Leaves the current key for the rest of the round and draws another; with none left a new
    /// round begins with all live keys.
    pub(crate) fn park(&mut self, random: u64) {
        self.parked.push(self.current);
        self.rotate(random);
    }

    /// Leaves the current key for good.
    pub(crate) fn bury(&mut self, random: u64) {
        self.dead.push(self.current);
        self.rotate(random);
    }

    fn rotate(&mut self, random: u64) {
        if self.draw(random).is_none() {
            self.parked.clear();
            self.draw(random);
        }
    }

    fn draw(&mut self, random: u64) -> Option<()> {
        let usable = |member: u16| !self.dead.contains(&member) && !self.parked.contains(&member);
        self.current = match self.weighted {
            Some(pool) => pool.draw_among(self.table, random, usable)?,
            None => self.pool.iter().copied().find(|member| usable(*member))?,
        };
        Some(())
    }
}

#[cold]
fn no_key(upstream: &Upstream, model: &str) -> Reject {
    if upstream.keys.keys.is_empty() {
        let message = format!("no keys are configured for provider {}", upstream.name);
        return Reject::new(Kind::NoKey, message);
    }
    Reject::new(Kind::NoKey, format!("no keys found that support model: {model}"))
}

#[cold]
fn no_key_for_all(upstream: &Upstream) -> Reject {
    let name = &upstream.name;
    let message = match upstream.keys.whole().is_empty() {
        true => format!("no keys are configured for provider {name}"),
        false => format!(
            "no config found for batch apis; enable 'Use for Batch APIs' (use_for_batch_api) on a \
             key of provider {name}"
        ),
    };
    Reject::new(Kind::NoKey, message)
}

#[cold]
fn pin_not_found(pin: Pin<'_>) -> Reject {
    let message = match pin {
        Pin::Id(id) => format!("no supported key found with id {id}"),
        Pin::Name(name) => format!("no supported key found with name {name}"),
    };
    Reject::new(Kind::NoKey, message)
}
