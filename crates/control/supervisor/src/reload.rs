//! Takes a changed configuration over: on request, and when the file changes.
//!
//! The file is looked at once a second instead of being watched by inotify: that works on network
//! file systems and for the symbolic links of mounted Kubernetes objects, needs no package, and
//! costs one `stat`. A change counts once the file has rested for one look, so half-written files
//! are rarely read; one that is read anyway has mistakes and changes nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use config::Config;
use seam::Published;
use snapshot::Builder;
use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, info, warn};

use crate::current::Current;
use crate::file::{ConfigFile, LoadError, Loaded, Stamp};

const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Owns what is needed to put a new configuration in force.
pub(crate) struct Reloader {
    file: ConfigFile,
    /// What was last loaded, or tried in vain.
    stamp: Stamp,
    builder: Builder,
    published: Published,
    current: watch::Sender<Arc<Current>>,
}

impl Reloader {
    /// Starts from what is already published.
    pub(crate) fn new(
        file: ConfigFile,
        first: Loaded,
        builder: Builder,
        published: Published,
    ) -> Self {
        let snapshot = published.load();
        let Loaded { config, stamp } = first;
        let current = Current { config, snapshot, generation: 1 };
        let current = watch::Sender::new(Arc::new(current));
        Self { file, stamp, builder, published, current }
    }

    /// Follows what is in force.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<Current>> {
        self.current.subscribe()
    }

    /// Reloads whenever `request` is notified or the file has changed.
    pub(crate) async fn run(mut self, request: Arc<Notify>) {
        let mut looks = interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = self.stamp;
        loop {
            tokio::select! {
                () = request.notified() => self.reload(),
                _ = looks.tick() => {
                    let now = self.file.stamp();
                    if now != self.stamp && now == seen {
                        self.reload();
                    }
                    seen = now;
                }
            }
        }
    }

    /// Loads first and publishes only when that succeeds.
    pub(crate) fn reload(&mut self) {
        self.stamp = self.file.stamp();
        if self.current.borrow().config.source == config::Source::File && !self.file.exists() {
            let path = self.file.path.display();
            warn!(%path, "the configuration file is gone; what it said stays in force");
            return;
        }
        match self.file.load() {
            Ok(loaded) => self.publish(loaded),
            Err(refused) => log_refused(&refused),
        }
    }

    fn publish(&mut self, loaded: Loaded) {
        self.published.publish(self.builder.build(&loaded.config));
        self.stamp = loaded.stamp;
        let before = Arc::clone(&self.current.borrow());
        log_change(&before.config, &loaded.config);
        self.current.send_replace(Arc::new(Current {
            config: loaded.config,
            snapshot: self.published.load(),
            generation: before.generation + 1,
        }));
    }
}

fn log_refused(refused: &LoadError) {
    match refused {
        LoadError::Invalid { path, problems, .. } => {
            for problem in problems.list() {
                error!(path = %path.display(), "{problem}");
            }
            let count = problems.list().len();
            error!(count, "the configuration has mistakes; the old one stays in force");
        }
        LoadError::Unreadable { .. } => {
            error!("{refused}; the old configuration stays in force");
        }
    }
}

fn log_change(before: &Config, after: &Config) {
    let (added, removed) = (missing_in(before, after), missing_in(after, before));
    info!(
        providers = after.providers.len(),
        added = added.join(" "),
        removed = removed.join(" "),
        warnings = after.warnings.len(),
        inactive = after.inactive.len(),
        "configuration reloaded"
    );
    for warning in after.warnings.iter().filter(|warning| !before.warnings.contains(warning)) {
        warn!("{warning}");
    }
    if before.server != after.server {
        warn!("section `server` changed: that takes effect at the next start");
    }
}

/// Names of providers that only `other` has.
fn missing_in<'c>(config: &Config, other: &'c Config) -> Vec<&'c str> {
    let known: BTreeSet<&str> = config.providers.iter().map(|p| p.name.as_str()).collect();
    let names = other.providers.iter().map(|provider| provider.name.as_str());
    names.filter(|name| !known.contains(name)).collect()
}
