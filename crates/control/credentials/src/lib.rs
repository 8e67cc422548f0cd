//! Credentials that expire: fetched when a configuration names them, renewed ahead of time, and
//! handed to the data plane as signers that only compute.
//!
//! [`Credentials`] is the [`snapshot::Signers`] of a snapshot builder. [`Credentials::run`] fetches
//! and renews until it is dropped. What is fetched belongs to its [`snapshot::Login`]: a reload that
//! leaves a login alone keeps its credentials, and logins that no snapshot holds are forgotten.
//!
//! AWS credentials come from AWS's own packages. The others are small OAuth exchanges (RFC 6749,
//! 7523, 8693), made here: the packages of Google and Microsoft bring a second HTTP stack each, and
//! keep tokens by their own clock and in their own tasks.
#![forbid(unsafe_code)]

mod aws;
mod azure;
mod cell;
mod databricks;
mod github;
mod google;
mod grant;
mod jwt;
mod oauth;
mod renewal;
mod sigv4;
mod web;
mod world;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use snapshot::{Login, Sign, Signers};
use tokio::sync::Notify;

use cell::Cell;
use grant::Grant;
use world::World;

/// All logins in use, with what was fetched for them.
#[derive(Clone, Debug)]
pub struct Credentials {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    world: World,
    cells: Mutex<Cells>,
    /// Something is in `Cells::new`.
    added: Notify,
}

#[derive(Debug, Default)]
struct Cells {
    known: HashMap<Login, Weak<Cell>>,
    /// Those that nobody fetches for yet.
    new: Vec<Weak<Cell>>,
}

impl Default for Credentials {
    fn default() -> Self {
        Self::new()
    }
}

impl Credentials {
    /// Nothing is fetched before [`Self::run`] runs, and nothing is opened before something is to be
    /// fetched.
    pub fn new() -> Self {
        Self::of(World::real())
    }

    fn of(world: World) -> Self {
        let shared = Shared { world, cells: Mutex::default(), added: Notify::new() };
        Self { shared: Arc::new(shared) }
    }

    /// Fetches for every login and keeps renewing. To be spawned once; it never ends.
    pub async fn run(self) {
        loop {
            for cell in self.take_new() {
                let world = self.shared.world.clone();
                let fetch = move |login: Login| {
                    let world = world.clone();
                    async move { fetch(&login, &world).await }
                };
                tokio::spawn(renewal::keep(cell, fetch));
            }
            self.shared.added.notified().await;
        }
    }

    fn take_new(&self) -> Vec<Weak<Cell>> {
        let mut cells = self.shared.cells.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut cells.new)
    }
}

impl Signers for Credentials {
    fn signer(&self, login: &Login) -> Arc<dyn Sign> {
        let mut cells = self.shared.cells.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cell) = cells.known.get(login).and_then(Weak::upgrade) {
            return cell;
        }
        cells.known.retain(|_, cell| cell.strong_count() > 0);
        let cell = Arc::new(Cell::new(login.clone(), self.shared.world.wall));
        cells.known.insert(login.clone(), Arc::downgrade(&cell));
        cells.new.push(Arc::downgrade(&cell));
        self.shared.added.notify_one();
        cell
    }
}

/// Fetches once. An error is for operators and callers, and has no secrets in it.
async fn fetch(login: &Login, world: &World) -> Result<Grant, String> {
    match login {
        Login::Aws(login) => aws::fetch(login, world).await,
        Login::Google(login) => google::fetch(login, world).await,
        Login::Azure(login) => azure::fetch(login, world).await,
        Login::Databricks(login) => databricks::fetch(login, world).await,
        Login::GitHubApp(app) => github::fetch(app, world).await,
    }
}
