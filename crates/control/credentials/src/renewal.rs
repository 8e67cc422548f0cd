//! Keeps one login's credentials fresh for as long as somebody uses them.

use std::sync::Weak;
use std::time::Duration;

use snapshot::Login;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use crate::cell::Cell;
use crate::grant::Grant;

/// Longest fetch, all of its exchanges together.
const FETCH_MAX: Duration = Duration::from_secs(45);

/// Waits between failed fetches: doubling from the first to the last.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// Fetches, waits, and fetches again, until the cell is gone or its credentials never end.
pub(crate) async fn keep<F>(cell: Weak<Cell>, fetch: impl Fn(Login) -> F)
where
    F: Future<Output = Result<Grant, String>>,
{
    let mut backoff = BACKOFF_MIN;
    while let Some(cell) = cell.upgrade() {
        let fetched = timeout(FETCH_MAX, fetch(cell.login.clone())).await;
        let wait = match fetched.unwrap_or_else(|_| Err(too_slow())) {
            Ok(grant) => {
                backoff = BACKOFF_MIN;
                let wait = grant.renew_in();
                debug!(kind = kind(&cell.login), "credentials fetched");
                cell.renew(grant);
                wait
            }
            Err(why) => {
                warn!(kind = kind(&cell.login), why, "cannot fetch credentials");
                cell.fail(why);
                let wait = backoff;
                backoff = BACKOFF_MAX.min(backoff * 2);
                Some(wait)
            }
        };
        drop(cell);
        match wait {
            Some(wait) => sleep(wait).await,
            None => return,
        }
    }
}

fn too_slow() -> String {
    format!("they were not there within {} s", FETCH_MAX.as_secs())
}

fn kind(login: &Login) -> &'static str {
    match login {
        Login::Aws(_) => "aws",
        Login::Google(_) => "google",
        Login::Azure(_) => "azure",
        Login::Databricks(_) => "databricks",
        Login::GitHubApp(_) => "github app",
    }
}
