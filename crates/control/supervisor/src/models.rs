//! Which models there are: what the configuration names, and what providers list themselves.

mod listing;
mod reply;
mod routes;
mod sdk;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::current::Current;
use crate::refusal::Refusal;

use listing::Listing;
pub(crate) use reply::{BaseQuery, base};
pub(crate) use routes::router;

/// How long a provider's list is good for.
const FRESH_MAX: Duration = Duration::from_secs(60);

/// After a failure a provider is asked again sooner.
const FRESH_AFTER_FAILURE_MAX: Duration = Duration::from_secs(5);

/// The lists of all providers, each fetched by one request at a time however many want it.
#[derive(Debug, Default)]
pub(crate) struct Models {
    cells: Mutex<HashMap<String, Cell>>,
}

#[derive(Clone, Debug)]
struct Cell {
    /// Of the configuration it was made for.
    generation: u64,
    listing: Arc<OnceCell<(Instant, Arc<Listing>)>>,
}

impl Models {
    /// The lists of one provider or of all, fetched side by side.
    pub(crate) async fn list(
        &self,
        current: &Arc<Current>,
        provider: Option<&str>,
    ) -> Result<Vec<Arc<Listing>>, Refusal> {
        let wanted: Vec<String> = match provider {
            Some(name) if current.provider(name).is_some() => vec![name.to_owned()],
            Some(name) => {
                let message = format!("provider {name} is not configured");
                return Err(Refusal::BadRequest(message));
            }
            None => current.config.providers.iter().map(|config| config.name.clone()).collect(),
        };
        let mut fetches = JoinSet::new();
        for name in wanted {
            let (cell, current) = (self.cell(&name, current.generation), Arc::clone(current));
            fetches.spawn(async move { fetch(&cell, &current, &name).await });
        }
        let mut listings = fetches.join_all().await;
        listings.sort_by(|left, right| left.provider.cmp(&right.provider));
        Ok(listings)
    }

    /// The cell of a provider; a new one when the old is of another configuration or no longer
    /// fresh.
    fn cell(&self, provider: &str, generation: u64) -> Cell {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        cells.retain(|_, cell| cell.generation == generation);
        if let Some(cell) = cells.get(provider).filter(|cell| cell.is_fresh()) {
            return cell.clone();
        }
        let cell = Cell { generation, listing: Arc::default() };
        cells.insert(provider.to_owned(), cell.clone());
        cell
    }
}

impl Cell {
    /// Also while it is being filled.
    fn is_fresh(&self) -> bool {
        self.listing.get().is_none_or(|(at, listing)| {
            let fresh_max = match listing.has_failed() {
                true => FRESH_AFTER_FAILURE_MAX,
                false => FRESH_MAX,
            };
            at.elapsed() < fresh_max
        })
    }
}

async fn fetch(cell: &Cell, current: &Current, provider: &str) -> Arc<Listing> {
    let fetch = async || {
        let listing = listing::fetch(current, provider).await;
        (Instant::now(), Arc::new(listing))
    };
    Arc::clone(&cell.listing.get_or_init(fetch).await.1)
}
