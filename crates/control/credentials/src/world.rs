//! What fetching depends on outside of the process: the network, the environment, the clock.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::web::{Exchange, Internet};

/// Looks up environment variables.
pub(crate) type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// A way to reach all of it.
#[derive(Clone)]
pub(crate) struct World {
    /// Sends requests.
    pub(crate) web: Arc<dyn Exchange>,
    variable: Variables,
    /// The date, for what is signed. How long something lasts is measured by tokio's clock.
    pub(crate) wall: fn() -> SystemTime,
}

impl World {
    pub(crate) fn real() -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        Self::new(Arc::new(Internet::default()), Arc::new(variable), SystemTime::now)
    }

    pub(crate) fn new(
        web: Arc<dyn Exchange>,
        variable: Variables,
        wall: fn() -> SystemTime,
    ) -> Self {
        Self { web, variable, wall }
    }

    /// An environment variable that is set to something.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    /// Seconds since 1970.
    pub(crate) fn seconds(&self) -> u64 {
        let since = (self.wall)().duration_since(SystemTime::UNIX_EPOCH);
        since.unwrap_or(Duration::ZERO).as_secs()
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

/// The text of a small file that holds a token or a credential.
pub(crate) async fn read_file(path: &str) -> Result<String, String> {
    let text = tokio::fs::read_to_string(path).await;
    text.map_err(|error| format!("cannot read {path}: {error}"))
}
